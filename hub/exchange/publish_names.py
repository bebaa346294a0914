"""Make drafts from names, leaving out what is live already with the same label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.imports.drafts import Draft
from hub.imports.name_drafts import grouping_for, indicators_from_names
from hub.imports.name_lists import NamedLine
from hub.node import Node
from hub.storage.queries.objects import ObjectRow, contents_of, live_names
from schemas.identifiers import b32
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from schemas.timestamps import read_stix_time

IDN_BYTES = 10
"""80 random bits in 16 characters: above the 12 that PROTOCOL 2.4 asks for."""


@dataclass(frozen=True, slots=True)
class NameOptions:
    """How names become indicators."""

    threat_type: str = "malware-c2"
    valid_days: int = 90
    confidence: int = 70
    title: str = "Names"
    exercise: bool = False


def drafts_from_names(
    node: Node, names: Sequence[NamedLine], tlp: Tlp, options: NameOptions
) -> list[Draft]:
    """Make one indicator a name; a name that is live at this label keeps its indicator.

    So publishing a list twice publishes nothing twice, and naming one more peer carries the very
    same objects to it.
    """
    now = node.now()
    # What is live for real has no part in an exercise, whose objects are all its own.
    live = {} if options.exercise else _live(node, names, tlp, options.threat_type, now)
    fresh = indicators_from_names(
        [line for line in names if line.name.a_label not in live],
        node_id=node.node_id,
        identity=node.identity,
        now=now,
        valid_days=options.valid_days,
        threat_type=options.threat_type,
        confidence=options.confidence,
        new_idn=lambda: b32(node.entropy(IDN_BYTES)),
    )
    return [*live.values(), *fresh]


def wrap_names(node: Node, title: str, values: Sequence[Mapping[str, object]]) -> Draft:
    """Make the grouping of one entry's indicators."""
    return grouping_for(
        [Draft(dict(value)) for value in values],
        node_id=node.node_id,
        identity=node.identity,
        now=node.now(),
        name=title,
        new_idn=lambda: b32(node.entropy(IDN_BYTES)),
    )


def _live(
    node: Node, names: Sequence[NamedLine], tlp: Tlp, threat_type: str, now: datetime
) -> dict[str, Draft]:
    with node.database.read() as tx:
        rows: list[ObjectRow] = [
            row
            for found in live_names(tx, node.node_id, {n.name.a_label for n in names}).values()
            for row in found
            if row.tlp == tlp and not row.exercise
        ]
        contents = contents_of(tx, [row.object_row for row in rows])
    live: dict[str, Draft] = {}
    for row in rows:
        value = strict_loads(contents[row.object_row])
        is_valid = read_stix_time(value["valid_until"]) > now if "valid_until" in value else True
        if row.name_key and is_valid and threat_type in value.get("labels", ()):
            live.setdefault(row.name_key, Draft(value, idn_name=row.idn))
    return live
