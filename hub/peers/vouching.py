"""Vouch for a peer, hear what others vouch for, and introduce on their word (PROTOCOL 4.2).

Invariants:
* a vouch travels in a ``noop`` of the voucher's green feed, and in no other feed;
* this node vouches only for peers whose eight words were compared here: who was itself only
  introduced is vouched for by nobody, so that no chain of introductions grows;
* what was heard is weighed anew each time: trust, expiry, keys and charges as they are now;
* nobody is introduced by itself. A person does it, for a peer that is paired already; an
  introduction stands in for the telephone call and for nothing more, so it gives ``member`` at
  most (``federation.policy.sharing``).

What it does not do: pair. Whoever was vouched for and is no peer yet needs an invitation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from federation.feeds.sharing_policy import policy_members
from federation.identity.node_document import PinnedNode
from federation.signing.signer import seal
from federation.trust.authority import read_scope
from federation.trust.presets import TrustLevel
from federation.trust.vouching import (
    HIGHEST_PRESET,
    LEAST_TRUST,
    Introduction,
    Vouch,
    Voucher,
    decide_introduction,
    vouch_payload,
    vouchable_documents,
)
from hub.errors import Conflict, NotFound, NotPermitted
from hub.exchange.own_feeds import append_entry, wake_readers
from hub.node import Node
from hub.peers.admit import shown_name
from hub.peers.directory import SHORTEST_PREFIX
from hub.peers.known_nodes import find_pinned, pinned
from hub.peers.standing import standing_of
from hub.peers.trust import PeerChange, PeerChanges, change_peer, require_peer
from hub.storage.queries.audit import store_event
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.peers import PeerRow, find_peer, list_peers
from hub.storage.queries.vouching import (
    VouchRow,
    charged_since,
    list_vouches,
    store_introductions,
)
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, NodeId
from schemas.markings import Tlp
from schemas.signed_envelope import VOUCH_TYPE, SignedEnvelope
from schemas.timestamps import read_wire_time, write_wire_time

DAYS: Final = 180
MOST_DAYS: Final = 365
CHARGE_LASTS: Final = timedelta(days=180)
"""As long as half of any other mark on a peer's reliability lasts (PROTOCOL 4.3)."""


@dataclass(frozen=True, slots=True)
class VouchMade:
    """A vouch that stands in this node's green feed."""

    vouch: Vouch
    feed: str
    seq: int
    hash: EntryHash


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A node that others vouch for.

    Args:
        name: what it calls itself, None where none of its documents is held here.
        is_peer: it is paired, so that a person may introduce it now.
        introduction: what the vouches add up to.
        voucher_names: the names of the vouchers, by node id.
    """

    node_id: NodeId
    name: str | None
    base: str | None
    is_peer: bool
    introduction: Introduction
    voucher_names: Mapping[NodeId, str]

    @property
    def is_ready(self) -> bool:
        """Tell whether a person may introduce it now."""
        return self.is_peer and self.introduction.enough


def vouch_for(
    node: Node,
    peer: PeerRow,
    *,
    max_preset: TrustLevel = HIGHEST_PRESET,
    scopes: Sequence[str] = (),
    days: int = DAYS,
    withdraw: bool = False,
    actor: str = "operator",
) -> VouchMade:
    """Vouch for a peer in the green feed, or take the vouch back.

    Args:
        max_preset: the most trust that this node would lend it; above ``member`` nobody hears it.
        scopes: zones and prefixes in which this node knows it to speak with authority.
        days: how long it holds, at most a year.
        withdraw: ends an earlier vouch; all who read the green feed learn that it is over.

    Raises:
        NotPermitted: ``E_VOUCH_UNVERIFIED``.
        WireFormatError: ``E_SCHEMA`` for a scope, level or number of days that is none.
        Conflict: the green feed takes no entries.
    """
    if not 1 <= days <= MOST_DAYS or max_preset < TrustLevel.KNOWN:
        raise WireFormatError(
            "E_SCHEMA", f"a vouch is for known or more, and 1 to {MOST_DAYS} days"
        )
    stated = tuple(sorted({str(read_scope(scope)) for scope in scopes}))
    feed = FeedName(node.node_id, "green")
    with node.database.write() as tx:
        held = require_peer(find_peer(tx, peer.node_id))
        if not withdraw:
            _require_verified(held)
        now = read_wire_time(write_wire_time(node.now()))
        vouch = Vouch(
            voucher=node.node_id,
            subject=held.node_id,
            document_hash=pinned(tx, held.node_id).newest.hash,
            max_preset=max_preset,
            scopes=stated,
            ts=now,
            expires=now if withdraw else now + timedelta(days=days),
        )
        envelope = seal(node.keys.entry, VOUCH_TYPE, vouch_payload(vouch))
        made = _append(tx, node, feed, vouch, envelope)
        code = "VOUCH_WITHDRAWN" if withdraw else "VOUCHED"
        store_event(tx, now, actor, code, peer=held.node_id, feed=made.feed, seq=made.seq)
    return made


def _require_verified(peer: PeerRow) -> None:
    if peer.verified and standing_of(peer).effective_trust >= TrustLevel.MEMBER:
        return
    raise NotPermitted(
        "E_VOUCH_UNVERIFIED",
        f"{peer.name} is not a member whose eight words were compared here",
        "Vouch only for whom you know: compare the words with `tocsin peer verify` first.",
    )


def _append(
    tx: Transaction, node: Node, feed: FeedName, vouch: Vouch, envelope: SignedEnvelope
) -> VouchMade:
    held = find_feed(tx, feed)
    relay = (held.relay if held else None) or node.own.green_relay
    appended = append_entry(
        tx,
        node,
        feed,
        kind="noop",
        policy=policy_members(Tlp.GREEN, relay=relay),
        now=node.now(),
        members={"vouches": [envelope.to_json()]},
    )
    wake_readers(tx, [feed], list_peers(tx), node.now())
    return VouchMade(vouch, str(feed), appended.seq, appended.hash)


def list_suggestions(node: Node) -> tuple[Suggestion, ...]:
    """List the nodes that trusted peers vouch for and that stand below what this would give."""
    with node.database.read() as tx:
        return _suggestions(tx, node, node.now())


def _suggestions(tx: Transaction, node: Node, now: datetime) -> tuple[Suggestion, ...]:
    peers = {peer.node_id: peer for peer in list_peers(tx)}
    vouchers = _vouchers(tx, peers, now)
    by_subject: dict[NodeId, list[Vouch]] = defaultdict(list)
    for row in list_vouches(tx, vouchers):
        by_subject[row.subject].append(_vouch(row))
    found = []
    for subject, vouches in sorted(by_subject.items()):
        peer = peers.get(subject)
        if subject == node.node_id or (peer is not None and not _is_below(peer)):
            continue
        found.append(_suggestion(tx, subject, peer, vouches, vouchers, peers, now))
    return tuple(one for one in found if one.introduction.vouches)


def _is_below(peer: PeerRow) -> bool:
    """Tell whether an introduction would change anything; it lifts no block and no suspension."""
    return standing_of(peer).effective_trust is TrustLevel.KNOWN


def _vouchers(
    tx: Transaction, peers: Mapping[NodeId, PeerRow], now: datetime
) -> dict[NodeId, Voucher]:
    charged = charged_since(tx, now - CHARGE_LASTS)
    found = {}
    for node_id, peer in peers.items():
        trust = standing_of(peer).effective_trust
        chain = find_pinned(tx, node_id) if trust >= LEAST_TRUST else None
        if chain is not None:
            domains = frozenset(domain.lower().rstrip(".") for domain in chain.newest.domains)
            found[node_id] = Voucher(node_id, trust, domains, node_id in charged)
    return found


def _suggestion(
    tx: Transaction,
    subject: NodeId,
    peer: PeerRow | None,
    vouches: Sequence[Vouch],
    vouchers: Mapping[NodeId, Voucher],
    peers: Mapping[NodeId, PeerRow],
    now: datetime,
) -> Suggestion:
    chain = find_pinned(tx, subject)
    # Of a node without documents here nobody can tell which keys were vouched for; that all
    # vouchers saw the same ones is the most that there is, and pairing will bring the rest.
    documents = (
        vouchable_documents(chain)
        if chain is not None
        else frozenset({vouch.document_hash for vouch in vouches})
    )
    introduction = decide_introduction(vouches, vouchers, documents, now)
    return Suggestion(
        node_id=subject,
        name=_name(peer, chain),
        base=None if chain is None else chain.newest.base,
        is_peer=peer is not None,
        introduction=introduction,
        voucher_names={vouch.voucher: peers[vouch.voucher].name for vouch in vouches},
    )


def _name(peer: PeerRow | None, chain: PinnedNode | None) -> str | None:
    if peer is not None:
        return peer.name
    return None if chain is None else shown_name(chain.newest.name)


def _vouch(row: VouchRow) -> Vouch:
    return Vouch(
        row.voucher, row.subject, row.document_hash, TrustLevel(row.max_preset), row.scopes,
        row.ts, row.expires,
    )  # fmt: skip


def introduce_peer(node: Node, text: str, *, actor: str = "operator") -> PeerChange:
    """Make a peer that others vouch for a member, without the telephone call.

    Args:
        text: the node id, a unique prefix of it, or the name of a node that is suggested.

    Raises:
        NotFound: ``E_NOT_SUGGESTED``: nobody who is heard vouches for it, or it is above that.
        Conflict: ``E_NOT_PAIRED`` or ``E_PEER_AMBIGUOUS``.
        NotPermitted: ``E_VOUCHERS_FEW``.
    """
    now = node.now()
    with node.database.write() as tx:
        suggestion = _resolve(_suggestions(tx, node, now), text)
        introduction = suggestion.introduction
        if not introduction.enough:
            raise NotPermitted(
                "E_VOUCHERS_FEW",
                f"{introduction.voices} of two organisations vouch for it as a member",
                "Compare the eight words instead: `tocsin peer verify PEER`.",
            )
        if not suggestion.is_peer:
            raise Conflict(
                "E_NOT_PAIRED",
                "it is vouched for, but no peer of this node yet",
                "Send it an invitation (`tocsin peer invite`) or accept one of its own first.",
            )
        vouchers = [vouch.voucher for vouch in introduction.vouches]
        store_introductions(tx, suggestion.node_id, vouchers, now)
        changes = PeerChanges(trust=introduction.trust.word, introduced=True)
        change = change_peer(tx, suggestion.node_id, changes, now, actor=actor)
        store_event(
            tx, now, actor, "PEER_INTRODUCED", peer=suggestion.node_id, vouchers=vouchers,
            trust=introduction.trust.word,
        )  # fmt: skip
    return change


def _resolve(suggestions: Sequence[Suggestion], text: str) -> Suggestion:
    for found in (
        [one for one in suggestions if one.node_id == text],
        [one for one in suggestions if one.name == text] if len(text) < SHORTEST_PREFIX else [],
        # A name is the subject's own choice, and wins over nobody's id (``directory``).
        [one for one in suggestions if text and (one.name == text or one.node_id.startswith(text))],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise Conflict(
                "E_PEER_AMBIGUOUS",
                f"{len(found)} suggestions are meant by {text!r}",
                "Give more characters of the node id.",
                candidates=[one.node_id for one in found],
            )
    raise NotFound(
        "E_NOT_SUGGESTED",
        f"no trusted peer vouches for {text!r}, or an introduction would change nothing",
        "`tocsin peer suggestions` lists those that could be introduced.",
    )
