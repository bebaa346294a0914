"""Make drafts from names, leaving out what is live already with the same label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.exchange.same_claim import lasts, says_the_same
from hub.imports.drafts import Draft
from hub.imports.name_drafts import grouping_for, indicators_from_names
from hub.imports.name_lists import NamedLine
from hub.node import Node
from hub.storage.queries.imports import published_of
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
    live = {} if options.exercise else _live(node, names, tlp, now)
    kept = {
        name: draft
        for name, drafts in live.items()
        for draft in reversed(drafts)
        if options.threat_type in draft.value.get("labels", ())
    }
    plain = [line for line in names if line.said is None]
    fresh = fresh_indicators(node, [n for n in plain if n.name.a_label not in kept], options, now)
    wanted = {line.name.a_label for line in plain}
    told = [line for line in names if line.said is not None]
    return [
        *(draft for name, draft in kept.items() if name in wanted),
        *fresh,
        *(
            _as_live(line, draft, live.get(line.name.a_label, ()), now)
            for line, draft in zip(told, fresh_indicators(node, told, options, now), strict=True)
        ),
    ]


def fresh_indicators(
    node: Node, names: Iterable[NamedLine], options: NameOptions, now: datetime
) -> list[Draft]:
    """Make one new indicator a name, whatever is there already."""
    return list(
        indicators_from_names(
            names,
            node_id=node.node_id,
            identity=node.identity,
            now=now,
            valid_days=options.valid_days,
            threat_type=options.threat_type,
            confidence=options.confidence,
            new_idn=lambda: b32(node.entropy(IDN_BYTES)),
        )
    )


def _as_live(line: NamedLine, draft: Draft, live: Sequence[Draft], now: datetime) -> Draft:
    """Keep the live indicator that says what a table's line says; else the new one."""
    for held in live:
        if says_the_same(held.value, draft.value) and lasts(line, held.value, now):
            return Draft(held.value, held.idn_name, line.line)
    return draft


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
    node: Node, names: Sequence[NamedLine], tlp: Tlp, now: datetime
) -> dict[str, list[Draft]]:
    with node.database.read() as tx:
        rows: list[ObjectRow] = [
            row
            for found in live_names(tx, node.node_id, {n.name.a_label for n in names}).values()
            for row in found
            if row.tlp == tlp and not row.exercise
        ]
        # What an import alone stands for is its feed's word, and ends when the import is undone.
        published = published_of(tx, [row.stix_id for row in rows])
        rows = [row for row in rows if published.get(row.stix_id, True)]
        contents = contents_of(tx, [row.object_row for row in rows])
    live: dict[str, list[Draft]] = {}
    for row in rows:
        value = strict_loads(contents[row.object_row])
        is_valid = read_stix_time(value["valid_until"]) > now if "valid_until" in value else True
        if row.name_key and is_valid:
            live.setdefault(row.name_key, []).append(Draft(value, idn_name=row.idn))
    return live
