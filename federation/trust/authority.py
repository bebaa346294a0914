"""Where a peer speaks with authority, and about what (PROTOCOL 4.1).

Decides whether a name or address lies inside what an operator granted to a peer.

Invariants:
* a scope is granted here or proven by DNSSEC; what a peer says of itself is never read as one;
* a zone covers itself and what lies below it, by whole labels: ``zone:fr.`` covers ``fr`` and
  ``a.fr``, not ``notfr`` and not ``fr.example``;
* a scope covers the statements that it names and no other; with none named, all four;
* a claim on a TLD or public suffix needs two authorities, since one mistake there takes a country;
* authority never blocks: it lifts a cap, or holds blocking (``federation.policy.blocking``).

What it does not do: know peers, or tell whether one counts as a member (the caller does: below
``member`` a scope lies idle).

>>> scope = read_scope("zone:FR=hijack,benign")
>>> str(scope), sorted(scope.statements)
('zone:fr.=benign,hijack', ['benign', 'hijack'])
>>> covers_name([scope], "bank.fr", "benign"), covers_name([scope], "bank.fr", "takedown")
(True, False)
>>> authorities_needed("co.uk"), authorities_needed("bbc.co.uk")
(2, 1)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from schemas.dns.names import is_public_suffix, read_name
from schemas.errors import WireFormatError

Statement = Literal["registration-status", "hijack", "takedown", "benign"]
STATEMENTS: Final[frozenset[str]] = frozenset(get_args(Statement))

_WIDEST_PREFIX: Final = {4: 8, 6: 19}
"""A shorter prefix is more than any registry gave to one holder."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One authority scope; ``str`` gives its one spelling, which is what is stored.

    Args:
        kind: ``zone`` or ``prefix``.
        value: the zone's A-label without a trailing dot, or the network.
        statements: what may be said inside it.
    """

    kind: Literal["zone", "prefix"]
    value: str
    statements: frozenset[str] = STATEMENTS

    def __str__(self) -> str:
        place = f"zone:{self.value}." if self.kind == "zone" else f"prefix:{self.value}"
        if self.statements == STATEMENTS:
            return place
        return f"{place}={','.join(sorted(self.statements))}"


def read_scope(text: str) -> Scope:
    """Read an authority scope.

    Args:
        text: ``zone:fr.`` or ``prefix:192.0.2.0/24``, for all four statements; or with a list of
            them, ``zone:fr.=benign,hijack``.

    Raises:
        WireFormatError: ``E_SCHEMA`` when it is neither a zone nor a prefix, or names a statement
            that is none.
    """
    place, listed, words = text.strip().partition("=")
    kind, _, value = place.strip().partition(":")
    statements = _read_statements(text, words) if listed else STATEMENTS
    try:
        if kind == "zone" and value.rstrip("."):
            return Scope("zone", read_name(value).a_label, statements)
        if kind == "prefix":
            return Scope("prefix", str(ipaddress.ip_network(value)), statements)
    except (WireFormatError, ValueError):
        pass
    raise WireFormatError(
        "E_SCHEMA",
        f"{text!r} is no authority scope",
        "Write it like zone:fr. or prefix:192.0.2.0/24.",
    )


def read_scopes(stored: Iterable[str]) -> tuple[Scope, ...]:
    """Read the scopes of a peer as they are stored, in their own order.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    return tuple(read_scope(text) for text in stored)


def covers_name(scopes: Iterable[Scope], name: str, statement: Statement) -> bool:
    """Tell whether one of the scopes permits a statement about a name.

    Args:
        scopes: of one peer.
        name: an A-label in lower case, without a trailing dot.
        statement: what is said about it.
    """
    return any(
        scope.kind == "zone"
        and statement in scope.statements
        and (name == scope.value or name.endswith("." + scope.value))
        for scope in scopes
    )


def covers_address(scopes: Iterable[Scope], network: str, statement: Statement) -> bool:
    """Tell whether one of the scopes permits a statement about an address or a network.

    Args:
        scopes: of one peer.
        network: ``192.0.2.1`` or ``192.0.2.0/28``; what is neither is covered by nothing.
        statement: what is said about it.
    """
    try:
        asked = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    for scope in scopes:
        if scope.kind != "prefix" or statement not in scope.statements:
            continue
        held = ipaddress.ip_network(scope.value)
        if held.version == asked.version and _within(asked, held):
            return True
    return False


def authorities_needed(name: str) -> int:
    """Return how many authorities a claim on a name takes: two for a TLD or public suffix."""
    return 2 if is_public_suffix(name) else 1


def speak_for_name(peers: Iterable[Collection[Scope]], name: str, statement: Statement) -> bool:
    """Tell whether enough peers with authority say the same of a name (PROTOCOL 4.1).

    Args:
        peers: the scopes of each peer that says so, one item a peer; the caller counts nobody
            twice and leaves out who is below ``member``.
        name: an A-label in lower case, without a trailing dot.
        statement: what they say about it.
    """
    voices = sum(covers_name(scopes, name, statement) for scopes in peers)
    return voices >= authorities_needed(name)


def is_broad(scope: Scope) -> bool:
    """Tell whether a scope is so wide that granting it deserves a second look.

    Claims on the wide name itself then need two authorities; those on names below it do not:
    that a registry speaks for the names of its TLD is what scopes are for.
    """
    if scope.kind == "zone":
        return is_public_suffix(scope.value)
    network = ipaddress.ip_network(scope.value)
    return network.prefixlen < _WIDEST_PREFIX[network.version]


def _read_statements(text: str, words: str) -> frozenset[str]:
    found = frozenset(word.strip().lower() for word in words.split(","))
    if not found <= STATEMENTS:
        raise WireFormatError(
            "E_SCHEMA",
            f"{text!r} names a statement that is none",
            f"Use {', '.join(sorted(STATEMENTS))}, or none of them for all.",
        )
    return found


def _within(
    asked: ipaddress.IPv4Network | ipaddress.IPv6Network,
    held: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> bool:
    return int(held.network_address) <= int(asked.network_address) and int(
        asked.broadcast_address
    ) <= int(held.broadcast_address)
