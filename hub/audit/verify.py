"""Is the audit what was written? Walk the chain, and compare it with the heads kept elsewhere.

Decides which links do not hold, in the order of the chain.

Invariants:
* every event is looked at, in steps of bounded memory, over one snapshot;
* personal details may be gone only where an event of the chain says that they were erased;
* a chain that ends before a head that was written elsewhere was cut.

What it does not do: tell who changed it. Absent check: heads carry no signature. Who can write the
file can write a head too; the log of another machine (``audit_syslog``) is there for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hub.audit.heads import KeptHead, read_kept_heads
from hub.node import Node
from hub.storage.audit_links import FIRST, digest_event, digest_facts, link_of
from hub.storage.queries.audit import AuditEvent, count_unlinked, events_after
from hub.storage.transaction import Transaction

AUDIT_ERASED: Final = "AUDIT_ERASED"
_STEP: Final = 1_000
_MOST_TOLD: Final = 100
"""After a first broken link all may be broken; the first hundred say enough."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not hold.

    Args:
        seq: its place in the chain; 0 where it has none.
        code: one of ``docs/audit.md``.
        detail: a sentence.
    """

    seq: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What the walk found.

    Args:
        events: how many links there are.
        head: the hash of the last one, in hex.
        heads_compared: how many heads kept elsewhere were compared.
        erased: how many events had their personal details erased, as the chain says.
        faults: what does not hold; empty is good. At most ``100``.
    """

    events: int
    head: str
    heads_compared: int
    erased: int
    faults: tuple[Fault, ...]


def verify_audit(node: Node, *, progress: Callable[[int], None] = lambda _links: None) -> Verified:
    """Walk the chain from its first link to its last.

    Args:
        progress: is told after each step how many links were walked in it.
    """
    kept = read_kept_heads(node)
    with node.database.read() as tx:
        walk = _Walk({head.seq: head for head in kept})
        while events := events_after(tx, walk.seq, _STEP):
            for event in events:
                walk.take(event)
            progress(len(events))
        walk.finish(tx)
    return Verified(
        walk.seq, walk.hash.hex(), len(kept), len(walk.blank), tuple(walk.faults[:_MOST_TOLD])
    )


class _Walk:
    """Where the walk stands."""

    def __init__(self, kept: dict[int, KeptHead]) -> None:
        self.seq = 0
        self.hash = FIRST
        self.faults: list[Fault] = []
        self.blank: set[int] = set()
        self._kept = kept
        self._said_erased: set[int] = set()

    def take(self, event: AuditEvent) -> None:
        """Look at the next event."""
        if event.seq != self.seq + 1:
            self._tell(event.seq, "AUDIT_GAP", f"links {self.seq + 1} to {event.seq - 1} are gone")
        self.seq = event.seq
        if not event.event_row:
            self._tell(event.seq, "AUDIT_EVENT_GONE", "the event of this link was deleted")
        else:
            self._look_at_words(event)
        made = link_of(event.seq, self.hash, event.linked_at, event.linked_code, event.digests)
        if made != event.hash:
            self._tell(event.seq, "AUDIT_LINK", "the link does not follow from the one before it")
        self.hash = event.hash
        head = self._kept.get(event.seq)
        if head is not None and head.hash != event.hash.hex():
            detail = f"a head that was kept at {head.at} has another hash: the past was rewritten"
            self._tell(event.seq, "AUDIT_HEAD_DIFFERS", detail)

    def _look_at_words(self, event: AuditEvent) -> None:
        if (event.at, event.code) != (event.linked_at, event.linked_code):
            self._tell(event.seq, "AUDIT_CHANGED", "instant or code are not what was written")
        if event.code == AUDIT_ERASED and isinstance(erased := event.params.get("event"), int):
            self._said_erased.add(erased)
        if event.salt is None:
            self.blank.add(event.seq)
            if digest_facts(event.params) != event.digests.facts:
                self._tell(event.seq, "AUDIT_CHANGED", "its facts are not what was written")
        elif digest_event(event.actor, event.params, event.salt) != event.digests:
            self._tell(event.seq, "AUDIT_CHANGED", "what it says is not what was written")

    def finish(self, tx: Transaction) -> None:
        """Look at what only the whole chain shows."""
        for seq in sorted(self.blank - self._said_erased):
            self._tell(seq, "AUDIT_BLANK", "details are gone, and no event says that it was erased")
        if unlinked := count_unlinked(tx):
            self._tell(0, "AUDIT_UNLINKED", f"{unlinked} events hang on no link")
        furthest = max(self._kept, default=0)
        if furthest > self.seq:
            detail = f"a head of link {furthest} was kept, and the chain ends at {self.seq}"
            self._tell(self.seq, "AUDIT_CUT", detail)

    def _tell(self, seq: int, code: str, detail: str) -> None:
        self.faults.append(Fault(seq, code, detail))
