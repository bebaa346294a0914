"""Publish lists of names as domain sets: one list for all who get it, or one a TLD (DNS 1).

The order of work: (1) refuse what the label or the audience forbids, before anything is stored;
(2) for each list: write it, find the version that stands and what changed since; (3) keep its
bytes; (4) publish the grouping that names it, through ``publish``. So whoever reads the grouping
finds the list here.

Does not: send anything; withdraw (``withdraw`` takes back the grouping as any object).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from federation.errors import SharingRefused
from hub.exchange.preparing import RefusedObject
from hub.exchange.publication_audience import AudienceLine, read_audience
from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.exchange.set_drafts import HeldSet, SetWords, held_sets, malware_draft, set_draft
from hub.exchange.set_parts import Part, Recipients, Split, split_by_tld
from hub.imports.drafts import Draft
from hub.node import Node
from hub.storage.queries.blobs import HELD, blob_bytes, find_blob, store_blob
from hub.storage.queries.peers import list_peers
from schemas.dns.domain_sets import Delta, SealedList, SetLine, find_delta, write_list
from schemas.markings import Tlp

_NOT_NAMED: Final = "REFUSED_NOT_NAMED"
_UNNOTICED: Final = frozenset({"monitor", "check-own-zones", "patch"})
"""Requested actions that the other side does not notice."""


@dataclass(frozen=True, slots=True)
class SetRequest:
    """Which names to publish as sets, and for whom.

    Args:
        lines: the names, with their days where they have any.
        words: what is said of all of them.
        split: make one list a TLD, and give each peer the lists of its own TLDs alone.
        dry_run: decide everything, store nothing.
        progress: called with 1 for every list that is done.
        pap: which actions are permitted; where nobody says, who asks for an action that the other
            side notices permits it, and else it is what the label implies (PROTOCOL 2.4).
    """

    lines: Sequence[SetLine]
    words: SetWords
    tlp: Tlp
    recipients: Recipients = field(default_factory=Recipients)
    split: bool = False
    dry_run: bool = False
    actor: str = "operator"
    progress: Callable[[int], None] = lambda _count: None
    pap: str | None = None

    @property
    def permitted(self) -> str | None:
        """The ``pap`` of the entries; None where it follows from the label."""
        asked = set(self.words.requested_actions) - _UNNOTICED
        return self.pap or ("green" if asked else None)


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """One list, and what became of it.

    Args:
        tld: whose names alone it has; None: all.
        state: ``new``, ``changed``, ``unchanged`` or ``refused``.
        names: how many lines the list has.
        size: its gzip bytes.
        delta_size: the bytes of what changed, where peers need only these; else None.
        audience: who gets it, and why.
    """

    tld: str | None
    stix_id: str
    sha256: str
    state: str
    names: int
    size: int
    added: int
    removed: int
    delta_size: int | None
    entries: int
    feeds: tuple[str, ...]
    audience: tuple[AudienceLine, ...]
    refused: tuple[RefusedObject, ...] = ()


@dataclass(frozen=True, slots=True)
class SetsOutcome:
    """What became of all lists.

    Args:
        left_over: TLDs for which nobody was named; their names go only to whom all names go.
        idle: named peers that get nothing, since no name is in their TLDs.
    """

    sets: tuple[PublishedSet, ...]
    left_over: tuple[str, ...]
    idle: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    """How a list follows from the one that stands, with the bytes of the difference."""

    added: SealedList | None = None
    removed: SealedList | None = None
    delta: Delta | None = None

    @property
    def lists(self) -> list[SealedList]:
        """List what a peer fetches in the place of the whole."""
        return [part for part in (self.added, self.removed) if part is not None and self.delta]


def publish_sets(node: Node, request: SetRequest) -> SetsOutcome:
    """Publish sets, or decide what publishing would do.

    Raises:
        SharingRefused: ``E_SET_TLDS``, and what ``publish_objects`` raises; nothing was stored.
        WireFormatError: ``E_SET_…``: the names are no list.
        NotFound: ``E_GROUP_UNKNOWN``.
    """
    by_tld = _by_tld(request.lines) if request.split else {}
    split = _split(node, request, by_tld)
    _refuse_early(node, request)
    with node.database.read() as tx:
        held = held_sets(tx, node, request.words)
        _refuse_other_label(request, split, held)
        malware = malware_draft(tx, node, request.words, request.tlp, held)
    published = []
    for part in split.parts:
        lines = request.lines if part.tld is None else by_tld[part.tld]
        published.append(_publish_part(node, request, part, lines, held.get(part.tld), malware))
        request.progress(1)
    return SetsOutcome(tuple(published), split.left_over, tuple(peer.name for peer in split.idle))


def _by_tld(lines: Sequence[SetLine]) -> dict[str, list[SetLine]]:
    found: dict[str, list[SetLine]] = {}
    for line in lines:
        found.setdefault(line.name.rpartition(".")[2], []).append(line)
    return found


def _split(node: Node, request: SetRequest, by_tld: Mapping[str, object]) -> Split:
    recipients = request.recipients
    if not request.split:
        return Split((Part(None, recipients.peers, recipients.groups),))
    with node.database.read() as tx:
        return split_by_tld(tx, by_tld, recipients)


def _refuse_early(node: Node, request: SetRequest) -> None:
    """Refuse what policy forbids before the first list is kept or published."""
    peers, groups = request.recipients.peers, request.recipients.groups
    nothing = PublishRequest((), request.tlp, to=peers, groups=groups, dry_run=True)
    publish_objects(node, nothing)
    with node.database.read() as tx:
        audience = read_audience(tx, node, request.tlp, peers, groups)
        lines = [audience.line(peer) for peer in list_peers(tx)]
    audience.refuse_where_nobody_is(lines, dry_run=request.dry_run)


def _refuse_other_label(
    request: SetRequest, split: Split, held: Mapping[str | None, HeldSet]
) -> None:
    for part in split.parts:
        found = held.get(part.tld)
        if found is not None and found.listed.tlp != request.tlp:
            raise SharingRefused(
                "E_LABEL_LIVE",
                f"this set is live at TLP:{Tlp(found.listed.tlp).wire.upper()}",
                f"Withdraw {found.listed.stix_id} first, or give the list another variant.",
            )


def _publish_part(
    node: Node,
    request: SetRequest,
    part: Part,
    lines: Sequence[SetLine],
    held: HeldSet | None,
    malware: Draft | None,
) -> PublishedSet:
    sealed = write_list(lines)
    change = _change_since(node, held, sealed)
    draft = set_draft(
        node,
        request.words,
        sealed,
        tld=part.tld,
        ref=node.identity if malware is None else malware.value["id"],
        held=held,
        delta=change.delta,
    )
    if not request.dry_run:
        with node.database.write() as tx:
            for kept in (sealed, *change.lists):
                store_blob(tx, kept.sha256, kept.data, node.now())
    drafts = [draft] if malware is None else [malware, draft]
    outcome = publish_objects(
        node,
        PublishRequest(
            drafts,
            request.tlp,
            to=part.to,
            groups=part.groups,
            dry_run=request.dry_run,
            actor=request.actor,
            pap=request.permitted,
        ),
    )
    return PublishedSet(
        tld=part.tld,
        stix_id=draft.value["id"],
        sha256=sealed.sha256,
        state=_state_of(outcome, draft, held),
        names=sealed.count,
        size=len(sealed.data),
        added=0 if change.added is None else change.added.count,
        removed=0 if change.removed is None else change.removed.count,
        delta_size=sum(len(kept.data) for kept in change.lists) if change.delta else None,
        entries=outcome.entries,
        feeds=outcome.feeds,
        audience=tuple(line for line in outcome.audience if line.code != _NOT_NAMED),
        refused=outcome.refused,
    )


def _change_since(node: Node, held: HeldSet | None, sealed: SealedList) -> _Change:
    """Find what changed since the version that stands; a delta where it is the smaller."""
    if held is None or held.listed.row.sha256 == sealed.sha256:
        return _Change()
    row = held.listed.row
    with node.database.read() as tx:
        blob = find_blob(tx, row.sha256)
        base = blob_bytes(tx, row.sha256) if blob is not None and blob.state == HELD else None
    if base is None or row.dated != sealed.dated:
        return _Change()
    added, removed = find_delta(base, sealed.data, dated=sealed.dated)
    smaller = sum(len(kept.data) for kept in (added, removed) if kept) < len(sealed.data)
    delta = Delta(
        row.sha256,
        None if added is None else added.sha256,
        None if removed is None else removed.sha256,
    )
    return _Change(added, removed, delta if smaller else None)


def _state_of(outcome: PublishOutcome, draft: Draft, held: HeldSet | None) -> str:
    if draft.value["id"] in {refused.stix_id for refused in outcome.refused}:
        return "refused"
    if held is None:
        return "new"
    return "unchanged" if draft.value == held.value else "changed"
