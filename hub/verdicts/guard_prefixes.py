"""Which addresses are never blocked (THREATS 38; DNS 3, ``rpz-ip`` and ``rpz-nsip``).

A block of an address takes everything behind it along, and one of a network all of its neighbours:
there is no list of how much that is, so that the reach alone is bounded too.

Invariants:
* nothing wider than /24 or /48 is blocked;
* what no resolver of the public net may answer with is refused: to block it breaks networks of
  one's own. Networks for documentation are nobody's, and examples stay possible;
* the root servers and the well-known public resolvers are refused, as are prefixes that somebody
  here registered as its own or was given authority on.

What it does not do: lift one of these. An override names a name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from hub.verdicts.guard_lists import (
    ALONE,
    BELOW,
    MEMBER,
    NAME_SERVER,
    REFUSE,
    RESERVED,
    RESOLVER,
    WIDE,
    Listed,
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Prefix = tuple[str, str]
"""A prefix, and whose it is."""

NARROWEST: Final = {4: 24, 6: 48}
"""The shortest prefixes that may be blocked, by version."""
_RESERVED: Final = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4",
    "240.0.0.0/4",
    "::/8", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "fc00::/7", "fe80::/10", "fec0::/10",
    "ff00::/8", "2001::/23", "2002::/16",
)  # fmt: skip
"""RFC 6890 and its registries, without the networks for documentation."""
_ROOT_SERVERS: Final = (
    "198.41.0.4", "170.247.170.2", "192.33.4.12", "199.7.91.13", "192.203.230.10", "192.5.5.241",
    "192.112.36.4", "198.97.190.53", "192.36.148.17", "192.58.128.30", "193.0.14.129",
    "199.7.83.42", "202.12.27.33",
    "2001:503:ba3e::2:30", "2801:1b8:10::b", "2001:500:2::c", "2001:500:2d::d", "2001:500:a8::e",
    "2001:500:2f::f", "2001:500:12::d0d", "2001:500:1::53", "2001:7fe::53", "2001:503:c27::2:30",
    "2001:7fd::1", "2001:500:9f::42", "2001:dc3::35",
)  # fmt: skip
_TLD_SERVERS: Final = (
    "192.5.6.30", "192.33.14.30", "192.26.92.30", "192.31.80.30", "192.12.94.30", "192.35.51.30",
    "192.42.93.30", "192.54.112.30", "192.43.172.30", "192.48.79.30", "192.52.178.30",
    "192.41.162.30", "192.55.83.30",
)  # fmt: skip
"""``a`` to ``m.gtld-servers.net``."""
_RESOLVERS: Final = (
    "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "1.1.1.2", "1.0.0.2", "1.1.1.3", "1.0.0.3",
    "9.9.9.9", "149.112.112.112", "9.9.9.10", "149.112.112.10", "9.9.9.11", "149.112.112.11",
    "208.67.222.222", "208.67.220.220", "208.67.222.123", "208.67.220.123", "94.140.14.14",
    "94.140.15.15", "76.76.2.0", "76.76.10.0", "185.228.168.9", "185.228.169.9", "193.110.81.0",
    "185.253.5.0", "86.54.11.100", "86.54.11.200", "64.6.64.6", "64.6.65.6", "4.2.2.1", "4.2.2.2",
    "2001:4860:4860::8888", "2001:4860:4860::8844", "2606:4700:4700::1111",
    "2606:4700:4700::1001", "2620:fe::fe", "2620:fe::9", "2620:119:35::35", "2620:119:53::53",
    "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff",
)  # fmt: skip


def prefix_hits(value: str, own: Sequence[Prefix] = ()) -> Iterator[tuple[Listed, str, bool]]:
    """List what protects an address or a network.

    Args:
        value: with its prefix length.
        own: prefixes of this node's people and peers, each with whose it is.

    Yields:
        The list, what it protects, and whether that stands inside the network that is asked for.
    """
    asked = ipaddress.ip_network(value)
    if asked.prefixlen < NARROWEST[asked.version]:
        yield Listed(REFUSE, WIDE, "wide-prefixes", ALONE), str(asked), False
    for held, listed in _protected():
        if _overlap(asked, held):
            yield listed, _shown(held), _is_inside(held, asked)
    for text, whose in own:
        held = ipaddress.ip_network(text)
        if _overlap(asked, held):
            yield Listed(REFUSE, MEMBER, whose, BELOW), _shown(held), _is_inside(held, asked)


@cache
def _protected() -> tuple[tuple[Network, Listed], ...]:
    lists = (
        (_RESERVED, Listed(REFUSE, RESERVED, "reserved-prefixes", BELOW)),
        (_ROOT_SERVERS, Listed(REFUSE, NAME_SERVER, "root-servers", ALONE)),
        (_TLD_SERVERS, Listed(REFUSE, NAME_SERVER, "tld-servers", ALONE)),
        (_RESOLVERS, Listed(REFUSE, RESOLVER, "resolvers", ALONE)),
    )
    return tuple((ipaddress.ip_network(text), listed) for texts, listed in lists for text in texts)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _is_inside(inner: Network, outer: Network) -> bool:
    return inner.prefixlen > outer.prefixlen


def _shown(network: Network) -> str:
    one = network.prefixlen == network.max_prefixlen
    return str(network.network_address if one else network)
