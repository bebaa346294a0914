"""The TLP marking that stands on an object itself, against the entry's label (PROTOCOL 2.4, 3.1).

The entry's policy decides who gets an object; the marking on it tells whoever reads it how to
handle it. Both must say the same, or an export would invite a breach.

Invariants:
* what a marking means comes from the built-in table by its id, never from a transported object;
* of several markings on one object the strictest governs.

What it does not do: judge unknown markings (``federation.policy.labels``) or write a label.

>>> check_printed({"type": "indicator"}, Tlp.CLEAR)
"""

from __future__ import annotations

from federation.errors import ContentRejected
from federation.feeds.payload_members import Members
from schemas.markings import TLP_BY_MARKING_ID, Tlp

UNPRINTED_TYPES = frozenset({"marking-definition", "extension-definition"})
"""Definitions carry no label of their own: they are what labels and members are made of."""


def printed_tlp(value: Members) -> Tlp | None:
    """Give the strictest TLP among an object's own markings; None when it has none.

    Raises:
        ContentRejected: ``E_SCHEMA`` when the markings are ill-typed.
    """
    return max(
        (tlp for tlp in map(_meaning, _marking_refs(value)) if tlp is not None), default=None
    )


def check_printed(value: Members, tlp: Tlp) -> None:
    """Check that an object prints the entry's label (PROTOCOL 2.4 ``objects``).

    Raises:
        ContentRejected: ``E_POLICY`` when the printed label is stricter, weaker or, above CLEAR,
            missing, or when a part of the object is marked stricter than the whole.
    """
    if value.get("type") in UNPRINTED_TYPES:
        return
    if value.get("object_marking_refs") == [tlp.marking_id] and "granular_markings" not in value:
        return  # as nearly every object: this mark, and no other
    # 1. The object's own marking.
    printed = printed_tlp(value)
    if printed is None and tlp is not Tlp.CLEAR:
        raise _refused(value, f"prints no label in an entry of TLP:{tlp.wire.upper()}")
    if printed is not None and printed is not tlp:
        raise _refused(
            value, f"prints TLP:{printed.wire.upper()} in an entry of TLP:{tlp.wire.upper()}"
        )
    # 2. Its parts. A relay cannot take a part out, so the strictest governs the whole, and the
    #    whole is then in the wrong entry. Weaker parts are neutral.
    if any(part > tlp for part in _granular_tlps(value)):
        raise _refused(value, "has a part that is marked stricter than the entry")


def _meaning(ref: str) -> Tlp | None:
    return TLP_BY_MARKING_ID.get(ref)


def _marking_refs(value: Members) -> list[str]:
    refs = value.get("object_marking_refs", [])
    if not isinstance(refs, list):
        raise ContentRejected("E_SCHEMA", "object_marking_refs is not an array of ids")
    texts = [ref for ref in refs if isinstance(ref, str)]
    if len(texts) != len(refs):
        raise ContentRejected("E_SCHEMA", "object_marking_refs is not an array of ids")
    return texts


def _granular_tlps(value: Members) -> list[Tlp]:
    granular = value.get("granular_markings", [])
    if not isinstance(granular, list) or not all(isinstance(part, dict) for part in granular):
        raise ContentRejected("E_SCHEMA", "granular_markings is not an array of objects")
    refs = [part.get("marking_ref") for part in granular]
    found = [_meaning(ref) for ref in refs if isinstance(ref, str)]
    return [tlp for tlp in found if tlp is not None]


def _refused(value: Members, detail: str) -> ContentRejected:
    stix_id = value.get("id")
    return ContentRejected("E_POLICY", f"{stix_id} {detail}", stix_id=stix_id)
