"""The effective label of one object (PROTOCOL 3.1).

Decides how strict an object is and for whom, from the entry's policy, the object's markings, every
granular marking, the markings on its marking-definitions, and the latest ``restrict``.

Invariants:
* a TLP marking means what the built-in table says of its id; the marking-definition that was sent
  along under that id is never read (THREATS 19);
* a relay cannot redact, so the strictest granular marking governs the whole object (THREATS 20);
* adding a marking to an object in a signed entry never widens who may read it;
* a marking stricter than the entry, at AMBER and above, leaves nobody in the audience: the entry
  named its audience for its own label only;
* what is not understood is AMBER+STRICT and named in ``unknown_markings``, for the quarantine.

Choices that PROTOCOL leaves open:
* an embargo marking lifts the object to AMBER+STRICT at least. It tightens; its ``on_expiry_tlp``
  is text for people, and its ``audience`` holds words of the author's own and no node ids, so
  neither is read;
* a marking-definition is a statement only if it is nothing else: one with an extension is judged
  by the extension.

What it does not do: judge whether the printed label equals the entry's (``E_POLICY`` is the
receiver's), or resolve references (``closure``).

>>> green = {"type": "indicator", "object_marking_refs": [Tlp.GREEN.marking_id]}
>>> effective_label(green, Tlp.GREEN).label.tlp.wire
'green'
>>> effective_label({"type": "indicator"}, None).label.tlp.wire
'amber+strict'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from schemas.markings import TLP_BY_MARKING_ID, EffectiveLabel, Tlp

EMBARGO_EXTENSION: Final = "extension-definition--1fc2379d-9b70-5532-8f83-3ac681da97c4"
EMBARGO_FLOOR: Final = Tlp.AMBER_STRICT
UNKNOWN_FLOOR: Final = Tlp.AMBER_STRICT
UNMARKED_LOCAL: Final = Tlp.AMBER_STRICT
"""What a producer did not label waits here until a person labels it (PROTOCOL 3.1 "Unmarked")."""
MALFORMED: Final = "malformed markings"
"""Stands in ``unknown_markings`` for a marking that is not even a string."""


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """What the markings of one object come to.

    Args:
        label: the effective label and audience.
        printed: the label that the object prints for itself as a whole: the strictest TLP of its
            ``object_marking_refs``, or None. Granular markings speak of parts and are not in it.
        unknown_markings: ids that are no TLP, no statement and no embargo; not empty means
            quarantine.
    """

    label: EffectiveLabel
    printed: Tlp | None
    unknown_markings: tuple[str, ...]


def effective_label(
    value: Mapping[str, object],
    entry_tlp: Tlp | None,
    markings: Mapping[str, Mapping[str, object]] | None = None,
    *,
    audience: frozenset[str] | None = None,
    restricted_to: Tlp | None = None,
) -> LabelFinding:
    """Compute an object's effective label (PROTOCOL 3.1).

    Args:
        value: the object.
        entry_tlp: the label of the signed entry that carries it, or None for an object that no
            signed entry carries (a local producer, legacy TAXII).
        markings: marking-definitions known here by id. They tell a statement from an unknown
            marking; no TLP is ever read from them.
        audience: the node ids of the group or direct feed, or None where the audience is open.
        restricted_to: the label of the latest ``restrict`` of this object, if any.
    """
    refs = value.get("object_marking_refs")
    # Most objects bear one TLP mark and nothing else, and what that comes to is the same each time.
    if (
        isinstance(refs, list)
        and len(refs) == 1
        and "granular_markings" not in value
        and isinstance(refs[0], str)
        and refs[0] in TLP_BY_MARKING_ID
    ):
        return _of_one_mark(TLP_BY_MARKING_ID[refs[0]], entry_tlp, audience, restricted_to)
    known = markings or {}
    of_object = tuple(_object_markings(value))
    printed = max(
        (TLP_BY_MARKING_ID[ref] for ref in of_object if ref in TLP_BY_MARKING_ID), default=None
    )
    base = entry_tlp if entry_tlp is not None else printed
    if base is None:
        base = UNMARKED_LOCAL
    label = EffectiveLabel(base, audience)

    floors: list[Tlp] = [] if restricted_to is None else [restricted_to]
    unknown: dict[str, None] = {}
    for ref in _all_markings(value, known):
        floor = _floor_of(ref, known)
        if floor is None:
            unknown[ref] = None
            floor = UNKNOWN_FLOOR
        floors.append(floor)
    for floor in floors:
        label = _tighten(label, floor)
    return LabelFinding(label, printed, tuple(unknown))


@lru_cache(maxsize=256)
def _of_one_mark(
    printed: Tlp,
    entry_tlp: Tlp | None,
    audience: frozenset[str] | None,
    restricted_to: Tlp | None,
) -> LabelFinding:
    """Compute the label of an object with this TLP mark alone."""
    label = EffectiveLabel(printed if entry_tlp is None else entry_tlp, audience)
    for floor in (restricted_to, printed):
        if floor is not None:
            label = _tighten(label, floor)
    return LabelFinding(label, printed, ())


def markings_of(value: Mapping[str, object]) -> frozenset[str]:
    """Collect the markings of an object and of its parts, TLP ones excepted.

    Their definitions have to travel in the entry itself: a receiver judges each entry alone, and
    a marking that is not explained there waits for a person.
    """
    return frozenset((*_object_markings(value), *_granular_markings(value))) - set(
        TLP_BY_MARKING_ID
    )


def _tighten(label: EffectiveLabel, floor: Tlp) -> EffectiveLabel:
    """Join a marking, which names no audience, to a label that has one.

    A marking no stricter than the label leaves the audience alone: the AMBER mark that every
    object of an AMBER feed prints would else be AMBER for nobody. A stricter one is joined as it
    stands, so that at AMBER and above nobody is left.
    """
    return label if floor <= label.tlp else label.join(EffectiveLabel(floor))


def _floor_of(ref: str, known: Mapping[str, Mapping[str, object]]) -> Tlp | None:
    """Return the lowest label that a marking allows, or None when it is not understood."""
    by_table = TLP_BY_MARKING_ID.get(ref)
    if by_table is not None:
        return by_table
    definition = known.get(ref)
    if definition is None:
        return None
    extensions = definition.get("extensions")
    if extensions is not None:
        is_embargo = isinstance(extensions, Mapping) and set(extensions) == {EMBARGO_EXTENSION}
        return EMBARGO_FLOOR if is_embargo else None
    return Tlp.CLEAR if definition.get("definition_type") == "statement" else None


def _all_markings(
    value: Mapping[str, object], known: Mapping[str, Mapping[str, object]]
) -> Iterator[str]:
    """Yield every marking of an object, and of its marking-definitions, each once.

    The walk does not enter a transported definition under a TLP id: nothing that was sent under
    such an id is read. It ends on cycles, because an id is visited once.
    """
    seen: set[str] = set()
    waiting = [value]
    while waiting:
        marked = waiting.pop()
        for ref in (*_object_markings(marked), *_granular_markings(marked)):
            if ref in seen:
                continue
            seen.add(ref)
            yield ref
            if ref in known and ref not in TLP_BY_MARKING_ID:
                waiting.append(known[ref])


def _object_markings(value: Mapping[str, object]) -> Iterator[str]:
    refs = value.get("object_marking_refs", ())
    if not isinstance(refs, list | tuple):
        yield MALFORMED
        return
    for ref in refs:
        yield ref if isinstance(ref, str) else MALFORMED


def _granular_markings(value: Mapping[str, object]) -> Iterator[str]:
    granular = value.get("granular_markings", ())
    if not isinstance(granular, list | tuple):
        yield MALFORMED
        return
    for marking in granular:
        if not isinstance(marking, Mapping):
            yield MALFORMED
        elif "marking_ref" in marking:
            ref = marking["marking_ref"]
            yield ref if isinstance(ref, str) else MALFORMED
        elif "lang" not in marking:
            # One with `lang` alone states a language (STIX 2.1 §7.2.3) and limits nobody.
            yield MALFORMED
