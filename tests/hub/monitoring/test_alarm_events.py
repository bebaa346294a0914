"""What a SIEM is told of an alarm, up to which label."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.exports.cef import write_cef
from hub.monitoring import alarms
from hub.monitoring.alarm_events import (
    UNNAMED,
    WITHOUT_CONTENT,
    Teller,
    event_of,
    label_of,
    syslog_severity,
)
from hub.peers.node_conflicts import NODE_FROZEN
from hub.peers.wire_version import WIRE_VERSION
from hub.storage.queries.alarms import AlarmRow
from schemas.markings import Tlp

AT = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
NAME = "quiet.example"


def alarm(code: str, subject: str = NAME, **params: Any) -> AlarmRow:
    return AlarmRow(7, code, subject, AT, params=params)


def line(found: AlarmRow, ceiling: Tlp, what: str = "opened") -> str:
    return write_cef(event_of(found, what, Teller("0.2", "q" * 52, "hub.example", ceiling)))


WITH_NAMES = [
    alarm("AUTHORITY_DISSENTS", name="registry", tlp="amber"),
    alarm("HIJACK_CLAIMED", "x", zone=NAME, new_ns=[NAME], concern=["own-zone"], tlp="amber"),
    alarm("ECHO", "peer", claims=[[NAME, "amber", "green"]], by=["a"], name="b", copies=1),
    alarm("ECHO_LAXER", "peer", claims=[[NAME, "amber", "clear"]], by=["a"], name="b", copies=1),
]


@pytest.mark.parametrize("found", WITH_NAMES, ids=lambda each: each.code)
def test_class01_a_name_is_told_up_to_the_ceiling_and_not_above(found: AlarmRow) -> None:
    assert label_of(found) == Tlp.AMBER
    assert NAME in line(found, Tlp.AMBER)
    assert "cs2=amber" in line(found, Tlp.AMBER)
    for what in ("opened", "closed"):
        withheld = line(found, Tlp.GREEN, what)
        assert NAME not in withheld
        assert "cs1=withheld" in withheld
        assert "number 7" in withheld
        assert "externalId=7" in withheld


@pytest.mark.parametrize(
    "found",
    [
        alarm("PROTECTED_NAME", "peer", name="p", names=[NAME], lists=["popular"]),
        alarm("A_CODE_OF_TOMORROW", NAME, whatever=NAME),
        alarm("AUTHORITY_DISSENTS", NAME, name="registry"),
        alarm("AUTHORITY_DISSENTS", NAME, name="registry", tlp="mauve"),
        alarm("ECHO", "peer", claims=[[NAME]], by=["a"], name="b", copies=1),
        alarm("ECHO", "peer", claims=NAME, name="b", copies=1),
        alarm("ECHO", "peer", claims=[[NAME, "green", 7]], name="b", copies=1),
    ],
    ids=str,
)
def test_class01_what_has_no_known_label_is_above_every_ceiling(found: AlarmRow) -> None:
    assert label_of(found) == Tlp.RED
    assert NAME not in line(found, Tlp.AMBER_STRICT)


def test_every_alarm_is_free_of_content_or_has_words_without_a_name() -> None:
    """A new code belongs in one of the two; until then it is told without a word of its facts."""
    codes = {code for name, code in vars(alarms).items() if name == code}
    assert codes | {NODE_FROZEN, WIRE_VERSION} == WITHOUT_CONTENT | UNNAMED.keys()
    assert not WITHOUT_CONTENT & UNNAMED.keys()


def test_what_holds_nothing_of_objects_is_told_to_everybody() -> None:
    told = line(alarm("HEAD_STALE", "feed", feed="feed", expired=AT.isoformat()), Tlp.CLEAR)
    assert "The newest head of feed expired at 2026-03-01 10:00 UTC" in told
    assert "cs1=feed cs2Label=tlp cs2=none" in told


@pytest.mark.parametrize(
    ("code", "what", "severity", "syslog"),
    [
        ("EVIDENCE_RECEIVED", "opened", 9, 3),
        ("HEAD_STALE", "opened", 7, 3),
        ("PEER_SILENT", "opened", 5, 4),
        ("CORRECTIONS_WAIT", "opened", 3, 4),
        ("EVIDENCE_RECEIVED", "closed", 1, 5),
    ],
)
def test_severity_follows_from_the_code(code: str, what: str, severity: int, syslog: int) -> None:
    event = event_of(alarm(code), what, Teller("0.2", "q" * 52, "h", Tlp.GREEN))
    assert (event.severity, syslog_severity(event)) == (severity, syslog)


def test_an_end_says_when_it_began_and_ended() -> None:
    ended = AlarmRow(7, "PEER_SILENT", "peer", AT, closed_at=AT.replace(hour=11))
    event = event_of(ended, "closed", Teller("0.2", "q" * 52, "h", Tlp.GREEN))
    assert (event.extension["start"], event.extension["end"]) == (1772359200000, 1772362800000)
    assert event.extension["rt"] == event.extension["end"]
    assert event.name == "Peer silent closed"
