"""``make bench-large``: a million objects, on SQLite and on PostgreSQL.

What is asked: does the last page cost what the first does, and does a reader that walks all of
them make the server grow? First and last page are asked for in turn, so that whatever else runs
on the machine slows both.

The collection is filled by the storage's own functions and not over HTTP, which would take longer
than all the rest; how fast objects are added is ``make bench``'s matter.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hub.exchange.collections import LOCAL_STATE, local_origin
from hub.exchange.object_rows import draft_row
from hub.storage.engine import Database
from hub.storage.queries.collections import find_collection
from hub.storage.queries.objects import store_new_objects
from hub.storage.queries.views import add_rows_to_each, views_of
from schemas.identifiers import NodeId
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from tests.benchmarks.load import PAGE, alternate, walk
from tests.benchmarks.made_objects import make_object
from tests.benchmarks.taxii import ours
from tests.benchmarks.weight import resident_mib
from tests.support.databases import postgresql_with_tables
from tests.support.processes import Tocsin

_A_WRITE = 5_000
_TURNS = 50
RATIO_LIMIT = 1.3
MEMORY_LIMIT_MIB = 250


def main() -> None:
    """Measure on both databases and print one table."""
    parser = argparse.ArgumentParser(prog="make bench-large")
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--on", choices=["sqlite", "postgresql", "both"], default="both")
    options = parser.parse_args()
    table = Table(
        "database", "objects", "first page", "last page", f"ratio (limit {RATIO_LIMIT})",
        "walked/s", f"most MiB in the walk (limit {MEMORY_LIMIT_MIB})",
        box=None, header_style="bold",
    )  # fmt: skip
    for name in ("sqlite", "postgresql"):
        if options.on in {name, "both"}:
            table.add_row(name, f"{options.objects:,}", *measure_large(name, options.objects))
    Console(highlight=False, width=150).print(table)


def measure_large(database: str, count: int) -> list[str]:
    """Measure first and last page, and the memory of the server under a walk."""
    with tempfile.TemporaryDirectory(prefix="tocsin-large-") as home:
        url = postgresql_with_tables() if database == "postgresql" else ""
        with ours(Path(home) / "node", database=url, fill=_filler(count)) as (target, pid):
            most = [resident_mib(pid)]
            ended = threading.Event()
            watch = threading.Thread(target=_watch, args=(pid, most, ended))
            watch.start()
            walked = walk(target)
            ended.set()
            watch.join()
            assert walked.objects == count, f"{walked.objects} of {count} objects came"
            paths = [f"{target.objects}?limit={PAGE}", walked.last_path]
            first, last = (1000 * statistics.median(s) for s in alternate(target, paths, _TURNS))
    rate = walked.objects / sum(walked.page_seconds)
    return [
        f"{first:.2f} ms", f"{last:.2f} ms", f"{last / first:.2f}", f"{rate:,.0f}",
        f"{max(most):.0f}",
    ]  # fmt: skip


def _watch(pid: int, most: list[float], ended: threading.Event) -> None:
    while not ended.wait(0.2):
        most.append(resident_mib(pid))


def _filler(count: int) -> Callable[[Tocsin], None]:
    def fill(node: Tocsin) -> None:
        url = node.environment.get("TOCSIN_DATABASE_URL") or f"sqlite:///{node.home}/tocsin.db"
        database = Database(url)
        for start in range(0, count, _A_WRITE):
            _fill(database, start, min(start + _A_WRITE, count))
        database.close()

    return fill


def _fill(database: Database, first: int, end: int) -> None:
    now = datetime.now(UTC)
    with database.write(durable=False) as tx:
        collection = find_collection(tx, "bench")
        assert collection is not None
        origin = NodeId(local_origin(collection.collection_id))
        made = []
        for number in range(first, end):
            raw = make_object(number)
            row = draft_row(
                strict_loads(raw), origin=origin, now=now, tlp=Tlp.CLEAR, state=LOCAL_STATE,
                visible_at=now, findable=False,
            )  # fmt: skip
            made.append((row, raw))
        at = store_new_objects(tx, made)
        rows = range(at, at + len(made))
        shown = {view.view_id: rows for view in views_of(tx, collection.collection_id)}
        add_rows_to_each(tx, shown, now)


if __name__ == "__main__":
    main()
