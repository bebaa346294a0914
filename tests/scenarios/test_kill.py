"""A process that is killed between any two statements leaves whole entries behind (THREATS 56).

Real processes, a real SIGKILL before every statement that could leave a trace. After each death:
no entry ahead of its objects, no cursor ahead of its data, and doing the same again comes to the
state of a run that nobody disturbed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hub.bootstrap import open_node
from hub.exchange.publish import PublishRequest, publish_objects
from hub.imports.drafts import Draft
from hub.node import Node
from hub.settings import load_settings
from hub.storage.queries.peers import list_peers
from schemas.markings import Tlp
from tests.support.killing import Killer, StillClock, positions_that_differ
from tests.support.nodes import NOW, make_node, pair, serve_in_thread, serving
from tests.support.stored_state import check_invariants, comparable_state, rows_of

INDICATORS = [
    {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--5d7a3f6e-0000-4000-8000-00000000000{number}",
        "created": "2026-03-01T09:00:00.000Z",
        "modified": "2026-03-01T09:00:00.000Z",
        "name": f"kill-{number}.example",
        "pattern": f"[domain-name:value = 'kill-{number}.example']",
        "pattern_type": "stix",
        "valid_from": "2026-03-01T09:00:00Z",
    }
    for number in range(1, 4)
]


@dataclass(frozen=True)
class Home:
    """A home that trials copy; nothing has it open."""

    path: Path

    def copied_to(self, trial: Path) -> Path:
        shutil.copytree(self.path, trial)
        return trial


def order_for(work: str, home: Path, **members: Any) -> dict[str, Any]:
    return {
        "work": work,
        "home": str(home),
        "database_url": "",
        "at": NOW.isoformat(),
        "bundle": "",
        "tlp": "amber",
    } | members


@contextmanager
def opened(home: Path) -> Iterator[Node]:
    node = open_node(load_settings(home, allow_loopback_peers=True), clock=StillClock(NOW))
    try:
        yield node
    finally:
        node.database.close()


def write_bundle(path: Path, objects: Sequence[dict[str, Any]]) -> str:
    path.write_text(json.dumps({"type": "bundle", "id": "bundle--0", "objects": list(objects)}))
    return str(path)


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    with Killer() as process:
        yield process


def publish(node: Node, objects: Sequence[dict[str, Any]], tlp: Tlp) -> None:
    """Publish to everybody, or to all peers by name where the label asks for names."""
    with node.database.read() as tx:
        to = list_peers(tx) if tlp >= Tlp.AMBER else ()
    drafts = [Draft(value) for value in objects]
    assert not publish_objects(node, PublishRequest(drafts, tlp, to=tuple(to))).refused


def survive_every_death(
    killer: Killer, base: Home, order: dict[str, Any], folder: Path, positions: Sequence[int] = ()
) -> list[str]:
    """Die before each position, look at what is left, do the same again, compare."""
    calm = base.copied_to(folder / "calm")
    statements = killer.run(order | {"home": str(calm)})
    with opened(calm) as node:
        check_invariants(node)
        expected = comparable_state(node)
    for number in positions or positions_that_differ(statements):
        trial = base.copied_to(folder / f"trial-{number}")
        killer.run(order | {"home": str(trial)}, kill_at=number)
        with opened(trial) as node:
            check_invariants(node)
        killer.run(order | {"home": str(trial)})
        with opened(trial) as node:
            check_invariants(node)
            found = comparable_state(node)
        for part, rows in expected.items():
            assert found[part] == rows, f"{part} after a death before {statements[number - 1]}"
        shutil.rmtree(trial)
    return statements


def test_t56_a_publish_killed_between_any_two_statements(tmp_path: Path, killer: Killer) -> None:
    origin = make_node(tmp_path, "origin")
    others = [make_node(tmp_path, name) for name in ("first", "second")]
    with serving(origin):
        for other in others:
            pair(origin, other, "trusted")
    for node in (origin, *others):
        node.database.close()
    bundle = write_bundle(tmp_path / "bundle.json", INDICATORS)
    order = order_for("publish", tmp_path / "origin", bundle=bundle)

    statements = survive_every_death(killer, Home(tmp_path / "origin"), order, tmp_path / "deaths")

    assert statements.count("COMMIT") >= 2
    assert any(statement.startswith("INSERT INTO entries") for statement in statements)


def test_t56_a_pull_killed_between_any_two_statements(tmp_path: Path, killer: Killer) -> None:
    origin, reader = make_node(tmp_path, "origin"), make_node(tmp_path, "reader")
    with serve_in_thread(origin):
        pair(origin, reader, "trusted")
        publish(origin, INDICATORS[:1], Tlp.CLEAR)
        publish(origin, INDICATORS[1:], Tlp.AMBER)
        reader.database.close()
        order = order_for("pull", tmp_path / "reader")
        statements = survive_every_death(
            killer, Home(tmp_path / "reader"), order, tmp_path / "deaths"
        )
        with opened(tmp_path / "deaths" / "calm") as node:
            states = rows_of(node, "SELECT state, COUNT(*) AS n FROM objects GROUP BY state")
            assert [row["state"] for row in states] == ["accepted"]

    assert sum(statement.startswith("INSERT INTO entries") for statement in statements) == 2


def test_t56_a_long_publication_killed_between_its_parts_goes_on(
    tmp_path: Path, killer: Killer
) -> None:
    """64 entries are one write; what came before the death stays, and nothing is sealed twice."""
    make_node(tmp_path, "origin").database.close()
    objects = [
        INDICATORS[0]
        | {"id": f"indicator--5d7a3f6e-0000-4000-8000-0000000001{number:02}"}
        | {"description": "x" * 125_000}  # two of them do not fit into one entry
        for number in range(66)
    ]
    bundle = write_bundle(tmp_path / "bundle.json", objects)
    order = order_for("publish", tmp_path / "origin", bundle=bundle, tlp="clear")
    calm = Home(tmp_path / "origin").copied_to(tmp_path / "calm")
    statements = killer.run(order | {"home": str(calm)})
    writes = [n for n, text in enumerate(statements, 1) if text == "BEGIN IMMEDIATE"]
    assert len(writes) == 2

    for number in (writes[1] - 1, writes[1], len(statements)):
        trial = Home(tmp_path / "origin").copied_to(tmp_path / f"trial-{number}")
        killer.run(order | {"home": str(trial)}, kill_at=number)
        with opened(trial) as node:
            check_invariants(node)
            assert rows_of(node, "SELECT last_seq FROM feeds") == [{"last_seq": 1 + 64}]
        killer.run(order | {"home": str(trial)})
        with opened(trial) as node, opened(calm) as undisturbed:
            assert comparable_state(node) == comparable_state(undisturbed)
