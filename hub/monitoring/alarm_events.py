"""What a SIEM is told of an alarm, up to which label (PROTOCOL 3.2; THREATS 3, class 1).

Decides the words. An alarm's facts can hold names from objects with a label; a SIEM may see them up
to the setting ``alarm_syslog_max_tlp``.

Invariants:
* an alarm about what others published is told in full only where its label is known and within the
  ceiling; else without a name, with its number, so that a person finds it by ``tocsin alarms``;
* what is not known to be free of content counts as content: a new kind of alarm says too little
  before it says too much;
* its code, number and instants are always told: that something is wrong is no secret from one's own
  SIEM.

>>> from hub.storage.queries.alarms import AlarmRow
>>> at = datetime.fromisoformat("2026-03-01T10:00:00Z")
>>> label_of(AlarmRow(1, "CLOCK_SKEW", "clock", at)) is None
True
>>> label_of(AlarmRow(1, "SOMETHING_NEW", "evil.example", at))
<Tlp.RED: 4>
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from hub.exports.cef import CefEvent
from hub.monitoring.alarm_words import words_of
from hub.monitoring.alarms import (
    ALARMS_UNSENT,
    AUDIT_HEAD_UNWRITTEN,
    AUTHORITY_DISSENTS,
    BLOB_STORE_FULL,
    BLOB_WRONG,
    BLOBS_MISSING,
    CANARY,
    CLOCK_SKEW,
    CONCENTRATION,
    CORRECTIONS_WAIT,
    DOCUMENT_ENDS,
    ECHO,
    ECHO_LAXER,
    EVIDENCE_RECEIVED,
    EXPORT_FAILED,
    EXPORT_JUMP,
    FEED_BEHIND,
    FEED_FROZEN,
    HEAD_STALE,
    HIJACK_CLAIMED,
    IMPORT_FAILED,
    OWN_ENTRIES_FOUND,
    OWN_FEED_CLOSED,
    PEER_BEHIND,
    PEER_DEMOTED,
    PEER_SILENT,
    PROTECTED_NAME,
    ROSTER_DOUBTED,
)
from hub.peers.node_conflicts import NODE_FROZEN
from hub.peers.wire_version import WIRE_VERSION
from hub.storage.queries.alarms import AlarmRow
from schemas.errors import WireFormatError
from schemas.markings import Tlp

OPENED: Final = "opened"
CLOSED: Final = "closed"
WITHOUT_CONTENT: Final = frozenset(
    {
        ALARMS_UNSENT, AUDIT_HEAD_UNWRITTEN, BLOBS_MISSING, BLOB_STORE_FULL, BLOB_WRONG, CANARY,
        CLOCK_SKEW, CORRECTIONS_WAIT, DOCUMENT_ENDS, EVIDENCE_RECEIVED, EXPORT_FAILED, EXPORT_JUMP,
        FEED_BEHIND, FEED_FROZEN, HEAD_STALE, IMPORT_FAILED, NODE_FROZEN, OWN_ENTRIES_FOUND,
        OWN_FEED_CLOSED, PEER_BEHIND, PEER_DEMOTED, PEER_SILENT, ROSTER_DOUBTED, WIRE_VERSION,
    }
)  # fmt: skip
"""About peers, feeds, keys and counts; no word of them is from an object."""
_SEVERITIES: Final[Mapping[str, int]] = MappingProxyType(
    {
        EVIDENCE_RECEIVED: 9,
        FEED_FROZEN: 9,
        HIJACK_CLAIMED: 9,
        NODE_FROZEN: 9,
        OWN_ENTRIES_FOUND: 9,
        OWN_FEED_CLOSED: 9,
        DOCUMENT_ENDS: 7,
        ECHO_LAXER: 7,
        HEAD_STALE: 7,
        PROTECTED_NAME: 7,
        AUTHORITY_DISSENTS: 6,
        ECHO: 3,
        CORRECTIONS_WAIT: 3,
    }
)
_USUAL: Final = 5
_ENDED: Final = 1
_HIGH: Final = 7
"""Where CEF's high severities begin."""
UNNAMED: Final[Mapping[str, str]] = MappingProxyType(
    {
        PROTECTED_NAME: "Somebody claims that protected names are malicious. None is blocked.",
        ECHO: "A peer wrote claims of others anew under its own name.",
        ECHO_LAXER: "A peer said at a laxer label what it had received: it may have broken the "
        "TLP.",
        AUTHORITY_DISSENTS: "An authority says that a listed name is harmless.",
        HIJACK_CLAIMED: "A hijack of a delegation that concerns you is claimed.",
        CONCENTRATION: "More names of one threat type than before are at one registrar.",
    }
)
"""What is said of the others where their label is above the ceiling, or not known."""


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells alarms, and how much.

    Args:
        version: of this release.
        host: of this node, as its address names it.
        ceiling: the strictest label of whose content a word may be said.
    """

    version: str
    node_id: str
    host: str
    ceiling: Tlp


def label_of(alarm: AlarmRow) -> Tlp | None:
    """Tell the label of what an alarm's facts hold; None when they hold nothing of objects."""
    if alarm.code in WITHOUT_CONTENT:
        return None
    if alarm.code in {ECHO, ECHO_LAXER}:
        return _label_of_copies(alarm.params.get("claims"))
    return _read(alarm.params.get("tlp"))


def event_of(alarm: AlarmRow, what: str, teller: Teller) -> CefEvent:
    """Say that an alarm opened or closed."""
    label = label_of(alarm)
    is_told = label is None or label <= teller.ceiling
    if is_told:
        sentence, remedy = words_of(alarm)
    else:
        number = f"See `tocsin alarms`, number {alarm.alarm_id}: it is above what is told here."
        sentence, remedy = UNNAMED.get(alarm.code, "Something is to be looked at."), number
    at = alarm.closed_at if what == CLOSED and alarm.closed_at is not None else alarm.opened_at
    extension: dict[str, str | int] = {
        "rt": _millis(at),
        "act": what,
        "cat": "alarm",
        "externalId": alarm.alarm_id,
        "dvchost": teller.host,
        "deviceExternalId": teller.node_id,
        "start": _millis(alarm.opened_at),
    }
    if what == CLOSED:
        extension["end"] = _millis(at)
    extension |= {
        "msg": sentence,
        "reason": remedy,
        "cs1Label": "subject",
        "cs1": alarm.subject if is_told else "withheld",
        "cs2Label": "tlp",
        "cs2": label.wire if is_told and label is not None else "none",
    }
    severity = _ENDED if what == CLOSED else _SEVERITIES.get(alarm.code, _USUAL)
    return CefEvent(teller.version, alarm.code, f"{_title(alarm.code)} {what}", severity, extension)


def syslog_severity(event: CefEvent) -> int:
    """Turn CEF's severity into syslog's: error, warning or notice (RFC 5424 table 2)."""
    if event.severity >= _HIGH:
        return 3
    return 5 if event.severity <= _ENDED else 4


def _title(code: str) -> str:
    return code.replace("_", " ").capitalize()


def _millis(at: datetime) -> int:
    return int(at.timestamp() * 1_000)


def _label_of_copies(claims: object) -> Tlp:
    """Take the strictest label of what was copied, and of the copies."""
    if not isinstance(claims, list) or not claims:
        return Tlp.RED
    words = [word for claim in claims if isinstance(claim, list) for word in claim[1:]]
    return max((_read(word) for word in words), default=Tlp.RED)


def _read(word: object) -> Tlp:
    try:
        return Tlp.read(word)
    except WireFormatError:
        return Tlp.RED
