"""Look whether hijacked delegations are back, and close the own claims that are over (DNS 5).

Invariants:
* a claim is closed only by its own origin: this node publishes a new version of an own incident
  with ``reverted_at``; of others' it notes "the delegation is back, seen here";
* it takes the old name servers, and the old DS where they are known, twice in a row and at least
  ``APART`` apart; a look that failed, or in which the parent's servers differ, begins anew;
* only claims of this node and of peers at ``member`` or above are looked after, each look of a
  bounded number, so that nobody makes this node ask at will;
* own zones are looked at for the rogue name servers of live claims, and nobody else's are.

What it does not do: decide how a claim stands (``claim_state``), or ask inside a write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from federation.transport.delegation_lookup import (
    Delegation,
    look_up_delegation,
    parent_servers,
)
from federation.trust.presets import TrustLevel
from hub.exchange.publish import PublishOutcome, PublishRequest
from hub.exchange.restrict import own_versions
from hub.imports.drafts import Draft
from hub.incidents.audience import publish_where_allowed, readers_of
from hub.incidents.claim_state import Standing, standings_of
from hub.incidents.concern import NAME_SERVERS, read_own_part
from hub.incidents.note_incidents import alarms_that_are_over, raise_hijacks
from hub.monitoring.alarms import HIJACK_CLAIMED, end_alarm
from hub.node import Node
from hub.peers.standing import is_reading, standing_of
from hub.settings import resolver_address, server_address
from hub.storage.dialects import to_micros
from hub.storage.queries import incidents as stored
from hub.storage.queries.imports import only_imported
from hub.storage.queries.incidents import HijackClaim, WatchRow
from hub.storage.queries.objects import contents_of
from hub.storage.queries.peers import PeerRow, peers_among
from hub.storage.transaction import Transaction
from schemas.dns.delegations import DelegationChange
from schemas.dns.extensions import DNS_DELEGATION_CHANGE
from schemas.errors import TocsinError
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from schemas.timestamps import write_wire_time

DELEGATIONS: Final = "delegations"
"""The kind of the one job that looks."""
WATCH_INTERVAL: Final = timedelta(minutes=10)
APART: Final = timedelta(minutes=1)
LOOKS_NEEDED: Final = 2
MOST_CLAIMS: Final = 50
MOST_TIME: Final = timedelta(minutes=2)
"""Of one round: servers that do not answer cost half a minute each."""
MOST_OWN_ZONES: Final = 64
UNANSWERED: Final = "UNANSWERED"
DIFFERENT: Final = "SERVERS_DIFFER"
OLD_UNKNOWN: Final = "OLD_UNKNOWN"

Ask = Callable[[str], Delegation | None]


@dataclass(frozen=True, slots=True)
class Watched:
    """What one round saw.

    Args:
        looked: how many claims were looked after.
        back: the incidents of which the delegation is back.
        closed: those of them that this node closed, being their origin.
        using: own zones that use a rogue name server.
    """

    looked: int = 0
    back: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    using: tuple[str, ...] = ()


def watch_delegations(node: Node, *, ask: Ask | None = None) -> Watched:
    """Look after the delegations of live claims, and after the own zones.

    Args:
        ask: looks up one zone; by default the parent's servers, or that of the settings. Without
            a resolver nobody is asked.
    """
    asking = ask or _asker(node)
    with node.database.read() as tx:
        claims = _watched(tx, node) if asking is not None else []
        part = read_own_part(tx, node.now())
    _end_alarms(node)
    if asking is None or not claims:
        return Watched()
    zones = dict.fromkeys(each.claim.facts.zone for each in claims)
    rogue = {name for each in claims for name in each.claim.facts.rogue_ns}
    own = part.zones[:MOST_OWN_ZONES] if rogue else ()
    answers = _ask_all(node, asking, dict.fromkeys((*zones, *own)))
    asked = [each for each in claims if each.claim.facts.zone in answers]
    with node.database.write(durable=False) as tx:
        now = node.now()
        before = stored.every_watch(tx)
        rows = [_look(each.claim, before, answers[each.claim.facts.zone], now) for each in asked]
        stored.put_watches(tx, rows)
        mine = {zone: answers.get(zone) for zone in own}
        using = _note_users(tx, asked, mine, now)
    back = [row for row in rows if row.back_at is not None]
    closed = [row.stix_id for row in back if row.origin == node.node_id and _close(node, row)]
    return Watched(len(rows), tuple(row.stix_id for row in back), tuple(closed), using)


def _ask_all(node: Node, ask: Ask, zones: Iterable[str]) -> dict[str, Delegation | None]:
    """Ask for zones in their order, until the round has taken its time; the rest is asked next."""
    begun = node.now()
    answers: dict[str, Delegation | None] = {}
    for zone in zones:
        if node.now() - begun > MOST_TIME:
            break
        answers[zone] = ask(zone)
    return answers


def _asker(node: Node) -> Ask | None:
    """Return how this node asks: the server of the settings first, where there is one."""
    settings = node.settings
    own = server_address(settings.delegation_server) if settings.delegation_server else None
    resolver = resolver_address(settings.resolver) if settings.resolver else None
    if own is None and resolver is None:
        return None
    parents: dict[str, tuple[tuple[str, int], ...]] = {}  # of one round: many zones share one

    def ask(zone: str) -> Delegation | None:
        found = None if own is None else look_up_delegation(zone, [own])
        if found is not None or resolver is None:
            return found
        above = zone.partition(".")[2]
        if above not in parents:
            parents[above] = parent_servers(zone, resolver)
        return look_up_delegation(zone, parents[above])

    return ask


def _watched(tx: Transaction, node: Node) -> list[Standing]:
    """List live claims of those who count: own ones first, then the longest not looked after."""
    found = [
        each for each in standings_of(tx, stored.every_version(tx), node.now()) if each.is_live
    ]
    peers = peers_among(tx, {each.claim.origin for each in found})
    mine = {each.claim.stix_id for each in found if each.claim.origin == node.node_id}
    mine -= only_imported(tx, mine)  # a feed's, of which there may be any number
    counted = [
        each
        for each in found
        if (
            each.claim.stix_id in mine
            if each.claim.origin == node.node_id
            else _counts(peers.get(each.claim.origin))
        )
    ]
    looked = stored.every_watch(tx)
    own = node.node_id  # nobody else closes these
    counted.sort(key=lambda each: (each.claim.origin != own, _last_look(looked, each.claim)))
    return counted[:MOST_CLAIMS]


def _counts(peer: PeerRow | None) -> bool:
    return (
        peer is not None
        and is_reading(peer)
        and standing_of(peer).effective_trust >= TrustLevel.MEMBER
    )


def _last_look(looked: Mapping[tuple[str, str], WatchRow], claim: HijackClaim) -> int:
    row = looked.get((claim.origin, claim.stix_id))
    return 0 if row is None else to_micros(row.looked_at)


def _look(
    claim: HijackClaim,
    before: Mapping[tuple[str, str], WatchRow],
    answer: Delegation | None,
    now: datetime,
) -> WatchRow:
    """Put one look beside those before it."""
    held = before.get((claim.origin, claim.stix_id))
    row = WatchRow(claim.origin, claim.stix_id, now, 0, None, ())
    if answer is None:
        return replace(row, code=UNANSWERED)
    row = replace(row, seen_ns=tuple(sorted(answer.ns)))
    if not answer.agreed:
        return replace(row, code=DIFFERENT)
    if not claim.facts.old_ns and not claim.facts.old_ds:
        return replace(row, code=OLD_UNKNOWN)
    if not is_back(claim.facts, answer):
        return row
    matches, looked_at = 1, now
    if held is not None and held.matches:
        # A look right after the last one is the same look.
        is_next = now - held.looked_at >= APART
        matches = held.matches + is_next
        looked_at = now if is_next else held.looked_at
    since = None if held is None else held.back_at
    back_at = (since or now) if matches >= LOOKS_NEEDED else None
    return replace(row, looked_at=looked_at, matches=matches, back_at=back_at)


def is_back(change: DelegationChange, answer: Delegation) -> bool:
    """Tell whether the parent says again what it said before the change, as far as that is known.

    A claim that knows the old DS alone is over when they are back; one that knows the old name
    servers too, when both are.
    """
    if change.old_ns and answer.ns != frozenset(change.old_ns):
        return False
    return not change.old_ds or answer.ds == frozenset(change.old_ds)


def _note_users(
    tx: Transaction,
    claims: Sequence[Standing],
    answers: Mapping[str, Delegation | None],
    now: datetime,
) -> tuple[str, ...]:
    """Alarm where a zone of ours is served by a name server that a claim calls rogue."""
    using: dict[str, None] = {}
    for each in claims:
        rogue = frozenset(each.claim.facts.rogue_ns)
        mine = [
            zone
            for zone, answer in answers.items()
            if answer is not None and zone != each.claim.facts.zone and answer.ns & rogue
        ]
        if mine:
            raise_hijacks(tx, [(each, (NAME_SERVERS,))], now)
            using |= dict.fromkeys(mine)
    return tuple(using)


def _end_alarms(node: Node) -> None:
    """End the alarms of claims that are over for a reason that no object told."""
    with node.database.read() as tx:
        over = alarms_that_are_over(tx, node.now())
    if over:
        with node.database.write(durable=False) as tx:
            for subject in over:
                end_alarm(tx, HIJACK_CLAIMED, subject, node.now())


def _close(node: Node, row: WatchRow) -> bool:
    """Say of an own claim that it is over, wherever it was said; False where that was refused.

    It is tried again at the next look: whoever has the claim has to hear of its end.
    """
    try:
        return not close_hijack(node, row.stix_id, row.back_at or row.looked_at).refused
    except TocsinError:
        return False  # no such group any more, or a peer that may not read: the watch shows it


def close_hijack(
    node: Node, stix_id: str, reverted_at: datetime, *, actor: str = "worker"
) -> PublishOutcome:
    """Publish a new version of an own incident that says since when it is over.

    Raises:
        NotFound: ``E_NOT_FOUND``. Conflict: ``E_WITHDRAWN``, ``E_ERASED``.
        SharingRefused: what publishing refuses.
    """
    with node.database.read() as tx:
        row = own_versions(tx, node, stix_id)[-1]
        value: dict[str, Any] = strict_loads(contents_of(tx, [row.object_row])[row.object_row])
        to, groups = readers_of(tx, node, row.object_row)
    change = value["extensions"][DNS_DELEGATION_CHANGE]
    change |= {"reverted_at": write_wire_time(reverted_at)}
    earliest = (row.version_at or node.now()) + timedelta(milliseconds=1)
    value["modified"] = write_wire_time(max(node.now(), earliest))
    return publish_where_allowed(
        node,
        PublishRequest(
            drafts=[Draft(value, row.idn)],
            tlp=Tlp(row.tlp),
            to=to,
            groups=groups,
            urgency="priority",
            actor=actor,
        ),
    )
