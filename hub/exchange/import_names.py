"""Make drafts from what a feed names, and find again what the same feed named before.

Invariants:
* the same subject of the same feed at the same label keeps its indicator, id and all;
* what the feed says as before, and what is valid long enough, is not published again; a new version
  comes when it says something else, or when less than half of the time is left for which it would
  now be valid;
* what a publication or another feed says of the same name is another claim, with its own lineage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub.exchange.publish_names import NameOptions, fresh_indicators
from hub.exchange.same_claim import lasts, says_the_same
from hub.imports.drafts import Draft
from hub.imports.list_reading import NamedLine
from hub.node import Node
from hub.storage.queries import imports as stored
from hub.storage.queries.objects import ObjectRow, claims_of, contents_of
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from schemas.timestamps import read_stix_time, write_wire_time


def subject_of(line: NamedLine) -> str:
    """Name what a line is about, to find it again.

    >>> from schemas.dns.names import read_name
    >>> subject_of(NamedLine(1, read_name("*.evil.example")))
    '*.evil.example'
    """
    name = f"*.{line.name.a_label}" if line.name.subtree else line.name.a_label
    match_on = None if line.said is None else line.said.match_on
    return name if match_on is None else f"{match_on}:{name}"


def drafts_on_feed(
    node: Node, lines: Sequence[NamedLine], *, feed: str, tlp: Tlp, options: NameOptions
) -> list[Draft]:
    """Make one indicator a line, in their order; each keeps the id that it had from this feed.

    Args:
        feed: whose word it is.
        tlp: the label of what prints none.
    """
    now = node.now()
    fresh = fresh_indicators(node, lines, options, now)
    known = _known(node, feed, {subject_of(line) for line in lines})
    if not known:
        return list(fresh)
    enough = timedelta(days=options.valid_days) / 2
    return [
        _settled(line, draft, known.get(subject_of(line), ()), tlp, now, enough)
        for line, draft in zip(lines, fresh, strict=True)
    ]


def _known(
    node: Node, feed: str, subjects: set[str]
) -> Mapping[str, list[tuple[ObjectRow, dict[str, Any]]]]:
    """Find the live indicators that imports of this feed brought, by subject."""
    with node.database.read() as tx:
        ids = stored.objects_on(tx, feed, subjects)
        rows = {
            stix_id: mine[-1]
            for stix_id, claims in claims_of(tx, {i for each in ids.values() for i in each}).items()
            if (mine := [row for row in claims if row.origin == node.node_id])
            and mine[-1].state == "accepted"
            and not mine[-1].revoked
            and not mine[-1].exercise
        }
        contents = contents_of(tx, [row.object_row for row in rows.values()])
    return {
        subject: [(rows[i], strict_loads(contents[rows[i].object_row])) for i in each if i in rows]
        for subject, each in ids.items()
    }


def _settled(
    line: NamedLine,
    draft: Draft,
    known: Sequence[tuple[ObjectRow, dict[str, Any]]],
    tlp: Tlp,
    now: datetime,
    enough: timedelta,
) -> Draft:
    """Choose between what is live already, a new version of it, and a new indicator."""
    printed = line.said.printed if line.said is not None else None
    label = tlp if printed is None else max(tlp, printed)
    for row, value in known:
        if row.tlp != label:
            continue
        if says_the_same(value, draft.value) and lasts(line, value, now + enough):
            return Draft(value, row.idn, line.line)
        modified = max(now, read_stix_time(value["modified"]) + timedelta(milliseconds=1))
        kept = {"id": value["id"], "created": value["created"]}
        if line.said is None or line.said.first_seen is None:
            kept["valid_from"] = value["valid_from"]
        newer = draft.value | kept | {"modified": write_wire_time(modified)}
        return replace(draft, value=newer, idn_name=row.idn)
    return draft
