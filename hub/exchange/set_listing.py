"""List the domain sets that this node holds, own and received, and read their names.

The operator sees every origin's sets, each in the version that stands; readers see views.

Does not: judge a name: what a list says and what is believed are two things (``verdicts``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from hub.errors import Conflict, NotFound
from hub.node import Node
from hub.storage.queries.blobs import HELD, blob_bytes
from hub.storage.queries.domain_sets import ListedSet, list_sets
from hub.storage.queries.peers import list_peers
from schemas.dns.domain_sets import SetLine, read_list
from schemas.identifiers import NodeId
from schemas.markings import Tlp

SHORTEST_DIGEST: Final = 8
"""Hex digits by which a person may name a list."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class KnownSet:
    """One set, in the version that stands.

    Args:
        id: of its grouping.
        names: how many lines it states.
        state: of its object where that is not accepted (``quarantined``, ``withdrawn`` …); else
            ``waits`` for its list, ``held``, ``expanding``, ``expanded`` or ``refused``.
        code: why it waits or is refused.
        done: how many lines count by now.
        held: whether its list is here.
        ended: whether its last day is over.
        versions: how many versions of it came.
    """

    id: str
    origin: NodeId
    origin_name: str
    own: bool
    family: str | None
    variant: str | None
    tld: str | None
    threat_type: str | None
    names: int
    dated: bool
    valid_from: datetime | None
    valid_until: datetime | None
    match_scope: str
    tlp: str
    sha256: str
    state: str
    code: str | None
    done: int
    held: bool
    ended: bool
    adopted: bool
    version: str
    versions: int


def list_known_sets(node: Node, *, origin: NodeId | None = None) -> tuple[KnownSet, ...]:
    """List sets in the order in which their first versions came."""
    with node.database.read() as tx:
        listed = list_sets(tx, origin=origin)
        names = {peer.node_id: peer.name for peer in list_peers(tx)}
    grouped: dict[tuple[str, str], list[ListedSet]] = {}
    for each in listed:
        grouped.setdefault((each.origin, each.stix_id), []).append(each)
    now = node.now()
    names[node.node_id] = "this node"
    return tuple(_known(versions, names, node.node_id, now) for versions in grouped.values())


def _known(
    versions: list[ListedSet], names: dict[NodeId, str], own: NodeId, now: datetime
) -> KnownSet:
    # One that waits in quarantine takes nothing from the accepted one before it.
    standing = [each for each in versions if each.object_state == "accepted"] or versions
    listed = max(standing, key=lambda each: (each.version_at or _EPOCH, each.row.object_row))
    row = listed.row
    accepted = listed.object_state == "accepted"
    return KnownSet(
        id=listed.stix_id,
        origin=listed.origin,
        origin_name=names.get(listed.origin, listed.origin),
        own=listed.origin == own,
        family=row.family,
        variant=row.variant,
        tld=row.tld,
        threat_type=row.threat_type,
        names=row.domain_count,
        dated=row.dated,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        match_scope=row.match_scope,
        tlp=Tlp(listed.tlp).wire,
        sha256=row.sha256,
        state=row.state if accepted else listed.object_state,
        code=(row.code or listed.blob_code) if accepted else listed.object_code,
        done=row.done,
        held=listed.blob_state == HELD,
        ended=row.valid_until is not None and row.valid_until <= now,
        adopted=listed.adopted,
        version=listed.version,
        versions=len(versions),
    )


def find_known_set(node: Node, text: str, *, origin: NodeId | None = None) -> KnownSet:
    """Find the set that a person means: by the id of its grouping, or by the digest of its list.

    Args:
        text: the id, or at least 8 hex digits with which one digest alone begins.

    Raises:
        NotFound: ``E_SET_UNKNOWN``.
        Conflict: ``E_SET_AMBIGUOUS``.
    """
    known = list_known_sets(node, origin=origin)
    found = [each for each in known if each.id == text]
    if not found and len(text) >= SHORTEST_DIGEST and _HEX.issuperset(text):
        found = [each for each in known if each.sha256.startswith(text)]
        if len({each.sha256 for each in found}) == 1:
            found = found[:1]  # several say the very same list
    if not found:
        raise NotFound(
            "E_SET_UNKNOWN",
            f"no domain set {text[:80]} is known here",
            "See `tocsin set list`; name it by its id or by 8 digits of its digest.",
        )
    if len(found) > 1:
        raise Conflict(
            "E_SET_AMBIGUOUS",
            f"{len(found)} sets are meant by {text[:80]}",
            "Say whose with --origin, or more of the digest.",
        )
    return found[0]


def require_held(known: KnownSet) -> None:
    """Refuse what needs the names of a set whose list is not here.

    Raises:
        Conflict: ``E_SET_WAITS``.
    """
    if not known.held:
        raise Conflict(
            "E_SET_WAITS",
            f"the list of {known.id} is not here yet"
            + (f" ({known.code})" if known.code else f" (it is {known.state})"),
            "It is fetched when the set is accepted: see `tocsin set list`.",
        )


def lines_of_set(node: Node, known: KnownSet, *, on: date | None = None) -> Iterator[SetLine]:
    """Read the lines of a set, of a day only those that count on it.

    Raises:
        Conflict: ``E_SET_WAITS``.
        WireFormatError: ``E_SET_…``, while it is read: the list is not what the set states.
    """
    require_held(known)
    with node.database.read() as tx:
        data = blob_bytes(tx, known.sha256)
    lines = read_list(data, dated=known.dated, count=known.names)
    if on is None:
        return lines
    return (line for line in lines if line.is_on(on) and (known.dated or _counts_on(known, on)))


def _counts_on(known: KnownSet, day: date) -> bool:
    """Tell whether a set without days of its own counts at any time of a day."""
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    ends = datetime(day.year, day.month, day.day, 23, 59, 59, 999_999, tzinfo=UTC)
    started = known.valid_from is None or known.valid_from <= ends
    return started and (known.valid_until is None or known.valid_until > begins)
