"""What open and answered hijack claims mean for verdicts: whose word rests, and what is held.

Invariants:
* while a zone's hijack claim is live, an authority's ``benign`` holds nothing at or below that very
  zone: whoever took a registry's account would else clear his own names with its word
  (PROTOCOL 4.1); the claim counts of a peer at ``member`` or above, and of this node;
* a name server is held from blocking where the only claims that call it rogue were answered as
  authorised: one claim that is still live, was confirmed or was set back takes the hold away, and
  so does a claim of another kind, or one of somebody else where the origin itself said that its
  change was authorised, so that nobody clears his servers with a zone of his own;
* both are decided from what a label shows and from nothing else (PROTOCOL 3.5).

What it does not do: block, or count anybody's word as support.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Final

from federation.trust.presets import TrustLevel
from hub.incidents.claim_state import AUTHORISED, WITHDRAWN, Standing, standings_of
from hub.peers.standing import is_reading, standing_of
from hub.storage.queries.claims import live_claims
from hub.storage.queries.imports import only_imported
from hub.storage.queries.incidents import (
    ids_naming_servers,
    is_any_hijack,
    versions_of_ids,
    versions_of_zones,
)
from hub.storage.queries.nodes import find_own_node
from hub.storage.queries.peers import peers_among
from hub.storage.transaction import Transaction
from schemas.dns.subjects import NSDNAME, QNAME, read_subject_key

HIJACK_AUTHORISED: Final = "HIJACK_AUTHORISED"
_HIJACK: Final = "delegation-hijack"
_EVERYBODY: Final = ""


def is_hijack_live(tx: Transaction, zones: Sequence[str], label: int, now: datetime) -> bool:
    """Tell whether somebody who counts claims that one of the very zones is hijacked."""
    if not zones or not is_any_hijack(tx):
        return False
    standings = standings_of(tx, versions_of_zones(tx, zones), now, label)
    living = [each.claim for each in standings if each.is_live]
    if not living:
        return False
    origins = {claim.origin for claim in living}
    own = find_own_node(tx)
    if own is not None and own.node_id in origins:
        mine = {claim.stix_id for claim in living if claim.origin == own.node_id}
        # What an import brought is a feed's word, and no feed has a standing here.
        if mine - only_imported(tx, mine):
            return True
    return any(
        is_reading(peer) and standing_of(peer).effective_trust >= TrustLevel.MEMBER
        for peer in peers_among(tx, origins).values()
    )


def held_servers(
    tx: Transaction, keys: Collection[str], label: int, now: datetime
) -> frozenset[str]:
    """Find the subjects that are held because the change to them was authorised.

    Args:
        keys: of subjects, as verdicts have them.
    """
    if not is_any_hijack(tx):
        return frozenset()
    names: dict[str, list[str]] = {}
    for key in keys:
        subject = read_subject_key(key)
        if subject.match_on in {NSDNAME, QNAME}:
            names.setdefault(subject.value, []).append(key)
    ids = ids_naming_servers(tx, names)
    if not ids:
        return frozenset()
    states: dict[str, set[str]] = {}
    cleared: dict[str, set[str]] = {}
    own = find_own_node(tx)
    for each in _claims_naming(tx, ids, label, now):
        is_own = own is not None and each.claim.origin == own.node_id
        by_itself = not is_own and not set(each.by) - {each.claim.origin}
        for name in names.keys() & set(each.claim.facts.rogue_ns):
            states.setdefault(name, set()).add(each.state)
            cleared.setdefault(name, set()).add(each.claim.origin if by_itself else _EVERYBODY)
    held = {
        key: cleared[name]
        for name, said in states.items()
        if said == {AUTHORISED}
        for key in names[name]
    }
    others = _claimed_otherwise(tx, held, label) if held else frozenset()
    return frozenset(held) - others


def _claims_naming(
    tx: Transaction, ids: Collection[str], label: int, now: datetime
) -> list[Standing]:
    """Tell how the claims stand that were not taken back, those of feeds left out."""
    found = [
        each
        for each in standings_of(tx, versions_of_ids(tx, ids), now, label)
        if each.state != WITHDRAWN
    ]
    own = find_own_node(tx)
    mine = {e.claim.stix_id for e in found if own is not None and e.claim.origin == own.node_id}
    foreign = only_imported(tx, mine)
    return [
        each
        for each in found
        if each.claim.stix_id not in foreign or own is None or each.claim.origin != own.node_id
    ]


def _claimed_otherwise(
    tx: Transaction, cleared: Mapping[str, AbstractSet[str]], label: int
) -> frozenset[str]:
    """Find the keys on which there is a claim that was not cleared: of another kind, or another's.

    Args:
        cleared: by key, whose hijack claims were: everybody's, where somebody other than their
            origin said so; else the origin's own, who may have made it for this.
    """
    return frozenset(
        key
        for key, claims in live_claims(tx, sorted(cleared)).items()
        if any(
            claim.label <= label
            and not claim.revoked
            and (claim.threat_type != _HIJACK or not cleared[key] & {_EVERYBODY, claim.origin})
            for claim in claims
        )
    )
