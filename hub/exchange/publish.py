"""Publish objects of one's own into the feeds that their label and audience call for.

The order of work: (1) refuse what the label forbids, (2) prepare each object: its label written
in, checked, (3) in one serialised write: leave out what is published already, refuse what clashes
or leaks, cut into entries, seal, store, show, wake peers. A broken object is refused alone and
named; its batch goes on.

Does not send anything: peers pull, and are woken by a job after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from federation.delivery.plan import ROUTINE
from federation.errors import SharingRefused
from federation.feeds.sharing_policy import Release
from hub.exchange.import_marks import Note, note_publication
from hub.exchange.preparing import RefusedObject, known_definitions, prepare
from hub.exchange.publication import Publication
from hub.exchange.publication_audience import AudienceLine, read_audience
from hub.exchange.publishing_store import store_publication
from hub.imports.drafts import Draft
from hub.node import Node
from hub.storage.queries.peers import PeerRow, list_peers
from schemas.identifiers import EntryHash
from schemas.markings import Tlp


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What to publish and for whom.

    Args:
        drafts: the objects; a TLP mark of theirs may be laxer than ``tlp``, never stricter.
        tlp: the label of the publication.
        to: the named peers; with no group either, everybody whom the label reaches.
        groups: the named groups of this node.
        wrap: makes the grouping of one entry's objects, or None where the input has its own.
        exercise: reaches no original, verdict, export or alarm anywhere.
        on_behalf_of: the organisation for whom this node publishes.
        lineage: the ``src`` tags (PROTOCOL 2.4).
        dry_run: decide everything, store nothing.
        actor: who asked, for the audit.
        supersedes: the entry that made the objects narrower than ``tlp`` (PROTOCOL 3.3).
        release: from when on receivers show it to their own readers at a laxer label.
        urgency: ``routine``, ``priority`` or ``immediate``: what goes first on thin lines.
        pap: which actions are permitted, of ``PAP_LEVELS``; None is what the label implies, and
            above GREEN that is amber: nobody blocks by it (PROTOCOL 2.4).
        note: told, inside each write, which objects stand published by it.
    """

    drafts: Sequence[Draft]
    tlp: Tlp
    to: tuple[PeerRow, ...] = ()
    groups: tuple[str, ...] = ()
    wrap: Callable[[Sequence[Mapping[str, object]]], Draft] | None = None
    exercise: bool = False
    on_behalf_of: str | None = None
    lineage: tuple[str, ...] = ("analyst",)
    dry_run: bool = False
    actor: str = "operator"
    progress: Callable[[int], None] = lambda _count: None
    supersedes: EntryHash | None = None
    release: Release | None = None
    urgency: str = ROUTINE
    pap: str | None = None
    note: Note = note_publication


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What was sealed, what was not, and who may read it.

    Args:
        objects: how many of the given objects were sealed.
        unchanged: how many were published already, with this content and audience.
        entries: how many entries were sealed.
        feeds: the feeds that they stand in.
        stix_ids: the ids of the sealed objects in their order.
    """

    objects: int
    unchanged: int
    entries: int
    feeds: tuple[str, ...]
    audience: tuple[AudienceLine, ...]
    refused: tuple[RefusedObject, ...]
    stix_ids: tuple[str, ...] = field(default=())


def publish_objects(node: Node, request: PublishRequest) -> PublishOutcome:
    """Publish, or decide what publishing would do.

    Raises:
        SharingRefused: ``E_RED_UNSUPPORTED``, ``E_NOBODY``, ``E_GROUP_EMPTY``,
            ``E_AUDIENCE_REFUSED``, ``E_CLEAR_TO_NAMED`` or ``E_NOT_WIDER``: nothing was stored.
        NotFound: ``E_GROUP_UNKNOWN``.
        Conflict: ``E_FEED`` when a group was closed meanwhile.
    """
    if request.tlp is Tlp.RED:
        raise SharingRefused(
            "E_RED_UNSUPPORTED",
            "TLP:RED needs sealed feeds, which this release does not have",
            "Keep it out of Tocsin for now, or publish what may be shared at a lower label.",
        )
    _refuse_release_that_widens_nothing(request)
    with node.database.read() as tx:
        peers = list_peers(tx)
        audience = read_audience(
            tx, node, request.tlp, request.to, request.groups, dry_run=request.dry_run
        )
        definitions = known_definitions(tx, node, request.drafts)
    lines = tuple(audience.line(peer) for peer in peers)
    audience.refuse_where_nobody_is(lines, dry_run=request.dry_run)
    ready, refused = prepare(request.drafts, request.tlp, definitions, node.now())
    stored = store_publication(
        node,
        Publication(
            tlp=request.tlp,
            feeds=audience.feeds(),
            definitions=definitions,
            wrap=request.wrap,
            exercise=request.exercise,
            on_behalf_of=request.on_behalf_of,
            lineage=request.lineage,
            dry_run=request.dry_run,
            actor=request.actor,
            progress=request.progress,
            supersedes=request.supersedes,
            release=request.release,
            urgency=request.urgency,
            pap=request.pap,
            note=request.note,
        ),
        ready,
        peers,
    )
    return PublishOutcome(
        objects=len(stored.stix_ids),
        unchanged=stored.unchanged,
        entries=stored.entries,
        feeds=stored.feeds,
        audience=lines,
        refused=(*refused, *(RefusedObject(*reason) for reason in stored.refused)),
        stix_ids=tuple(stored.stix_ids),
    )


def _refuse_release_that_widens_nothing(request: PublishRequest) -> None:
    if request.release is not None and request.release.tlp >= request.tlp:
        raise SharingRefused(
            "E_NOT_WIDER",
            "a release gives a laxer label than the publication's own",
            "Choose a laxer --release-tlp; `tocsin restrict` tightens.",
        )
