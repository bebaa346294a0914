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

from federation.errors import SharingRefused
from federation.policy.explain import sentences
from federation.policy.sharing import decide_delivery, decide_feed_read
from hub.exchange.preparing import RefusedObject, known_definitions, prepare
from hub.exchange.publication import Publication
from hub.exchange.publishing_store import store_publication
from hub.imports.drafts import Draft
from hub.node import Node
from hub.peers.standing import standing_of
from hub.storage.queries.feeds import list_feeds
from hub.storage.queries.peers import PeerRow, list_peers
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import Tlp


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What to publish and for whom.

    Args:
        drafts: the objects; a TLP mark of theirs may be laxer than ``tlp``, never stricter.
        tlp: the label of the publication.
        to: the named peers; empty means everybody whom the label reaches.
        wrap: makes the grouping of one entry's objects, or None where the input has its own.
        exercise: reaches no original, verdict, export or alarm anywhere.
        on_behalf_of: the organisation for whom this node publishes.
        lineage: the ``src`` tags (PROTOCOL 2.4).
        dry_run: decide everything, store nothing.
        actor: who asked, for the audit.
    """

    drafts: Sequence[Draft]
    tlp: Tlp
    to: tuple[PeerRow, ...] = ()
    wrap: Callable[[Sequence[Mapping[str, object]]], Draft] | None = None
    exercise: bool = False
    on_behalf_of: str | None = None
    lineage: tuple[str, ...] = ("analyst",)
    dry_run: bool = False
    actor: str = "operator"
    progress: Callable[[int], None] = lambda _count: None


@dataclass(frozen=True, slots=True)
class AudienceLine:
    """What one peer will get of this publication, and why."""

    peer: str
    name: str
    decision: str
    code: str
    why: str


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
        SharingRefused: ``E_RED_UNSUPPORTED``, ``E_NOBODY``, ``E_AUDIENCE_REFUSED`` or
            ``E_CLEAR_TO_NAMED``: nothing was stored.
    """
    _refuse_what_cannot_be(request)
    with node.database.read() as tx:
        peers = list_peers(tx)
        highest = {row.name: Tlp(row.highest_tlp) for row in list_feeds(tx, own=True)}
        definitions = known_definitions(tx, node, request.drafts)
    audience = tuple(_audience_line(node, peer, request, highest) for peer in peers)
    _refuse_named_who_may_not(request, audience)
    ready, refused = prepare(request.drafts, request.tlp, definitions, node.now())
    stored = store_publication(
        node,
        Publication(
            tlp=request.tlp,
            feeds=_target_feeds(node, request),
            definitions=definitions,
            wrap=request.wrap,
            exercise=request.exercise,
            on_behalf_of=request.on_behalf_of,
            lineage=request.lineage,
            dry_run=request.dry_run,
            actor=request.actor,
            progress=request.progress,
        ),
        ready,
        peers,
    )
    return PublishOutcome(
        objects=len(stored.stix_ids),
        unchanged=stored.unchanged,
        entries=stored.entries,
        feeds=stored.feeds,
        audience=audience,
        refused=(*refused, *(RefusedObject(*reason) for reason in stored.refused)),
        stix_ids=tuple(stored.stix_ids),
    )


def _refuse_what_cannot_be(request: PublishRequest) -> None:
    if request.tlp is Tlp.RED:
        raise SharingRefused(
            "E_RED_UNSUPPORTED",
            "TLP:RED needs sealed feeds, which this release does not have",
            "Keep it out of Tocsin for now, or publish what may be shared at a lower label.",
        )
    if request.tlp is Tlp.CLEAR and request.to:
        raise SharingRefused(
            "E_CLEAR_TO_NAMED",
            "TLP:CLEAR may be shared with the world; a named audience contradicts it",
            "Leave out --to, or choose a stricter label.",
        )
    if request.tlp >= Tlp.AMBER and not request.to:
        raise SharingRefused(
            "E_NOBODY",
            f"TLP:{request.tlp.wire.upper()} goes only to whom you name, and you named nobody",
            "Name the recipients with --to PEER.",
        )


def _refuse_named_who_may_not(request: PublishRequest, audience: Sequence[AudienceLine]) -> None:
    if request.dry_run:
        return
    named = {peer.node_id for peer in request.to}
    for line in audience:
        if line.peer in named and line.decision == "refused":
            raise SharingRefused(
                "E_AUDIENCE_REFUSED",
                f"{line.name}: {line.why}",
                "Change the peer's trust with `tocsin peer set`, or leave the peer out.",
                decision=line.code,
            )


def _target_feeds(node: Node, request: PublishRequest) -> tuple[FeedName, ...]:
    if request.to:
        return tuple(FeedName(node.node_id, direct_audience(p.node_id)) for p in request.to)
    return (FeedName(node.node_id, "clear" if request.tlp is Tlp.CLEAR else "green"),)


def _audience_line(
    node: Node, peer: PeerRow, request: PublishRequest, highest: Mapping[FeedName, Tlp]
) -> AudienceLine:
    """Decide as the feed's door will: by the strictest label that the feed has ever carried."""
    named = any(peer.node_id == chosen.node_id for chosen in request.to)
    audience = "clear" if request.tlp is Tlp.CLEAR else "green"
    feed = FeedName(node.node_id, direct_audience(peer.node_id) if named else audience)
    label = max(request.tlp, highest.get(feed, Tlp.CLEAR))
    decision = (
        decide_feed_read(feed, highest=label, peer=standing_of(peer), named=named)
        if named or not request.to
        else decide_delivery(request.tlp, peer=standing_of(peer), named=False)
    )
    if decision.allowed and request.to and not named:
        # The label alone would reach this peer, but the publication goes to named ones.
        return AudienceLine(
            peer.node_id,
            peer.name,
            "refused",
            "REFUSED_NOT_NAMED",
            f"This publication goes to named peers only, and {peer.name} is not named.",
        )
    return AudienceLine(
        peer.node_id,
        peer.name,
        "allowed" if decision.allowed else "refused",
        decision.code,
        " ".join(sentences(decision)),
    )
