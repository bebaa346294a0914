"""References leak too: what an object points at must be readable by all who read the object.

Decides which references of an entry's objects disclose something (PROTOCOL 3.4, ``E_REF_LEAK``).

Invariants:
* each STIX id in any string of an object, in properties, free text and custom members alike, is a
  reference; letter case does not hide one;
* a reference is sound only if its object is public, or known with a label no stricter and an
  audience no smaller than the referencing object's;
* what does not resolve is a leak: an observable's id is a hash of its value, so a dangling
  reference to a hidden ``domain-name`` tells the domain to whoever hashes candidates (THREATS 21).

What it does not do:
* look for a bare UUID without its type: text holds many, and none can be resolved by itself;
* judge markings: ``object_marking_refs`` and granular ``marking_ref`` limit readers and are
  ``labels``' part. A marking-definition elsewhere, such as in ``object_refs``, is a reference.

>>> from schemas.markings import Tlp
>>> note = {"id": "note--00000000-0000-4000-8000-000000000001", "type": "note",
...         "content": "see domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7"}
>>> sorted(references_of(note))
['domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7']
>>> [leak.why for leak in find_leaks([note], {note["id"]: EffectiveLabel(Tlp.GREEN)},
...                                  lambda ref: None, frozenset())]
['dangling-observable']
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from schemas.identifiers import ENTRY_EXTENSION, is_stix_id, stix_type_of
from schemas.markings import TLP2_EXTENSION, TLP_BY_MARKING_ID, EffectiveLabel
from schemas.stix.moulds import MOST_MOULDS
from schemas.stix.objects import SCO_TYPES
from schemas.strict_json import strict_loads

PUBLIC_IDS: Final = frozenset(TLP_BY_MARKING_ID) | {TLP2_EXTENSION, ENTRY_EXTENSION}
"""Known to everybody whatever an entry says: the TLP markings and the fixed extensions."""

_UUID_PART: Final = re.compile(
    r"--([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.IGNORECASE
)
_TYPE_BACKWARDS: Final = re.compile(r"[a-z0-9-]*", re.IGNORECASE)
_NO_REFERENCES: Final = frozenset({"id", "object_marking_refs"})
_HOLDERS: Final = (dict, list, tuple)
_LONGEST_TYPE: Final = 250
_SHORTEST_TYPE: Final = 3
_SHORTEST_ID: Final = _SHORTEST_TYPE + len("--00000000-0000-0000-0000-000000000000")
_SHORT: Final = 128

Why = Literal["stricter", "narrower", "dangling-observable", "dangling"]


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """One reference that must not travel.

    Args:
        stix_id: the object that refers.
        ref: what it refers to.
        why: ``stricter`` (its label), ``narrower`` (its audience), ``dangling-observable`` (an
            observable that nobody here knows), ``dangling`` (any other).
    """

    stix_id: str
    ref: str
    why: Why


def references_of(value: Mapping[str, object]) -> frozenset[str]:
    """Collect every STIX id that an object mentions, lower case, its own and markings excepted.

    The search runs over the parsed strings and not over the bytes: a JSON escape inside an id
    would hide it from a search of the bytes.
    """
    found: set[str] = set()
    for key in value if "--" in "\0".join(value) else ():
        found.update(_ids_in(key))
    for key, member in value.items():
        if isinstance(member, str):
            if "--" in member and key not in _NO_REFERENCES:
                found.update(_ids_in(member))
        elif key in _NO_REFERENCES:
            continue
        elif key == "granular_markings":
            _collect(_without_marking_refs(member), found)
        elif key == "extensions" and isinstance(member, Mapping):
            # The keys name formats and not objects; what stands under them is searched.
            for extension in member.values():
                _collect(extension, found)
        elif isinstance(member, _HOLDERS):
            _collect(member, found)
    own = value.get("id")
    if isinstance(own, str):
        found.discard(own.lower())
    return frozenset(found)


@lru_cache(maxsize=MOST_MOULDS)
def references_in_mould(mould: bytes) -> frozenset[str]:
    """Collect what every object of a mould mentions, for its stand-ins hold no id.

    An object may mention itself; its own id is for the caller to leave out.
    """
    return references_of({**strict_loads(mould), "id": None})


def find_leaks(
    objects: Sequence[Mapping[str, object]],
    label_of: Mapping[str, EffectiveLabel],
    resolve: Callable[[str], EffectiveLabel | None],
    public: frozenset[str],
    refs_of: Callable[[Mapping[str, object]], frozenset[str]] = references_of,
) -> tuple[Leak, ...]:
    """List the references of an entry's objects that break the closure rule (PROTOCOL 3.4).

    Args:
        objects: the entry's objects.
        label_of: the effective labels of the objects in this entry, by id.
        resolve: gives the effective label of an object held elsewhere, or None when unknown.
        public: ids that everybody may know beside the TLP markings: the origin's identities.
        refs_of: gives what ``references_of`` gives, for callers that have asked it before.

    Returns:
        The leaks in the order of the objects; empty when the entry is closed.
    """
    leaks: list[Leak] = []
    for value in objects:
        stix_id = str(value["id"])
        reading = label_of[stix_id]
        for ref in sorted(refs_of(value)):
            if ref in public or ref in PUBLIC_IDS:
                continue
            held = label_of.get(ref) or resolve(ref)
            why = _why(ref, held, reading)
            if why is not None:
                leaks.append(Leak(stix_id, ref, why))
    return tuple(leaks)


def _why(ref: str, held: EffectiveLabel | None, reading: EffectiveLabel) -> Why | None:
    if held is None:
        return "dangling-observable" if stix_type_of(ref) in SCO_TYPES else "dangling"
    if held.covers(reading):
        return None
    return "stricter" if held.tlp > reading.tlp else "narrower"


def _collect(member: object, found: set[str]) -> None:
    """Add the ids in every string below ``member``; a stack and no recursion, for speed."""
    if isinstance(member, str):
        found.update(_ids_in(member))
    waiting = [member] if isinstance(member, _HOLDERS) else []
    while waiting:
        holder = waiting.pop()
        below: Iterable[object] = holder
        if isinstance(holder, dict):
            for key in holder if "--" in "\0".join(holder) else ():
                found.update(_ids_in(key))
            below = holder.values()
        for item in below:
            if isinstance(item, str):
                if "--" in item:
                    found.update(_ids_in(item))
            elif isinstance(item, _HOLDERS):
                waiting.append(item)


def _ids_in(text: str) -> tuple[str, ...]:
    """List the STIX ids in a text, lower case."""
    if len(text) < _SHORTEST_ID:
        return ()
    if text.count("--") == 1 and is_stix_id(text):
        return (text,)  # an id and nothing else, as in nearly every reference
    # The same authors and extensions come again and again; long texts are not worth the memory.
    return _ids_in_short(text) if len(text) <= _SHORT else tuple(_search_ids(text))


@lru_cache(maxsize=1024)
def _ids_in_short(text: str) -> tuple[str, ...]:
    return tuple(_search_ids(text))


def _search_ids(text: str) -> Iterator[str]:
    """Yield the STIX ids in a text, lower case.

    The search is for the UUID, and the type is read backwards from it: an expression that began
    with the type would try each letter of a long text as the beginning of one (THREATS 32).
    """
    for match in _UUID_PART.finditer(text):
        before = text[max(0, match.start() - _LONGEST_TYPE) : match.start()]
        run = _TYPE_BACKWARDS.match(before[::-1])
        word = "" if run is None else run[0][::-1].lower()
        stix_type = word.rstrip("-").rpartition("--")[2].lstrip("-0123456789")
        if len(stix_type) >= _SHORTEST_TYPE:
            yield f"{stix_type}--{match[1].lower()}"


def _without_marking_refs(member: object) -> object:
    """Leave out ``marking_ref`` of granular markings, which is a marking and no reference."""
    if not isinstance(member, list | tuple):
        return member
    return [
        {key: below for key, below in item.items() if key != "marking_ref"}
        if isinstance(item, Mapping)
        else item
        for item in member
    ]
