"""What the nodes really hold and show, read from their databases with plain SQL.

Not with the queries of the product, so that a defect there does not hide itself.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NEEDLE = re.compile(rb"needle-[0-9]{5}-of-n[0-9]")
_PAYLOAD = re.compile(rb'"payload":"([A-Za-z0-9+/=]*)"')
_PIECE = 16
"""Characters of base64 that are looked for: enough to be there by no accident."""


@contextmanager
def database_of(home: Path) -> Iterator[sqlite3.Connection]:
    """Read a node's database, beside the node."""
    yield _opened(home)


@functools.lru_cache(maxsize=32)
def _opened(home: Path) -> sqlite3.Connection:
    """Open it once: each opening reads the whole schema, which takes longer than to look."""
    file = f"file:{home / 'tocsin.db'}?mode=ro"
    # Whoever looks, one after the other: also a thread of the application between two commits.
    opened = sqlite3.connect(file, uri=True, check_same_thread=False)
    opened.row_factory = sqlite3.Row
    return opened


def needles_held(home: Path) -> set[str]:
    """Every needle whose plaintext a node could read now, wherever it is kept."""
    held: set[bytes] = set()
    with database_of(home) as db:
        for (content,) in db.execute("SELECT content FROM objects"):
            held.update(NEEDLE.findall(content))
        for (record,) in db.execute("SELECT record FROM entries"):
            held |= _in_record(bytes(record))
        for (branch,) in db.execute("SELECT dsse FROM other_branch"):
            held |= _in_envelopes(bytes(branch))
    return {words.decode() for words in held}


def entries_of(home: Path) -> list[tuple[str, str, set[str]]]:
    """Feed, hash and needles of every entry whose bytes a node has."""
    with database_of(home) as db:
        rows = db.execute("SELECT feed, hash, record FROM entries JOIN feeds USING (feed_row)")
        return [
            (row["feed"], row["hash"], {words.decode() for words in _in_record(row["record"])})
            for row in rows
            if row["record"] and b'"dsse":null' not in row["record"]
        ]


def needles_in_evidence(home: Path) -> set[str]:
    """Needles in the proofs that a node keeps against others."""
    held: set[bytes] = set()
    with database_of(home) as db:
        for (body,) in db.execute("SELECT body FROM evidence"):
            held |= _in_envelopes(bytes(body))
    return {words.decode() for words in held}


def _in_envelopes(body: bytes) -> set[bytes]:
    found: set[bytes] = set()
    for payload in _PAYLOAD.findall(body):
        found.update(NEEDLE.findall(base64.b64decode(payload)))
    return found


@functools.lru_cache(maxsize=4096)
def _in_record(record: bytes) -> frozenset[bytes]:
    if not record:
        return frozenset()
    dsse = json.loads(record).get("dsse")
    payload = b"" if dsse is None else base64.b64decode(dsse["payload"])
    return frozenset(NEEDLE.findall(record)) | frozenset(NEEDLE.findall(payload))


def traces_on_disk(home: Path, needles: Iterable[str]) -> set[str]:
    """Which of these needles stand anywhere in the files of a node, in plain or in base64."""
    files = [file.read_bytes() for file in sorted(home.rglob("*")) if file.is_file()]
    return {
        words
        for words in needles
        if any(trace in content for content in files for trace in _traces(words.encode()))
    }


def _traces(words: bytes) -> Iterator[bytes]:
    yield words
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + words)
        # The first and last characters depend on the neighbours.
        yield coded[4 : 4 + _PIECE]


def chains_of(home: Path) -> dict[str, list[tuple[int, str]]]:
    """Seqs and hashes of every feed that a node holds, its own included."""
    found: dict[str, list[tuple[int, str]]] = {}
    with database_of(home) as db:
        for row in db.execute(
            "SELECT feed, seq, hash FROM entries JOIN feeds USING (feed_row) ORDER BY feed, seq"
        ):
            found.setdefault(row["feed"], []).append((row["seq"], row["hash"]))
    return found


def shown_by(home: Path) -> list[dict[str, Any]]:
    """Every row of every label view of the originals: what readers of a node find.

    Verdicts are the node's own words and stand in views of their own.
    """
    with database_of(home) as db:
        rows = db.execute(
            "SELECT ceiling, latest, origin, stix_id, version, tlp, revoked, state, strength,"
            " content FROM view_rows JOIN views USING (view_id) JOIN objects USING (object_row)"
            " JOIN collections USING (collection_id)"
            " WHERE organisation_id = '' AND kind IN ('originals', 'selection')"
        )
        return [dict(row) for row in rows]


def objects_of(home: Path) -> list[dict[str, Any]]:
    """Every version of every origin's objects, as a node has judged it."""
    with database_of(home) as db:
        rows = db.execute(
            "SELECT origin, stix_id, version, tlp, state, code, strength, revoked, content"
            " FROM objects ORDER BY origin, stix_id, version"
        )
        return [dict(row) for row in rows]


def state_of_feed(home: Path, feed: str) -> str:
    """Whether a feed is open, closed or frozen at a node."""
    with database_of(home) as db:
        (state,) = db.execute("SELECT state FROM feeds WHERE feed = ?", (feed,)).fetchone()
        return str(state)


def jobs_that_broke(home: Path) -> list[str]:
    """Jobs that ended in an error that nobody foresaw."""
    with database_of(home) as db:
        rows = db.execute("SELECT kind, subject FROM jobs WHERE last_error = 'E_INTERNAL'")
        return [f"{row['kind']} of {row['subject']}" for row in rows]


def references_in(content: bytes) -> list[str]:
    """What a note is about."""
    refs: list[str] = json.loads(content).get("object_refs", [])
    return refs
