"""Own lists, overrides, caps and exports on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.verdicts.blocklist import blocks_for, release_waiting
from hub.verdicts.guard_check import check_guard, guard_overview
from hub.verdicts.guard_names import add_guard, import_guards, names_on_list, remove_guard_list
from hub.verdicts.guard_overrides import end_override, override_guard
from tests.support.databases import postgresql_with_tables
from tests.support.exported import exported_lines
from tests.support.nodes import make_node
from tests.support.told_claims import authors, claim, make_verdicts, tell


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = make_node(tmp_path, "hub", database_url=postgresql_with_tables(), blocks_per_hour=2)
    yield made
    made.database.close()


def test_lists_overrides_caps_and_the_export(node: Node) -> None:
    names = ["a.example", "b.example", "c.example", "www.bank.example", "google.com"]
    for who in authors(node, 2):
        tell(node, who, "clear", *(claim(name, n) for n, name in enumerate(names, 1)))
    make_verdicts(node)
    import_guards(node, b"*.bank.example\n", list_name="customers")
    assert exported_lines(node, "public") == ("a.example", "b.example")
    view = blocks_for(node, "public")
    assert [each.name for each in view.waiting] == ["c.example"]
    assert release_waiting(node, "public", reason="All.") == 1
    until = node.now() + timedelta(days=1)
    override_guard(node, "google.com", reason="An exercise.", until=until)
    add_guard(node, "b.example", grade="hold")
    make_verdicts(node)
    release_waiting(node, "public", reason="All.")
    assert exported_lines(node, "public") == ("a.example", "c.example", "google.com")
    assert [each.names for each in guard_overview(node).lists] == [1, 1]
    assert names_on_list(node, "customers", 10)[0].below
    end_override(node, "google.com")
    remove_guard_list(node, "customers")
    make_verdicts(node)
    release_waiting(node, "public", reason="All.")
    assert exported_lines(node, "public") == ("a.example", "c.example", "www.bank.example")
    assert check_guard(node, "*.example").radius.below == 4
    assert [alarm.params["hits"] for alarm in list_alarms(node)] == [1, 1]
