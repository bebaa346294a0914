"""One refresh for one claim costs the same few statements, however many peers there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from hub.node import Node
from hub.verdicts.fuse import refresh_verdicts
from hub.verdicts.guards import load_guards
from tests.support.nodes import FixedClock, make_node
from tests.support.told_claims import authors, claim, make_verdicts, tell

MOST = 55
"""What a refresh takes, and some room for one more question; each costs a reader's wait."""


@pytest.fixture
def node(tmp_path) -> Iterator[Node]:
    made = make_node(tmp_path, "hub", FixedClock())
    yield made
    made.database.close()


@contextmanager
def counted(node: Node) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(node.database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(node.database.engine, "before_cursor_execute", note)


def refreshed(node: Node) -> int:
    with counted(node) as seen:
        assert refresh_verdicts(node).is_finished
    return len(seen)


def test_a_refresh_takes_as_many_statements_with_ten_peers_as_with_one(node):
    (first,) = authors(node, 1)
    tell(node, first, "green", claim("one.example", 1))
    make_verdicts(node)
    tell(node, first, "green", claim("two.example", 2))
    alone = refreshed(node)
    authors(node, 9, first=2)
    tell(node, first, "green", claim("three.example", 3))
    make_verdicts(node)
    tell(node, first, "green", claim("four.example", 4))
    assert refreshed(node) == alone <= MOST


def test_where_nothing_is_due_a_refresh_is_one_look(node):
    (first,) = authors(node, 1)
    tell(node, first, "green", claim())
    make_verdicts(node)
    with counted(node) as seen:
        made = refresh_verdicts(node)
    assert len([each for each in seen if each.startswith("SELECT")]) == 1
    assert made.due_at is not None


def test_documents_that_were_read_are_not_read_again(node):
    authors(node, 3)
    with node.database.read() as tx:
        load_guards(tx, node)
        with counted(node) as seen:
            load_guards(tx, node)
    assert not [each for each in seen if "dsse" in each]
