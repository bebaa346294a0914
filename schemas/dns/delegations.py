"""What an incident says of a delegation: the extension dns-delegation-change, typed (DNS 1).

Decides which zone and which name servers and keys are meant, in one spelling each, so that what a
peer wrote and what a server answers can be compared.

Invariants:
* what is no name is no name server, and what is no DS record is none: it is left out, because one
  odd entry must not hide the others;
* of a list no more than ``MOST`` entries are read, whatever was sent;
* two DS records are one where only letter case or the blanks inside the digest differ.

Does not: look at DNS, or judge whether the change was rightful.

>>> change_kinds(("ns1.a.example",), ("ns1.b.example",), ("1 8 2 ab",), ())
('ns-replaced', 'ds-removed')
>>> change_kinds(("ns1.a.example",), ("ns1.a.example", "ns1.b.example"), (), ())
('ns-added',)
>>> read_ds("20326 8 2 E06D 44B8")
'20326 8 2 e06d44b8'
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.dns.extensions import DNS_DELEGATION_CHANGE
from schemas.dns.names import read_name
from schemas.errors import WireFormatError
from schemas.strict_json import MAX_INTEGER
from schemas.timestamps import read_stix_time

VECTORS: Final = frozenset(
    {
        "epp-credential",
        "registrar-account-compromise",
        "registration-system-compromise",
        "social-engineering",
        "unknown",
    }
)
MOST: Final = 64
"""Name servers, keys and kinds that are read of one incident."""
_LONGEST: Final = 1_024
_DS: Final = re.compile(r"([0-9]{1,5}) ([0-9]{1,3}) ([0-9]{1,3}) ([0-9a-f]{2,256})")


@dataclass(frozen=True, slots=True)
class DelegationChange:
    """What an incident says of a delegation.

    Args:
        zone: an A-label; the name servers too.
        authorised: its author says itself that the change was authorised.
    """

    zone: str
    change_kinds: tuple[str, ...]
    old_ns: tuple[str, ...] = ()
    new_ns: tuple[str, ...] = ()
    old_ds: tuple[str, ...] = ()
    new_ds: tuple[str, ...] = ()
    registrar_id: int | None = None
    registrar: str | None = None
    vector: str | None = None
    authorised: bool = False
    changed_at: datetime | None = None
    detected_at: datetime | None = None
    reverted_at: datetime | None = None

    @property
    def rogue_ns(self) -> tuple[str, ...]:
        """The new name servers that are not among the old ones."""
        return tuple(name for name in self.new_ns if name not in self.old_ns)


def read_delegation_change(value: Mapping[str, object]) -> DelegationChange | None:
    """Read the extension of an incident; None where it has none, or names no zone."""
    extensions = value.get("extensions")
    found = extensions.get(DNS_DELEGATION_CHANGE) if isinstance(extensions, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    zone = _name(found.get("zone"))
    if zone is None:
        return None
    registrar = found.get("registrar")
    registrar = registrar if isinstance(registrar, Mapping) else {}
    return DelegationChange(
        zone=zone,
        change_kinds=tuple(_texts(found.get("change_kinds"))),
        old_ns=_names(found.get("old_ns")),
        new_ns=_names(found.get("new_ns")),
        old_ds=_keys(found.get("old_ds")),
        new_ds=_keys(found.get("new_ds")),
        registrar_id=read_iana_id(registrar.get("iana_id")),
        registrar=_text(registrar.get("name")),
        vector=_text(found.get("vector")),
        authorised=found.get("authorised") is True,
        changed_at=_instant(found.get("changed_at")),
        detected_at=_instant(found.get("detected_at")),
        reverted_at=_instant(found.get("reverted_at")),
    )


def change_kinds(
    old_ns: Sequence[str], new_ns: Sequence[str], old_ds: Sequence[str], new_ds: Sequence[str]
) -> tuple[str, ...]:
    """Name what changed; empty where nothing did.

    A DS set that was there and is not given any more was removed: STIX has no empty list, so this
    word is the only way to say it.
    """
    kinds = []
    if new_ns and set(new_ns) != set(old_ns):
        kinds.append("ns-added" if set(old_ns) < set(new_ns) and old_ns else "ns-replaced")
    if old_ds and not new_ds:
        kinds.append("ds-removed")
    elif new_ds and set(new_ds) != set(old_ds):
        kinds.append("ds-replaced")
    return tuple(kinds)


def read_ds(text: str) -> str | None:
    """Read a DS record in its presentation form (RFC 4034 §5.3); None for what is none."""
    parts = text.strip().lower().split()
    written = " ".join([*parts[:3], "".join(parts[3:])])
    found = _DS.fullmatch(written)
    if found is None or len(found[4]) % 2:
        return None
    return " ".join([*(str(int(number)) for number in found.groups()[:3]), found[4]])


def read_iana_id(value: object) -> int | None:
    """Read a registrar's number at IANA; None for what is none."""
    if value.__class__ is not int or not isinstance(value, int):
        return None
    return value if 0 < value <= MAX_INTEGER else None


def _name(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    try:
        return read_name(text).a_label
    except WireFormatError:
        return None


def _names(value: object) -> tuple[str, ...]:
    names = (_name(text) for text in _texts(value))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _keys(value: object) -> tuple[str, ...]:
    keys = (read_ds(text) for text in _texts(value))
    return tuple(dict.fromkeys(key for key in keys if key is not None))


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        return []
    return [text for text in value[:MOST] if isinstance(text, str) and len(text) <= _LONGEST]


def _text(value: object) -> str | None:
    # A database may refuse what no terminal shows, such as NUL.
    text = "".join(filter(str.isprintable, value[:_LONGEST])) if isinstance(value, str) else ""
    return text or None


def _instant(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return read_stix_time(text)
    except WireFormatError:
        return None
