"""What a claim is about: a name in a query, a name server, or an address (DNS 1, ``match_on``).

A subject's key is what verdicts are stored and compared by. The key of a name in a query is the
name itself; every other key begins with what is matched and a colon, which no name has, so that a
rogue name server and the same name as somebody's web site never mix.

Does not: decide whether a subject may be blocked, or how a resolver says it (``hub.exports``).

>>> Subject("evil.example").key, Subject("ns1.rogue.example", "nsdname").key
('evil.example', 'nsdname:ns1.rogue.example')
>>> read_subject_key("nsip:192.0.2.66/32")
Subject(value='192.0.2.66/32', match_on='nsip')
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from schemas.dns.names import read_name
from schemas.errors import WireFormatError

QNAME: Final = "qname"
NSDNAME: Final = "nsdname"
NSIP: Final = "nsip"
IP: Final = "ip"
OF_NAMES: Final = frozenset({QNAME, NSDNAME})
OF_ADDRESSES: Final = frozenset({NSIP, IP})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a claim is about.

    Args:
        value: an A-label for ``qname`` and ``nsdname``; an address with its prefix length, as
            ``192.0.2.66/32`` or ``2001:db8::/32``, for ``ip`` and ``nsip``.
        match_on: ``qname``, ``nsdname``, ``nsip`` or ``ip``.
    """

    value: str
    match_on: str = QNAME

    @property
    def key(self) -> str:
        """Return what verdicts are stored under."""
        return self.value if self.match_on == QNAME else f"{self.match_on}:{self.value}"


def read_subject_key(key: str) -> Subject:
    """Read a key that ``Subject.key`` wrote; it is not checked again."""
    match_on, colon, value = key.partition(":")
    return Subject(value, match_on) if colon else Subject(key)


def read_subject(text: str, match_on: str = QNAME) -> Subject:
    """Read the value of a claim that matches on the given thing.

    Raises:
        WireFormatError: ``E_NAME_…`` for what is no name, ``E_PREFIX`` for what is no address or
            prefix without host bits, ``E_SCHEMA`` for an unknown ``match_on``.
    """
    if match_on in OF_NAMES:
        return Subject(read_name(text).a_label, match_on)
    if match_on not in OF_ADDRESSES:
        raise WireFormatError("E_SCHEMA", f"match_on is not known: {match_on[:40]!r}")
    try:
        return Subject(str(ipaddress.ip_network(text.strip())), match_on)
    except ValueError:
        raise WireFormatError("E_PREFIX", "neither an address nor a prefix") from None
