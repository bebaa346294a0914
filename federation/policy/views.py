"""Which views of ``originals`` an object is in, and whether it touches a constituent.

Decides, for an accepted object, the label ceilings under which it is visible, and whether names or
addresses of it lie inside registered zones and prefixes (PROTOCOL 3.2, 3.5).

Invariants:
* an object is in no view whose ceiling is below its label, so a view is a function only of what
  is visible at its ceiling (PROTOCOL 3.5);
* RED is in the RED view alone, and there only if its policy says ``machine``;
* what is an exercise is in no view;
* a zone matches at label boundaries: ``badexample.fr`` is not inside ``example.fr``;
* what cannot be read touches nothing.

What it does not do: decide who reads a view (``sharing.decide_reader``), or read patterns beyond
the simple ones that ``schemas.stix.patterns`` takes apart.

>>> [ceiling.wire for ceiling in ceilings_for(Tlp.AMBER, machine=False, exercise=False)]
['amber', 'amber+strict', 'red']
>>> ceilings_for(Tlp.RED, machine=False, exercise=False)
()
>>> touches({"type": "domain-name", "value": "www.example.fr"}, ["example.fr"], [])
True
>>> touches({"type": "domain-name", "value": "badexample.fr"}, ["example.fr"], [])
False
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final
from urllib.parse import urlsplit

from schemas.dns.names import read_name
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from schemas.stix.patterns import simple_observables

CEILINGS: Final[tuple[Tlp, ...]] = tuple(Tlp)
"""One view of ``originals`` for each label (PROTOCOL 3.5)."""
_FROM: Final = {tlp: CEILINGS[CEILINGS.index(tlp) :] for tlp in Tlp}

DELEGATION_CHANGE_EXTENSION: Final = "extension-definition--ee30bea3-18ac-5ba3-9c71-e444a9d66124"

_Network = IPv4Network | IPv6Network
_MAPPED_BITS: Final = 96
"""Length of ``::ffff:0:0/96``, under which IPv6 writes IPv4 addresses."""


def ceilings_for(tlp: Tlp, machine: bool, exercise: bool) -> tuple[Tlp, ...]:
    """List the ceilings of the views of ``originals`` that an object of this label is in.

    Args:
        tlp: the effective label.
        machine: the entry's ``policy.machine``; only RED asks for it.
        exercise: the entry's ``policy.exercise``; such an object reaches no reader at all.
    """
    if exercise or (tlp is Tlp.RED and not machine):
        return ()
    return _FROM[tlp]


def touches(value: Mapping[str, object], zones: Collection[str], prefixes: Collection[str]) -> bool:
    """Tell whether a name or address of an object lies inside registered zones or prefixes.

    Looked at are the values of domain-name, url and address objects, of simple patterns of
    indicators, and the zone of a delegation change. Free text is not: a mention is no touch.

    Args:
        value: the object.
        zones: registered zones; ``fr``, ``fr.`` and ``zone:fr.`` are one.
        prefixes: registered prefixes, such as ``192.0.2.0/24`` or ``prefix:192.0.2.0/24``.
    """
    if not zones and not prefixes:
        return False
    suffixes = {_zone_text(zone) for zone in zones} - {""}
    networks = tuple(_networks(prefixes))
    for kind, text in _observables(value):
        if kind == "name" and _is_inside(text, suffixes):
            return True
        if kind == "address" and _is_covered(text, networks):
            return True
    return False


def _observables(value: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield ``("name" or "address", text)`` for what an object is about."""
    stix_type = str(value.get("type", ""))
    stated = value.get("value")
    if isinstance(stated, str):
        yield from _read_observable(stix_type, stated)
    pattern = value.get("pattern")
    if stix_type == "indicator" and isinstance(pattern, str) and _is_stix(value):
        # A pattern that says more than OR names nothing here: the object stays where fewer read it.
        for observable in simple_observables(pattern):
            yield from _read_observable(observable.kind, observable.value)
    extensions = value.get("extensions")
    if isinstance(extensions, Mapping):
        change = extensions.get(DELEGATION_CHANGE_EXTENSION)
        if isinstance(change, Mapping) and isinstance(change.get("zone"), str):
            yield "name", str(change["zone"])


def _is_stix(value: Mapping[str, object]) -> bool:
    return value.get("pattern_type", "stix") == "stix"


def _read_observable(kind: str, text: str) -> Iterator[tuple[str, str]]:
    if kind == "domain-name":
        yield "name", text
    elif kind in {"ipv4-addr", "ipv6-addr"}:
        yield "address", text
    elif kind == "url":
        host = _host_of(text)
        if host is not None:
            # A host is a name or an address; the other reading of it matches nothing.
            yield "address", host
            yield "name", host


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _zone_text(zone: str) -> str:
    return _name_text(zone.removeprefix("zone:"))


def _name_text(name: str) -> str:
    """Write a name in A-labels without the final dot, or nothing when it is no name."""
    if name.isascii():
        return name.removesuffix(".").lower()
    try:
        return read_name(name).a_label
    except WireFormatError:
        return ""


def _is_inside(name: str, suffixes: Collection[str]) -> bool:
    labels = _name_text(name).split(".")
    return any(".".join(labels[start:]) in suffixes for start in range(len(labels)))


def _networks(prefixes: Iterable[str]) -> Iterator[_Network]:
    for prefix in prefixes:
        network = _read_network(prefix.removeprefix("prefix:"))
        if network is not None:
            yield network


def _read_network(text: str) -> _Network | None:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= _MAPPED_BITS:
        return IPv4Network((int(mapped), network.prefixlen - _MAPPED_BITS))
    return network


def _is_covered(text: str, networks: Iterable[_Network]) -> bool:
    """Tell whether an address or block lies wholly inside one of the networks."""
    block = _read_network(text)
    if block is None:
        return False
    return any(
        (
            isinstance(block, IPv4Network)
            and isinstance(known, IPv4Network)
            and block.subnet_of(known)
        )
        or (
            isinstance(block, IPv6Network)
            and isinstance(known, IPv6Network)
            and block.subnet_of(known)
        )
        for known in networks
    )
