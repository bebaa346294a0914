"""Raise and end alarms: what a person should know of, as code and params.

Invariants:
* of one code and subject one alarm is open at most, so that what lasts is told once;
* an alarm is raised and ended in the transaction that found its reason, and both are audited;
* words are put at the door (``alarm_words``), never stored.

What it does not do: look for reasons. That is ``watch``, and whoever meets one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from hub.errors import NotFound
from hub.node import Node
from hub.storage.queries import alarms as stored
from hub.storage.queries.alarms import AlarmRow
from hub.storage.queries.audit import store_event
from hub.storage.transaction import Transaction

MONITORING: Final = "monitoring"

PEER_SILENT: Final = "PEER_SILENT"
PEER_BEHIND: Final = "PEER_BEHIND"
FEED_BEHIND: Final = "FEED_BEHIND"
FEED_FROZEN: Final = "FEED_FROZEN"
HEAD_STALE: Final = "HEAD_STALE"
EVIDENCE_RECEIVED: Final = "EVIDENCE_RECEIVED"
CLOCK_SKEW: Final = "CLOCK_SKEW"
DOCUMENT_ENDS: Final = "DOCUMENT_ENDS"
OWN_FEED_CLOSED: Final = "OWN_FEED_CLOSED"
OWN_ENTRIES_FOUND: Final = "OWN_ENTRIES_FOUND"
ROSTER_DOUBTED: Final = "ROSTER_DOUBTED"
PROTECTED_NAME: Final = "PROTECTED_NAME"
ECHO: Final = "ECHO"
ECHO_LAXER: Final = "ECHO_LAXER"
AUTHORITY_DISSENTS: Final = "AUTHORITY_DISSENTS"
PEER_DEMOTED: Final = "PEER_DEMOTED"
CORRECTIONS_WAIT: Final = "CORRECTIONS_WAIT"
EXPORT_JUMP: Final = "EXPORT_JUMP"
EXPORT_FAILED: Final = "EXPORT_FAILED"
IMPORT_FAILED: Final = "IMPORT_FAILED"
CANARY: Final = "CANARY"
HIJACK_CLAIMED: Final = "HIJACK_CLAIMED"
CONCENTRATION: Final = "CONCENTRATION"
AUDIT_HEAD_UNWRITTEN: Final = "AUDIT_HEAD_UNWRITTEN"
ALARMS_UNSENT: Final = "ALARMS_UNSENT"
BLOB_WRONG: Final = "BLOB_WRONG"
BLOBS_MISSING: Final = "BLOBS_MISSING"
BLOB_STORE_FULL: Final = "BLOB_STORE_FULL"


def raise_alarm(tx: Transaction, code: str, subject: str, at: datetime, **params: object) -> bool:
    """Open an alarm, or say anew what an open one knows.

    Args:
        subject: whom or what it is about: a node id, a feed, a number of evidence.
        **params: facts for the sentence, JSON values only.

    Returns:
        Whether it is a new one.
    """
    found = stored.find_open_alarm(tx, code, subject)
    if found is not None:
        if dict(found.params) != params:
            stored.update_alarm(tx, found.alarm_id, params)
        return False
    stored.store_alarm(tx, code, subject, at, params)
    store_event(tx, at, MONITORING, "ALARM_OPENED", alarm=code, subject=subject, **params)
    return True


def end_alarm(
    tx: Transaction, code: str, subject: str, at: datetime, *, by: str = MONITORING
) -> bool:
    """End the open alarm of a code about a subject; False when there is none."""
    found = stored.find_open_alarm(tx, code, subject)
    if found is None:
        return False
    _end(tx, found, at, by)
    return True


def list_alarms(node: Node, *, closed: bool = False) -> tuple[AlarmRow, ...]:
    """List the open alarms, or all that there ever were, the newest first."""
    with node.database.read() as tx:
        return stored.list_alarms(tx, closed=closed)


def close_alarm(node: Node, alarm_id: int, *, actor: str = "operator") -> AlarmRow:
    """Close an alarm by hand; what still lasts opens it anew at the next look.

    Raises:
        NotFound: ``E_ALARM_UNKNOWN`` when no open alarm has this number.
    """
    with node.database.write() as tx:
        found = stored.find_alarm(tx, alarm_id)
        if found is None or found.closed_at is not None:
            raise NotFound(
                "E_ALARM_UNKNOWN", f"no open alarm has number {alarm_id}", "Run `tocsin alarms`."
            )
        _end(tx, found, node.now(), actor)
        closed = stored.find_alarm(tx, alarm_id)
    return closed or found


def _end(tx: Transaction, alarm: AlarmRow, at: datetime, by: str) -> None:
    stored.end_alarm(tx, alarm.alarm_id, at, by)
    store_event(tx, at, by, "ALARM_CLOSED", alarm=alarm.code, subject=alarm.subject)
