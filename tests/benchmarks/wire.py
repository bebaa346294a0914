"""What a full entry costs on the wire, as a peer's own requests measure it.

One page of one entry is asked for, signed, with gzip: what is counted are the bytes of the body as
they came. Beside it stands the same page as plain JSON, and the objects alone.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from rich.table import Table

from federation.transport.peer_client import HttpPeer
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
        single, whole = _fetch(a, b)
    table = Table(
        "on the wire", "objects", "gzip, B/object", f"of {WANTED}", "plain JSON, B/object",
        "ratio", "the objects alone", box=None, header_style="bold", title=kind,
    )  # fmt: skip
    for what, (objects, packed, plain, bare) in (
        ("the fullest entry, alone", single),
        (f"all {_ENTRIES + 1} entries in a page", whole),
    ):
        table.add_row(
            what, f"{objects:,}", f"{packed / objects:.0f}", f"{packed / objects / WANTED:.0%}",
            f"{plain / objects:.0f}", f"{packed / plain:.2f}", f"{bare / objects:.0f}",
        )  # fmt: skip
    return table


def _fetch(a: Tocsin, b: Tocsin) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ask A as B would; return objects, bytes with gzip, bytes of JSON, bytes of the objects."""
    node = open_node(load_settings(b.home, allow_loopback_peers=True))
    with closing(node.database), open_http(node) as http:
        with node.database.read() as tx:
            (peer,) = list_peers(tx)
        way = reach(node, peer.base, peer.node_id, http)
        feed = FeedName(NodeId(a.node_id), "green")
        single = max((_weigh(way, feed, seq, 1) for seq in range(_ENTRIES)), key=lambda w: w[0])
        return single, _weigh(way, feed, 0, 100)


def _weigh(way: HttpPeer, feed: FeedName, after: int, limit: int) -> tuple[int, ...]:
    before = way.received
    page = way.page(feed, after, limit)
    packed = way.received - before
    objects = [
        value
        for record in page.objects
        for value in strict_loads(read_b64(record["dsse"]["payload"]))["objects"]
    ]
    plain = sum(len(write_json(record)) for record in page.objects) + len(write_json(page.head))
    return len(objects), packed, plain, sum(len(write_json(value)) for value in objects)
