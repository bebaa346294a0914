"""Answer a hijack claim: authorised, not ours, or reverted; signed, at the incident's label.

The answer is a note, and an opinion on the zone or on the rogue name servers, as disputes are
(``verdicts.dispute_claims``): the incident itself is another's and would not resolve among this
node's own objects (PROTOCOL 3.4). The note tells it by its bare UUID, origin and version, in an
external reference, and carries the word in its labels.

Invariants:
* it goes out at the label of the incident, never laxer;
* above GREEN it goes to the incident's origin, and to those whom this node knows as members of the
  groups that carried the incident and that are its peers; a group of this node's own gets it whole;
* who may not say so changes nothing by it; that is decided where it arrives (``claim_state``).

What it does not do: change the incident, which is its origin's alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from federation.errors import SharingRefused
from federation.policy.blocking import PAP_LEVELS
from hub.errors import NotFound
from hub.exchange.publish import PublishRequest
from hub.imports.drafts import Draft
from hub.incidents.audience import publish_where_allowed, readers_of
from hub.incidents.claim_state import (
    AUTHORISED,
    AUTHORISED_CHANGE,
    NOT_OURS,
    REVERTED,
    Standing,
    standings_of,
)
from hub.incidents.concern import read_own_part
from hub.incidents.note_incidents import ANSWER_LABEL, REFERENCE
from hub.incidents.report import IMMEDIATE, author_of, nameable_servers
from hub.incidents.report_objects import Author, rogue_indicator
from hub.node import Node
from hub.peers.group_listing import list_group_states
from hub.peers.standing import is_reading
from hub.storage.queries.claims import carriers_of
from hub.storage.queries.groups import groups_of_objects
from hub.storage.queries.incidents import HijackClaim, versions_of_ids
from hub.storage.queries.objects import live_names
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.queries.scopes import GroupKey
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId
from schemas.markings import Tlp
from schemas.stix.sco_ids import deterministic_sco_id

LONGEST_REASON: Final = 1_024
ANSWERS: Final = {AUTHORISED: AUTHORISED_CHANGE, NOT_OURS: NOT_OURS, REVERTED: REVERTED}
"""What the operator says, and the label that the note bears."""
_CONFIRMED: Final = 90
_OWN_RECORDS: Final = ("own-sensor",)
"""The lineage of what is said from records of one's own (PROTOCOL 2.4)."""
_OPINIONS: Final = {
    AUTHORISED: "strongly-disagree",
    NOT_OURS: "strongly-agree",
    REVERTED: "agree",
}
"""What that means for the claim that the name servers are rogue."""
_SENTENCES: Final = {
    AUTHORISED: "the change of the delegation was authorised",
    NOT_OURS: "the change of the delegation is not ours",
    REVERTED: "the delegation was set back",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it was published.

    Args:
        ids: of note and opinion.
        state: how the claim stands here now.
    """

    incident: str
    origin: str
    zone: str
    answer: str
    tlp: str
    ids: tuple[str, ...]
    feeds: tuple[str, ...]
    state: str


def find_standing(node: Node, stix_id: str, origin: NodeId | None = None) -> Standing:
    """Find how one origin's claim stands.

    Raises:
        NotFound: ``E_HIJACK_UNKNOWN``; ``E_HIJACK_WHICH`` where several origins claim that id.
    """
    with node.database.read() as tx:
        versions = versions_of_ids(tx, [stix_id])
        found = standings_of(tx, versions, node.now())
    found = [each for each in found if origin in {None, each.claim.origin}]
    if not found:
        raise NotFound(
            "E_HIJACK_UNKNOWN",
            f"no hijack claim {stix_id} is held here",
            "See `tocsin hijack list`.",
        )
    if len(found) > 1:
        raise NotFound(
            "E_HIJACK_WHICH", f"several origins claim {stix_id}", "Name one with --origin PEER."
        )
    return found[0]


def answer_hijack(
    node: Node,
    stix_id: str,
    word: str,
    *,
    reason: str = "",
    origin: NodeId | None = None,
    to: Sequence[PeerRow] = (),
    actor: str = "operator",
) -> Answered:
    """Publish an answer to a hijack claim.

    Args:
        word: ``authorised``, ``not-ours`` or ``reverted``.
        reason: told to whoever receives it.
        origin: whose claim, where several have that id.
        to: further peers that get it, above GREEN.

    Raises:
        NotFound: ``E_HIJACK_UNKNOWN``, ``E_HIJACK_WHICH``; ``E_PEER_UNKNOWN`` where nobody is
            there to whom it could go.
        WireFormatError: ``E_SCHEMA`` for a word or reason that is none.
        SharingRefused: what publishing refuses.
    """
    if word not in ANSWERS:
        raise WireFormatError("E_SCHEMA", f"{word!r} is no answer", f"Use {', '.join(ANSWERS)}.")
    if len(reason) > LONGEST_REASON:
        raise WireFormatError("E_SCHEMA", f"a reason has at most {LONGEST_REASON} characters")
    claim = find_standing(node, stix_id, origin).claim
    tlp = Tlp(claim.label)
    groups, peers = _audience(node, claim, to) if tlp > Tlp.GREEN else ((), ())
    ids, feeds = _publish(node, claim, word, reason, tlp, groups, peers, actor)
    state = find_standing(node, stix_id, NodeId(claim.origin)).state
    return Answered(
        claim.stix_id, claim.origin, claim.facts.zone, word, tlp.wire, ids, feeds, state
    )


def _audience(
    node: Node, claim: HijackClaim, to: Sequence[PeerRow]
) -> tuple[tuple[str, ...], tuple[PeerRow, ...]]:
    """Find the own groups that carried the claim, and the peers who read it elsewhere."""
    with node.database.read() as tx:
        carried = groups_of_objects(tx, [claim.object_row]).get(claim.object_row, frozenset())
    own = tuple(sorted(name for whose, name in carried if whose == node.node_id))
    meant = {NodeId(claim.origin), *_fellow_members(node, carried)} - {node.node_id}
    with node.database.read() as tx:
        told, _ = readers_of(tx, node, claim.object_row)  # of a claim of this node's own
        peers = {peer.node_id: peer for peer in (*told, *to)}
        for node_id in sorted(meant):
            peer = find_peer(tx, node_id)
            if peer is not None and is_reading(peer):
                peers.setdefault(peer.node_id, peer)
    if not own and not peers:
        raise NotFound(
            "E_PEER_UNKNOWN",
            "neither its origin nor who else has it is a peer of this node",
            "Name a peer who passes it on with --to.",
        )
    return own, tuple(peers.values())


def _fellow_members(node: Node, carried: frozenset[GroupKey]) -> set[NodeId]:
    """Name who is in the groups of others that carried it, as far as they say who that is."""
    return {
        member.peer
        for group in list_group_states(node)
        if not group.own and (group.origin, group.name) in carried
        for member in group.members or ()
    }


def _publish(
    node: Node,
    claim: HijackClaim,
    word: str,
    reason: str,
    tlp: Tlp,
    groups: tuple[str, ...],
    peers: tuple[PeerRow, ...],
    actor: str,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Publish note and opinion, whole or not at all; to whom of the peers may have it.

    An observable has one id and, published, one label. Where this node spoke of one at another
    label before, an ``infrastructure`` of its own stands for it.
    """
    author = author_of(node)
    confirming = _confirming(node, author, claim) if word == NOT_OURS else ()
    pap = _permitted(node, claim)
    refused = None
    for subjects in _subjects(author, claim):
        drafts = (*subjects, *confirming, *_answer_drafts(author, claim, word, reason, subjects))
        request = PublishRequest(
            drafts=drafts, tlp=tlp, to=peers, groups=groups, urgency=IMMEDIATE, actor=actor,
            lineage=_OWN_RECORDS, pap=pap,
        )  # fmt: skip
        outcome = publish_where_allowed(node, request)
        if not outcome.refused:
            return tuple(str(draft.value["id"]) for draft in drafts[-2:]), outcome.feeds
        refused = outcome.refused[0]
    assert refused is not None  # noqa: S101 - there is always a subject to try
    raise SharingRefused(refused.code, f"{refused.stix_id}: {refused.detail}", refused.remedy)


def _permitted(node: Node, claim: HijackClaim) -> str | None:
    """Read which actions the incident permits: what confirms it permits these, and no others."""
    with node.database.read() as tx:
        carrier = carriers_of(tx, [claim.object_row]).get(claim.object_row)
    if carrier is None or carrier.pap is None:
        return None
    return next(word for word, level in PAP_LEVELS.items() if level == carrier.pap)


def _confirming(node: Node, author: Author, claim: HijackClaim) -> tuple[Draft, ...]:
    """Make indicators of this node's own on the rogue servers, where the zone is its to know.

    That the change is not in its own records is a sighting of its own, and so a second lineage.
    """
    with node.database.read() as tx:
        concerns = read_own_part(tx, node.now()).concerns(claim.facts)
        held = live_names(tx, node.node_id, claim.facts.rogue_ns)
    if not concerns:
        return ()
    rogue, _ = nameable_servers(node, claim.facts)
    begins = claim.facts.changed_at or author.now
    return tuple(
        rogue_indicator(author, claim.facts, name, begins, _CONFIRMED)
        for name in rogue
        if name not in held
    )


def _subjects(author: Author, claim: HijackClaim) -> tuple[tuple[Draft, ...], ...]:
    """Make what the answer is on: the rogue name servers, or the zone where there are none."""
    names = claim.facts.rogue_ns or (claim.facts.zone,)
    values = [{"type": "domain-name", "spec_version": "2.1", "value": name} for name in names]
    observables = tuple(Draft({"id": deterministic_sco_id(v), **v}) for v in values)
    own = tuple(author.draft("infrastructure", {"name": name}) for name in names)
    return observables, own


def _answer_drafts(
    author: Author, claim: HijackClaim, word: str, reason: str, subjects: Sequence[Draft]
) -> tuple[Draft, Draft]:
    zone = claim.facts.zone
    refs = [draft.value["id"] for draft in subjects]
    uuid = claim.stix_id.partition("--")[2]
    said = reason.strip() or f"Of {zone}: {_SENTENCES[word]}."
    note = author.draft(
        "note",
        {
            "abstract": f"{zone}: {_SENTENCES[word]}",
            "content": said,
            "object_refs": refs,
            "labels": [ANSWER_LABEL, ANSWERS[word]],
            "external_references": [
                {
                    "source_name": REFERENCE,
                    "external_id": uuid,
                    "description": f"{claim.origin} {claim.version}",
                }
            ],
        },
    )
    opinion = author.draft(
        "opinion",
        {
            "opinion": _OPINIONS[word],
            "explanation": said,
            "object_refs": refs,
            "labels": [ANSWER_LABEL, ANSWERS[word]],
        },
    )
    return note, opinion
