"""Note who claims that a protected name is malicious: alarm, and a step of trust at the third.

Invariants:
* what counts are names of grade ``refuse`` that nobody overrode: a claim on a name that is only
  held for a person may well be right;
* three different names within 24 hours cost the origin one step of its dials, once, so that
  what it says afterwards no longer comes in by itself (PROTOCOL 4.3);
* what a peer calls its own zones counts as one name, however many it names: else one bad member
  could claim the names of its botnet, and cost everybody who reports them a step;
* a set counts as one name, however many protected ones are in it: among a quarter of a million
  names that an algorithm makes some always are somebody's;
* one alarm an origin, however many names it claims.

What it does not do: keep the name out of an export. The guards do that whatever is noted here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from federation.trust.reputation import PROTECTED_HITS_WITHIN, Conduct, decide_demotion
from hub.monitoring.alarms import PROTECTED_NAME, raise_alarm
from hub.node import Node
from hub.peers.demote import demote_for_cause
from hub.storage.queries.audit import store_event
from hub.storage.queries.guards import count_hits, drop_hits_before, put_hits, uncounted_hits
from hub.storage.queries.peers import find_peer
from hub.storage.transaction import Transaction
from hub.verdicts.guard_lists import REFUSE
from hub.verdicts.guard_state import PEERS_ZONES
from hub.verdicts.guards import Guards
from schemas.identifiers import NodeId

ACTOR: Final = "guards"
_SHOWN: Final = 5
_KEPT: Final = timedelta(days=30)


def note_protected_hits(
    tx: Transaction,
    node: Node,
    guards: Guards,
    claims: Iterable[tuple[str, str, str]],
    at: datetime,
    *,
    of_set: str | None = None,
) -> int:
    """Note the new claims of a batch that name what is protected, in the caller's write.

    Args:
        claims: origin, name and match scope of each.
        at: our clock.
        of_set: the id of the set that has these names.

    Returns:
        How many claims hit a protected name.
    """
    met: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for origin, name, match_scope in claims:
        lists = [
            hit.list_name
            for hit in guards.hits(name, match_scope)
            if hit.grade == REFUSE and hit.overridden_by is None
        ]
        if lists:
            met[origin][name] = min(lists, key=_is_own_word)
    if not met:
        return 0
    drop_hits_before(tx, at - _KEPT)
    for origin, names in sorted(met.items()):
        put_hits(
            tx, sorted({(origin, of_set or _counted_as(*hit), hit[1]) for hit in names.items()}), at
        )
        _tell(tx, node, NodeId(origin), names, at)
    return sum(len(names) for names in met.values())


def _is_own_word(list_name: str) -> bool:
    return list_name.startswith(PEERS_ZONES)


def _counted_as(name: str, list_name: str) -> str:
    """Name what a hit counts as: all zones that one peer calls its own are one name."""
    return list_name if _is_own_word(list_name) else name


def _tell(tx: Transaction, node: Node, origin: NodeId, names: dict[str, str], at: datetime) -> None:
    recent = uncounted_hits(tx, origin, at - PROTECTED_HITS_WITHIN)
    before = (name for name in recent if name not in names and not _is_own_word(name))
    shown = [*sorted(names), *before][:_SHOWN]
    peer = find_peer(tx, origin)
    own = origin == node.node_id
    cause = None if own else decide_demotion(Conduct(protected_hits=len(recent)))
    demoted = False
    if cause is not None:
        demoted = demote_for_cause(tx, origin, cause.code, at, **cause.params)
        count_hits(tx, origin, at)
    facts = {
        "name": None if peer is None else peer.name,
        "own": own,
        "names": shown,
        "lists": sorted(set(names.values()))[:_SHOWN],
        "hits": len(recent),
    }
    store_event(tx, at, ACTOR, "PROTECTED_NAME_CLAIMED", origin=origin, demoted=demoted, **facts)
    raise_alarm(tx, PROTECTED_NAME, origin, at, **facts)
