"""A sender that lies about its feed is refused at the place of the lie; what came before stays.

The lies are written to the disk of a sender whose server runs, with its own keys where it needs
them. When they are taken back, the receiver goes on from where it stood.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from federation.feeds.heads import head_payload
from federation.signing.signer import seal
from hub.bootstrap import open_node
from hub.node import Node
from hub.settings import load_settings
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE
from schemas.strict_json import write_json
from tests.scenarios.needles import Needle
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)


@dataclass(frozen=True)
class Feed:
    """The green feed on the disk of a sender whose server runs: what a liar would serve."""

    home: Path
    node: Node

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        opened = sqlite3.connect(self.home / "tocsin.db", timeout=30)
        with closing(opened) as connection, connection:
            yield connection

    @contextmanager
    def repaired_afterwards(self) -> Iterator[None]:
        """Put back what the feed was."""
        with self.database() as database:
            entries = database.execute(f"SELECT * FROM entries WHERE {IN_GREEN}").fetchall()
            (feed,) = database.execute(
                f"SELECT head, last_seq FROM feeds WHERE {IN_GREEN}"
            ).fetchall()
        yield
        with self.database() as database:
            database.execute("PRAGMA foreign_keys = OFF")
            database.execute(f"DELETE FROM entries WHERE {IN_GREEN}")
            places = ", ".join("?" * len(entries[0]))
            database.executemany(f"INSERT INTO entries VALUES ({places})", entries)
            database.execute(f"UPDATE feeds SET head = ?, last_seq = ? WHERE {IN_GREEN}", feed)

    def change(self, statement: str, *values: object) -> None:
        with self.database() as database:
            assert database.execute(f"{statement} AND {IN_GREEN}", values).rowcount == 1

    def entry(self, seq: int) -> dict[str, Any]:
        with self.database() as database:
            (record,) = database.execute(
                f"SELECT record FROM entries WHERE seq = ? AND {IN_GREEN}", (seq,)
            ).fetchone()
        value: dict[str, Any] = json.loads(record)
        return value

    def replace_entry(self, seq: int, value: object) -> None:
        self.change("UPDATE entries SET record = ? WHERE seq = ?", write_json(value), seq)


IN_GREEN = "feed_row = (SELECT feed_row FROM feeds WHERE audience = 'green' AND own)"


def sealed_by_the_http_key(feed: Feed) -> None:
    value = feed.entry(2)
    payload = base64.b64decode(value["dsse"]["payload"])
    envelope = seal(feed.node.keys.http, ENTRY_TYPE, payload)
    feed.replace_entry(2, value | {"dsse": envelope.to_json()})


def left_out(feed: Feed) -> None:
    feed.change("DELETE FROM entries WHERE seq = 2")


def left_out_at_the_end(feed: Feed) -> None:
    feed.change("DELETE FROM entries WHERE seq = 3")
    feed.change("UPDATE feeds SET last_seq = 2 WHERE own")


def promised_and_not_given(feed: Feed) -> None:
    feed.change("DELETE FROM entries WHERE seq = 3")


def given_twice(feed: Feed) -> None:
    feed.replace_entry(3, feed.entry(2))


def head_of_another_history(feed: Feed) -> None:
    name = FeedName(feed.node.node_id, "green")
    forged = head_payload(name, 3, EntryHash("0" * 63 + "1"), feed.node.now())
    head = seal(feed.node.keys.entry, HEAD_TYPE, forged)
    feed.change("UPDATE feeds SET head = ? WHERE own", head.to_bytes())


LIES: dict[str, tuple[Callable[[Feed], None], str, int]] = {
    "an entry under the http key": (sealed_by_the_http_key, "E_KEY_PURPOSE", 1),
    "an entry left out": (left_out, "E_GAP", 1),
    "the last entry left out": (left_out_at_the_end, "E_GAP", 2),
    "an entry promised and not given": (promised_and_not_given, "E_CURSOR_STALL", 2),
    "an entry in the place of the next": (given_twice, "E_CURSOR_STALL", 0),
    "a head that names another last entry": (head_of_another_history, "E_FORK", 3),
}


@pytest.fixture(scope="module")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tocsin]:
    folder = tmp_path_factory.mktemp("liar")
    with organisations(folder, "liar") as (node,):
        start_all(node)
        for number in (1, 2, 3):
            node.run("publish", Needle("green", number).file(folder), "--tlp", "green")
        yield node


@pytest.mark.parametrize("what", LIES)
def test_a_sender_that_lies_is_refused_at_the_place_of_the_lie(
    what: str, liar: Tocsin, tmp_path: Path
) -> None:
    lie, code, stands_at = LIES[what]
    reader = Tocsin("reader", tmp_path / "reader", liar.commands).init()
    pair_by_command(liar, reader)
    give_trust_by_command(liar, reader, "trusted")
    give_trust_by_command(reader, liar, "trusted")
    node = open_node(load_settings(liar.home, allow_loopback_peers=True))
    feed = Feed(liar.home, node)
    with feed.repaired_afterwards():
        lie(feed)
        node.database.close()
        done = reader.give("pull", liar.node_id)

    (row,) = done.document
    assert (done.code, row["error"]) == (1, code)
    assert held_indicators(reader) == wanted(stands_at)

    (row,) = reader.run("pull", liar.node_id)
    assert row["error"] is None
    assert held_indicators(reader) == wanted(3)


def held_indicators(node: Tocsin) -> set[str]:
    return {item["id"] for item in node.run("objects", "list", "--type", "indicator")}


def wanted(count: int) -> set[str]:
    return {Needle("green", number).stix_id for number in range(1, count + 1)}
