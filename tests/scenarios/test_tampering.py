"""One byte of a stored entry changed on the sender's disk: the receiver stores nothing of it.

The database of a running node is written behind its back, as a thief or a failing disk does. The
codes differ by what the byte was part of (PROTOCOL 2.4 "Receiver's order of checks").
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.needles import Needle
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)

PLACES = {
    "a character of the payload": (rb'"payload":"[^"]{200}', b"", "E_SIG_BAD"),
    "a character of the payload that base64 has not": (rb'"payload":"[^"]{200}', b"*", "E_B64"),
    "a character of the signature": (rb'"sig":"[^"]{40}', b"", "E_SIG_BAD"),
    "the key that is named": (rb'"keyid":"[^"]{5}', b"", "E_KEY_UNKNOWN"),
    "the payload's type": (rb'"payloadType":"[^"]{30}', b"", "E_TYPE"),
    "the hint of the seq": (rb'"seq":', b"7", "E_FEED"),
    "the hint of the hash": (rb'"hash":"[^"]{3}', b"", "E_FEED"),
    "the hint of the id": (rb'"id":"x-tocsin-entry--[^"]{3}', b"", "E_FEED"),
    "the hint of the time": (rb'"created":"20', b"", "E_FEED"),
    "the hint of the feed": (rb'"feed":"[^"]{3}', b"", "E_FEED"),
    "the name of a member": (rb'"signature', b"x", "E_TYPE"),
    "a quote": (rb'"dsse', b"x", "E_JSON_SYNTAX"),
    "a byte that is no UTF-8": (rb'"payload":"[^"]{200}', b"\xff", "E_JSON_UTF8"),
}


@dataclass(frozen=True)
class Entry:
    """The last entry of the sender's green feed, on its disk."""

    home: Path
    record: bytes

    @classmethod
    def newest_of(cls, node: Tocsin) -> Entry:
        with closing(sqlite3.connect(node.home / "tocsin.db")) as database:
            (record,) = database.execute(
                "SELECT record FROM entries JOIN feeds USING (feed_row)"
                " WHERE audience = 'green' AND own ORDER BY seq DESC LIMIT 1"
            ).fetchone()
        return cls(node.home, bytes(record))

    def with_one_byte_changed(self, before: bytes, byte: bytes) -> bytes:
        found = re.search(before, self.record)
        assert found, before
        at = found.end()
        new = byte or (b"b" if self.record[at : at + 1] == b"a" else b"a")
        return self.record[:at] + new + self.record[at + 1 :]

    def overwrite(self, record: bytes, held: bytes) -> None:
        with closing(sqlite3.connect(self.home / "tocsin.db", timeout=30)) as database, database:
            changed = database.execute(
                "UPDATE entries SET record = ? WHERE record = ?", (record, held)
            )
            assert changed.rowcount == 1


def rows(node: Tocsin, statement: str) -> list[Any]:
    with closing(sqlite3.connect(node.home / "tocsin.db")) as database:
        return database.execute(statement).fetchall()


def everything_received(node: Tocsin) -> list[Any]:
    return [
        rows(node, f"SELECT * FROM {table} ORDER BY 1, 2, 3")
        for table in ("entries", "objects", "carried", "view_rows", "feeds")
    ]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tocsin, Tocsin, Entry]]:
    """A sender with two entries of which the receiver has the first."""
    folder = tmp_path_factory.mktemp("tampering")
    with organisations(folder, "sender", "receiver") as (sender, receiver):
        start_all(sender)
        pair_by_command(sender, receiver)
        give_trust_by_command(sender, receiver, "trusted")
        give_trust_by_command(receiver, sender, "trusted")
        sender.run("publish", Needle("green", 1).file(folder), "--tlp", "green")
        receiver.run("pull")
        sender.run("publish", Needle("green", 2).file(folder), "--tlp", "green")
        yield sender, receiver, Entry.newest_of(sender)


@pytest.mark.parametrize("place", PLACES)
def test_t1_one_byte_changed_on_the_senders_disk(
    place: str, pair: tuple[Tocsin, Tocsin, Entry]
) -> None:
    sender, receiver, entry = pair
    before, byte, code = PLACES[place]
    changed = entry.with_one_byte_changed(before, byte)
    held = everything_received(receiver)

    entry.overwrite(changed, entry.record)
    try:
        refused = receiver.give("pull", sender.node_id)
    finally:
        entry.overwrite(entry.record, changed)

    (row,) = refused.document
    assert (refused.code, row["error"], row["entries"]) == (1, code, 0)
    assert row["detail"]
    assert receiver.run("peer", "show", sender.node_id)["last_error"] == code
    assert everything_received(receiver) == held
    assert not any(trace in receiver.everything_on_disk() for trace in Needle("green", 2).traces)


def test_what_was_repaired_comes_and_the_peer_is_well_again(tmp_path: Path) -> None:
    with organisations(tmp_path, "sender", "receiver") as (sender, receiver):
        start_all(sender)
        pair_by_command(sender, receiver)
        give_trust_by_command(sender, receiver, "trusted")
        give_trust_by_command(receiver, sender, "trusted")
        for number in (1, 2, 3):
            sender.run("publish", Needle("green", number).file(tmp_path), "--tlp", "green")
            if number == 2:
                entry = Entry.newest_of(sender)
        changed = entry.with_one_byte_changed(rb'"payload":"[^"]{200}', b"")
        entry.overwrite(changed, entry.record)

        (row,) = receiver.give("pull", sender.node_id).document
        # What came before the bad entry is kept, what comes after it waits.
        assert row["error"] == "E_SIG_BAD"
        held = "SELECT last_seq FROM feeds WHERE audience = 'green' AND NOT own"
        assert rows(receiver, held) == [(1,)]
        again = receiver.give("pull", sender.node_id).document[0]
        assert (again["error"], again["entries"]) == ("E_SIG_BAD", 0)

        entry.overwrite(entry.record, changed)
        (row,) = receiver.run("pull", sender.node_id)
        assert (row["error"], row["entries"], row["accepted"]) == (None, 2, 2)
        assert receiver.run("peer", "show", sender.node_id)["last_error"] is None
