"""What objects refer to is found of objects, too, that an earlier release accepted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from hub.storage.engine import Database
from hub.storage.queries import views
from hub.storage.queries.collections import CollectionRow, store_collection
from hub.storage.queries.references import keep_references, places_of_referring
from tests.support.publications import indicator, note, stix_id

HERE = "n" * 52
ONE = stix_id("indicator", 1)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def upgrade(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[3] / "migrations"))
    with database.write(rebuilds=True) as tx:
        config.attributes["connection"] = tx.connection
        command.upgrade(config, revision)


def put_object(connection, number, value, state="accepted"):
    row = {
        "object_row": number,
        "origin": HERE,
        "stix_id": value["id"],
        "stix_type": value["type"],
        "spec_version": "2.1",
        "version": value["modified"],
        "tlp": 1,
        "machine": False,
        "exercise": False,
        "strength": 3,
        "state": state,
        "revoked": False,
        "content": json.dumps(value).encode(),
        "published_at": 0,
        "received_at": 0,
    }
    names = ", ".join(row)
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(sa.text(f"INSERT INTO objects ({names}) VALUES ({marks})"), row)


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path / 'node.db'}")
    upgrade(made, "0008")
    yield made
    made.close()


def test_an_upgrade_finds_what_is_there_already(database):
    in_its_text = note(2, stix_id("note", 1), content=f"as to {ONE}")
    with database.write() as tx:
        put_object(tx.connection, 1, indicator(1))
        put_object(tx.connection, 2, note(1, ONE))
        put_object(tx.connection, 3, in_its_text)
        put_object(tx.connection, 4, note(3, ONE), state="quarantined")
    upgrade(database, "0009")
    with database.read() as tx:
        found = tx.connection.execute(
            sa.text("SELECT object_row, stix_id, waits FROM object_references ORDER BY 1, 2")
        ).all()
    assert [tuple(row) for row in found] == [
        (2, ONE, False),
        (3, ONE, False),
        (3, stix_id("note", 1), False),
    ]


def test_what_is_meant_is_found_by_its_id_where_its_row_is_gone(database):
    upgrade(database, "head")
    with database.write() as tx:
        put_object(tx.connection, 1, indicator(1))
        put_object(tx.connection, 2, note(1, ONE))
        store_collection(
            tx, CollectionRow("c", None, "C", None, "originals", None, None, None, "", BEGAN)
        )
        view = views.create_view(tx, "c", 4)
        views.add_rows(tx, view.view_id, [2], BEGAN)
        keep_references(tx, {2: {ONE}}, {ONE: 1})
        before = places_of_referring(tx, [ONE])
        tx.connection.execute(sa.text("DELETE FROM objects WHERE object_row = 1"))
        after = places_of_referring(tx, [ONE])
    assert [(place.object_row, place.ref) for place in before] == [(2, ONE)]
    assert after == before
