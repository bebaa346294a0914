"""Take sightings out of logs that resolvers and sensors write, as they grow (DNS 3).

Decides what is kept of a log's lines: of names that somebody claims here how often they were asked
for in each hour. Who asked is kept where an operator said so, on this node alone.

Invariants:
* what was read and how far is one write: after a crash or a restart nothing counts twice and
  nothing is left out;
* what is in memory is bounded by the size of a piece of the log and the number of its names;
* every line is counted: as a hit, kept or not, or under the reason why it is none;
* nothing follows from a sighting: neither that a name is malicious, nor that a claim which repeats
  another's was found independently. Whoever asks a resolver would else decide both.

What it does not do: say how a line is read (``hub.imports``), or wait for new ones (the door).
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final

from hub.imports.followed_file import Piece, Position, read_piece
from hub.imports.log_hits import AGAIN, OLD, TOO_LONG, Hit, LineReader
from hub.node import Node
from hub.storage.queries.audit import store_event
from hub.storage.queries.followed_logs import (
    ClientCount,
    FollowedLog,
    add_clients,
    drop_clients_before,
    find_followed,
    list_clients,
    note_followed,
)
from hub.storage.transaction import Transaction
from hub.verdicts.sightings import (
    KEPT_FOR,
    MOST_SEEN,
    Seen,
    claims_met,
    store_sightings,
)
from schemas.dns.names import read_name

ENOUGH: Final = 1_000
"""Different names and hours, after which is written: some 50 ms."""
_MOST_PIECES: Final = 64
"""Before a position is written down, whether or not anything was found."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log that is followed.

    Args:
        source: what its sightings are listed under.
        zone: in which the log writes times that name none.
        keeps_clients: who asked is kept, too.
    """

    path: Path
    source: str
    read_line: LineReader
    zone: tzinfo = UTC
    keeps_clients: bool = False


@dataclass(slots=True)
class Tally:
    """What became of the lines that were read.

    Args:
        hits: that a name was asked for.
        kept: hits on names that are claimed here.
        misses: lines that are no hits, by reason.
        lost: how often lines may have been lost, by what befell the file.
    """

    lines: int = 0
    hits: int = 0
    kept: int = 0
    misses: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Batch:
    """What is to be written: each name, policy, hour and, if it is kept, client once."""

    found: dict[tuple[str, str | None, datetime, str | None], Seen] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    transaction: str | None = None


def follow_log(node: Node, log: LogSource, tally: Tally) -> bool:
    """Take in what a log holds, as much as fits into one write.

    Args:
        tally: what became of the lines is added to it.

    Returns:
        Whether there is more to read now.

    Raises:
        OSError: the log cannot be read.
    """
    # A file's name is octets, and what is stored is text.
    path = str(log.path.absolute()).encode("utf-8", "backslashreplace").decode()
    with node.database.read() as tx:
        begun = find_followed(tx, path)
    before = None if begun is None else _position(begun)
    batch = _Batch()
    position, now, more = before, node.now(), True
    for _ in range(_MOST_PIECES):
        piece = read_piece(log.path, position)
        position, more = piece.position, piece.more
        _take(batch, piece, log, now)
        if not more or len(batch.found) >= ENOUGH:
            break
    if position is None or (position == before and not batch.tally.lost):
        return False
    with node.database.write() as tx:
        if find_followed(tx, path) != begun:
            return True  # another process follows it: what it read counts once, and is its
        if begun is None:
            store_event(
                tx, now, tx.operator, "LOG_FOLLOWED", source=log.source, path=path,
                keeps_clients=log.keeps_clients,
            )  # fmt: skip
        batch.tally.kept = _store(tx, batch, log, now)
        note_followed(tx, _row(path, position, now))
    _add(tally, batch.tally)
    return more


def list_who_asked(
    node: Node, name: str | None = None, limit: int = 1_000
) -> tuple[ClientCount, ...]:
    """List who asked for claimed names, where it was kept, the newest hour first."""
    known = None if name is None else read_name(name, refang=True).a_label
    with node.database.read() as tx:
        return list_clients(tx, known, limit)


def _take(batch: _Batch, piece: Piece, log: LogSource, now: datetime) -> None:
    tally = batch.tally
    tally.lines += len(piece.lines) + piece.too_long
    tally.misses[TOO_LONG] += piece.too_long
    if piece.note is not None:
        tally.lost[piece.note] += 1
    for octets in piece.lines:
        said = log.read_line(octets.decode("utf-8", "replace"), now, log.zone)
        if isinstance(said, Hit):
            _count(batch, said, log, now)
        else:
            tally.misses[said.reason] += 1


def _count(batch: _Batch, hit: Hit, log: LogSource, now: datetime) -> None:
    if hit.transaction is not None and hit.transaction == batch.transaction:
        batch.tally.misses[AGAIN] += 1
        return
    batch.transaction = hit.transaction
    if hit.at < now - KEPT_FOR:
        batch.tally.misses[OLD] += 1
        return
    batch.tally.hits += 1
    client = _address(hit.client) if log.keeps_clients else None
    key = (hit.name, hit.policy, _hour(hit.at), client)
    held = batch.found.get(key)
    if held is None:
        batch.found[key] = Seen(hit.name, 1, hit.at, hit.at, hit.policy)
        return
    first, last = min(held.first or hit.at, hit.at), max(held.last or hit.at, hit.at)
    batch.found[key] = Seen(hit.name, min(held.count + 1, MOST_SEEN), first, last, hit.policy)


def _store(tx: Transaction, batch: _Batch, log: LogSource, now: datetime) -> int:
    seen = list(batch.found.values())
    met = claims_met(tx, seen)
    store_sightings(tx, seen, met, log.source, now)
    drop_clients_before(tx, now - KEPT_FOR)
    if log.keeps_clients:
        asked: Counter[tuple[str, datetime, str]] = Counter()
        for (_, _, hour, client), each, name in zip(batch.found, seen, met, strict=True):
            if name is not None and client is not None:
                asked[name, hour, client] += each.count
        add_clients(tx, [ClientCount(*key, asked[key]) for key in sorted(asked)])
    return sum(each.count for each, name in zip(seen, met, strict=True) if name is not None)


def _address(text: str | None) -> str | None:
    """Return an address as it is kept: the log's own spelling is somebody else's text."""
    try:
        return None if text is None else str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _position(row: FollowedLog) -> Position:
    return Position(row.file_id, row.offset, row.head, row.in_line)


def _row(path: str, position: Position, now: datetime) -> FollowedLog:
    return FollowedLog(
        path, position.file_id, position.offset, position.head, position.in_line, now
    )


def _add(tally: Tally, more: Tally) -> None:
    tally.lines += more.lines
    tally.hits += more.hits
    tally.kept += more.kept
    tally.misses += more.misses
    tally.lost += more.lost
