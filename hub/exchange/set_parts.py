"""Which list of a published set goes to whom: one for everybody, or one a TLD for its registry.

Invariants:
* a peer gets the list of a TLD because this operator said so, by ``--for`` or by an authority
  scope ``zone:cc.`` that it granted (PROTOCOL 4.1): never because the peer says that it runs it;
* what a peer says of itself only narrows: who calls itself a registry or registrar, and has no
  TLD here, gets nothing by default instead of everything;
* a TLD for which nobody was named is told, never dropped in silence.

Does not: decide whether a peer may have the label (``publication_audience``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from federation.errors import SharingRefused
from federation.trust.authority import read_scopes
from hub.peers.known_nodes import find_pinned
from hub.storage.queries.objects import claims_of, contents_of
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.dns.extensions import DNS_OPERATOR
from schemas.identifiers import NodeId
from schemas.strict_json import strict_loads

OF_ONE_ZONE = frozenset({"registry", "registrar"})
"""Roles whose holders have use for names of their own zones alone."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """For whom a set is.

    Args:
        to: named peers.
        whole: peers that get every name, whatever TLDs they have.
        tlds: by peer, the TLDs whose names alone it gets.
        groups: groups of this node; each gets every name.
    """

    to: tuple[PeerRow, ...] = ()
    whole: tuple[PeerRow, ...] = ()
    tlds: Mapping[NodeId, tuple[str, ...]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()

    @property
    def peers(self) -> tuple[PeerRow, ...]:
        """List all named peers, each once."""
        return tuple({peer.node_id: peer for peer in (*self.to, *self.whole)}.values())


@dataclass(frozen=True, slots=True)
class Part:
    """One list to make.

    Args:
        tld: whose names alone it has; None: all names.
        to: the peers that get it; with no group either, everybody whom the label reaches.
    """

    tld: str | None
    to: tuple[PeerRow, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """The lists to make.

    Args:
        left_over: TLDs of the names for which nobody was named.
        idle: named peers that get nothing, since no name is in their TLDs.
    """

    parts: tuple[Part, ...]
    left_over: tuple[str, ...] = ()
    idle: tuple[PeerRow, ...] = ()


def split_by_tld(tx: Transaction, tlds: Collection[str], recipients: Recipients) -> Split:
    """Decide who gets which TLD's list, and who gets all.

    Args:
        tlds: of the names to publish.

    Raises:
        SharingRefused: ``E_SET_TLDS`` for a registry or registrar that has no TLD here.
    """
    peers, groups = recipients.peers, recipients.groups
    if not peers and not groups:
        return Split(tuple(Part(tld) for tld in sorted(tlds)))
    everything: list[PeerRow] = []
    of_tld: dict[str, list[PeerRow]] = {}
    idle = []
    whole = {peer.node_id for peer in recipients.whole}
    for peer in peers:
        own = None if peer.node_id in whole else _tlds_of(tx, peer, recipients)
        if own is None:
            everything.append(peer)
            continue
        found = [tld for tld in own if tld in tlds]
        for tld in found:
            of_tld.setdefault(tld, []).append(peer)
        if not found:
            idle.append(peer)
    parts = [Part(tld, tuple(of_tld[tld])) for tld in sorted(of_tld)]
    if everything or groups:
        parts.append(Part(None, tuple(everything), groups))
    left_over = tuple(sorted(set(tlds) - of_tld.keys()))
    return Split(tuple(parts), left_over, tuple(idle))


def _tlds_of(tx: Transaction, peer: PeerRow, recipients: Recipients) -> tuple[str, ...] | None:
    """List the TLDs whose names alone a peer gets; None where it gets all."""
    said = recipients.tlds.get(peer.node_id)
    if said is not None:
        return tuple(dict.fromkeys(said))
    granted = granted_tlds(peer.authority)
    if granted:
        return granted
    roles = OF_ONE_ZONE.intersection(roles_of(tx, peer.node_id))
    if roles:
        raise SharingRefused(
            "E_SET_TLDS",
            f"{peer.name} is a {min(roles)}, and no TLD is known to be its own",
            f"Say --for {peer.name}=TLD, or --whole {peer.name} to give it every name.",
        )
    return None


def granted_tlds(authority: Iterable[str]) -> tuple[str, ...]:
    """List the TLDs among the authority scopes that were granted to a peer."""
    scopes = read_scopes(authority)
    zones = (scope.value for scope in scopes if scope.kind == "zone")
    return tuple(dict.fromkeys(zone for zone in zones if "." not in zone))


def roles_of(tx: Transaction, node_id: NodeId) -> frozenset[str]:
    """Read what a peer's own identity says that it does (DNS 1, dns-operator)."""
    pinned = find_pinned(tx, node_id)
    ids = () if pinned is None else pinned.identities
    rows = [
        claim.object_row
        for claims in claims_of(tx, ids).values()
        for claim in claims
        if claim.origin == node_id
    ]
    roles: set[str] = set()
    for content in contents_of(tx, rows).values():
        extensions = strict_loads(content).get("extensions", {}) if content else {}
        roles.update(extensions.get(DNS_OPERATOR, {}).get("roles", ()))
    return frozenset(roles)
