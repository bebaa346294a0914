"""What a full entry costs on the wire, as a peer's own requests measure it.

One page of one entry is asked for, signed, with gzip: what is counted are the bytes of the body as
they came. Such a page also brings the feed's signed head, so the entry by itself stands first, as
the server would compress it. Beside each stands the same as plain JSON, and the objects alone.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from federation.transport.peer_answers import FeedPage
from federation.transport.peer_client import HttpPeer
from hub.api.compression import SMALL, gzip_bytes
from hub.bootstrap import open_node
from hub.peers.outbound import open_http, reach
from hub.settings import load_settings
from hub.storage.queries.peers import list_peers
from schemas.identifiers import FeedName, NodeId, read_b64
from schemas.strict_json import strict_loads, write_json
from tests.benchmarks.figures import write_names
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)

WANTED = 200
"""Bytes an object, of a full entry, gzip, on real names (issue 4)."""
_ENTRIES = 10


def measure_wire(home: Path) -> Table:
    """Publish some full entries and fetch them one by one, and all at once."""
    home.mkdir(parents=True, exist_ok=True)
    kind = write_names(home / "names.txt", 63 * _ENTRIES)  # and a grouping in each
    with organisations(home, "alba", "beta") as (a, b):
        start_all(a)
        pair_by_command(a, b)
        for one, other in ((a, b), (b, a)):
            give_trust_by_command(one, other, "partner")
        a.run("publish", home / "names.txt", "--tlp", "green")
        weighed = _fetch(a, b)
    table = Table(
        "on the wire", "objects", "gzip, B/object", f"of {WANTED}", "plain JSON, B/object",
        "ratio", "the objects alone", box=None, header_style="bold", title=kind,
    )  # fmt: skip
    for found in weighed:
        table.add_row(
            found.what, f"{found.objects:,}", f"{found.packed / found.objects:.1f}",
            f"{found.packed / found.objects / WANTED:.0%}", f"{found.plain / found.objects:.0f}",
            f"{found.packed / found.plain:.2f}", f"{found.bare / found.objects:.0f}",
        )  # fmt: skip
    return table


@dataclass(frozen=True, slots=True)
class _Weight:
    """Objects, and bytes with gzip, as JSON, and of the objects alone."""

    what: str
    objects: int
    packed: int
    plain: int
    bare: int


def _fetch(a: Tocsin, b: Tocsin) -> list[_Weight]:
    """Ask A as B would."""
    node = open_node(load_settings(b.home, allow_loopback_peers=True))
    with closing(node.database), open_http(node) as http:
        with node.database.read() as tx:
            (peer,) = list_peers(tx)
        way = reach(node, peer.base, peer.node_id, http)
        feed = FeedName(NodeId(a.node_id), "green")
        pages = [way.page(feed, seq, 1) for seq in range(_ENTRIES)]
        fullest = max(pages, key=lambda page: len(_objects(page)))
        record = write_json(fullest.objects[0])
        objects = _objects(fullest)
        return [
            _Weight(
                "the fullest entry by itself",
                len(objects),
                len(gzip_bytes(record, SMALL)),
                len(record),
                sum(map(len, objects)),
            ),
            _weigh(
                way, feed, fullest.objects[0]["seq"] - 1, 1, "that entry in a page, with a head"
            ),
            _weigh(way, feed, 0, 100, "all entries in one page"),
        ]


def _weigh(way: HttpPeer, feed: FeedName, after: int, limit: int, what: str) -> _Weight:
    before = way.received
    page = way.page(feed, after, limit)
    packed = way.received - before
    plain = sum(len(write_json(record)) for record in page.objects) + len(write_json(page.head))
    objects = _objects(page)
    return _Weight(what, len(objects), packed, plain, sum(map(len, objects)))


def _objects(page: FeedPage) -> list[bytes]:
    return [
        write_json(value)
        for record in page.objects
        for value in strict_loads(read_b64(record["dsse"]["payload"]))["objects"]
    ]
