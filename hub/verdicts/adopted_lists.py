"""Let a person stand for a domain set's list, or stand for it no longer (DNS 1).

Blocking takes two lineages (PROTOCOL 4.4). Who adopts a list has looked at it: this organisation's
own analysts are the second one then, for these very names and not for a later version's.

Invariant: both are in the audit, with the reason and who it was.

Does not: make the claims (they are asked for here), or lift a guard.
"""

from __future__ import annotations

from hub.errors import Conflict, NotFound
from hub.exchange.set_listing import KnownSet, require_held
from hub.node import Node
from hub.storage.queries.audit import store_event
from hub.storage.queries.domain_sets import AdoptedSet, end_adopted, find_adopted, store_adopted
from hub.verdicts.marks import ask_for_adopted


def adopt_list(node: Node, known: KnownSet, reason: str, *, actor: str = "operator") -> AdoptedSet:
    """Stand for the names of a set's list from now on.

    Raises:
        Conflict: ``E_SET_WAITS``, ``E_SET_ADOPTED``.
    """
    require_held(known)
    with node.database.write() as tx:
        now = node.now()
        before = find_adopted(tx, known.sha256)
        if before is not None and before.ended_at is None:
            raise Conflict(
                "E_SET_ADOPTED",
                f"{before.actor} adopted this list on {before.adopted_at:%Y-%m-%d}",
                "There is nothing to do; `tocsin set release` ends it.",
            )
        who = tx.operator if actor == "operator" else actor
        adopted = AdoptedSet(known.sha256, reason, who, now, None)
        store_adopted(tx, adopted)
        ask_for_adopted(tx, known.sha256, now)
        facts = {"sha256": known.sha256, "stix_id": known.id, "names": known.names}
        store_event(tx, now, actor, "SET_ADOPTED", **facts, reason=reason)
    return adopted


def release_list(node: Node, known: KnownSet, reason: str, *, actor: str = "operator") -> None:
    """Stand for a list no longer: its names are blocked only where others say so too.

    Raises:
        NotFound: ``E_SET_NOT_ADOPTED``.
    """
    with node.database.write() as tx:
        now = node.now()
        held = find_adopted(tx, known.sha256)
        if held is None or held.ended_at is not None:
            raise NotFound(
                "E_SET_NOT_ADOPTED",
                f"nobody adopted the list of {known.id} here",
                "See the column adopted of `tocsin set list`.",
            )
        end_adopted(tx, known.sha256, now)
        ask_for_adopted(tx, known.sha256, now)
        facts = {"sha256": known.sha256, "stix_id": known.id, "names": known.names}
        store_event(tx, now, actor, "SET_RELEASED", **facts, reason=reason)
