"""Say against another's claim that it is wrong: a signed opinion and a note (PROTOCOL 4.8).

Both are about the name, as a ``domain-name`` that goes with them: a reference to the claim itself
would have to resolve among this node's own objects (PROTOCOL 3.4), and a copy of the claim would
repeat what is disputed. The note tells the origin which object is meant, by its bare UUID.

Invariants:
* it goes out at the label of what it is about, never laxer;
* above CLEAR it goes to the origin alone, unless others are named.

What it does not do: change the disputed object, which is its origin's alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from federation.errors import SharingRefused
from hub.errors import Conflict, NotFound
from hub.exchange.object_listing import find_claims
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.publish_names import IDN_BYTES
from hub.imports.drafts import Draft
from hub.node import Node
from hub.storage.queries.claims import live_claims
from hub.storage.queries.objects import ObjectRow, claims_of
from hub.storage.queries.peers import PeerRow, find_peer
from hub.storage.transaction import Transaction
from hub.verdicts.disputes import STRENGTHS
from schemas.dns.names import read_name
from schemas.errors import WireFormatError
from schemas.identifiers import b32, is_stix_id, own_stix_id
from schemas.markings import Tlp
from schemas.stix.sco_ids import deterministic_sco_id
from schemas.timestamps import write_wire_time

LONGEST_REASON = 1_024


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be said of a name.

    Args:
        about: of which objects, for the note.
    """

    name: str
    opinion: str
    reason: str
    about: str


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute as it was published.

    Args:
        ids: of the published opinion and note.
        feeds: the feeds that carry them.
    """

    name: str
    opinion: str
    tlp: str
    ids: tuple[str, ...]
    feeds: tuple[str, ...]


def dispute(
    node: Node,
    what: str,
    opinion: str,
    reason: str,
    *,
    to: Sequence[PeerRow] = (),
    everybody: bool = False,
    actor: str = "operator",
) -> Disputed:
    """Publish an opinion on others' claims.

    Args:
        what: the STIX id of a claim, or a name on which there are claims of one label.
        opinion: STIX's word, ``strongly-disagree`` to ``strongly-agree``.
        reason: told to whoever receives it.
        to: the peers that get it; by default the origins.
        everybody: everybody whom the label reaches, for CLEAR and GREEN.

    Raises:
        NotFound: ``E_NOT_FOUND`` where there is no claim of another; ``E_PEER_UNKNOWN`` where
            its origin is no peer and nobody else is named.
        Conflict: ``E_DISPUTE_WHICH`` where claims of several labels are on the name.
        WireFormatError: ``E_NAME_*``, ``E_SCHEMA`` for a word or reason that is none.
        SharingRefused: what publishing refuses.
    """
    if opinion not in STRENGTHS:
        raise WireFormatError(
            "E_SCHEMA", f"{opinion!r} is no opinion", f"Use one of {', '.join(STRENGTHS)}."
        )
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise WireFormatError("E_SCHEMA", f"a reason has 1 to {LONGEST_REASON} characters")
    with node.database.read() as tx:
        name, rows = _meant(tx, node, what)
        tlp = Tlp(rows[0].shown_tlp)
        recipients: tuple[PeerRow, ...] = ()
        if tlp is not Tlp.CLEAR and not everybody:
            recipients = tuple(to) or _origins(tx, rows)
    said = Said(name, opinion, reason, _told(rows))
    ids, feeds = publish_opinion(node, said, tlp, recipients, actor=actor)
    return Disputed(name, opinion, tlp.wire, ids, feeds)


def _meant(tx: Transaction, node: Node, what: str) -> tuple[str, list[ObjectRow]]:
    """Find the name and the newest version of each claim of others that is meant."""
    if is_stix_id(what):
        row = find_claims(tx, what, None)[-1]
        if row.origin == node.node_id:
            raise Conflict(
                "E_DISPUTE_OWN", f"{what} is this node's own", "`tocsin withdraw` takes it back."
            )
        if row.name_key is None:
            raise NotFound(
                "E_DISPUTE_NAME",
                f"{what} is not about one name",
                "Opinions here are on names; tell its origin by a note of your own.",
            )
        return read_name(row.name_key).a_label, [row]
    name = read_name(what, refang=True).a_label
    claims = live_claims(tx, [name]).get(name, ())
    ids = {claim.stix_id for claim in claims if claim.origin != node.node_id}
    held = [
        [row for row in rows if row.origin != node.node_id and row.state == "accepted"]
        for rows in claims_of(tx, ids).values()
    ]
    rows = [versions[-1] for versions in held if versions]
    if not rows:
        raise NotFound(
            "E_NOT_FOUND", f"no other node claims {name} here", "See `tocsin verdict NAME`."
        )
    if len({row.shown_tlp for row in rows}) > 1:
        said = ", ".join(f"{row.stix_id} TLP:{Tlp(row.shown_tlp).wire.upper()}" for row in rows)
        raise Conflict(
            "E_DISPUTE_WHICH",
            f"claims on {name} have several labels: {said}",
            "Name one by its STIX id: what you say goes out at its label.",
        )
    return name, rows


def _origins(tx: Transaction, rows: Sequence[ObjectRow]) -> tuple[PeerRow, ...]:
    peers = [find_peer(tx, origin) for origin in sorted({row.origin for row in rows})]
    found = tuple(peer for peer in peers if peer is not None)
    if not found:
        raise NotFound(
            "E_PEER_UNKNOWN",
            "its origin is no peer of this node",
            "Name a peer who passes it on with --to, or use --everybody.",
        )
    return found


def _told(rows: Sequence[ObjectRow]) -> str:
    # Bare: a whole id would be a reference, and has to resolve here (PROTOCOL 3.4).
    meant = [f"{row.stix_type} {row.stix_id.partition('--')[2]}" for row in rows]
    return f"About {', '.join(meant)}."


def publish_opinion(
    node: Node, said: Said, tlp: Tlp, to: tuple[PeerRow, ...], *, actor: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Publish an opinion and its note, whole or not at all.

    A ``domain-name`` has one id and, published, one label. Where this node spoke of the name at
    another label before, an ``infrastructure`` of its own stands for it.

    Returns:
        The ids of note and opinion, and the feeds.

    Raises:
        SharingRefused: what publishing refuses, in the code of the first refused object.
    """
    for subject in (_domain_name(said.name), _infrastructure(node, said.name)):
        drafts = (subject, *_drafts(node, said, subject.value["id"]))
        request = PublishRequest(drafts=drafts, tlp=tlp, to=to, actor=actor)
        refused = publish_objects(node, replace(request, dry_run=True)).refused
        if not refused:
            outcome = publish_objects(node, request)
            return tuple(draft.value["id"] for draft in drafts[1:]), outcome.feeds
    raise SharingRefused(
        refused[0].code, f"{refused[0].stix_id}: {refused[0].detail}", refused[0].remedy
    )


def _domain_name(name: str) -> Draft:
    value = {"type": "domain-name", "spec_version": "2.1", "value": name}
    return Draft({"id": deterministic_sco_id(value), **value})


def _infrastructure(node: Node, name: str) -> Draft:
    idn = b32(node.entropy(IDN_BYTES))
    stix_id = own_stix_id(node.node_id, "infrastructure", idn)
    return Draft({"type": "infrastructure", "id": stix_id, **_shared(node), "name": name}, idn)


def _drafts(node: Node, said: Said, subject: str) -> tuple[Draft, Draft]:
    idn = b32(node.entropy(IDN_BYTES))
    shared = _shared(node) | {"object_refs": [subject]}
    return (
        Draft(
            {
                "type": "note",
                "id": own_stix_id(node.node_id, "note", idn),
                **shared,
                "abstract": f"{said.name}: {said.opinion}",
                "content": " ".join(filter(None, (said.reason, said.about))),
            },
            idn,
        ),
        Draft(
            {
                "type": "opinion",
                "id": own_stix_id(node.node_id, "opinion", idn),
                **shared,
                "opinion": said.opinion,
                "explanation": said.reason,
            },
            idn,
        ),
    )


def _shared(node: Node) -> dict[str, object]:
    at = write_wire_time(node.now())
    return {
        "spec_version": "2.1",
        "created_by_ref": node.identity,
        "created": at,
        "modified": at,
    }
