"""Where an entry stands in its feed's chain (PROTOCOL 2.4), and what a revoked key leaves good.

Invariants:
* accepted seqs are 1…n without a gap, and one seq never has two hashes;
* an entry that we hold is passed silently, however often and by whomever it comes;
* what depends on our clock is asked last, so that a wrong clock hides no other fault;
* one feed is relayed whole or not at all: every entry has the ``relay`` of the first.

What it does not do: look at content. An entry whose content is rejected advances the chain like
any other, or one bad entry would block the feed for ever.

>>> from schemas.identifiers import NodeId
>>> ChainState(FeedName(NodeId("a" * 52), "green")).seq
0
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from federation.errors import ChainBroken, EntryDeferred
from federation.feeds.entry import RELAY_NONE, EntryHeader, OpenedEntry
from federation.feeds.stubs import Stub
from federation.identity.node_document import PinnedNode
from schemas.identifiers import ZERO_HASH, EntryHash, FeedName, KeyId

CLOCK_TOLERANCE = timedelta(seconds=300)
LONGEST_DEFERRAL = timedelta(hours=24)


class Step(Enum):
    """What an entry is to the chain that we hold."""

    DUPLICATE = "duplicate"
    NEXT = "next"


class Standing(Enum):
    """Whether an entry counts, in view of its origin's revoked keys (PROTOCOL 2.3)."""

    GOOD = "good"
    HELD_BACK = "held back"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class ChainState:
    """The end of the chain that we hold of one feed.

    Attributes:
        feed: the feed.
        seq: the last entry's seq, 0 before the first; of an anchor in a joined feed.
        hash: the last entry's hash.
        ts: the last entry's time.
        relay: ``policy.relay`` of all entries of the feed, unknown before the first.
        closed: the feed was closed by its origin; nothing may follow.
        frozen: the origin contradicted itself; nothing is taken until a person decides.
    """

    feed: FeedName
    seq: int = 0
    hash: EntryHash = ZERO_HASH
    ts: datetime | None = None
    relay: str | None = None
    closed: bool = False
    frozen: bool = False


def decide_next(
    state: ChainState,
    entry: OpenedEntry,
    *,
    now: datetime,
    known_hash: EntryHash | None,
    via_relay: bool,
    pushed: bool = False,
) -> Step:
    """Decide whether an entry continues the chain (PROTOCOL 2.4).

    Args:
        state: the chain that we hold.
        entry: the entry, opened for this feed.
        now: our clock.
        known_hash: the hash that we hold at the entry's seq, if any.
        via_relay: another node than the origin handed it over.
        pushed: it was posted to us, so nobody waits for it to become due.

    Raises:
        ChainBroken: ``E_FEED``, ``E_FORK`` (``params["contradicts"]`` is the seq of which two
            hashes are stated), ``E_FROZEN``, ``E_GAP`` (``params["expected"]``), ``E_SEQ``,
            ``E_POLICY``, ``E_RELAY_FORBIDDEN`` or ``E_FUTURE``.
        EntryDeferred: ``E_FUTURE``, not due yet; ``params["due"]`` says when.
    """
    header = entry.header
    # 0. A caller's mistake must not put an entry into another feed's chain.
    if header.feed != state.feed:
        raise ChainBroken("E_FEED", "the entry belongs to another feed", expected=str(state.feed))
    # 1. What we hold already: passed silently, or the origin contradicts itself.
    if _is_held(state, entry, known_hash):
        return Step.DUPLICATE
    # 2. After a contradiction nothing is taken, whichever side it continues.
    if state.frozen:
        raise ChainBroken(
            "E_FROZEN",
            "the feed is frozen: its origin signed two histories",
            "Compare the evidence with the origin's operator before you thaw the feed.",
        )
    # 3. Exactly the next seq, and it follows what we hold.
    _check_place(state, entry)
    # 4. A closed group stays closed.
    if state.closed:
        raise ChainBroken("E_FEED", "the feed was closed by its origin and nothing may follow")
    # 5. Time never runs backwards in a feed.
    if state.ts is not None and header.ts < state.ts:
        raise ChainBroken("E_SEQ", "ts is earlier than the previous entry's")
    # 6. One relay rule for the whole feed, then the rule itself.
    _check_relay(state, header, via_relay=via_relay)
    # 7. Our clock.
    _check_due(header.ts, now, pushed=pushed)
    return Step.NEXT


def advance(state: ChainState, entry: OpenedEntry) -> ChainState:
    """Append an entry that ``decide_next`` called ``Step.NEXT``, whatever its content came to.

    Whether it closes the feed is read from its form alone, so that all nodes agree on the end
    even where they judge the content differently.
    """
    return replace(
        state,
        seq=entry.header.seq,
        hash=entry.hash,
        ts=entry.header.ts,
        relay=entry.header.relay if state.relay is None else state.relay,
        closed=state.closed or closes_feed(entry),
    )


def place_stub(state: ChainState, stub: Stub) -> ChainState:
    """Let a stub stand at the next place of a chain (PROTOCOL 2.4 "Stub").

    No check of ``prev``: the hash covers it, so the next entry, which names the hash, vouches for
    it. No check of the relay rule: all entries of a feed have the same, and the next one shows it.

    Raises:
        ChainBroken: ``E_FROZEN``, ``E_GAP`` (``params["expected"]``) or ``E_FEED``.
    """
    if state.frozen:
        raise ChainBroken("E_FROZEN", "the feed is frozen: its origin signed two histories")
    if stub.seq != state.seq + 1:
        expected = state.seq + 1
        raise ChainBroken("E_GAP", f"expected seq {expected}, got {stub.seq}", expected=expected)
    if state.closed:
        raise ChainBroken("E_FEED", "the feed was closed by its origin and nothing may follow")
    return replace(state, seq=stub.seq, hash=stub.hash)


def closes_feed(entry: OpenedEntry) -> bool:
    """Tell whether this is the ``retract`` of the group itself (PROTOCOL 2.4)."""
    header = entry.header
    return (
        header.kind == "retract"
        and header.feed.kind == "group"
        and entry.body.get("ids") == [header.feed.audience]
    )


def decide_standing(
    kid: KeyId,
    seq: int,
    *,
    pinned: PinnedNode,
    chain_hash_at: Callable[[int], EntryHash | None],
    feed_ended: bool,
) -> Standing:
    """Decide whether an entry or a head of ``kid`` at ``seq`` counts (PROTOCOL 2.3).

    A revoked key is judged by chain position, never by a time that its thief could state.
    Positions name no feed: one that our chain contradicts belongs to another feed.

    Args:
        kid: the key that signed.
        seq: the seq of the entry, or of the head.
        pinned: the origin.
        chain_hash_at: the hash at a seq of this feed, in what we hold and in what has been
            opened behind it; None where neither reaches.
        feed_ended: nothing further of this feed is to come now.

    Returns:
        ``HELD_BACK`` as long as a position that makes it good may still be reached.
    """
    # 1. A key that nobody revoked.
    last_good = pinned.last_good(kid)
    if last_good is None:
        return Standing.GOOD
    # 2. The chain holds, here or later, an entry that the owner vouches for: so this one too.
    held = [
        (chain_hash_at(position.seq), position.hash)
        for position in last_good
        if position.seq >= seq
    ]
    if any(found == named for found, named in held):
        return Standing.GOOD
    # 3. It may still come, unless every position is contradicted or the feed has ended.
    reachable = any(found is None for found, _ in held)
    return Standing.HELD_BACK if reachable and not feed_ended else Standing.VOID


def require_good(
    entry: OpenedEntry,
    *,
    pinned: PinnedNode,
    chain_hash_at: Callable[[int], EntryHash | None],
    feed_ended: bool,
) -> None:
    """Let only an entry pass that counts in view of its origin's revoked keys (PROTOCOL 2.3).

    Args:
        chain_hash_at: must know only hashes that are linked to the chain (``linked_hashes``): an
            entry that merely lies on the same page vouches for nothing before it.

    Raises:
        EntryDeferred: ``E_KEY_REVOKED``, held back; no alarm.
        ChainBroken: ``E_KEY_REVOKED``, void.
    """
    standing = decide_standing(
        entry.kid,
        entry.header.seq,
        pinned=pinned,
        chain_hash_at=chain_hash_at,
        feed_ended=feed_ended,
    )
    if standing is Standing.HELD_BACK:
        raise EntryDeferred(
            "E_KEY_REVOKED", "held back until the chain reaches a position that its owner named"
        )
    if standing is Standing.VOID:
        raise ChainBroken(
            "E_KEY_REVOKED",
            "signed with a revoked key, after the last position that its owner calls good",
            "Nothing of it was taken; the feed goes on in its next epoch.",
        )


def linked_hashes(
    seq: int, entry_hash: EntryHash, entries: Iterable[OpenedEntry | Stub]
) -> dict[int, EntryHash]:
    """Map seqs to hashes along ``prev``, as far as the entries follow each other without a break.

    Args:
        seq: where the chain stands; what comes before is passed over.
        entry_hash: the hash there.
        entries: in the order of their seqs; the hash of a stub counts once the next entry names it.
    """
    linked: dict[int, EntryHash] = {}
    unnamed: dict[int, EntryHash] = {}
    for entry in entries:
        if isinstance(entry, Stub):
            if entry.seq == seq + 1:
                seq, entry_hash = entry.seq, entry.hash
                unnamed = {seq: entry_hash}
            continue
        header = entry.header
        if header.seq <= seq:
            continue
        begins = header.seq == 1 and header.feed.epoch > 1 and entry.continues_epoch
        if header.seq != seq + 1 or (header.prev != entry_hash and not begins):
            break
        seq, entry_hash = header.seq, entry.hash
        linked[seq] = entry_hash
        if unnamed:
            linked |= unnamed
            unnamed = {}
    return linked


def _is_held(state: ChainState, entry: OpenedEntry, known_hash: EntryHash | None) -> bool:
    seq = entry.header.seq
    held = state.hash if known_hash is None and seq == state.seq else known_hash
    if held is not None and held != entry.hash:
        raise ChainBroken(
            "E_FORK",
            "the origin signed two entries of one seq",
            "Keep both as evidence and ask the origin's operator; nobody can pick for you.",
            contradicts=seq,
            held=held,
        )
    if seq <= state.seq and held is None:
        # An anchored chain begins later: what came before is none of it (PROTOCOL 2.6).
        raise ChainBroken("E_SEQ", "the entry lies before the beginning of our chain")
    return seq <= state.seq


def _check_place(state: ChainState, entry: OpenedEntry) -> None:
    header = entry.header
    if header.seq != state.seq + 1:
        raise ChainBroken(
            "E_GAP", f"expected seq {state.seq + 1}, got {header.seq}", expected=state.seq + 1
        )
    if header.seq == 1 and state.feed.epoch > 1:
        if not entry.continues_epoch:
            raise ChainBroken(
                "E_FEED",
                "the epoch does not begin at a position that the node document names",
                "Fetch the origin's newest node document and try again.",
            )
    elif header.prev != state.hash:
        raise ChainBroken(
            "E_FORK",
            "prev is not the hash of the entry that we hold",
            "Keep both as evidence and ask the origin's operator; nobody can pick for you.",
            contradicts=state.seq,
            held=state.hash,
        )


def _check_relay(state: ChainState, header: EntryHeader, *, via_relay: bool) -> None:
    pinned_relay = RELAY_NONE if header.feed.kind in {"group", "direct"} else state.relay
    if pinned_relay is not None and header.relay != pinned_relay:
        # Chain level, since a relay that must leave one entry out has a gap for ever after.
        raise ChainBroken("E_POLICY", f"relay is {header.relay} in a feed of relay {pinned_relay}")
    # An entry that any node may pass on is judged the same whoever brings it: no check of the
    # sender here, its relay head is asked for beside the page (``heads.decide_relay_page``).
    if via_relay and header.relay == RELAY_NONE:
        raise ChainBroken(
            "E_RELAY_FORBIDDEN",
            "a relay handed over an entry that its origin keeps to itself",
            "Keep the relay head as evidence and tell the origin.",
        )


def _check_due(ts: datetime, now: datetime, *, pushed: bool) -> None:
    ahead = ts - now
    if ahead <= CLOCK_TOLERANCE:
        return
    if pushed or ahead > LONGEST_DEFERRAL:
        raise ChainBroken(
            "E_FUTURE",
            f"ts is {int(ahead.total_seconds())} s ahead of our clock",
            "Compare the clocks of both nodes.",
        )
    raise EntryDeferred(
        "E_FUTURE", "not due yet on our clock", due=(ts - CLOCK_TOLERANCE).isoformat()
    )
