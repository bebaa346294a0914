"""Domain sets from one node to four peers, until their resolvers' zone files have every name.

Five real servers on loopback. One list of names goes to four peers, each of which adopts it as soon
as the list is there (a person's word is its second lineage, PROTOCOL 4.4), expands it, judges every
name, and keeps an RPZ file current. The clock runs from before the signing until the last of the
four files has the last name. Every name that is not in a file is counted with what held it.

What passes over the wire is asked for once more as a peer would, and its bytes are counted. Beside
it stands a bound below which no lossless form of the same list can be expected to go, see
``entropy_bytes``.
"""

from __future__ import annotations

import gzip
import math
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from hub.bootstrap import open_node
from hub.peers.outbound import open_http, reach
from hub.settings import load_settings
from hub.storage.queries.peers import list_peers
from schemas.identifiers import FeedName, NodeId, direct_audience
from tests.benchmarks.figures import write_names
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)

WANTED_SECONDS = 120
WANTED_BYTES = 3 * 1024 * 1024
PEERS = ("reg-cc", "reg-com", "reg-net", "resolver")
_PAUSE = 0.25
_LONGEST = 600.0


@dataclass(frozen=True, slots=True)
class Sets:
    """What it took; seconds since the signing began."""

    names: int
    kind: str
    published: float
    adopted: float
    in_files: tuple[float, ...]
    listed: tuple[int, ...]
    wire: int
    blob: int
    bound: int
    floor: float

    def table(self) -> Table:
        """Write it down beside its limits."""
        last = max(self.in_files)
        table = Table("domain sets", "figure", "beside", box=None, header_style="bold")
        table.add_row(
            f"{self.names:,} {self.kind} to {len(self.in_files)} peers, in their zone files",
            f"{last:.1f} s",
            f"wanted {WANTED_SECONDS} s: {last / WANTED_SECONDS:.0%}",
        )
        table.add_row("signed and stored, by command", f"{self.published:.1f} s", "")
        table.add_row("adopted at the last peer", f"{self.adopted:.1f} s", "")
        table.add_row(
            "names in the files",
            ", ".join(f"{count:,}" for count in self.listed),
            "guards keep the others out",
        )
        table.add_row(
            "over the wire, a peer",
            f"{self.wire:,} B",
            f"wanted {WANTED_BYTES:,}: {self.wire / WANTED_BYTES:.0%}",
        )
        table.add_row(
            "of which the list",
            f"{self.blob:,} B",
            f"entropy bound {self.bound:,} B: {self.blob / self.bound:.2f} x",
        )
        table.add_row(
            "writing the same zone file bare",
            f"{self.floor:.2f} s",
            f"{last / self.floor:.0f} x",
        )
        return table


def measure_sets(home: Path, count: int) -> Sets:
    """Publish a list of ``count`` names to four peers and wait for their zone files."""
    home.mkdir(parents=True, exist_ok=True)
    kind = write_names(home / "names.txt", count)
    with organisations(home, "cert", *PEERS) as (cert, *peers):
        start_all(cert, *peers)
        for peer in peers:
            pair_by_command(cert, peer)
            for one, other in ((cert, peer), (peer, cert)):
                give_trust_by_command(one, other, "partner")
            peer.run("peer", "set", cert.node_id, "--limit", 1_000_000)
            peer.run("export", "target", "add", "rpz", _zone_of(peer))
        to = [part for peer in peers for part in ("--to", peer.node_id)]
        started = time.perf_counter()
        outcome = cert.run(
            "set",
            "publish",
            home / "names.txt",
            "--family",
            "bench",
            "--tlp",
            "amber",
            "--pap",
            "green",
            *to,
        )
        published = time.perf_counter() - started
        (one,) = outcome["sets"]
        _adopt(peers, one["stix_id"])
        adopted = time.perf_counter() - started
        in_files = _await_files(peers, one["names"], started)
        wire, blob = _weigh(cert, peers[0], one["sha256"])
    names = (home / "names.txt").read_text().split()
    return Sets(
        one["names"], kind, published, adopted, tuple(in_files),
        tuple(_listed(peer) for peer in peers), wire, blob, entropy_bytes(names),
        _floor_seconds(names, home / "floor.zone"),
    )  # fmt: skip


def _zone_of(peer: Tocsin) -> Path:
    return peer.home.parent / f"{peer.name}.zone"


def _adopt(peers: Sequence[Tocsin], stix_id: str) -> None:
    waiting = list(peers)
    deadline = time.perf_counter() + _LONGEST
    while waiting:
        assert time.perf_counter() < deadline, "the list did not come"
        waiting = [
            peer
            for peer in waiting
            if peer.give("set", "adopt", stix_id, "--reason", "a benchmark").code
        ]
        time.sleep(_PAUSE)


def _await_files(peers: Sequence[Tocsin], names: int, started: float) -> list[float]:
    """Wait until each file has all names that are not held, which the list's state tells."""
    seconds = dict.fromkeys((peer.name for peer in peers), 0.0)
    deadline = time.perf_counter() + _LONGEST
    while not all(seconds.values()):
        assert time.perf_counter() < deadline, f"the files did not fill: {seconds}"
        for peer in peers:
            # Of real names a few are protected; what is missing then is shown in the table.
            if not seconds[peer.name] and _listed(peer) >= 0.995 * names:
                seconds[peer.name] = time.perf_counter() - started
        time.sleep(_PAUSE)
    return list(seconds.values())


def _listed(peer: Tocsin) -> int:
    """Count the names of a zone file by their wildcard lines."""
    zone = _zone_of(peer)
    if not zone.exists():
        return 0
    with zone.open("rb") as lines:
        return sum(line.startswith(b"*.") for line in lines)


def _weigh(cert: Tocsin, peer: Tocsin, sha256: str) -> tuple[int, int]:
    """Ask for feed and list once more, as the peer did; return bytes of both, of the list."""
    node = open_node(load_settings(peer.home, allow_loopback_peers=True))
    with ExitStack() as stack:
        stack.enter_context(closing(node.database))
        http = stack.enter_context(open_http(node))
        with node.database.read() as tx:
            (row,) = list_peers(tx)
        way = reach(node, row.base, row.node_id, http)
        way.page(FeedName(NodeId(cert.node_id), direct_audience(node.node_id)), 0, 100)
        entries = way.received
        with way.fetch_blob(sha256) as blob:
            for _ in blob.chunks:
                pass
        return way.received, way.received - entries


def entropy_bytes(names: Sequence[str]) -> int:
    """Bound a list from below: what its letters hold at order 0, less what its order is worth.

    Each name as letters drawn independently, by the list's own frequencies and with its end; a TLD
    as one symbol; and since a set has no order, log2(n!) bits less. It is no true bound for names
    that follow a pattern (an algorithm that makes them is shorter), but real ones hardly do.
    """
    letters: Counter[str] = Counter()
    tlds: Counter[str] = Counter()
    for name in set(names):
        first, _, tld = name.rpartition(".")
        letters.update(first + "\n")
        tlds[tld] += 1
    bits = sum(_bits(counts) for counts in (letters, tlds))
    order = math.lgamma(len(set(names)) + 1) / math.log(2)
    return int((bits - order) / 8)


def _bits(counts: Counter[str]) -> float:
    total = counts.total()
    return -sum(n * math.log2(n / total) for n in counts.values())


def _floor_seconds(names: Sequence[str], file: Path) -> float:
    """Write the lines of such a zone file and compress the list: nothing can do with less."""
    started = time.perf_counter()
    file.write_text("".join(f"{name} CNAME .\n*.{name} CNAME .\n" for name in names))
    gzip.compress("\n".join(sorted(names)).encode(), 9)
    return time.perf_counter() - started
