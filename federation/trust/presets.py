"""What each trust level means, before an operator turns a dial (PROTOCOL 4.1).

Decides nothing: it is the table of the five presets, which fill the four dials of a peer.

Invariants:
* levels are ordered, and a higher level never reads less or is limited more than a lower one;
* the dials are independent of the level once they are filled; outbound may only tighten what
  the decision table gives (``federation.policy.sharing``).

What it does not do: promote or demote anybody. Promotion is never automatic (PROTOCOL 4.3).

>>> PRESETS[TrustLevel.read("member")].outbound.wire
'green'
>>> TrustLevel.MEMBER.word, TrustLevel.MEMBER < TrustLevel.TRUSTED
('member', True)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from schemas.errors import WireFormatError
from schemas.markings import Tlp


class TrustLevel(IntEnum):
    """T0 to T4 of PROTOCOL 3.2."""

    BLOCKED = 0
    KNOWN = 1
    MEMBER = 2
    TRUSTED = 3
    PARTNER = 4

    @property
    def word(self) -> str:
        """The word of the command line: ``blocked``, ``known``, ``member`` and so on."""
        return self.name.lower()

    @classmethod
    def read(cls, word: object) -> TrustLevel:
        """Read the word of a level.

        Raises:
            WireFormatError: ``E_SCHEMA`` when it is none of the five.
        """
        for level in cls:
            if level.word == word:
                return level
        raise WireFormatError(
            "E_SCHEMA", "not a trust level", "Use blocked, known, member, trusted or partner."
        )


class Inbound(StrEnum):
    """The inbound dial: what happens to objects of this origin on receipt."""

    REFUSE = "refuse"
    QUARANTINE = "quarantine"
    CORROBORATED = "corroborated"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class Preset:
    """The dials as a level fills them.

    Args:
        inbound: what happens to its objects here.
        cap: the highest confidence, 0 to 100, that its word can lend to a verdict.
        outbound: the strictest label it may read here.
        limit: objects taken from it in a day.
    """

    inbound: Inbound
    cap: int
    outbound: Tlp
    limit: int


PRESETS: Final[Mapping[TrustLevel, Preset]] = MappingProxyType(
    {
        # "none" of T0 is no label: a blocked peer is a stranger, and the decision table's lowest
        # row asks for T1. CLEAR is only what the dial shows.
        TrustLevel.BLOCKED: Preset(Inbound.REFUSE, 0, Tlp.CLEAR, 0),
        TrustLevel.KNOWN: Preset(Inbound.QUARANTINE, 30, Tlp.CLEAR, 500),
        TrustLevel.MEMBER: Preset(Inbound.CORROBORATED, 60, Tlp.GREEN, 5_000),
        TrustLevel.TRUSTED: Preset(Inbound.ACCEPT, 85, Tlp.AMBER_STRICT, 50_000),
        TrustLevel.PARTNER: Preset(Inbound.ACCEPT, 95, Tlp.RED, 200_000),
    }
)

DNS_TYPES: Final = frozenset(
    {
        "autonomous-system", "domain-name", "extension-definition", "grouping", "identity",
        "incident", "indicator", "infrastructure", "ipv4-addr", "ipv6-addr", "malware",
        "marking-definition", "network-traffic", "note", "observed-data", "opinion", "relationship",
        "report", "sighting", "url",
    }
)  # fmt: skip
"""Types of objects in which claims about names travel, with what they refer to."""

ALL_TYPES: Final = "all"


def allows_type(trust: TrustLevel, types: Collection[str] | None, stix_type: str) -> bool:
    """Tell whether objects of a type are accepted without a person (PROTOCOL 4.1, "allowed types").

    Args:
        types: the dial, ``all`` among them meaning any; None for the preset: all at partner, below
            that what names travel in.

    >>> allows_type(TrustLevel.TRUSTED, None, "indicator")
    True
    >>> allows_type(TrustLevel.TRUSTED, None, "file"), allows_type(TrustLevel.PARTNER, None, "file")
    (False, True)
    """
    if types is not None and ALL_TYPES in types:
        return True
    if types is None:
        return trust >= TrustLevel.PARTNER or stix_type in DNS_TYPES
    # What only labels or names the rest is no claim, and without it the rest could not be shown.
    return stix_type in types or stix_type in _NO_CLAIMS


_NO_CLAIMS: Final = frozenset({"extension-definition", "identity", "marking-definition"})
