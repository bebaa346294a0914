"""List hijack claims to the operator: how each stands, who answered what, and what is seen here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hub.incidents.answer import find_standing
from hub.incidents.claim_state import WAITING, Standing, standings_of
from hub.incidents.concern import OwnPart, read_own_part
from hub.node import Node
from hub.storage.queries import incidents as stored
from hub.storage.queries.incidents import WatchRow
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from schemas.dns.delegations import DelegationChange, read_delegation_change
from schemas.identifiers import NodeId
from schemas.markings import Tlp
from schemas.strict_json import strict_loads


@dataclass(frozen=True, slots=True)
class ListedAnswer:
    """One answer, and what became of it."""

    id: str
    origin: str
    origin_name: str
    answer: str
    counts: bool
    why: str
    tlp: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class ListedHijack:
    """One origin's claim as the operator sees it.

    Args:
        state: ``open``, ``authorised``, ``not-ours``, ``reverted``, ``closed``, ``withdrawn``, or
            ``waiting`` for one in quarantine.
        concern: why it concerns this node; empty where it does not.
        back_at: since when this node sees the old delegation at the parent's servers.
        looked_at: when it looked last.
    """

    incident: str
    origin: str
    origin_name: str
    zone: str
    state: str
    tlp: str
    received_at: datetime
    change_kinds: tuple[str, ...]
    old_ns: tuple[str, ...]
    new_ns: tuple[str, ...]
    old_ds: tuple[str, ...]
    new_ds: tuple[str, ...]
    registrar: str | None
    registrar_id: int | None
    vector: str | None
    changed_at: datetime | None
    detected_at: datetime | None
    reverted_at: datetime | None
    concern: tuple[str, ...]
    back_at: datetime | None = None
    looked_at: datetime | None = None
    look_code: str | None = None
    answers: tuple[ListedAnswer, ...] = field(default=())


def list_hijacks(node: Node, zone: str | None = None) -> tuple[ListedHijack, ...]:
    """List the claims in the order in which they came, those in quarantine last.

    Args:
        zone: on this zone alone, an A-label.
    """
    with node.database.read() as tx:
        versions = (
            stored.every_version(tx) if zone is None else stored.versions_of_zones(tx, [zone])
        )
        listing = _Listing(tx, node)
        listed = [listing.listed(each) for each in standings_of(tx, versions, node.now())]
        waiting = [
            row
            for each in stored.waiting_incidents(tx)
            if (row := listing.waiting(each)) is not None and zone in {None, row.zone}
        ]
    return (*listed, *waiting)


def show_hijack(node: Node, stix_id: str, origin: NodeId | None = None) -> ListedHijack:
    """Show one claim.

    Raises:
        NotFound: ``E_HIJACK_UNKNOWN``, ``E_HIJACK_WHICH``.
    """
    standing = find_standing(node, stix_id, origin)
    with node.database.read() as tx:
        return _Listing(tx, node).listed(standing)


class _Listing:
    """What every line needs, read once."""

    def __init__(self, tx: Transaction, node: Node) -> None:
        self._names: dict[str, str] = {peer.node_id: peer.name for peer in list_peers(tx)}
        self._names[node.node_id] = "this node"
        self._part: OwnPart = read_own_part(tx, node.now())
        self._watches: Mapping[tuple[str, str], WatchRow] = stored.every_watch(tx)

    def listed(self, standing: Standing) -> ListedHijack:
        claim = standing.claim
        watch = self._watches.get((claim.origin, claim.stix_id))
        answers = tuple(
            ListedAnswer(
                id=each.answer.stix_id,
                origin=each.answer.origin,
                origin_name=self._name(each.answer.origin),
                answer=each.answer.word,
                counts=each.counts,
                why=each.why,
                tlp=Tlp(each.answer.label).wire,
                said_at=each.answer.said_at,
            )
            for each in standing.answers
        )
        return self._line(
            (claim.stix_id, claim.origin),
            (standing.state, claim.label, claim.noted_at),
            claim.facts,
            watch,
            answers,
        )

    def waiting(self, found: stored.WaitingIncident) -> ListedHijack | None:
        change = read_delegation_change(strict_loads(found.content))
        if change is None:
            return None
        return self._line(
            (found.stix_id, found.origin), (WAITING, found.label, found.received_at), change
        )

    def _line(
        self,
        whose: tuple[str, str],
        stands: tuple[str, int, datetime],
        change: DelegationChange,
        watch: WatchRow | None = None,
        answers: tuple[ListedAnswer, ...] = (),
    ) -> ListedHijack:
        (incident, origin), (state, label, at) = whose, stands
        return ListedHijack(
            incident=incident,
            origin=origin,
            origin_name=self._name(origin),
            zone=change.zone,
            state=state,
            tlp=Tlp(label).wire,
            received_at=at,
            change_kinds=change.change_kinds,
            old_ns=change.old_ns,
            new_ns=change.new_ns,
            old_ds=change.old_ds,
            new_ds=change.new_ds,
            registrar=change.registrar,
            registrar_id=change.registrar_id,
            vector=change.vector,
            changed_at=change.changed_at,
            detected_at=change.detected_at,
            reverted_at=change.reverted_at,
            concern=self._part.concerns(change),
            back_at=None if watch is None else watch.back_at,
            looked_at=None if watch is None else watch.looked_at,
            look_code=None if watch is None else watch.code,
            answers=answers,
        )

    def _name(self, origin: str) -> str:
        return self._names.get(origin, origin[:12])
