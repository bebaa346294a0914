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
from typing import Any, Protocol

import psycopg
from sqlalchemy import make_url

from hub.bootstrap import open_node
from hub.exchange.publish import PublishRequest, publish_objects
from hub.imports.drafts import Draft
from hub.node import Node
from hub.settings import load_settings
from hub.storage.queries.peers import list_peers
from schemas.markings import Tlp
from tests.support.databases import postgresql_with_tables, server_address
from tests.support.killing import StillClock, positions_that_differ, run_and_kill
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


Place = dict[str, str]
"""Where a run takes place: the members ``home`` and ``database_url`` of an order."""


class Bed(Protocol):
    """A node at rest, of which every trial gets a copy."""

    def copy(self, name: str) -> Place: ...

    def clear(self, place: Place) -> None: ...


@dataclass(frozen=True)
class SqliteBed:
    """A home with its database file."""

    home: Path
    folder: Path

    def copy(self, name: str) -> Place:
        return {"home": str(shutil.copytree(self.home, self.folder / name)), "database_url": ""}

    def clear(self, place: Place) -> None:
        shutil.rmtree(place["home"])


@dataclass(frozen=True)
class PostgresBed:
    """A home and a database, of which each trial gets copies."""

    home: Path
    url: str

    def copy(self, name: str) -> Place:
        base = make_url(self.url)
        copied = f"{base.database}_{name}"
        self._run(f'CREATE DATABASE "{copied}" TEMPLATE "{base.database}"')
        url = base.set(database=copied).render_as_string(hide_password=False)
        # The home too: its marker counts along with one database and doubts every other.
        home = shutil.copytree(self.home, self.home.with_name(f"{self.home.name}-{name}"))
        return {"home": str(home), "database_url": url}

    def clear(self, place: Place) -> None:
        self._run(f'DROP DATABASE "{make_url(place["database_url"]).database}" WITH (FORCE)')

    @staticmethod
    def _run(statement: str) -> None:
        with psycopg.connect(server_address(), autocommit=True) as connection:
            connection.execute(statement.encode())


def order_for(work: str, **members: Any) -> dict[str, Any]:
    return {"work": work, "at": NOW.isoformat(), "bundle": "", "tlp": "amber"} | members


@contextmanager
def opened(place: Place) -> Iterator[Node]:
    settings = load_settings(
        Path(place["home"]), allow_loopback_peers=True, database_url=place["database_url"]
    )
    node = open_node(settings, clock=StillClock(NOW))
    try:
        yield node
    finally:
        node.database.close()


def write_bundle(path: Path, objects: Sequence[dict[str, Any]]) -> str:
    path.write_text(json.dumps({"type": "bundle", "id": "bundle--0", "objects": list(objects)}))
    return str(path)


def publish(node: Node, objects: Sequence[dict[str, Any]], tlp: Tlp) -> None:
    """Publish to everybody, or to all peers by name where the label asks for names."""
    with node.database.read() as tx:
        to = list_peers(tx) if tlp >= Tlp.AMBER else ()
    drafts = [Draft(value) for value in objects]
    assert not publish_objects(node, PublishRequest(drafts, tlp, to=tuple(to))).refused


def survive_every_death(bed: Bed, order: dict[str, Any], *, every: int = 1) -> list[str]:
    """Die before each position, look at what is left, do the same again, compare.

    Args:
        every: take every nth position only.

    Returns:
        The statements of the run that nobody disturbed.
    """
    calm = bed.copy("calm")
    statements = run_and_kill(order | calm)
    with opened(calm) as node:
        check_invariants(node)
        expected = comparable_state(node)
    for number in positions_that_differ(statements)[::every]:
        trial = bed.copy(f"trial-{number}")
        run_and_kill(order | trial, kill_at=number)
        with opened(trial) as node:
            check_invariants(node)
        run_and_kill(order | trial)
        with opened(trial) as node:
            check_invariants(node)
            found = comparable_state(node)
        for part, rows in expected.items():
            assert found[part] == rows, f"{part} after a death before {statements[number - 1]}"
        bed.clear(trial)
    return statements


def at_rest(*nodes: Node) -> None:
    """Close the databases, so that they can be copied."""
    for node in nodes:
        node.database.close()


def an_origin_with_two_peers(tmp_path: Path, **settings: Any) -> Node:
    origin = make_node(tmp_path, "origin", **settings)
    others = [make_node(tmp_path, name) for name in ("first", "second")]
    with serving(origin):
        for other in others:
            pair(origin, other, "trusted")
    at_rest(origin, *others)
    return origin


@contextmanager
def a_reader_of_a_served_origin(tmp_path: Path, **settings: Any) -> Iterator[Node]:
    origin, reader = make_node(tmp_path, "origin"), make_node(tmp_path, "reader", **settings)
    with serve_in_thread(origin):
        pair(origin, reader, "trusted")
        publish(origin, INDICATORS[:1], Tlp.CLEAR)
        publish(origin, INDICATORS[1:], Tlp.AMBER)
        at_rest(reader)
        yield reader
    at_rest(origin)


def test_t56_a_publish_killed_between_any_two_statements(tmp_path: Path) -> None:
    origin = an_origin_with_two_peers(tmp_path)
    order = order_for("publish", bundle=write_bundle(tmp_path / "bundle.json", INDICATORS))

    statements = survive_every_death(SqliteBed(origin.settings.home, tmp_path / "deaths"), order)

    assert statements.count("COMMIT") >= 2
    assert any(statement.startswith("INSERT INTO entries") for statement in statements)


def test_t56_a_pull_killed_between_any_two_statements(tmp_path: Path) -> None:
    with a_reader_of_a_served_origin(tmp_path) as reader:
        bed = SqliteBed(reader.settings.home, tmp_path / "deaths")
        statements = survive_every_death(bed, order_for("pull"))
        calm = {"home": str(tmp_path / "deaths" / "calm"), "database_url": ""}
        with opened(calm) as node:
            states = rows_of(node, "SELECT DISTINCT state FROM objects")

    assert states == [{"state": "accepted"}]
    assert sum(statement.startswith("INSERT INTO entries") for statement in statements) == 2


def test_t56_a_publish_killed_on_postgresql(tmp_path: Path) -> None:
    origin = an_origin_with_two_peers(tmp_path, database_url=postgresql_with_tables())
    order = order_for("publish", bundle=write_bundle(tmp_path / "bundle.json", INDICATORS))
    bed = PostgresBed(origin.settings.home, origin.settings.database_url)

    statements = survive_every_death(bed, order, every=5)

    assert any("pg_advisory_xact_lock" in statement for statement in statements)


def test_t56_a_pull_killed_on_postgresql(tmp_path: Path) -> None:
    with a_reader_of_a_served_origin(tmp_path, database_url=postgresql_with_tables()) as reader:
        bed = PostgresBed(reader.settings.home, reader.settings.database_url)

        statements = survive_every_death(bed, order_for("pull"), every=7)

    assert any("pg_advisory_xact_lock" in statement for statement in statements)


def test_t56_a_long_publication_killed_between_its_parts_goes_on(tmp_path: Path) -> None:
    """64 entries are one write; what came before the death stays, and nothing is sealed twice."""
    origin = make_node(tmp_path, "origin")
    at_rest(origin)
    bed = SqliteBed(origin.settings.home, tmp_path / "deaths")
    objects = [
        INDICATORS[0]
        | {"id": f"indicator--5d7a3f6e-0000-4000-8000-0000000001{number:02}"}
        | {"description": "x" * 125_000}  # two of them do not fit into one entry
        for number in range(66)
    ]
    bundle = write_bundle(tmp_path / "bundle.json", objects)
    order = order_for("publish", bundle=bundle, tlp="clear")
    calm = bed.copy("calm")
    statements = run_and_kill(order | calm)
    writes = [n for n, text in enumerate(statements, 1) if text == "BEGIN IMMEDIATE"]
    assert len(writes) == 2

    for number in (writes[1] - 1, writes[1], len(statements)):
        trial = bed.copy(f"trial-{number}")
        run_and_kill(order | trial, kill_at=number)
        with opened(trial) as node:
            check_invariants(node)
            assert rows_of(node, "SELECT last_seq FROM feeds") == [{"last_seq": 1 + 64}]
        run_and_kill(order | trial)
        with opened(trial) as node, opened(calm) as undisturbed:
            assert comparable_state(node) == comparable_state(undisturbed)
