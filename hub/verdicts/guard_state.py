"""What the operator, the members and the readers protect: own lists and everybody's zones.

Decides how far a zone that somebody calls its own is believed.

Invariants:
* our own zones, those that constituents registered with us and those that we granted authority on
  are refused, with all below them;
* a peer's domains are its own word: of a verified member they are refused, of anybody else held
  for a person, so that a stranger cannot make honest reports on it cost their authors trust;
* nobody's zone protects a top-level domain or public suffix with all below it, whatever a
  document says: the registry of ``fr.`` guards ``fr``, not every name in it.

What it does not do: know lists of the installation (``guard_lists``) or overrides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from federation.trust.authority import read_scopes
from federation.trust.presets import TrustLevel
from hub.node import Node
from hub.peers.known_nodes import find_pinned
from hub.peers.standing import standing_of
from hub.storage.queries.guards import every_guard_name, guard_revisions
from hub.storage.queries.nodes import newest_document_hashes
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.queries.tokens import list_token_rows
from hub.storage.transaction import Transaction
from hub.verdicts.guard_lists import (
    ALONE,
    BELOW,
    GRADES,
    HOLD,
    MEMBER,
    OWN_LIST,
    REFUSE,
    Covers,
    Grade,
    Listed,
    Protected,
)
from hub.verdicts.guard_prefixes import Prefix
from schemas.dns.names import is_public_suffix, read_name
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId

PEERS_ZONES: Final = "zones of peer "
"""How a list begins that is a peer's own word alone."""
Zone = tuple[str, str, Grade]
"""A name, whose it is, and how it is graded."""
DomainsOf = Callable[[NodeId], Iterable[str]]
_DOMAINS: Final[dict[str, tuple[str, ...]]] = {}
"""What documents say are their node's domains, by hash: a document never changes."""
_MOST_DOCUMENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class GuardState:
    """What the guards of a node are made of; equal states mean equal guards."""

    lists: int
    overrides: int
    zones: tuple[Zone, ...]
    document: str | None = None
    """This node's own, by hash: a key that it revokes takes its overrides with it."""
    prefixes: tuple[Prefix, ...] = ()
    """Registered with us, or that we granted authority on."""


def guard_state(tx: Transaction, node: Node) -> GuardState:
    """Read what the guards are made of now."""
    lists, overrides = guard_revisions(tx)
    hashes = newest_document_hashes(tx, node.node_id)
    zones = tuple(sorted(set(_zones(tx, node, hashes))))
    prefixes = tuple(sorted(set(_prefixes(tx, node))))
    return GuardState(lists, overrides, zones, hashes.get(node.node_id), prefixes)


def zone_names(state: GuardState) -> Iterator[Protected]:
    """Walk the zones that somebody calls its own."""
    for name, whose, grade in state.zones:
        covers: Covers = ALONE if is_public_suffix(name) else BELOW
        yield name, Listed(grade, MEMBER, whose, covers)


def own_list_names(tx: Transaction) -> Iterator[Protected]:
    """Walk the operator's own lists, which may be long."""
    by_words: dict[str, Grade] = {grade: grade for grade in GRADES}
    for name, word, below, list_name in every_guard_name(tx):
        grade = by_words.get(word, REFUSE)
        yield name, Listed(grade, OWN_LIST, list_name, BELOW if below else ALONE)


def _zones(tx: Transaction, node: Node, hashes: Mapping[NodeId, str]) -> Iterator[Zone]:
    domains_of = _read_domains(tx, hashes)
    yield from _named("zones of this node", REFUSE, domains_of(node.node_id))
    now = node.now()
    for token in list_token_rows(tx):
        gone = token.revoked_at is not None or (token.expires_at and token.expires_at <= now)
        if not gone:
            yield from _named(f"zones of token {token.name}", REFUSE, token.zones)
    for peer in list_peers(tx):
        yield from _zones_of_peer(peer, domains_of)


def _prefixes(tx: Transaction, node: Node) -> Iterator[Prefix]:
    now = node.now()
    for token in list_token_rows(tx):
        gone = token.revoked_at is not None or (token.expires_at and token.expires_at <= now)
        if not gone:
            yield from ((prefix, f"prefixes of token {token.name}") for prefix in token.prefixes)
    for peer in list_peers(tx):
        for scope in read_scopes(peer.authority):
            if scope.kind == "prefix":
                yield scope.value, f"authority of {peer.name}"


def _read_domains(tx: Transaction, hashes: Mapping[NodeId, str]) -> DomainsOf:
    """Read, of the newest documents, those alone that are new here."""

    def domains_of(node_id: NodeId) -> tuple[str, ...]:
        digest = hashes.get(node_id)
        if digest is None:
            return ()
        known = _DOMAINS.get(digest)
        if known is None:
            chain = find_pinned(tx, node_id)
            known = () if chain is None else tuple(chain.newest.domains)
            if len(_DOMAINS) >= _MOST_DOCUMENTS:
                _DOMAINS.clear()
            _DOMAINS[digest] = known
        return known

    return domains_of


def _zones_of_peer(peer: PeerRow, domains_of: DomainsOf) -> Iterator[Zone]:
    granted = [scope.value for scope in read_scopes(peer.authority) if scope.kind == "zone"]
    yield from _named(f"authority of {peer.name}", REFUSE, granted)
    if peer.trust <= TrustLevel.BLOCKED:
        return
    known = peer.state == "active" and standing_of(peer).effective_trust >= TrustLevel.MEMBER
    domains = domains_of(peer.node_id)
    yield from _named(f"{PEERS_ZONES}{peer.name}", REFUSE if known else HOLD, domains)


def _named(whose: str, grade: Grade, names: Iterable[str]) -> Iterator[Zone]:
    for text in names:
        try:
            yield read_name(text).a_label, whose, grade
        except WireFormatError:
            continue  # a document's domain is any text; what is no name protects none
