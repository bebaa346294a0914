"""Take back what SIEMs and resolvers saw of claimed names, and tell origins who may know (4.8).

Invariants:
* of what was seen a name, a count and two instants are kept, by the hour: no address, no machine,
  no user. A table's other columns are not read, and JSON with other members is rejected;
* only names that somebody claims here are kept: the rest would be a history of what people do;
* whoever brings sightings is not told which names are claimed;
* nothing turns out by a sighting alone: `tocsin outcome add` is a person's;
* an origin is told of whole hours, of its own claims and by an operator's choice for that peer,
  from when it was made; at AMBER+STRICT, in the feed to it alone.

What it does not do: send (the publisher's feeds are pulled).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from federation.errors import SharingRefused
from hub.errors import NotFound
from hub.exchange.object_listing import find_claims
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.publish_names import IDN_BYTES
from hub.imports.drafts import Draft
from hub.node import Node
from hub.peers.standing import is_reading
from hub.storage.queries import sightings as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.queries.sightings import SightingRow, UntoldSighting
from hub.storage.transaction import Transaction
from schemas.dns.names import read_name
from schemas.dns.subjects import read_subject_key
from schemas.errors import WireFormatError
from schemas.identifiers import b32, is_stix_id, own_stix_id
from schemas.markings import Tlp
from schemas.strict_json import MAX_INTEGER, strict_loads
from schemas.timestamps import read_stix_time, write_wire_time

MOST_AT_ONCE: Final = 10_000
MOST_SEEN: Final = 999_999_999
"""STIX's limit for ``count`` (STIX 2.1 §5.2.1)."""
KEPT_FOR: Final = timedelta(days=90)
COLUMNS: Final = ("name", "count", "first", "last")
_TOLD_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Seen:
    """That a name was seen: how often, and between when.

    Args:
        policy: the key of what a resolver's policy matched, where that is not the name itself.
    """

    name: str
    count: int = 1
    first: datetime | None = None
    last: datetime | None = None
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class ReadSightings:
    """What a table of sightings holds.

    Args:
        dropped: its columns that were not read.
        skipped: lines that were not taken, with what is wrong.
    """

    seen: tuple[Seen, ...]
    dropped: tuple[str, ...] = ()
    skipped: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AddedSightings:
    """What became of sightings: for the operator, not for whoever brought them.

    Args:
        kept: how many are of names that somebody claims here.
        names: those names.
        hours: how many hours of them were added to.
    """

    taken: int
    kept: int
    names: tuple[str, ...] = field(default=())
    hours: int = 0


def read_sightings_json(body: bytes) -> tuple[Seen, ...]:
    """Read ``{"sightings": [{"name", "count", "first", "last"}]}``.

    Raises:
        WireFormatError: ``E_SCHEMA`` for any other member: it may say whom it hit.
    """
    value = strict_loads(body)
    listed = value.get("sightings") if isinstance(value, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_AT_ONCE:
        raise WireFormatError(
            "E_SCHEMA", f"sightings is not a list of at most {MOST_AT_ONCE} objects"
        )
    return tuple(_read(item) for item in listed)


def read_sightings_csv(data: bytes) -> ReadSightings:
    """Read a table with a head; of its columns ``name, count, first, last`` alone.

    Raises:
        WireFormatError: ``E_SCHEMA`` when it is no text or has no column ``name``.
    """
    try:
        table = csv.DictReader(io.StringIO(data.decode("utf-8-sig")))
        heads = [head.strip().lower() for head in table.fieldnames or ()]
    except (UnicodeDecodeError, csv.Error):
        raise WireFormatError("E_SCHEMA", "no table of text") from None
    if "name" not in heads:
        raise WireFormatError(
            "E_SCHEMA", "the first line names no column name", "Begin with name,count,first,last."
        )
    table.fieldnames = heads
    seen, skipped = [], []
    try:
        for row in table:
            given = {column: row.get(column) for column in COLUMNS if row.get(column)}
            try:
                seen.append(_read(given))
            except WireFormatError as error:
                skipped.append((table.line_num, error.detail))
    except csv.Error:
        raise WireFormatError("E_SCHEMA", f"line {table.line_num} is no row") from None
    dropped = tuple(head for head in heads if head not in COLUMNS)
    return ReadSightings(tuple(seen), dropped, tuple(skipped))


def _read(item: Mapping[str, Any]) -> Seen:
    if not isinstance(item, dict) or not item.keys() <= set(COLUMNS):
        raise WireFormatError(
            "E_SCHEMA",
            f"a sighting has {', '.join(COLUMNS)} and nothing else",
            "Leave out whom it hit: no address is taken here.",
        )
    name, count = item.get("name"), item.get("count", 1)
    if isinstance(count, str) and count.isdecimal() and len(count) <= len(str(MAX_INTEGER)):
        count = int(count)
    if not isinstance(name, str) or count.__class__ is not int or not 0 < count <= MOST_SEEN:
        raise WireFormatError("E_SCHEMA", f"no name, or a count that is not 1 to {MOST_SEEN}")
    known = read_name(name, refang=True).a_label
    return Seen(known, count, _instant(item.get("first")), _instant(item.get("last")))


def _instant(text: object) -> datetime | None:
    return None if text is None else read_stix_time(text)


def seen_of(node: Node, what: str, seen: Seen) -> Seen:
    """Return a sighting of what an operator names: a name, or an object on one.

    Raises:
        NotFound: ``E_NOT_FOUND``. WireFormatError: ``E_NAME_*``.
    """
    if not is_stix_id(what):
        name = read_name(what, refang=True).a_label
    else:
        with node.database.read() as tx:
            row = find_claims(tx, what, None)[-1]
        if row.name_key is None:
            raise NotFound("E_NOT_FOUND", f"{what} is not about one name", "Give the name itself.")
        name = read_name(row.name_key).a_label
    return Seen(name, seen.count, seen.first, seen.last)


def add_sightings(
    node: Node, seen: Sequence[Seen], *, source: str = "operator", actor: str = "operator"
) -> AddedSightings:
    """Add sightings to the hours in which they were, of names that are claimed here.

    Args:
        source: who saw it: the operator, or a token.
    """
    with node.database.write() as tx:
        now = node.now()
        added = store_sightings(tx, seen, claims_met(tx, seen), source, now)
        if added.names:
            store_event(
                tx, now, actor, "SIGHTINGS_ADDED", source=source, sightings=added.kept,
                hours=added.hours,
            )  # fmt: skip
    return added


def store_sightings(
    tx: Transaction,
    seen: Sequence[Seen],
    met: Sequence[str | None],
    source: str,
    now: datetime,
) -> AddedSightings:
    """Store what was seen of claimed names, in the hours in which it was, within a write.

    Args:
        met: of each the claim that it met, as ``claims_met`` finds it.
    """
    hours: dict[tuple[str, datetime], SightingRow] = {}
    kept = 0
    for each, name in zip(seen, met, strict=True):
        if name is None:
            continue
        kept += 1
        row = _in_hour(name, each, source, now)
        held = hours.get((name, row.hour))
        hours[name, row.hour] = row if held is None else _sum(held, row)
    stored.drop_hours_before(tx, now - KEPT_FOR)
    stored.add_to_hours(tx, [hours[key] for key in sorted(hours)])
    names = tuple(sorted({name for name, _ in hours}))
    return AddedSightings(len(seen), kept, names, len(hours))


def claims_met(tx: Transaction, seen: Sequence[Seen]) -> list[str | None]:
    """Find the claim that each sighting met, by the key of its subject; None where none did."""
    above = {name for each in seen for name in _chain(each.name)}
    claimed = stored.scopes_claimed(tx, above | {each.policy for each in seen if each.policy})
    # A policy is another's too: what it matched counts where that very thing is claimed here.
    return [
        each.policy
        if each.policy is not None and each.policy in claimed
        else _claimed_name(each.name, claimed)
        for each in seen
    ]


def _chain(name: str) -> list[str]:
    labels = name.split(".")
    return [".".join(labels[begin:]) for begin in range(len(labels))]


def _claimed_name(name: str, claimed: Mapping[str, set[str]]) -> str | None:
    """Find the claim that a name meets: its own, or one with all below that it lies under."""
    chain = _chain(name)
    if claimed.get(name, set()) - {"wildcard-only"}:
        return name
    reaching = {"subtree", "wildcard-only"}
    return next((above for above in chain[1:] if claimed.get(above, set()) & reaching), None)


def _in_hour(name: str, each: Seen, source: str, now: datetime) -> SightingRow:
    last = min(each.last or each.first or now, now)
    first = min(each.first or last, last)
    hour = last.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return SightingRow(name, hour, source, each.count, first, last)


def _sum(one: SightingRow, other: SightingRow) -> SightingRow:
    first, last = min(one.first_at, other.first_at), max(one.last_at, other.last_at)
    return SightingRow(one.name, one.hour, one.source, one.count + other.count, first, last)


def list_sightings(
    node: Node, name: str | None = None, limit: int = 1_000
) -> tuple[SightingRow, ...]:
    """List what was seen, by the hour, the newest first."""
    known = None if name is None else read_name(name, refang=True).a_label
    with node.database.read() as tx:
        return stored.list_sightings(tx, known, limit)


def tell_sightings(node: Node) -> int:
    """Publish to origins what was seen of their claims, where the operator opted in for them.

    Returns:
        How many names were told.
    """
    before = node.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    with node.database.read() as tx:
        waiting = [
            (peer, found)
            for peer in list_peers(tx)
            if peer.sightings_since is not None and is_reading(peer)
            for found in [
                stored.untold_sightings(
                    tx, peer.node_id, peer.sightings_since, before, _TOLD_AT_ONCE
                )
            ]
            if found
        ]
    return sum(_tell(node, peer, found) for peer, found in waiting)


def _tell(node: Node, peer: PeerRow, found: Sequence[UntoldSighting]) -> int:
    drafts = [draft for each in found for draft in _drafts(node, each)]
    request = PublishRequest(
        drafts=drafts, tlp=Tlp.AMBER_STRICT, to=(peer,), lineage=("own-sensor",), actor="sightings"
    )
    try:
        publish_objects(node, request)
    except SharingRefused:
        return 0  # its dials do not let it read that label; the operator sees that in `peer show`
    with node.database.write() as tx:
        stored.note_told(tx, peer.node_id, found)
    return len(found)


def _drafts(node: Node, each: UntoldSighting) -> tuple[Draft, Draft]:
    """Make the name as an infrastructure of one's own, and the sighting of it.

    Not of the claim itself: a reference has to resolve among one's own objects (PROTOCOL 3.4).
    """
    at = write_wire_time(node.now())
    idn = b32(node.entropy(IDN_BYTES))
    shared = {
        "spec_version": "2.1",
        "created_by_ref": node.identity,
        "created": at,
        "modified": at,
    }
    subject = {
        "type": "infrastructure",
        "id": own_stix_id(node.node_id, "infrastructure", idn),
        **shared,
        "name": read_subject_key(each.name).value,
        "description": "As it was claimed; seen here.",
    }
    sighting = {
        "type": "sighting",
        "id": own_stix_id(node.node_id, "sighting", idn),
        **shared,
        "sighting_of_ref": subject["id"],
        "count": min(each.count, MOST_SEEN),
        "first_seen": write_wire_time(each.first_at),
        "last_seen": write_wire_time(each.last_at),
    }
    return Draft(subject, idn), Draft(sighting, idn)
