"""Which names an export lists, for whom (PROTOCOL 3.2, 3.5; INTERFACE, "Kinds of reader").

Decides, of the label views that an audience may observe, what is listed: blocks in force, or live
verdicts.

Invariants:
* what is listed for an audience follows from the verdicts of its views and from nothing stricter;
* RED is in no list, and an exercise makes no verdict, so neither is ever exported;
* in no list stands a name that a guard of grade refuse or hold stands for: a sensor that alarms on
  a bank's name is as useless as a resolver that blocks it;
* the order is that of the values, so that the same verdicts give the same list.

What it does not do: decide on blocks (``hub.verdicts.blocklist``) or write (the formats).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from hub.exports.listed_name import ListedName
from hub.node import Node
from hub.storage.queries.exports import LiveVerdict, live_verdicts
from hub.storage.transaction import Transaction
from hub.verdicts.asked_actions import asked_on
from hub.verdicts.blocklist import AUDIENCES, HOUR, BlockedName, BlockView, label_views, touches
from hub.verdicts.guard_lists import HOLD, REFUSE
from hub.verdicts.guards import Guards, load_guards
from hub.verdicts.verdict_object import verdict_id
from schemas.dns.extensions import THREAT_TYPES
from schemas.dns.subjects import Subject, read_subject_key
from schemas.markings import Tlp

LEAST_CONFIDENCE: Final = 50
"""Of what is listed for detection, unless the operator says otherwise."""
MONITOR: Final = "monitor"
"""What origins may ask for: to watch a name, and not to block it."""
OTHER: Final = "other"
"""The feed of what nobody gave a threat type."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed.

    Args:
        names: by value.
        waiting: names whose block waits for its hour.
        due_at: when time alone changes the list; None when it never does.
    """

    names: Sequence[ListedName]
    waiting: int
    due_at: datetime | None


def list_names(
    tx: Transaction,
    node: Node,
    audience: str,
    *,
    shown: BlockView,
    blocks: bool,
    constituent: str | None = None,
    feed: str = "",
    softer: Collection[str] = (MONITOR,),
    least: int = LEAST_CONFIDENCE,
) -> Listing:
    """List what an audience may observe, by value.

    Args:
        audience: ``organisation``, ``constituents`` or ``public``.
        shown: how the blocks of this audience stand.
        blocks: whether only blocks in force are listed; else live verdicts.
        constituent: one constituent's token, for the AMBER that touches its zones.
        feed: only names whose weightiest threat type this is; "" for all, ``other`` for none.
        softer: what origins may ask for that makes a difference to these blocks.
        least: the confidence that a verdict needs; it says nothing of blocks.

    Raises:
        WireFormatError: ``E_AUDIENCE``. NotFound: ``E_TOKEN_UNKNOWN``.
    """
    found: Iterator[ListedName]
    if blocks:
        ceiling = AUDIENCES[audience]
        ceilings = {each.name: max(ceiling, each.label) for each in shown.in_force}
        asked = asked_on(tx, ceilings, softer, node.now())
        found = (_of_block(each, asked) for each in shown.in_force)
    else:
        in_force = {each.name: each for each in shown.in_force}
        views = label_views(tx, audience, constituent, node.now())
        found = _of_views(tx, node, views, in_force, least)
    names = [each for each in found if not feed or feed_of(each) == feed]
    names.sort(key=_order)
    ends = [min(each.ends_at for each in names)] if names else []
    if shown.waiting:
        # The hour of what came into force last frees the next place; sooner at most an hour's wait.
        recent = [each.since + HOUR for each in shown.in_force if each.since + HOUR > node.now()]
        ends.append(min(recent, default=node.now() + HOUR))
    return Listing(names, len(shown.waiting), min(ends, default=None))


def feed_of(name: ListedName) -> str:
    """Name the feed that a name stands in, by its weightiest type; each stands in one.

    On receipt the vocabulary of threat types is open: words of others name no feed here.
    """
    first = name.threat_types[0] if name.threat_types else OTHER
    return first if first in THREAT_TYPES else OTHER


def _order(name: ListedName) -> tuple[str, str]:
    return name.value, name.match_on


def _of_block(block: BlockedName, asked: Mapping[str, str]) -> ListedName:
    subject = read_subject_key(block.name)
    ask = block.ask
    return ListedName(
        value=subject.value,
        match_on=subject.match_on,
        match_scope=block.match_scope,
        label=block.label,
        threat_types=_types(ask.threat_types),
        confidence=ask.confidence,
        lineages=ask.lineages,
        blocked=True,
        since=block.since,
        ends_at=ask.valid_until or block.since,
        requested_actions=(asked[block.name],) if block.name in asked else (),
        stix_id="",  # no block format says it, and half a million of them take seconds
    )


@lru_cache(maxsize=1_024)
def _tuple(types: tuple[str, ...]) -> tuple[str, ...]:
    return types


def _types(types: Sequence[str]) -> tuple[str, ...]:
    """Keep one tuple of each kind: a million names have a handful between them."""
    return _tuple(tuple(types))


def _of_views(
    tx: Transaction,
    node: Node,
    views: Sequence[tuple[Tlp, tuple[str, ...] | None]],
    in_force: Mapping[str, BlockedName],
    least: int,
) -> Iterator[ListedName]:
    guards, now, seen = load_guards(tx, node), node.now(), set[str]()
    for ceiling, zones in views:
        for verdict in live_verdicts(tx, ceiling, now, least):
            subject = read_subject_key(verdict.name)
            if verdict.name in seen or (zones is not None and not touches(subject.value, zones)):
                continue
            if _is_guarded(guards, verdict.name, verdict.match_scope):
                continue
            seen.add(verdict.name)
            yield _of_verdict(node, verdict, subject, in_force.get(verdict.name))


def _is_guarded(guards: Guards, key: str, match_scope: str) -> bool:
    hits = guards.hits(key, match_scope)
    return any(hit.grade in {REFUSE, HOLD} and hit.overridden_by is None for hit in hits)


def _of_verdict(
    node: Node, verdict: LiveVerdict, subject: Subject, block: BlockedName | None
) -> ListedName:
    return ListedName(
        value=subject.value,
        match_on=subject.match_on,
        match_scope=verdict.match_scope,
        label=Tlp(verdict.label),
        threat_types=verdict.threat_types,
        confidence=verdict.confidence,
        lineages=verdict.lineages,
        blocked=block is not None,
        since=verdict.created_at,
        ends_at=verdict.valid_until,
        stix_id=verdict_id(node.node_id, verdict.name, verdict.label, verdict.generation),
    )
