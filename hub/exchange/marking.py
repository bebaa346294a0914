"""Write the entry's label into every object before it is sealed (PROTOCOL 2.4 ``objects``).

So what a consumer reads says how to handle it, also after it has left every envelope.
"""

from __future__ import annotations

from collections.abc import Mapping

from federation.feeds.printed_labels import UNPRINTED_TYPES
from federation.policy.labels import effective_label
from schemas.errors import WireFormatError
from schemas.markings import TLP_BY_MARKING_ID, Tlp


def write_label(
    value: Mapping[str, object], tlp: Tlp, definitions: Mapping[str, Mapping[str, object]]
) -> dict[str, object]:
    """Return the object with the TLP 2.0 mark of its entry in place of any TLP mark it had.

    Args:
        value: the object as it was imported, checked before.
        tlp: the entry's label.
        definitions: the marking-definitions that travel along, by id.

    Raises:
        WireFormatError: ``E_LABEL_STRICTER`` when the object is marked stricter than the entry,
            an unknown marking included; publishing never widens (PROTOCOL 3.3).
    """
    finding = effective_label(value, tlp, definitions)
    if finding.label.tlp > tlp:
        unknown = ", ".join(finding.unknown_markings)
        raise WireFormatError(
            "E_LABEL_STRICTER",
            f"its markings come to TLP:{finding.label.tlp.wire.upper()}"
            + (f" (unknown here: {unknown})" if unknown else ""),
            f"Publish it with --tlp {finding.label.tlp.wire}, or leave it out.",
            label=finding.label.tlp.wire,
        )
    if value.get("type") in UNPRINTED_TYPES:
        return dict(value)
    refs = value.get("object_marking_refs", [])
    others = [ref for ref in refs if ref not in TLP_BY_MARKING_ID] if isinstance(refs, list) else []
    return {**value, "object_marking_refs": [tlp.marking_id, *others]}
