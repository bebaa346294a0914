"""May this node sign an entry of its own now (PROTOCOL 4.6, THREATS 13)?

The gate in front of every own entry, and what opens and closes it. ``federation.feeds.recovery``
decides; here the facts are read: the row in the database, the marker beside the keys, when which
peer was last heard, and what was noted of the feed.

Invariants:
* the gate is asked inside the write that signs, whatever door it came by;
* a doubt is written down before anybody is asked, so that a crash does not lose it;
* only what peers said after the doubt began counts against it, also where the clock went back.

What it does not do: ask peers (``self_check``).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from federation.feeds.recovery import (
    Hold,
    Marker,
    SigningState,
    decide_hold,
    is_doubtful,
    is_enough,
)
from hub.errors import Conflict, StorageBusy
from hub.node import Node
from hub.peers.audiences import members_named
from hub.peers.lost_rosters import doubt_hidden_rosters
from hub.peers.signing_marker import note_signed, read_marker, settle_marker
from hub.peers.standing import is_reading
from hub.storage.queries.audit import store_event
from hub.storage.queries.feeds import list_feeds
from hub.storage.queries.own_signing import (
    OwnSigning,
    list_feed_checks,
    own_signing,
    update_own_signing,
)
from hub.storage.queries.peers import PeerRow, list_peers, update_peer
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, direct_audience

_REMEDIES = {
    Hold.PENDING: "Try again in a moment; `tocsin pull` asks them now.",
    Hold.DOUBTFUL: "Make a peer reachable and run `tocsin db recover`; suspend one that is gone "
    "for good. `tocsin doctor` tells who was heard.",
    Hold.UNHEARD: "It opens by itself when that peer is reached; `tocsin pull PEER` tries now.",
    Hold.BEHIND: "Run `tocsin db recover` when the peer that told of it is reachable. If nobody "
    "has the entries any more, go on in a new epoch: `tocsin keys new-epoch`.",
    Hold.ALIEN: "If this machine was set back or copied, run `tocsin db recover`, which fetches "
    "them. If not, the entry key is in other hands: `tocsin keys revoke`.",
    Hold.CONTRADICTED: "Numbers were signed twice. Go on in a new epoch, which the root key "
    "opens: `tocsin keys new-epoch`.",
}
_HOLDS = {hold.name.lower(): hold for hold in (Hold.BEHIND, Hold.ALIEN, Hold.CONTRADICTED)}
FRESH = timedelta(hours=1)
"""What was heard within it needs no new record; and a command asks no peer for as long."""
_SIGNED = "signed"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SigningStanding:
    """How the node stands as a whole, for an operator.

    Args:
        hold: why nothing may be signed now; None when entries may be, but those of ``closed``.
        closed: feeds that stay closed, each with the reason.
        unheard: peers that were not heard since a doubt began.
        checked_at: when enough peers were last heard.
    """

    hold: Hold | None
    closed: tuple[tuple[str, Hold], ...]
    unheard: tuple[str, ...]
    checked_at: datetime | None


def require_may_sign(tx: Transaction, node: Node, feed: FeedName) -> None:
    """Let an own entry be signed, and have the marker count it after the commit.

    Raises:
        Conflict: ``E_SELF_CHECK``; ``params["why"]`` names the hold.
        StorageBusy: ``E_STORAGE`` when the home cannot be written.
    """
    name = f"may sign {feed}"
    if name not in tx.after_commit:
        hold = find_hold(tx, node, feed)
        if hold is not None:
            raise Conflict(
                "E_SELF_CHECK",
                f"{feed} is not signed now: {hold.value}",
                _REMEDIES[hold],
                why=hold.name.lower(),
                feed=str(feed),
            )
        tx.after_commit[name] = _nothing
    if _SIGNED not in tx.after_commit:
        generation, peers = own_signing(tx).generation + 1, len(_reading(tx))
        update_own_signing(tx, generation=generation)
        tx.after_commit[_SIGNED] = lambda: _count(node, generation, peers)


def allow_new_epoch(tx: Transaction, feed: FeedName) -> None:
    """Let an epoch begin that the root key opens in this very write: no peer can hold any of it."""
    tx.after_commit[f"may sign {feed}"] = _nothing


def remedy_of_hold(hold: Hold) -> str:
    """Say what to do about a hold."""
    return _REMEDIES[hold]


def find_hold(tx: Transaction, node: Node, feed: FeedName | None = None) -> Hold | None:
    """Find why an own entry must not be signed now; without a feed, why none at all."""
    row, marker = own_signing(tx), read_marker(node.settings.home)
    peers = _reading(tx)
    noted = {} if feed is None else {check.feed: check.verdict for check in list_feed_checks(tx)}
    return decide_hold(
        SigningState(
            pending=row.pending,
            doubtful=is_doubtful(marker, row.generation) or _is_unsettled(row),
            # Peers of whom a restored database knows nothing were told all the same.
            peers=max(len(peers), 0 if marker is None else marker.peers),
            heard=0 if is_doubtful(marker, row.generation) else _heard(peers, row.suspected_at),
            unheard=feed is not None and _is_unheard(tx, row, feed, peers),
            closed=_HOLDS.get(noted.get(str(feed), "")),
        )
    )


def standing_of_signing(node: Node) -> SigningStanding:
    """Tell how the node's own signing stands."""
    with node.database.read() as tx:
        row = own_signing(tx)
        peers = _reading(tx)
        since = row.suspected_at
        epochs: dict[str, int] = {}
        for held in list_feeds(tx, own=True):
            epochs[held.audience] = max(held.epoch, epochs.get(held.audience, 0))
        return SigningStanding(
            hold=find_hold(tx, node),
            closed=tuple(
                (check.feed, _HOLDS[check.verdict])
                for check in list_feed_checks(tx)
                if epochs.get(FeedName.read(check.feed).audience, 0)
                <= FeedName.read(check.feed).epoch
            ),
            unheard=tuple(p.name for p in peers if since is not None and not _is_heard(p, since)),
            checked_at=row.checked_at,
        )


def is_in_doubt(node: Node) -> bool:
    """Tell whether peers have to be heard before anything is signed."""
    with node.database.read() as tx:
        row = own_signing(tx)
    marker = read_marker(node.settings.home)
    return is_doubtful(marker, row.generation) or _is_unsettled(row)


def note_doubt(node: Node, *, begins: bool = False) -> None:
    """Write down a doubt that the marker shows, and that the first check of a process is due.

    Args:
        begins: a process begins that will ask the peers at once.
    """
    now = node.now()
    home = node.settings.home
    with node.database.write() as tx:
        row, marker = own_signing(tx), read_marker(home)
        if begins and _reading(tx):
            update_own_signing(tx, began_at=now, pending=True)
        doubtful = is_doubtful(marker, row.generation)
        # What a restored database remembers was said before the restore, whatever the clock says.
        _forget_heard(tx, since=None if doubtful else now)
        if row.suspected_at is not None and row.suspected_at > now:
            update_own_signing(tx, suspected_at=now)
        if not doubtful:
            return
        count = 0 if marker is None else marker.generation
        generation = max(count, row.generation) + 1
        peers = max(len(_reading(tx)), 0 if marker is None else marker.peers)
        update_own_signing(tx, generation=generation, suspected_at=now, checked_at=None)
        store_event(tx, now, "node", "SIGNING_DOUBTED", generation=row.generation, marker=count)
        doubt_hidden_rosters(tx, node, now)
        # Only after the commit: until then the marker is what holds the doubt.
        tx.after_commit["marker"] = lambda: settle_marker(home, Marker(generation, peers))


def settle(tx: Transaction, now: datetime, *, nobody_answers: bool = False) -> None:
    """Open the gate when those who had to be heard were heard.

    Args:
        nobody_answers: everybody was asked. Without a doubt that is enough, or a node behind a
            broken line could not even publish for later.
    """
    row, peers = own_signing(tx), _reading(tx)
    since = max((at for at in (row.began_at, row.suspected_at) if at is not None), default=None)
    values: dict[str, object] = {}
    if peers and is_enough(len(peers), _heard(peers, since)):
        values = {"checked_at": now, "pending": False}
        if row.suspected_at is not None and _heard(peers, row.suspected_at) == len(peers):
            values["suspected_at"] = None
    elif row.pending and (not peers or nobody_answers):
        values = {"pending": False}
    is_settled = not row.pending and row.suspected_at is None
    if is_settled and row.checked_at is not None and now - row.checked_at < FRESH:
        return  # nothing that anybody asks for would change
    if values:
        update_own_signing(tx, **values)


def sign_anyway(node: Node, *, actor: str = "operator") -> None:
    """Let a person end the doubt who knows that nobody holds newer entries of this node."""
    note_doubt(node)
    now = node.now()
    with node.database.write() as tx:
        update_own_signing(tx, suspected_at=None, pending=False)
        store_event(tx, now, actor, "SIGNING_FORCED")
        generation, peers = own_signing(tx).generation, len(_reading(tx))
        home = node.settings.home
        tx.after_commit["marker"] = lambda: settle_marker(home, Marker(generation, peers))


def may_adopt(tx: Transaction, peer: PeerRow) -> bool:
    """Tell whether entries that this database lacks are to be expected at a peer.

    While there is a doubt, and when it is heard for the first time since a process began. Later
    such entries were signed by somebody else who has our key, or by a copy of this node.
    """
    row = own_signing(tx)
    return row.suspected_at is not None or (
        row.began_at is not None and not _is_heard(peer, row.began_at)
    )


def _is_unsettled(row: OwnSigning) -> bool:
    since = row.suspected_at
    return since is not None and (row.checked_at is None or row.checked_at < since)


def _forget_heard(tx: Transaction, since: datetime | None) -> None:
    """Forget when peers were heard, as far as that lies ahead of a clock; of all without one."""
    for peer in list_peers(tx):
        at = peer.own_heads_at
        if at is not None and (since is None or at > since):
            update_peer(tx, peer.node_id, own_heads_at=None)


def _reading(tx: Transaction) -> list[PeerRow]:
    return [peer for peer in list_peers(tx) if is_reading(peer)]


def _heard(peers: Iterable[PeerRow], since: datetime | None) -> int:
    return sum(_is_heard(peer, since) for peer in peers)


def _is_heard(peer: PeerRow, since: datetime | None) -> bool:
    at = peer.own_heads_at
    return at is not None and (since is None or at >= since)


def _is_unheard(tx: Transaction, row: OwnSigning, feed: FeedName, peers: Iterable[PeerRow]) -> bool:
    """Tell whether those are still to be heard who alone know how far a feed went."""
    if row.suspected_at is None or feed.kind not in {"direct", "group"}:
        return False
    members = members_named(tx, feed.audience) if feed.kind == "group" else frozenset()
    readers = [
        peer
        for peer in peers
        if peer.node_id in members or direct_audience(peer.node_id) == feed.audience
    ]
    return not is_enough(len(readers), _heard(readers, row.suspected_at))


def _count(node: Node, generation: int, peers: int) -> None:
    try:
        note_signed(node.settings.home, generation, peers)
    except StorageBusy as error:
        # It is committed, so it is published. The next start will doubt and ask the peers.
        _log.warning("the marker of signed entries could not be written: %s", error)


def _nothing() -> None:
    pass
