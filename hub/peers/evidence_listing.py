"""What proofs this node holds, as an operator sees them and hands them on.

A file of proofs is a list of what ``POST /federation/v1/evidence`` takes, so that whoever gets it
can check it by nothing but the documents inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from federation.errors import SignatureRejected
from federation.feeds.forks import FORK
from hub.errors import NotFound
from hub.node import Node
from hub.peers.admit_evidence import CheckedProof, check_evidence
from hub.storage.queries.evidence import (
    EvidenceRow,
    branch_of,
    find_evidence,
    list_evidence,
    nodes_told,
)
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.nodes import documents_of
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId
from schemas.strict_json import strict_loads


@dataclass(frozen=True, slots=True)
class EvidenceShown:
    """One proof.

    Args:
        name: of the accused where it is a peer, else None.
        sender: who brought it; None when it was found here.
        holds: whether it still does: the accused may have revoked the key of one side since.
        because: the code for which it holds no more.
        told: to whom it was sent, with the code of a refusal.
        other_entries: how many entries are kept of the branch that was not taken.
        feed_state: of its feed here.
    """

    evidence: int
    kind: str
    accused: NodeId
    name: str | None
    feed: str | None
    seq: int | None
    stored_at: datetime
    sender: NodeId | None
    holds: bool
    because: str | None
    feed_state: str | None
    other_entries: int
    told: Mapping[str, str | None]


def list_shown(node: Node) -> tuple[EvidenceShown, ...]:
    """List every proof, in the order in which they came."""
    with node.database.read() as tx:
        rows = list_evidence(tx)
    return tuple(_shown(node, row) for row in rows)


def show_evidence(node: Node, evidence_id: int) -> tuple[EvidenceShown, dict[str, Any]]:
    """Describe one proof, with its wire form.

    Raises:
        NotFound: ``E_EVIDENCE_UNKNOWN``.
    """
    row = _require(node, evidence_id)
    return _shown(node, row), body_of(node, row)


def export_evidence(node: Node, evidence_ids: Iterable[int] = ()) -> list[dict[str, Any]]:
    """Build a file of some proofs, or of all.

    Raises:
        NotFound: ``E_EVIDENCE_UNKNOWN``.
    """
    rows = [_require(node, number) for number in evidence_ids]
    if not rows:
        with node.database.read() as tx:
            rows = list(list_evidence(tx))
    return [body_of(node, row) for row in rows]


def check_file(node: Node, value: object) -> list[CheckedProof]:
    """Check every proof of a file; nothing is stored.

    Raises:
        WireFormatError: ``E_SCHEMA`` for the file's form.
        SignatureRejected: ``E_PROOF`` for the first that does not hold.
    """
    bodies = value if isinstance(value, list) else [value]
    return [checked for body in bodies for checked in check_evidence(node, body)]


def body_of(node: Node, row: EvidenceRow) -> dict[str, Any]:
    """Write a proof as it goes over the wire, with the documents of whom it accuses."""
    with node.database.read() as tx:
        documents = [strict_loads(document.dsse) for document in documents_of(tx, row.accused)]
    return {"proofs": [strict_loads(row.body)], "node": documents}


def _shown(node: Node, row: EvidenceRow) -> EvidenceShown:
    holds, because = True, None
    try:
        check_evidence(node, body_of(node, row))
    except (SignatureRejected, WireFormatError) as error:
        holds, because = False, str(error.params.get("because", error.code))
    with node.database.read() as tx:
        names = {peer.node_id: peer.name for peer in list_peers(tx)}
        told = nodes_told(tx, row.evidence_id)
        return EvidenceShown(
            evidence=row.evidence_id,
            kind=row.kind,
            accused=row.accused,
            name=names.get(row.accused),
            feed=row.feed,
            seq=row.seq,
            stored_at=row.stored_at,
            sender=row.sender,
            holds=holds,
            because=because,
            feed_state=_state(tx, row) if row.kind == FORK else None,
            other_entries=0 if row.feed is None else len(branch_of(tx, row.feed)),
            told={str(node_id): code for node_id, code in told.items()},
        )


def _state(tx: Transaction, row: EvidenceRow) -> str | None:
    held = None if row.feed is None else find_feed(tx, FeedName.read(row.feed))
    return None if held is None else held.state


def _require(node: Node, evidence_id: int) -> EvidenceRow:
    with node.database.read() as tx:
        row = find_evidence(tx, evidence_id)
    if row is None:
        raise NotFound(
            "E_EVIDENCE_UNKNOWN",
            f"no evidence has number {evidence_id}",
            "Run `tocsin evidence list`.",
        )
    return row
