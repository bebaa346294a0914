"""What every export format is written from: one verdict as an audience may know it.

The writers are pure: they take these in the order of ``value`` and give bytes. What they list was
chosen before (``listing``); a writer decides only how its format says it.

Invariant: a writer's output follows from its arguments alone, so that the same verdicts give the
same bytes, the same ETag and the same serial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.dns.subjects import QNAME
from schemas.markings import Tlp


@dataclass(frozen=True, slots=True)
class ListedName:
    """A verdict as an export lists it.

    Args:
        value: an A-label, or an address with its prefix length; see ``schemas.dns.subjects``.
        match_on: ``qname``, ``nsdname``, ``nsip`` or ``ip``.
        match_scope: ``exact``, ``subtree`` or ``wildcard-only``.
        label: of the evidence.
        threat_types: the weightiest first; empty where nobody said.
        confidence: 0 to 100, as it is published.
        lineages: independent sources.
        blocked: whether it is in force as a block for this audience.
        since: when it came into force, or when the verdict was first made.
        ends_at: when the verdict ends unless it is issued again.
        stix_id: of the published verdict.
        requested_actions: what origins ask to do, of ``REQUESTED_ACTIONS``; local policy decides.
    """

    value: str
    match_scope: str
    label: Tlp
    threat_types: tuple[str, ...]
    confidence: int
    lineages: int
    blocked: bool
    since: datetime
    ends_at: datetime
    stix_id: str
    match_on: str = QNAME
    requested_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportContext:
    """What a writer may say beside the names.

    Args:
        audience: ``organisation``, ``constituents`` or ``public``.
        label: the strictest label that the audience may observe.
        node_id: of the hub that exports.
        node_name: its name.
        identity: the STIX id of its identity.
        changed_at: when the content last changed; never the time of writing.
        serial: grows whenever the content changes (RFC 1982 arithmetic is the reader's matter).
    """

    audience: str
    label: Tlp
    node_id: str
    node_name: str
    identity: str
    changed_at: datetime
    serial: int


FileWriter = Callable[[Sequence[ListedName], ExportContext], Iterator[bytes]]
"""Writes a format that is one file, in chunks."""
TreeWriter = Callable[[Sequence[ListedName], ExportContext], Mapping[str, Iterable[bytes]]]
"""Writes a format that is several files, by their relative names."""
