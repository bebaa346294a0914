"""Publish names at A and pull them at B: two homes, real processes, real TAXII on loopback.

The limit beside it is what nothing can do without: checking the same signatures, parsing the same
payloads and inserting the same objects into SQLite in one durable transaction, in one thread.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from nacl.signing import VerifyKey

from schemas.identifiers import read_b64
from schemas.signed_envelope import ENTRY_TYPE, read_envelope
from schemas.strict_json import strict_loads, write_json
from tests.benchmarks.figures import Figure, timed, tocsin, write_names
from tests.support.processes import free_port, serving


def measure_exchange(home: Path, count: int) -> list[Figure]:
    """Publish and pull ``count`` names and print both rates."""
    env = {**os.environ, "TOCSIN_ALLOW_LOOPBACK_PEERS": "true"}
    kind = write_names(home / "names.txt", count)
    a, b, port = home / "a", home / "b", free_port()
    for node, name, its_port in ((a, "a", port), (b, "b", free_port())):
        tocsin(
            node,
            *("init", "--name", name, "--domain", f"{name}.example"),
            *("--base-url", f"http://127.0.0.1:{its_port}/"),
            env=env,
        )
    with serving(a, port, env=env):
        invitation = tocsin(a, "peer", "invite", env=env)["invitation"]
        tocsin(b, "peer", "accept", invitation, env=env)
        for node, peer in ((a, "b"), (b, "a")):
            tocsin(
                node,
                *("peer", "set", peer, "--verified", "--trust", "partner"),
                env=env,
            )
        tocsin(b, "pull", env=env)
        published, publish_seconds = timed(
            a, "publish", str(home / "names.txt"), "--tlp", "green", env=env
        )
        pulled, pull_seconds = timed(b, "pull", "a", env=env)
    objects = published["objects"]
    accepted = sum(row["accepted"] for row in pulled)
    floor = _floor_seconds(a, home / "floor.db")
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


def _floor_seconds(node: Path, scratch: Path) -> float:
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
