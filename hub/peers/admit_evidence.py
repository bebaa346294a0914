"""Take in proofs that a peer sends, and check those of a file (PROTOCOL 2.6 ``POST /evidence``).

The steps: (1) the body's form, a fault of which is 400; (2) the accused's chain of documents, the
pinned one extended by the one that came where both agree; (3) every proof is checked, and one that
does not hold is 422 and nothing of the body is stored; (4) within its sender's limit each is kept
and acted upon, in one write.

Invariants:
* a chain that came is self-certifying, so it does not matter who sent it; one that contradicts
  what is pinned is passed over, for a thief would like us to believe in the other document;
* a proof that came holds by the documents that came with it; only then is what is pinned asked, so
  that no refusal tells whom this node knows (THREATS 46);
* a relay proof is taken by the origin alone: it is nobody else's matter;
* what a peer can make us store is bounded by the day, whoever it accuses (THREATS 36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from federation.errors import EntryDeferred, SignatureRejected
from federation.feeds.forks import FORK, ForkProof, feed_stated, read_fork_proof, refuse_proof
from federation.feeds.relay_proofs import RELAY, RelayProof, read_relay_proof, relay_stated
from federation.identity.node_document import PinnedNode, pin_chain
from hub.errors import Conflict
from hub.node import Node
from hub.peers.budgets import BYTES_AN_OBJECT, budget_of_sender, spend
from hub.peers.evidence import chain_of, store_fork, store_relay_breach
from hub.peers.known_nodes import find_pinned
from hub.peers.node_documents import LARGEST_CHAIN, store_chain
from hub.storage.queries.evidence import count_evidence, holds_evidence
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.nodes import documents_of
from hub.storage.queries.peers import PeerRow
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId
from schemas.members import read_list, read_object
from schemas.strict_json import MAX_BODY_BYTES, strict_loads, write_json

MOST_PROOFS: Final = 16
MOST_A_DAY: Final = 32
"""New proofs taken from one peer within 24 hours."""
MOST_DOCUMENTS: Final = 1_000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CheckedProof:
    """A proof that holds, and the documents by which it was checked."""

    proof: ForkProof | RelayProof
    accused: PinnedNode

    @property
    def kind(self) -> str:
        """``fork`` or ``relay``."""
        return FORK if isinstance(self.proof, ForkProof) else RELAY


def admit_evidence(node: Node, sender: PeerRow, body: bytes) -> int:
    """Take in the proofs of a request.

    Returns:
        How many were new.

    Raises:
        WireFormatError: ``E_JSON_*`` or ``E_SCHEMA`` for the body's form.
        SignatureRejected: ``E_PROOF`` when one does not hold; nothing is stored then.
        EntryDeferred: ``E_QUOTA``.
    """
    proofs, documents = read_evidence_body(strict_loads(body, max_bytes=MAX_BODY_BYTES))
    with node.database.read() as tx:
        chains = _Chains(tx, node, documents, received=True)
        checked = [_check(chains, value) for value in proofs]
        new = [each for each in checked if not holds_evidence(tx, each.proof.digest)]
        if not new:
            return 0
        since = node.now() - _DAY
        used = count_evidence(tx, sender=sender.node_id, since=since)
    if used + len(new) > MOST_A_DAY:
        raise EntryDeferred(
            "E_QUOTA", f"more than {MOST_A_DAY} proofs a day", "Send the rest tomorrow."
        )
    with node.database.write() as tx:
        return sum(_store(tx, node, each, sender) for each in new)


def check_evidence(node: Node, value: object) -> list[CheckedProof]:
    """Check proofs of any kind, as a file has them, without storing anything.

    Raises:
        WireFormatError: ``E_SCHEMA`` for the form.
        SignatureRejected: ``E_PROOF`` for the first that does not hold.
    """
    proofs, documents = read_evidence_body(value)
    with node.database.read() as tx:
        chains = _Chains(tx, node, documents, received=False)
        return [_check(chains, proof) for proof in proofs]


def read_evidence_body(value: object) -> tuple[list[object], list[object]]:
    """Read ``proofs`` and ``node``, the accused's chain, which may be left out.

    Raises:
        WireFormatError: ``E_SCHEMA`` or ``E_TOO_BIG``.
    """
    body: Mapping[str, object] = read_object(value, "evidence")
    proofs = read_list(body, "proofs")
    documents = read_list(body, "node") if "node" in body else []
    if len(proofs) > MOST_PROOFS or len(documents) > MOST_DOCUMENTS:
        raise WireFormatError(
            "E_SCHEMA", f"over {MOST_PROOFS} proofs, or {MOST_DOCUMENTS} documents"
        )
    if documents and len(write_json(documents)) > LARGEST_CHAIN:
        raise WireFormatError("E_TOO_BIG", f"node documents of over {LARGEST_CHAIN} bytes")
    return proofs, documents


class _Chains:
    """The documents by which the proofs of one body are checked; each chain is verified once.

    Args:
        documents: what came with them.
        received: whether a peer sent them, which may learn nothing of what is pinned here.
    """

    def __init__(
        self, tx: Transaction, node: Node, documents: Sequence[object], *, received: bool
    ) -> None:
        self.tx = tx
        self.node = node
        self.received = received
        self._documents = documents
        self._given: dict[NodeId, PinnedNode | str] = {}

    def brought(self, accused: NodeId) -> PinnedNode | None:
        """Return the chain by which a proof that a peer brought has to hold, before ours is asked.

        None where what is held is no secret: our own chain, and for the operator every one.

        Raises:
            SignatureRejected: ``E_PROOF`` when it did not come or does not hold.
        """
        if not self.received or accused == self.node.node_id:
            return None
        given = self._pin(accused)
        if isinstance(given, str):
            raise _without_documents(given)
        return given

    def of(self, accused: NodeId) -> PinnedNode:
        """Return the accused's chain: what is pinned, or what came where that goes on from it.

        Raises:
            SignatureRejected: ``E_PROOF`` when there is neither.
        """
        held = find_pinned(self.tx, accused)
        given = self._pin(accused)
        if isinstance(given, str):
            if held is None:
                raise _without_documents(given)
            return held
        if held is None:
            return given
        if accused == self.node.node_id:
            # Nobody tells us our own keys: a thief of the root could freeze our feeds by his.
            return held
        if len(given.documents) <= len(held.documents):
            return held
        pairs = zip(held.documents, given.documents, strict=False)
        return given if all(ours.hash == theirs.hash for ours, theirs in pairs) else held

    def _pin(self, accused: NodeId) -> PinnedNode | str:
        """Verify what came as the accused's chain; the code of what is wrong with it otherwise."""
        if not self._documents:
            return "E_NODE_UNKNOWN"
        if accused not in self._given:
            try:
                self._given[accused] = pin_chain(
                    self._documents, expected=accused, allow_demo=self.node.own.demo
                )
            except (WireFormatError, SignatureRejected) as error:
                self._given[accused] = error.code
        return self._given[accused]


def _check(chains: _Chains, value: object) -> CheckedProof:
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == FORK:
        return _check_fork(chains, value)
    if kind == RELAY:
        return _check_relay(chains, value)
    raise refuse_proof("it is of no kind that is known here", "E_TYPE")


def _check_fork(chains: _Chains, value: object) -> CheckedProof:
    feed = feed_stated(value.get("a")) if isinstance(value, dict) else None
    if feed is None:
        raise refuse_proof("it names no feed", "E_FEED")
    brought = chains.brought(feed.node_id)
    hash_at = chain_of(chains.tx, find_feed(chains.tx, feed))
    if brought is not None:
        read_fork_proof(value, brought, chain_hash_at=hash_at)
    accused = chains.of(feed.node_id)
    return CheckedProof(read_fork_proof(value, accused, chain_hash_at=hash_at), accused)


def _check_relay(chains: _Chains, value: object) -> CheckedProof:
    stated = relay_stated(value)
    if stated is None:
        raise refuse_proof("it names no relay and no feed", "E_FEED")
    relay, feed = stated
    if chains.received and feed.node_id != chains.node.node_id:
        raise refuse_proof("it is about another origin's feed", "E_FEED")
    brought = chains.brought(relay)
    origin = chains.of(feed.node_id)
    if brought is not None:
        read_relay_proof(value, relay=brought, origin=origin)
    accused = chains.of(relay)
    return CheckedProof(read_relay_proof(value, relay=accused, origin=origin), accused)


def _without_documents(because: str) -> SignatureRejected:
    return refuse_proof("the accused's documents are not here, or do not hold", because)


def _store(tx: Transaction, node: Node, checked: CheckedProof, sender: PeerRow) -> bool:
    accused, sender_id = checked.accused, NodeId(sender.node_id)
    known = len(documents_of(tx, accused.node_id))
    new = sum(len(document.envelope.payload) for document in accused.documents[known:])
    # Another writer may have pinned a document meanwhile; then what is pinned stands.
    with suppress(Conflict):
        store_chain(tx, node, accused)
    if new:
        budget = budget_of_sender(tx, sender, node.now())
        spend(tx, budget, max(1, new // BYTES_AN_OBJECT))
    if isinstance(checked.proof, ForkProof):
        row = store_fork(tx, node, checked.proof, sender=sender_id, found_here=False)
    else:
        row = store_relay_breach(tx, node, checked.proof, sender=sender_id)
    return row is not None
