"""What guards say of one name, for a person who asks (``tocsin guard check``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.node import Node
from hub.storage.queries.guards import GuardListRow
from hub.verdicts.blast_radius import BlastRadius, blast_radius
from hub.verdicts.guard_names import list_guards
from hub.verdicts.guard_overrides import Override, read_overrides
from hub.verdicts.guard_words import guard_sentence, radius_sentences
from hub.verdicts.guards import GuardHit, load_guards
from schemas.dns.names import read_name
from schemas.markings import Tlp

_STOPS: Final = frozenset({"refuse", "hold"})


@dataclass(frozen=True, slots=True)
class GuardCheck:
    """What a block of a name would meet.

    Args:
        stopped: some guard that nobody overrode keeps it from being blocked.
    """

    name: str
    reach: str
    stopped: bool
    hits: tuple[GuardHit, ...]
    radius: BlastRadius
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GuardOverview:
    """The operator's own lists, and the overrides whose signatures hold."""

    lists: tuple[GuardListRow, ...]
    overrides: tuple[Override, ...]


def check_guard(node: Node, text: str) -> GuardCheck:
    """Look a name up in every guard, with what a block of it would take along.

    Args:
        text: a name, or ``*.name`` for a block of all below it.

    Raises:
        WireFormatError: no name.
    """
    name = read_name(text, refang=True)
    reach = "subtree" if name.subtree else "exact"
    with node.database.read() as tx:
        guards = load_guards(tx, node)
        hits = guards.hits(name.a_label, reach)
        # The operator's own question: what RED says of names below counts too.
        radius = blast_radius(tx, guards, name.a_label, Tlp.RED)
    stopped = any(hit.grade in _STOPS and hit.overridden_by is None for hit in hits)
    said = [guard_sentence(hit, name.a_label) for hit in hits]
    if not said:
        said.append(f"No guard protects {name.a_label}.")
    return GuardCheck(
        name.a_label, reach, stopped, hits, radius, (*said, *radius_sentences(radius))
    )


def guard_overview(node: Node) -> GuardOverview:
    """List the own lists and the overrides that have not ended."""
    lists, now = list_guards(node), node.now()
    with node.database.read() as tx:
        overrides = tuple(each for each in read_overrides(tx, node) if each.counts_at(now))
    return GuardOverview(lists, overrides)
