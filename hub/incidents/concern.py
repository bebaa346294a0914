"""Whom a hijack claim concerns: is it ours to act on?

Decides for this node, by what it is: the owner of the zone or of one below it, its constituents'
hub, the registry of the zone's top-level domain, or the registrar in the path.

Invariants:
* it decides who is alarmed and whose own word counts at home, and nothing at any other node:
  what this node says of itself is no authority there (PROTOCOL 4.1);
* names are compared by whole labels.

What it does not do: look at DNS (``watch_delegations`` does, for rogue servers under own zones).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.peers.known_nodes import find_pinned
from hub.storage.queries.nodes import OwnNode, find_own_node
from hub.storage.queries.objects import claims_of, contents_of
from hub.storage.queries.tokens import list_token_rows
from hub.storage.transaction import Transaction
from schemas.dns.delegations import DelegationChange
from schemas.dns.names import read_name
from schemas.dns.operators import DnsOperator, read_operator
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads

OWN_ZONE: Final = "own-zone"
REGISTRY: Final = "registry"
REGISTRAR: Final = "registrar"
NAME_SERVERS: Final = "own-name-servers"
"""A zone of ours uses a name server that the claim calls rogue."""


@dataclass(frozen=True, slots=True)
class OwnPart:
    """What this node is to the names of DNS.

    Args:
        zones: its own domains and those that its constituents registered.
        operator: what it publishes of itself; None where that is nothing.
    """

    zones: tuple[str, ...]
    roles: tuple[str, ...] = ()
    operator: DnsOperator | None = None

    def concerns(self, change: DelegationChange) -> tuple[str, ...]:
        """Name why a claim concerns this node; empty where it does not."""
        zone, operator = change.zone, self.operator
        roles = set(self.roles) | set(() if operator is None else operator.roles)
        found = []
        if any(is_within(zone, own) or is_within(own, zone) for own in self.zones):
            found.append(OWN_ZONE)
        if operator is None:
            return tuple(found)
        if REGISTRY in roles and any(is_within(zone, tld) for tld in operator.tlds):
            found.append(REGISTRY)
        number = operator.iana_registrar_id
        if REGISTRAR in roles and number is not None and number == change.registrar_id:
            found.append(REGISTRAR)
        return tuple(found)


def read_own_part(tx: Transaction, now: datetime) -> OwnPart:
    """Read what this node is to the names of DNS."""
    own = find_own_node(tx)
    if own is None:
        return OwnPart(())
    chain = find_pinned(tx, own.node_id)
    texts = [] if chain is None else list(chain.newest.domains)
    for token in list_token_rows(tx):
        gone = token.revoked_at is not None or (token.expires_at and token.expires_at <= now)
        texts += () if gone else token.zones
    return OwnPart(tuple(_names(texts)), own.roles, _own_operator(tx, own))


def _own_operator(tx: Transaction, own: OwnNode) -> DnsOperator | None:
    rows = [
        row
        for row in claims_of(tx, [own.identity]).get(own.identity, ())
        if row.origin == own.node_id and row.state == "accepted" and not row.revoked
    ]
    if not rows:
        return None
    number = rows[-1].object_row
    return read_operator(strict_loads(contents_of(tx, [number])[number]))


def _names(texts: list[str]) -> list[str]:
    names = []
    for text in texts:
        try:
            names.append(read_name(text).a_label)
        except WireFormatError:
            continue  # a document's domain is any text; what is no name is no zone
    return list(dict.fromkeys(names))


def is_within(name: str, zone: str) -> bool:
    """Tell whether a name is a zone or lies below it."""
    return name == zone or name.endswith("." + zone)
