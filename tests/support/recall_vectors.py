"""Vectors of taking back: every kind of it, the page with stubs, pages to refuse, acks.

``python -m tests.support.recall_vectors`` writes them anew, the same to the last byte.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from federation.feeds.acks import PassedOn, ack_payload
from federation.feeds.stubs import stub_record
from federation.signing.signer import seal
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import ACK_TYPE
from schemas.strict_json import strict_loads
from schemas.timestamps import read_wire_time
from tests.support.publications import LATER, Author, indicator, policy_of, stix_id

FILE = Path(__file__).parents[1] / "conformance" / "vectors" / "taking_back.json"
GREEN = "green"
ONE, TWO, THREE = (stix_id("indicator", number) for number in (1, 2, 3))


def recall_vectors() -> dict[str, Any]:
    """Build the vectors from fixed seeds."""
    author, reader = Author(7), Author(8)
    entries = _entries(author)
    whole = list(author.feed(GREEN).entries)
    served = _with(author, whole, (2, 7), (3, 6))
    return {
        "about": "Taking back in Tocsin's federation protocol; made by "
        "tests/support/recall_vectors.py",
        "origin": {"node_id": author.node_id, "node_document": _document(author)},
        "reader": {"node_id": reader.node_id, "node_document": _document(reader)},
        "feed": str(author.feed(GREEN).name),
        "entries": entries,
        "page": {
            "what": "as everybody serves the feed now: stubs for 2 (erased) and 3 (restricted)",
            "objects": served,
        },
        "pages_to_reject": [
            {
                "what": "no later entry names the first one",
                "code": "E_GAP",
                "objects": _with(author, whole, (1, 6), (2, 7), (3, 6)),
            },
            {
                "what": "the feed ends before entry 99",
                "code": "E_GAP",
                "objects": _with(author, whole, (2, 99), (3, 6)),
            },
            {
                "what": "the entry behind the stub names another hash",
                "code": "E_GAP",
                "objects": _with(author, whole, (2, 7), (3, 6), false_hash=3),
            },
            {
                "what": "not the ts of the entry that names it",
                "code": "E_GAP",
                "objects": _with(author, whole, (2, 7), (3, 6), false_time=3),
            },
            {
                "what": "named by an earlier entry",
                "code": "E_SCHEMA",
                "objects": _with(author, whole, (2, 1), (3, 6)),
            },
        ],
        "acks": [_ack(reader, author, *what) for what in _acknowledged()],
    }


def _document(author: Author) -> Any:
    return strict_loads(author.document.to_bytes())


def _entries(author: Author) -> list[dict[str, Any]]:
    release = {"at": "2026-04-01T00:00:00.000Z", "tlp": "clear"}
    restriction = len(author.feed(GREEN).entries) + 6
    what = [
        ("an innocent object", lambda: author.put(GREEN, indicator(9))),
        ("erased later", lambda: author.put(GREEN, indicator(1, name="Ada Lovelace"))),
        ("restricted later", lambda: author.put(GREEN, indicator(2))),
        ("an object, to be withdrawn", lambda: author.put(GREEN, indicator(3))),
        ("a heartbeat", lambda: author.write(GREEN, kind="noop")),
        (
            "restrict, with a stub from now on",
            lambda: author.write(
                GREEN, kind="restrict", ids=[TWO], tlp="amber", stop_relay=True, seqs=[3]
            ),
        ),
        (
            "erase",
            lambda: author.write(GREEN, kind="erase", seqs=[2], reason="personal data"),
        ),
        (
            "retract, in the end with its last version",
            lambda: author.write(
                GREEN, kind="retract", ids=[THREE], reason="false positive",
                policy=policy_of(GREEN),
            ),
        ),
        (
            "wider again: supersedes the restrict",
            lambda: author.put(
                GREEN,
                indicator(2, modified=LATER),
                supersedes=author.feed(GREEN).hashes[restriction - 1],
            ),
        ),
        (
            "released in advance",
            lambda: author.put(GREEN, indicator(4), policy={"release": release}),
        ),
    ]  # fmt: skip
    entries = []
    for name, write in what:
        entry_hash = write()
        record = author.feed(GREEN).entries[-1]
        entries.append(
            {"what": name, "seq": record["seq"], "hash": entry_hash, "envelope": record["dsse"]}
        )
    return entries


def _with(
    author: Author,
    whole: list[dict[str, Any]],
    *stubs: tuple[int, int],
    false_hash: int = 0,
    false_time: int = 0,
) -> list[dict[str, Any]]:
    """Put stubs in the place of entries: ``(seq, by)``."""
    feed: FeedName = author.feed(GREEN).name
    objects = list(whole)
    for seq, by in stubs:
        named = whole[by - 1]["created"] if by <= len(whole) else whole[-1]["created"]
        stated = EntryHash("5" * 64) if seq == false_hash else author.feed(GREEN).hashes[seq - 1]
        ts = read_wire_time("2026-03-01T10:00:00.001Z" if seq == false_time else named)
        objects[seq - 1] = strict_loads(stub_record(feed, seq, stated, by=by, ts=ts))
    return objects


def _acknowledged() -> list[tuple[int, str, PassedOn | None]]:
    return [
        (10, "stored", None),
        (6, "restricted", None),
        (7, "erased", PassedOn(4, 3)),
        (8, "retracted", PassedOn(4, 4)),
    ]


def _ack(
    reader: Author, author: Author, seq: int, did: str, passed_on: PassedOn | None
) -> dict[str, Any]:
    payload = ack_payload(
        reader.node_id,
        author.feed(GREEN).name,
        seq,
        author.feed(GREEN).hashes[seq - 1],
        did=did,
        ts=reader.at,
        passed_on=passed_on,
    )
    return {
        "payload": strict_loads(payload),
        "envelope": seal(reader.owner.entry, ACK_TYPE, payload).to_json(),
    }


def write_vectors() -> None:
    """Write the file."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(recall_vectors(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write_vectors()
