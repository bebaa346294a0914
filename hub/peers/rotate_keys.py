"""Change this node's keys: new ones beside the old, stolen ones revoked, the root, new epochs.

The decisions are ``federation.identity.rotation``'s. Each change here is one write: the signed
document, what follows from it, and the jobs that tell the peers.

Invariants:
* a new key waits in a file of its own until the peers were told, or half of the overlap has passed
  (``turn_keys``); the old one signs meanwhile, and its entries stay good for ever;
* a revoked key is used no more from the commit on: its successor signs in the same write;
* every process of the node sees a turned key at its next signature, without a restart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from federation.identity.document_form import Position, RevokedKey
from federation.identity.node_document import PinnedNode
from federation.identity.rotation import (
    NextDocument,
    RootSet,
    decide_handover,
    keys_beside,
    keys_renewed,
    keys_without,
    new_record,
)
from federation.signing.keys import USE_ENTRY, KeyRecord
from federation.signing.signer import SeedSigner, Signer
from hub.errors import Conflict, NotFound
from hub.exchange.epochs import open_next_epoch
from hub.exchange.own_feeds import ENDED, AppendedEntry, refresh_head, wake_readers
from hub.node import Node, NodeKeys
from hub.peers.key_custody import (
    ONLINE_USES,
    SEED_BYTES,
    destroy_key_file,
    former_file,
    kid_in,
    turn_key_file,
    waiting_file,
    write_key_file,
)
from hub.peers.known_nodes import pinned
from hub.peers.last_good import choose_ends, choose_last_good
from hub.peers.last_good_room import sign_epochs, with_last_good
from hub.peers.may_sign import is_in_doubt
from hub.peers.own_document import Moment, moment_of, sign_next, untold_peers
from hub.storage.queries.audit import store_event
from hub.storage.queries.feeds import FeedRow, list_feeds
from hub.storage.queries.own_signing import drop_feed_check
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import KeyId


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """A new key that waits beside the old one.

    Args:
        ends_at: when the old one ends.
        untold: peers that do not hold the document yet; it is used when there are none left.
    """

    version: int
    use: str
    kid: KeyId
    former_kid: KeyId
    ends_at: datetime
    untold: int


@dataclass(frozen=True, slots=True)
class EpochOpened:
    """An own feed that goes on in its next epoch."""

    feed: str
    last_good: int
    next_feed: str


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """A key that counts no more, and what took its place; None where it was used no more.

    Args:
        left_out: feeds for whose places the document had no room: all that the key signed there is
            void, this node's own entries too.
    """

    version: int
    kid: KeyId
    new_kid: KeyId | None
    epochs: tuple[EpochOpened, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentSigned:
    """A new version of this node's document."""

    version: int
    expires: datetime
    epochs: tuple[EpochOpened, ...] = ()


def rotate_key(
    node: Node, use: str, root: Sequence[Signer], *, actor: str = "operator"
) -> KeyRotated:
    """List a new online key beside the one in use (PROTOCOL 4.5).

    Raises:
        Conflict: ``E_ROTATION_WAITS`` while a new key of this use waits already.
    """
    turn_keys(node)
    with node.database.write() as tx:
        moment = moment_of(tx, node)
        if waiting_file(node.settings.home, use).exists():
            raise Conflict(
                "E_ROTATION_WAITS",
                f"a new {use} key waits already until peers are told of it",
                "Let the worker run; `tocsin keys show` says how many peers are left.",
            )
        former = _in_use(node)[use].kid
        signer, record = _new_key(node, use, moment)
        change = NextDocument(keys=keys_beside(moment.own.newest, record, moment.issued))
        own = sign_next(tx, node, moment, change, root, actor=actor)
        _write_waiting(node, use, signer)
        untold = len(untold_peers(tx, node))
        ends_at = next((r.naf for r in own.newest.keys if r.kid == former), moment.issued)
    turn_keys(node)
    return KeyRotated(own.newest.version, use, signer.kid, former, ends_at, untold)


def revoke_key(
    node: Node,
    kid: str,
    reason: str,
    root: Sequence[Signer],
    *,
    last_good: Sequence[str] = (),
    actor: str = "operator",
) -> KeyRevoked:
    """Revoke a key by positions in the chains, and go on without it (PROTOCOL 2.3).

    Args:
        last_good: the last entries that are this node's own, as ``FEED/SEQ``, with 0 for a feed
            that is a thief's from its beginning; of every feed that is not named, the last one that
            this node holds.

    Raises:
        NotFound: ``E_KEY_NOT_OURS``.
        Conflict: ``E_REVOKED_ALREADY``; ``E_POSITION`` for a place that is none of an own feed.
    """
    turn_keys(node)
    with node.database.write() as tx:
        moment = moment_of(tx, node)
        record = _require_own_key(moment.own, kid)
        positions = (
            choose_last_good(tx, node.node_id, record.kid, last_good)
            if record.use == USE_ENTRY
            else {}
        )
        in_use = _in_use(node).get(record.use)
        replaced = in_use is not None and in_use.kid == record.kid
        signer, fresh = _new_key(node, record.use, moment) if replaced else (None, None)
        gone = [RevokedKey(record.kid, reason, ())]
        waiting = _waiting_kid(node, record.use)
        if replaced and waiting is not None:
            # It lay beside the stolen one, and has signed nothing: so it is good for nothing.
            gone.append(RevokedKey(waiting, reason, ()))
        new = [] if fresh is None else [fresh]
        change = NextDocument(
            keys=keys_without(moment.own.newest, {key.kid for key in gone}, *new),
            revoked=tuple(gone),
        )
        change, left_out = with_last_good(moment, change, positions)
        own = sign_next(tx, node, moment, change, root, actor=actor)
        going_on = [positions[feed] for feed in left_out if feed.state == "open"]
        if going_on:
            own = sign_epochs(tx, node, going_on, root, actor=actor)
        signing = _signing_with(node, record.use, signer)
        opened = _open_epochs(tx, signing, positions, max(node.now(), moment.issued))
        if signer is not None:
            _write_waiting(node, record.use, signer)
        store_event(tx, node.now(), actor, "KEY_REVOKED", kid=record.kid, reason=reason)
    turn_keys(node)
    new_kid = None if signer is None else signer.kid
    names = tuple(feed.feed for feed in left_out)
    return KeyRevoked(own.newest.version, record.kid, new_kid, opened, names)


def rotate_root(
    node: Node,
    signers: Sequence[Signer],
    root: RootSet,
    next_root: str,
    *,
    actor: str = "operator",
) -> DocumentSigned:
    """Make the committed root set the current one, and commit to the one after it (rule (b)).

    Args:
        signers: of the committed root set; the present one need not sign, and may be lost.
        next_root: the digest of the set that comes after.
    """
    with node.database.write() as tx:
        moment = moment_of(tx, node)
        change = NextDocument(root=root, next_root=next_root)
        own = sign_next(tx, node, moment, change, signers, actor=actor)
        store_event(tx, node.now(), actor, "ROOT_ROTATED", version=own.newest.version)
    return DocumentSigned(own.newest.version, own.newest.expires)


def renew_document(
    node: Node, root: Sequence[Signer], *, actor: str = "operator"
) -> DocumentSigned:
    """Sign the document anew with the same keys, good for a year from now."""
    with node.database.write() as tx:
        moment = moment_of(tx, node)
        listed = {record.kid for record in moment.own.newest.keys}
        in_use = {use: signer.kid for use, signer in _in_use(node).items()}
        waiting = {use: kid for use in ONLINE_USES if (kid := _waiting_kid(node, use)) in listed}
        # A key whose successor waits is on its way out, and keeps its end.
        kids = {kid for kid in (in_use | waiting).values() if kid is not None}
        change = NextDocument(keys=keys_renewed(moment.own.newest, kids, moment.issued))
        own = sign_next(tx, node, moment, change, root, actor=actor)
    return DocumentSigned(own.newest.version, own.newest.expires)


def open_new_epochs(
    node: Node, feeds: Sequence[str] | None, root: Sequence[Signer], *, actor: str = "operator"
) -> DocumentSigned:
    """Go on in new epochs where own entries are lost for good (PROTOCOL 4.6).

    Args:
        feeds: the own feeds by name, such as ``green``; None for all that are open.

    Raises:
        NotFound: ``E_FEED_UNKNOWN``.
    """
    with node.database.write() as tx:
        positions = choose_ends(tx, node.node_id, feeds)
        own = sign_epochs(tx, node, list(positions.values()), root, actor=actor)
        opened = _open_epochs(tx, node, positions, max(node.now(), own.newest.issued))
        for epoch in opened:
            drop_feed_check(tx, epoch.feed)
        store_event(
            tx, node.now(), actor, "EPOCHS_OPENED", feeds=[epoch.next_feed for epoch in opened]
        )
    return DocumentSigned(own.newest.version, own.newest.expires, opened)


def turn_keys(node: Node) -> tuple[str, ...]:
    """Use new keys that may be used, destroy old ones that have ended; return the uses turned.

    Safe to call at any time and by several processes: what is to be done is read from the key ids
    in the files and from the stored documents, and done, inside the write. It follows from what was
    committed before, so it may outlive this write; after it, another process might have put a
    younger key into the files that were looked at.
    """
    home = node.settings.home
    files = [path(home, use) for use in ONLINE_USES for path in (waiting_file, former_file)]
    if not any(file.exists() for file in files):
        return ()
    turned: list[str] = []
    # A restored database may lack the very document that lists the waiting key.
    is_doubtful = is_in_doubt(node)
    with node.database.write() as tx:
        own = pinned(tx, node.node_id)
        now = node.now()
        told = not untold_peers(tx, node)
        for use in ONLINE_USES:
            step = _next_step(node, own, use, now, everybody_told=told)
            if step == "turn":
                turned.append(use)
                kid = str(_waiting_kid(node, use))
                store_event(tx, now, "node", "KEY_TURNED", use=use, kid=kid)
                turn_key_file(home, use)
            elif step == "drop" and not is_doubtful:
                destroy_key_file(waiting_file(home, use))
            former = former_file(home, use)
            if former.exists() and _has_ended(own, kid_in(former), now):
                store_event(tx, now, "node", "KEY_DESTROYED", use=use, kid=str(kid_in(former)))
                destroy_key_file(former)
    return tuple(turned)


def _next_step(
    node: Node, own: PinnedNode, use: str, now: datetime, *, everybody_told: bool
) -> str:
    """Tell what becomes of a waiting key: ``turn``, ``wait``, ``drop``, or ``none`` waits."""
    kid = _waiting_kid(node, use)
    if kid is None:
        return "none"
    listed = {record.kid for record in own.newest.keys}
    if kid not in listed:
        return "drop"  # its document was never stored
    in_use = _in_use(node)[use].kid
    if in_use not in listed or own.revocation(in_use) is not None:
        return "turn"
    first = next(d for d in own.documents if any(record.kid == kid for record in d.keys))
    handover = decide_handover(first.issued, now, everybody_told=everybody_told)
    return "turn" if handover else "wait"


def _has_ended(own: PinnedNode, kid: KeyId | None, now: datetime) -> bool:
    return all(record.kid != kid or record.naf < now for record in own.newest.keys)


def _open_epochs(
    tx: Transaction, node: Node, positions: Mapping[FeedRow, Position], now: datetime
) -> tuple[EpochOpened, ...]:
    opened: list[EpochOpened] = []
    entries: list[AppendedEntry] = []
    held = {feed.feed_row: feed for feed in list_feeds(tx, own=True)}
    for before, position in positions.items():
        # As it stands now that the document was stored: what was void is gone.
        feed = held[before.feed_row]
        # Of a feed that is void as a whole (``left_out``) the rule is known from before.
        feed = replace(feed, relay=feed.relay or before.relay)
        if feed.state != "open":
            # Its end was stated under a key that counts no more, and without a head it is served
            # to nobody: who has not read it yet would never get it.
            if feed.state in {ENDED, "closed"} and feed.head is None and feed.last_seq > 0:
                refresh_head(tx, node, feed, now)
            continue
        entries.append(open_next_epoch(tx, node, feed, position, now))
        opened.append(EpochOpened(feed.feed, position.seq, str(entries[-1].feed)))
    wake_readers(tx, [entry.feed for entry in entries], list_peers(tx), now)
    return tuple(opened)


def _require_own_key(own: PinnedNode, kid: str) -> KeyRecord:
    if any(revoked.kid == kid for document in own.documents for revoked in document.revoked):
        raise Conflict("E_REVOKED_ALREADY", f"key {kid} is revoked already")
    for document in reversed(own.documents):
        for record in document.keys:
            if record.kid == kid:
                return record
    raise NotFound(
        "E_KEY_NOT_OURS",
        f"no document of this node lists a key {kid}",
        "`tocsin keys show` lists them; the root is changed with `tocsin keys rotate-root`.",
    )


def _new_key(node: Node, use: str, moment: Moment) -> tuple[SeedSigner, KeyRecord]:
    signer = _Fresh(node.entropy(SEED_BYTES))
    record = new_record(
        moment.own.newest, signer.kid, signer.alg, signer.public_key, use, moment.issued
    )
    return signer, record


class _Fresh(SeedSigner):
    """A new key on its way to its file."""

    __slots__ = ("seed",)

    def __init__(self, seed: bytes) -> None:
        super().__init__(seed)
        self.seed = seed


def _write_waiting(node: Node, use: str, signer: SeedSigner) -> None:
    """Write the new key's file; without the commit that follows it is stray and dropped."""
    assert isinstance(signer, _Fresh)  # noqa: S101 - narrowed for mypy; made by _new_key
    path = waiting_file(node.settings.home, use)
    destroy_key_file(path)
    write_key_file(path, use, signer.seed, signer.kid)


def _in_use(node: Node) -> dict[str, Signer]:
    return {"entry": node.keys.entry, "http": node.keys.http}


def _waiting_kid(node: Node, use: str) -> KeyId | None:
    return kid_in(waiting_file(node.settings.home, use))


def _signing_with(node: Node, use: str, signer: Signer | None) -> Node:
    if signer is None:
        return node
    keys = NodeKeys(node.keys.entry, node.keys.http)
    return replace(node, keys=replace(keys, **{use: signer}))
