"""Write the list as a CDB list of Wazuh: ``key:value``, a key once (DNS 4).

Invariants:
* a key with a colon, which is an IPv6 address, stands in double quotes; a value has no colon;
* Wazuh compares names as they are: of a subtree its own name is listed, and what matches only below
  a name is left out;
* an IPv4 prefix is written as Wazuh's ``address_match_key`` reads it, by whole octets and a dot at
  the end: one that ends between two octets becomes 128 keys at most;
* an IPv6 prefix of more than one address has no form there and is left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

from hub.exports.hosts import ONLY_BELOW
from hub.exports.line_chunks import write_lines
from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.plain_words import threat_word
from schemas.dns.subjects import OF_NAMES

TOO_WIDE: Final = "TOO_WIDE"
_OCTET: Final = 8
_OCTETS: Final = 4
_IPV6: Final = 6


def write_wazuh(listed: Sequence[ListedName], context: ExportContext) -> Iterator[bytes]:
    """Write a line for each key."""
    del context
    return write_lines(_lines(listed))


def why_left_out(name: ListedName) -> str | None:
    """Leave out what Wazuh has no way to match."""
    if name.match_on in OF_NAMES:
        return ONLY_BELOW if name.match_scope == "wildcard-only" else None
    network = ipaddress.ip_network(name.value)
    least = network.max_prefixlen if network.version == _IPV6 else 1
    return None if network.prefixlen >= least else TOO_WIDE


def _lines(listed: Sequence[ListedName]) -> Iterator[str]:
    seen: set[str] = set()
    for each in listed:
        if why_left_out(each) is not None:
            continue
        for key in _keys(each):
            if key not in seen:
                seen.add(key)
                yield f"{key}:{threat_word(each)}"


def _keys(each: ListedName) -> Iterator[str]:
    if each.match_on in OF_NAMES:
        yield each.value
        return
    network = ipaddress.ip_network(each.value)
    if isinstance(network, ipaddress.IPv6Network):
        yield f'"{network.network_address}"'
        return
    octets = -(-network.prefixlen // _OCTET)
    for part in network.subnets(new_prefix=octets * _OCTET):
        digits = str(part.network_address).split(".")[:octets]
        yield ".".join(digits) + ("" if octets == _OCTETS else ".")
