"""Publish names at A and pull them at B: two homes, real processes, real TAXII on loopback.

The limit beside it is what nothing can do without: checking the same signatures, parsing the same
payloads and inserting the same objects into SQLite in one durable transaction, in one thread.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from nacl.signing import VerifyKey

from schemas.identifiers import read_b64
from schemas.signed_envelope import ENTRY_TYPE, read_envelope
from schemas.strict_json import strict_loads, write_json
from tests.benchmarks.figures import Figure, write_names
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)


def measure_exchange(home: Path, count: int) -> list[Figure]:
    """Publish and pull ``count`` names and print both rates."""
    kind = write_names(home / "names.txt", count)
    with organisations(home, "alba", "beta") as (a, b):
        start_all(a, b)
        pair_by_command(a, b)
        for one, other in ((a, b), (b, a)):
            give_trust_by_command(one, other, "partner")
        b.run("pull")
        b.stop()  # or the wake-up would pull before the clock is read
        published, publish_seconds = _timed(a, "publish", home / "names.txt", "--tlp", "green")
        pulled, pull_seconds = _timed(b, "pull", "alba")
        floor = floor_seconds(a.home, home / "floor.db")
    objects = published["objects"]
    accepted = sum(row["accepted"] for row in pulled)
    return [
        Figure(
            f"publish {objects} {kind}",
            f"{publish_seconds:.2f} s, {objects / publish_seconds:.0f} objects/s",
            f"bare verify + parse + insert {floor:.2f} s",
            f"{publish_seconds / floor:.1f} x",
        ),
        Figure(
            f"pull {accepted} objects at a second node",
            f"{pull_seconds:.2f} s, {accepted / pull_seconds:.0f} objects/s",
            f"bare verify + parse + insert {floor:.2f} s",
            f"{pull_seconds / floor:.1f} x",
        ),
    ]


def _timed(node: Tocsin, *arguments: object) -> tuple[Any, float]:
    started = time.perf_counter()
    document = node.run(*arguments)
    return document, time.perf_counter() - started


def floor_seconds(node: Path, scratch: Path) -> float:
    """Verify, parse and insert all that a node has published, and nothing else."""
    with sqlite3.connect(node / "tocsin.db") as database:
        records = [bytes(row[0]) for row in database.execute("SELECT record FROM entries")]
        document = database.execute("SELECT dsse FROM node_documents").fetchone()[0]
    signed = strict_loads(read_b64(strict_loads(bytes(document))["payload"]))
    key = next(VerifyKey(read_b64(k["pub"])) for k in signed["keys"] if k["use"] == "entry")
    started = time.perf_counter()
    with sqlite3.connect(scratch) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE objects (id TEXT PRIMARY KEY, content BLOB)")
        for record in records:
            envelope = read_envelope(strict_loads(record)["dsse"], ENTRY_TYPE)
            key.verify(envelope.pae, envelope.signatures[0].sig)
            objects = strict_loads(envelope.payload).get("objects", [])
            database.executemany(
                "INSERT OR IGNORE INTO objects VALUES (?, ?)",
                [(value["id"], write_json(value)) for value in objects],
            )
    database.close()
    return time.perf_counter() - started
