"""``make bench ARGS="--only verdicts"``: verdicts on many claims, from nothing and one by one.

Three questions: how long does it take to fuse a million claims from nothing, and to publish what
comes of it; how much memory does that take; and how long is it from one new claim, received, to
the changed verdict in a reader's view, when all that is there?

The claims are put into the tables in bulk, since receiving them is measured elsewhere; of the last
question everything is the product's own: a signed entry, the worker, a reader's request.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.table import Table
from sqlalchemy import event

from hub.cli.memory import settle_memory
from hub.errors import NotFound
from hub.exchange.reading import read_object
from hub.node import Node, SystemClock
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.storage.dialects import to_micros
from hub.storage.queries.claims import (
    StoredClaim,
    last_object_row,
    move_watermark,
    store_claims,
)
from hub.storage.queries.objects import claim_object_rows
from hub.storage.queries.peers import PeerRow, store_peer
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.queries.verdict_work import put_marks, state_of_work, take_due
from hub.storage.queries.verdicts import count_verdicts
from hub.storage.tables.feeds import FEEDS
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.recall import POSITIONS
from hub.storage.transaction import Transaction
from hub.verdicts.fuse import judge_names, refresh_all
from hub.verdicts.guards import load_guards
from hub.verdicts.marks import VERDICTS
from hub.verdicts.publish_verdicts import publish_verdicts
from hub.verdicts.verdict_object import verdict_id
from hub.workers.run import Worker
from schemas.identifiers import NodeId
from schemas.markings import Tlp
from schemas.taxii.paging import Matches, PageRequest
from tests.benchmarks.made_objects import make_object
from tests.benchmarks.weight import resident_mib
from tests.support.databases import postgresql_with_tables
from tests.support.nodes import make_node
from tests.support.publications import Author
from tests.support.told_claims import claim, tell

CLAIMS, NAMES, ORIGINS = 1_000_000, 600_000, 40
FUSE_LIMIT_SECONDS, MEMORY_LIMIT_MIB, P99_LIMIT_MS = 90.0, 1024.0, 250.0
_A_WRITE = 5_000
_BATCH = 2_000
_REFRESHED = 30
_LABELS = (0, 1, 1, 1, 1, 1, 1, 2, 2, 3)
"""One in ten CLEAR, six GREEN, two AMBER, one AMBER+STRICT."""
_TIMES = frozenset({"created", "valid_from"})
_THREATS = ("phishing", "malware-c2", "dga", "malware-distribution", None)
_TRUSTS = (1, 2, 2, 3, 3, 3, 4)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one database."""

    database: str
    claims: int
    names: int
    fuse_seconds: float
    fuse_cpu: float
    publish_seconds: float
    published: int
    most_mib: float
    single: tuple[float, ...]
    refresh_cpu: float | None = None
    """Milliseconds of one refresh for one new claim, with nothing beside it."""
    statements: float | None = None

    def quantile(self, of: float) -> float | None:
        """Return a quantile of the times of single claims, in milliseconds."""
        if not self.single:
            return None
        ordered = sorted(self.single)
        return 1000 * ordered[min(len(ordered) - 1, int(of * len(ordered)))]


def measure_verdicts(
    home: Path, claims: int = CLAIMS, *, on: str = "both", times: int = 200
) -> Table:
    """Measure on SQLite and PostgreSQL and give one table; ``claims`` scales everything."""
    table = Table(
        "database", "claims, names", "what", "limit", "found", "of the limit",
        box=None, header_style="bold",
    )  # fmt: skip
    for column in table.columns[3:]:
        column.justify = "right"
    for database in ("sqlite", "postgresql"):
        if on in {database, "both"}:
            found = measure_on(database, home / database, claims, times)
            for row in rows_of(found):
                table.add_row(*row)
            table.add_section()
    return table


def rows_of(found: Measured) -> Iterator[tuple[str, ...]]:
    """Say each figure with its limit, that of fusing in proportion to the claims, and its share."""
    fusing = FUSE_LIMIT_SECONDS * found.claims / CLAIMS
    told = (
        ("fused from nothing, clock", "s", fusing, found.fuse_seconds),
        ("the same, processor time of this process", "s", fusing, found.fuse_cpu),
        (f"{found.published:,} verdicts published", "s", None, found.publish_seconds),
        ("most memory", "MiB", MEMORY_LIMIT_MIB, found.most_mib),
        (f"one claim to its verdict, median of {len(found.single)}", "ms", None,
         found.quantile(0.5)),
        ("the same, p99", "ms", P99_LIMIT_MS, found.quantile(0.99)),
        ("one refresh for it, processor time, median", "ms", None, found.refresh_cpu),
        ("one refresh for it, SQL statements, median", "", None, found.statements),
    )  # fmt: skip
    database, size = found.database, f"{found.claims:,}, {found.names:,}"
    for what, unit, limit, value in told:
        if value is None:
            continue
        yield (
            database, size, what, "" if limit is None else f"{limit:,.4g} {unit}",
            f"{value:,.1f} {unit}".rstrip(),
            "" if limit is None else f"{value / limit:.0%}",
        )  # fmt: skip
        database = size = ""


def measure_on(database: str, home: Path, claims: int, times: int) -> Measured:
    """Fill a node's tables with claims, make all verdicts, and then one at a time."""
    settings: dict[str, Any] = {}
    if database == "postgresql":
        settings["database_url"] = postgresql_with_tables()
    home.mkdir(parents=True, exist_ok=True)
    node = make_node(home, "hub", SystemClock(), **settings)
    names = max(1, claims * NAMES // CLAIMS)
    fill(node, claims, names)
    settle_memory(collects=True)  # as the worker does before it begins
    most = [resident_mib(_own_pid())]
    fused, cpu, published = _from_nothing(node, most)
    _vacuum(node)
    with node.database.read() as tx:
        count, _ = count_verdicts(tx)
    author = Author(1)
    author.meets(node, "partner")
    refresh_cpu, statements = _refreshed_once(node, author) if times else (None, None)
    single = tuple(_one_by_one(node, author, names, times)) if times else ()
    most.append(resident_mib(_own_pid()))
    node.database.close()
    return Measured(
        database, claims, names, fused, cpu, published, count, max(most), single,
        refresh_cpu, statements,
    )  # fmt: skip


def fill(node: Node, claims: int, names: int) -> None:
    """Put claims of many origins into the tables, with a mark on every name."""
    numbers = random.Random(4)
    now = datetime.now(UTC)
    origins = [_origin(number) for number in range(ORIGINS)]
    with node.database.write(durable=False) as tx:
        _introduce(tx, origins, claims, now)
    for start in range(0, claims, _A_WRITE):
        with node.database.write(durable=False) as tx:
            count = min(_A_WRITE, claims - start)
            _fill_part(tx, numbers, origins, now, start, count, names)
    for start in range(0, names, _A_WRITE):
        with node.database.write(durable=False) as tx:
            marks = [
                (name_of(number), 0, to_micros(now), False)
                for number in range(start, min(start + _A_WRITE, names))
            ]
            put_marks(tx, marks)
    _vacuum(node)


def _vacuum(node: Node) -> None:
    """Do what PostgreSQL's autovacuum does within a minute after so many rows came and went."""
    if node.database.tells_changes:
        return  # SQLite has nothing like it
    with node.database.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def name_of(number: int) -> str:
    """Make the name of a number; they do not come in its order."""
    return f"n{number * 7_919 % 1_000_003:07d}.bench.example"


def _origin(number: int) -> NodeId:
    return NodeId(f"{'abcdefghijklmnopqrstuvwxyz234567'[number % 32] * 50}a{'bc'[number // 32]}")


def _introduce(tx: Transaction, origins: list[NodeId], claims: int, now: datetime) -> None:
    for number, origin in enumerate(origins):
        trust = _TRUSTS[number % len(_TRUSTS)]
        store_peer(
            tx,
            PeerRow(origin, f"peer-{number}", "https://x.example/", trust, True, "active",
                    now - timedelta(days=100)),
        )  # fmt: skip
        tx.connection.execute(
            FEEDS.insert().values(
                feed_row=1000 + number, feed=f"{origin}/green/1", collection_id=f"c{number}",
                node_id=origin, audience="green", epoch=1, own=False, highest_tlp=1,
                last_seq=claims, last_hash="0" * 64, state="open", relay_stopped=False,
                head_seq=0,
            )
        )  # fmt: skip
        # Everybody is known to hold what everybody wrote, so that every copy may be an echo.
        tx.connection.execute(
            POSITIONS.insert(),
            [
                {"feed_row": 1000 + number, "node_id": other, "seq": claims, "how": "ack",
                 "at": now}
                for other in origins
                if other != origin
            ],
        )  # fmt: skip


def _fill_part(
    tx: Transaction, numbers: random.Random, origins: list[NodeId], now: datetime, start: int,
    count: int, names: int,
) -> None:  # fmt: skip
    first = claim_object_rows(tx, count)
    objects, claims = [], []
    micros = to_micros(now)
    for place in range(count):
        number = start + place
        name = name_of(number if number < names else numbers.randrange(names))
        at = micros - numbers.randrange(20 * 86_400) * 1_000_000
        origin = numbers.randrange(ORIGINS)
        content = make_object(number)
        objects.append(
            (
                first + place, origins[origin], f"indicator--{number:032x}", "indicator", "2.1",
                "v", at, numbers.choice(_LABELS), False, False, 3, "accepted", False, name, at,
                at, at, content,
            )
        )  # fmt: skip
        claims.append(
            StoredClaim(
                object_row=first + place, name=name, origin=origins[origin],
                confidence=numbers.randint(30, 95), threat_type=numbers.choice(_THREATS),
                match_scope="exact", claimed_at=at, valid_from=at,
                valid_until=at + 60 * 86_400_000_000,
                src=("feed:list",) if number % 10 == 0 else ("analyst",), pap=1,
                feed_row=1000 + origin, seq=number + 1,
            )
        )  # fmt: skip
    insert_rows(
        tx,
        OBJECTS,
        ("object_row", "origin", "stix_id", "stix_type", "spec_version", "version", "version_at",
         "tlp", "machine", "exercise", "strength", "state", "revoked", "name_key", "published_at",
         "received_at", "visible_at", "content"),
        objects,
    )  # fmt: skip
    store_claims(tx, claims)
    move_watermark(tx, first + count - 1)


def _from_nothing(node: Node, most: list[float]) -> tuple[float, float, float]:
    """Make every verdict.

    Returns:
        The seconds of fusing, commits included, those of processor time, and of publishing.
    """
    began, published = time.perf_counter(), 0.0
    cpu, publishing = time.process_time(), 0.0
    while True:
        with node.database.write(durable=False) as tx:
            now = node.now()
            items = take_due(tx, now, _BATCH)
            changes = judge_names(tx, node, items, load_guards(tx, node), now)
            before, cpu_before = time.perf_counter(), time.process_time()
            publish_verdicts(tx, node, changes, now)
            published += time.perf_counter() - before
            publishing += time.process_time() - cpu_before
            left = state_of_work(tx).is_due(now)
        most.append(resident_mib(_own_pid()))
        if not left:
            fused = time.perf_counter() - began - published
            with node.database.write(durable=False) as tx:  # past the verdicts, as a refresh does
                move_watermark(tx, last_object_row(tx))
            return fused, time.process_time() - cpu - publishing, published


def _refreshed_once(node: Node, author: Author) -> tuple[float, float]:
    """Refresh for one claim at a time in this thread: milliseconds of processor time, statements.

    Both say what the work is, whatever else is running.
    """
    counted: list[int] = [0]

    def count(*_: object) -> None:
        counted[0] += 1

    event.listen(node.database.engine, "before_cursor_execute", count)
    cpu, statements = [], []
    for number in range(_REFRESHED):
        tell(node, author, "green", _told(name_of(number), 1_000_000 + number))
        counted[0], before = 0, time.process_time()
        refresh_all(node)
        cpu.append(1000 * (time.process_time() - before))
        statements.append(counted[0])
    event.remove(node.database.engine, "before_cursor_execute", count)
    return statistics.median(cpu), statistics.median(statements)


def _told(name: str, number: int) -> dict[str, Any]:
    made = claim(name, number, confidence=95, threat="rogue-resolver")
    return {key: value for key, value in made.items() if key not in _TIMES}


def _one_by_one(node: Node, author: Author, names: int, times: int) -> Iterator[float]:
    """Receive one claim at a time, and wait until a reader sees the verdict that it changed."""
    # At the label of what is told, so that it is one object that changes, whatever else is there.
    add_token(node, "siem", "own", max_tlp=Tlp.GREEN)
    reader = next(Reader.of(token) for token in list_tokens(node) if token.name == "siem")
    with _working(node):
        for number in range(times):
            # Half of them on names with a verdict already, half on new ones.
            old = name_of(_REFRESHED + number)
            name = old if number % 2 else f"new-{number}-{names}.bench.example"
            before = _shown(node, reader, name)
            tell(node, author, "green", _told(name, number + 1))
            begun = time.perf_counter()
            while _shown(node, reader, name) == before:
                assert time.perf_counter() - begun < 30, f"no verdict on {name}"
                time.sleep(0.01)
            yield time.perf_counter() - begun


def _shown(node: Node, reader: Reader, name: str) -> bytes | None:
    """What a reader finds of the verdict on a name: one request for one object."""
    request = PageRequest(limit=5, added_after=None, matches=Matches(), following=None)
    wanted = verdict_id(node.node_id, name, int(Tlp.GREEN))
    try:
        return read_object(node, reader, "verdicts", wanted, request).body
    except NotFound:
        return None


@contextmanager
def _working(node: Node) -> Iterator[None]:
    worker = Worker(node, lanes={VERDICTS: 1})
    worker.start()
    try:
        yield
    finally:
        worker.stop()


def _own_pid() -> int:
    return os.getpid()
