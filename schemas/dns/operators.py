"""What an identity says of itself as an operator of DNS: the extension dns-operator (DNS 1).

Does not: give any authority. What somebody says of itself is shown with who says it, and decides
no more than which alarms it gets (PROTOCOL 4.1: a scope is never self-declared).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.dns.delegations import read_iana_id
from schemas.dns.extensions import DNS_OPERATOR
from schemas.dns.names import read_name
from schemas.errors import WireFormatError

_MOST: Final = 2_000
"""Of top-level domains of one operator; there are not many more."""
_LONGEST: Final = 320


@dataclass(frozen=True, slots=True)
class DnsOperator:
    """What an operator of DNS says of itself.

    Args:
        tlds: A-labels.
    """

    name: str
    roles: tuple[str, ...] = ()
    tlds: tuple[str, ...] = ()
    iana_registrar_id: int | None = None
    abuse_contact: str | None = None


def read_operator(value: Mapping[str, object]) -> DnsOperator | None:
    """Read the extension of an identity; None where it has none."""
    extensions = value.get("extensions")
    found = extensions.get(DNS_OPERATOR) if isinstance(extensions, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    return DnsOperator(
        name=_text(value.get("name")) or "",
        roles=tuple(_texts(found.get("roles"))),
        tlds=tuple(_names(found.get("tlds"))),
        iana_registrar_id=read_iana_id(found.get("iana_registrar_id")),
        abuse_contact=_text(found.get("abuse_contact")),
    )


def _names(value: object) -> list[str]:
    names = []
    for text in _texts(value):
        try:
            names.append(read_name(text).a_label)
        except WireFormatError:
            continue  # one odd entry must not hide the others
    return names


def _texts(value: object) -> list[str]:
    return (
        [text for text in value[:_MOST] if isinstance(text, str)] if isinstance(value, list) else []
    )


def _text(value: object) -> str | None:
    text = "".join(filter(str.isprintable, value[:_LONGEST])) if isinstance(value, str) else ""
    return text or None
