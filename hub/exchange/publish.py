"""Publish objects of one's own into the feeds that their label and audience call for.

The order of work: (1) refuse what the label forbids, (2) prepare each object: its label written
in, checked, (3) in one serialised write: leave out what is published already, refuse what clashes
or leaks, cut into entries, seal, store, show, wake peers. A broken object is refused alone and
named; its batch goes on.

Does not send anything: peers pull, and are woken by a job after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from federation.errors import SharingRefused
from federation.policy.explain import sentences
from federation.policy.sharing import decide_delivery
from hub.exchange import publishing_store
from hub.exchange.marking import write_label
from hub.exchange.publishing_order import Prepared, prepared
from hub.imports.drafts import Draft
from hub.node import Node
from hub.peers.standing import standing_of
from hub.storage.queries.peers import PeerRow, list_peers
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import TLP_BY_MARKING_ID, Tlp
from schemas.stix.sco_ids import deterministic_sco_id
from schemas.stix.validation import check_object


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
class RefusedObject:
    """One object that was not published, and why."""

    stix_id: str
    code: str
    detail: str
    remedy: str = ""


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
    audience = tuple(_audience_line(peer, request) for peer in peers)
    _refuse_named_who_may_not(request, audience)
    ready, refused = prepare(request.drafts, request.tlp)
    stored = publishing_store.store_publication(
        node,
        publishing_store.Publication(
            tlp=request.tlp,
            feeds=_target_feeds(node, request),
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


def prepare(drafts: Iterable[Draft], tlp: Tlp) -> tuple[list[Prepared], list[RefusedObject]]:
    """Write the label into each draft and check it; the broken ones are refused alone.

    TLP marking-definitions of the input are left out: the label's own one is sent along in the
    form of the specification, and what a copy says is never read (PROTOCOL 2.4).
    """
    chosen = [draft for draft in drafts if draft.value.get("id") not in TLP_BY_MARKING_ID]
    definitions = {
        str(draft.value["id"]): draft.value
        for draft in chosen
        if draft.value.get("type") == "marking-definition" and "id" in draft.value
    }
    ready: list[Prepared] = []
    refused: list[RefusedObject] = []
    for draft in chosen:
        try:
            check_object(draft.value)
            _check_observable_id(draft.value)
            value = write_label(draft.value, tlp, definitions)
        except WireFormatError as error:
            stix_id = str(draft.value.get("id", f"line {draft.line}"))
            refused.append(RefusedObject(stix_id, error.code, error.detail, error.remedy))
            continue
        ready.append(prepared(value, draft.idn_name))
    return ready, refused


def _check_observable_id(value: Mapping[str, object]) -> None:
    """Refuse an observable whose id every receiver would reject (PROTOCOL 2.4 "Ownership")."""
    expected = deterministic_sco_id(value)
    if expected is not None and expected != value["id"]:
        raise WireFormatError(
            "E_SCHEMA",
            "the id is not the one that STIX derives from the value",
            f"Name it {expected}, here and where it is referred to.",
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


def _audience_line(peer: PeerRow, request: PublishRequest) -> AudienceLine:
    named = any(peer.node_id == chosen.node_id for chosen in request.to)
    decision = decide_delivery(request.tlp, peer=standing_of(peer), named=named)
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
