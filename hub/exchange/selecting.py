"""Which originals a filtered collection holds: ``collection add --select``.

Decides: whether an object matches a selection. Of one key's values any matches, and every key that
is given has to match.

Invariants:
* a selection only narrows: at each ceiling a filtered collection holds accepted originals that
  stand at that ceiling, and nothing else (PROTOCOL 3.5);
* a match depends on the object, its origin and the groups that carry it alone, never on when or in
  what order it came;
* what is stored names origins by their node ids, so no peer gets into a selection by a new name.

What it does not do: read what an operator wrote (``collection_options``), put objects into views
(``visible``), or say who reads them (``operators.readers``).

>>> Selection.read("origin=a,threat_type=dga,threat_type=phishing")
Selection(origins=('a',), threat_types=('dga', 'phishing'), groups=(), registrars=())
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, unquote

from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.scopes import GroupKey
from schemas.dns.delegations import read_iana_id
from schemas.dns.extensions import DNS_DELEGATION_CHANGE, DNS_THREAT
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId
from schemas.strict_json import strict_loads

ORIGIN: Final = "origin"
THREAT_TYPE: Final = "threat_type"
GROUP: Final = "group"
REGISTRAR: Final = "registrar"


_REGISTRAR: Final = b"registrar"
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Selection:
    """What a filtered collection holds; an empty key lets everything pass.

    Args:
        origins: node ids.
        threat_types: words of the dns-threat extension, or labels of objects without it.
        groups: whose groups, by name, of which one has to have carried it.
        registrars: numbers at IANA; of the dns-threat or dns-delegation-change extension.
    """

    origins: tuple[str, ...] = ()
    threat_types: tuple[str, ...] = ()
    groups: tuple[GroupKey, ...] = ()
    registrars: tuple[int, ...] = ()

    def write(self) -> str:
        """Write the selection as it is stored and shown."""
        pairs = [f"{ORIGIN}={origin}" for origin in self.origins]
        pairs += [f"{THREAT_TYPE}={word}" for word in self.threat_types]
        # Another node's group may have any name at all, commas and signs of equality included.
        pairs += [f"{GROUP}={node_id}/{quote(name, safe='')}" for node_id, name in self.groups]
        pairs += [f"{REGISTRAR}={number}" for number in self.registrars]
        return ",".join(pairs)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a selection as ``write`` wrote it."""
        pairs = read_pairs(text)
        groups = (value.partition("/") for key, value in pairs if key == GROUP)
        return cls(
            tuple(value for key, value in pairs if key == ORIGIN),
            tuple(value for key, value in pairs if key == THREAT_TYPE),
            tuple((NodeId(node_id), unquote(name)) for node_id, _, name in groups),
            tuple(int(value) for key, value in pairs if key == REGISTRAR),
        )

    def matching(
        self,
        rows: Iterable[ObjectRow],
        contents: Mapping[int, bytes],
        carried: Mapping[int, frozenset[GroupKey]],
    ) -> list[ObjectRow]:
        """List those of the objects that match, in their order.

        Args:
            rows: the objects.
            contents: the bytes by object row; read only where threat types or registrars count.
            carried: the groups that carried it by object row; read only where groups count.
        """
        origins, words = frozenset(self.origins), frozenset(self.threat_types)
        groups, registrars = frozenset(self.groups), frozenset(self.registrars)
        return [
            row
            for row in rows
            if (not origins or row.origin in origins)
            and (not groups or not groups.isdisjoint(carried.get(row.object_row, ())))
            and (not words or not words.isdisjoint(_threat_words(contents[row.object_row])))
            and (not registrars or _registrar_of(contents[row.object_row]) in registrars)
        ]


EVERYTHING: Final = Selection()
"""What ``originals`` itself holds."""


def read_pairs(text: str) -> list[tuple[str, str]]:
    """Take a selection apart into keys and values.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a key that there is not, or one without a value.
    """
    pairs = []
    for part in text.split(","):
        key, _, value = (word.strip() for word in part.partition("="))
        is_meant = _NUMBER.fullmatch(value) if key == REGISTRAR else value
        if key not in {ORIGIN, THREAT_TYPE, GROUP, REGISTRAR} or not is_meant:
            raise WireFormatError(
                "E_SCHEMA",
                f"{part!r} selects nothing",
                "Write it like origin=PEER,origin=self,threat_type=phishing.",
            )
        pairs.append((key, value))
    return pairs


def _registrar_of(content: bytes) -> int | None:
    """Tell whose registration an object is about, by the registrar's number; None of most."""
    if _REGISTRAR not in content:
        return None
    extensions = strict_loads(content).get("extensions")
    for name in (DNS_THREAT, DNS_DELEGATION_CHANGE):
        extension = extensions.get(name) if isinstance(extensions, dict) else None
        registrar = extension.get("registrar") if isinstance(extension, dict) else None
        if isinstance(registrar, dict):
            return read_iana_id(registrar.get("iana_id"))
    return None


def _threat_words(content: bytes) -> frozenset[str]:
    """Name what an object says that it is about: by the extension, else by its labels."""
    value = strict_loads(content)
    extensions = value.get("extensions")
    extension = extensions.get(DNS_THREAT) if isinstance(extensions, dict) else None
    word = extension.get("threat_type") if isinstance(extension, dict) else None
    if isinstance(word, str):
        return frozenset({word})
    labels = value.get("labels")
    if not isinstance(labels, list):
        return frozenset()
    return frozenset(label for label in labels if isinstance(label, str))
