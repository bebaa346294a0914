"""Erase the personal details of an event, as the law may ask, and leave the chain whole.

What goes: who did it, and what people wrote (``PERSONAL``). What stays: that it was done, when, and
its facts. The salt goes with the words, so that nobody can try names against the hash. The erasing
is an event itself, and by it ``verify`` knows that the blank is meant.
"""

from __future__ import annotations

from hub.audit.verify import AUDIT_ERASED
from hub.errors import Conflict, NotFound
from hub.node import Node
from hub.storage.queries.audit import erase_personal, find_event, store_event


def erase_details(node: Node, seq: int, reason: str, *, actor: str = "operator") -> None:
    """Erase who did it and what was written from the event at a place of the chain.

    Raises:
        NotFound: ``E_AUDIT_UNKNOWN``.
        Conflict: ``E_AUDIT_ERASED`` when it was done before, or when the event tells of an
            erasure: its reason is what shows that a blank is meant.
    """
    with node.database.write() as tx:
        event = find_event(tx, seq)
        if event is None or not event.event_row:
            raise NotFound(
                "E_AUDIT_UNKNOWN", f"the audit has no event {seq}", "Run `tocsin audit list`."
            )
        if event.salt is None or event.code == AUDIT_ERASED:
            raise Conflict("E_AUDIT_ERASED", f"nothing of event {seq} can be erased (any more)")
        erase_personal(tx, event)
        store_event(tx, node.now(), actor, AUDIT_ERASED, event=seq, reason=reason)
    node.database.forget_deleted()
