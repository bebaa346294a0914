"""What an indicator's pattern claims, by what it says that it matches on (DNS 1, ``match_on``).

Decides: which subjects a pattern of alternatives names. A pattern that says more than ``OR`` names
none: a part of it taken alone would claim what its author did not.

Invariants:
* what was meant for one thing is never taken for another: under ``nsdname`` a name is a name
  server's and an address a name server's address, and neither is a name in a query;
* the work is bounded by the pattern's 4 KiB, and so is the number of subjects;
* what is no name or no prefix without host bits is left out; the others stand, as each alternative
  is claimed by itself.

Does not: judge a subject (guards do), or evaluate a pattern.

>>> found = subjects_of("[domain-name:value = 'ns1.rogue.example'] OR "
...                     "[domain-name:resolves_to_refs[*].value = '192.0.2.66']", "nsdname")
>>> [subject.key for subject in found]
['nsdname:ns1.rogue.example', 'nsip:192.0.2.66/32']
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.dns.subjects import IP, NSDNAME, NSIP, QNAME, Subject, read_subject
from schemas.errors import WireFormatError
from schemas.stix.patterns import RESOLVES_TO, named_alternatives

_NAME, _V4, _V6 = "domain-name", "ipv4-addr", "ipv6-addr"
_OF_SERVERS: Final = MappingProxyType(
    {_NAME: NSDNAME, _V4: NSIP, _V6: NSIP, RESOLVES_TO: NSIP},
)
_MEANT: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        # Of `evil.example OR 192.0.2.1` the name alone: what address answers is not what is asked.
        QNAME: {_NAME: QNAME},
        NSDNAME: _OF_SERVERS,
        NSIP: _OF_SERVERS,
        IP: {_V4: IP, _V6: IP, RESOLVES_TO: IP},
    }
)
"""What each kind of observable is, by what the indicator matches on."""


def subjects_of(pattern: str, match_on: str) -> dict[Subject, bool]:
    """List the subjects of a STIX pattern, in its order, with whether all below is meant too.

    Args:
        match_on: a word that this release does not know gives none.
    """
    meant = _MEANT.get(match_on)
    found: dict[Subject, bool] = {}
    if meant is None:
        return found
    for observable in named_alternatives(pattern):
        kind = meant.get(observable.kind)
        if kind is None:
            continue
        try:
            subject = read_subject(observable.value, kind)
        except WireFormatError:
            continue
        found[subject] = found.get(subject, False) or observable.value.strip().startswith("*.")
    return found
