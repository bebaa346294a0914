"""What resolvers do with blocked names: the operator's choice, by threat type (DNS 3).

Decides the name of a zone and the record of each threat type, from settings and export.

Invariants:
* an action is of a closed list, and a walled garden is a name that was read as one, so that no
  setting can put anything else into a zone;
* what origins ask for can only soften what the operator chose: nobody can make a resolver drop
  what its operator would answer;
* what origins want watched alone is left out and never passed: a pass rule would let the name
  through the operator's other zones too.

What it does not do: write (``rpz``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from hub.errors import Misconfigured
from hub.exports.rpz import RpzPolicy
from hub.settings import Settings
from schemas.dns.extensions import THREAT_TYPES
from schemas.dns.names import read_name
from schemas.errors import WireFormatError

GARDEN: Final = "garden"
DEFAULT: Final = "default"
_LONGEST_CANARY: Final = 64
PASSTHRU: Final = "passthru"
"""The feed of the names that are never blocked, and the action that lets a name pass."""
RECORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "drop": "CNAME rpz-drop.",
        "nxdomain": "CNAME .",
        "nodata": "CNAME *.",
        "tcp-only": "CNAME rpz-tcp-only.",
        PASSTHRU: "CNAME rpz-passthru.",
        "monitor": "CNAME rpz-passthru.",  # the resolver logs it, and answers as ever
        "disabled": "",
    }
)
"""The actions, the hardest first. A walled garden counts as ``nxdomain`` does."""
_STRENGTH: Final[Mapping[str, int]] = {
    word: place for place, word in enumerate(reversed(tuple(RECORDS)))
}
_ASKED: Final[Mapping[str, str]] = MappingProxyType(
    {"block-drop": "drop", "block-nxdomain": "nxdomain", "block-nodata": "nodata",
     "monitor": "disabled"}
)  # fmt: skip
"""What origins may ask for that a resolver can do (DNS 1)."""


def zone_of(settings: Settings, audience: str, feed: str) -> str:
    """Name the zone of an audience and feed, such as ``dga.organisation.rpz``."""
    return ".".join(part for part in (feed, audience, settings.rpz_zone) if part)


def policy_of(settings: Settings, audience: str, feed: str, now: datetime) -> RpzPolicy:
    """Build the policy of a zone.

    Raises:
        Misconfigured: ``E_RPZ_POLICY`` for an action or threat type that there is not.
    """
    zone = zone_of(settings, audience, feed)
    canary = read_canary(settings)
    if feed == PASSTHRU:
        return RpzPolicy(zone, RECORDS[PASSTHRU], canary="", ttl=settings.rpz_ttl)
    words = dict(settings.rpz_actions)
    default = words.pop(DEFAULT, "nxdomain")
    records = {word: _record(word) for word in {default, *words.values()}}
    unknown = set(words) - THREAT_TYPES
    if unknown:
        raise _wrong(f"{min(unknown)[:40]!r} is no threat type")
    return RpzPolicy(
        zone,
        records[default],
        {threat_type: records[word] for threat_type, word in words.items()},
        _softer(records),
        canary,
        settings.rpz_ttl,
        now + timedelta(seconds=settings.rpz_ttl),
    )


def softer_actions(settings: Settings) -> frozenset[str]:
    """List what origins may ask for that is softer than anything that the operator chose.

    Raises:
        Misconfigured: ``E_RPZ_POLICY``.
    """
    words = {DEFAULT: "nxdomain"} | settings.rpz_actions
    softer = _softer({word: _record(word) for word in words.values()})
    return frozenset(asked for asked, changes in softer.items() if changes)


def read_canary(settings: Settings) -> str:
    """Read the name of the canary; empty where there is none.

    Raises:
        Misconfigured: ``E_RPZ_POLICY``.
    """
    if not settings.rpz_canary:
        return ""
    try:
        canary = read_name(settings.rpz_canary).a_label
    except WireFormatError:
        raise _wrong(f"rpz_canary is no name: {settings.rpz_canary[:40]!r}") from None
    if len(canary) > _LONGEST_CANARY:
        raise _wrong(f"rpz_canary has more than {_LONGEST_CANARY} characters")
    return canary


def _record(word: str) -> str:
    action, _, name = word.partition(" ")
    if action == GARDEN:
        try:
            return f"CNAME {read_name(name).a_label}."
        except WireFormatError:
            raise _wrong(f"a walled garden is a name: {name[:40]!r}") from None
    if word not in RECORDS:
        raise _wrong(f"{word[:40]!r} is no action")
    return RECORDS[word]


def _softer(records: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """Map, by what origins ask, each record of the operator's to the softer one."""
    found: dict[str, dict[str, str]] = {asked: {} for asked in _ASKED}
    for asked, action in _ASKED.items():
        for word, record in records.items():
            strength = _STRENGTH.get(word.partition(" ")[0], _STRENGTH["nxdomain"])
            if _STRENGTH[action] < strength:
                found[asked][record] = RECORDS[action]
    return found


def _wrong(what: str) -> Misconfigured:
    actions = ", ".join((*RECORDS, f"{GARDEN} NAME"))
    return Misconfigured(
        "E_RPZ_POLICY", what, f"rpz_actions maps default and threat types to one of {actions}."
    )
