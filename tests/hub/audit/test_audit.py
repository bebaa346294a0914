"""The audit: nothing changes in it unseen, and what people wrote can still be erased."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.audit import heads
from hub.audit.erase import erase_details
from hub.audit.heads import keep_head, read_kept_heads
from hub.audit.listing import list_events
from hub.audit.verify import verify_audit
from hub.errors import Conflict, NotFound
from hub.monitoring.alarms import AUDIT_HEAD_UNWRITTEN, list_alarms
from hub.storage.audit_links import FIRST, digest_event, link_of
from hub.storage.queries.audit import events_after, store_event
from hub.workers.schedule import plan_work
from tests.support.nodes import NOW, FixedClock, make_node
from tests.support.stored_state import rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "audited", clock)
    for number in range(5):
        note(made, "PEER_SET", number=number, reason=f"because of Mrs Example, {number}")
    yield made
    made.database.close()


def note(node, code, actor="operator", **params):
    with node.database.write() as tx:
        store_event(tx, node.now(), actor, code, **params)


def tamper(node, statement, **values):
    with node.database.write() as tx:
        tx.connection.execute(sa.text(statement), values)


def faults(node):
    return [fault.code for fault in verify_audit(node).faults]


def test_what_was_written_verifies(node):
    found = verify_audit(node)
    assert found.faults == ()
    assert found.events == len(rows_of(node, "SELECT 1 FROM audit_events")) >= 5
    assert found.head == list_events(node, limit=1)[0].hash


def test_an_event_of_a_write_that_was_rolled_back_is_none(node):
    before = verify_audit(node).events
    with contextlib.suppress(ZeroDivisionError), node.database.write() as tx:
        store_event(tx, node.now(), "operator", "PEER_SET")
        _ = 1 / 0
    note(node, "PEER_SET")
    found = verify_audit(node)
    assert (found.events, found.faults) == (before + 1, ())


ROW = "(SELECT event_row FROM audit_chain WHERE seq = 3)"
TAMPERING = {
    "who did it": (f"UPDATE audit_events SET actor = 'another' WHERE event_row = {ROW}",),
    "a fact": (f"UPDATE audit_events SET params = :blob WHERE event_row = {ROW}",),
    "the code": (f"UPDATE audit_events SET code = 'PEER_SEEN' WHERE event_row = {ROW}",),
    "the instant": (f"UPDATE audit_events SET at = at - 1 WHERE event_row = {ROW}",),
    "the salt away": (f"UPDATE audit_events SET salt = NULL WHERE event_row = {ROW}",),
    "its link": ("UPDATE audit_chain SET hash = facts WHERE seq = 3",),
    "its digest": ("UPDATE audit_chain SET personal = facts WHERE seq = 3",),
    "the link away": ("DELETE FROM audit_chain WHERE seq = 3",),
    "one beside the chain": (
        """INSERT INTO audit_events (at, actor, code, params, salt)
        SELECT at, actor, code, params, salt FROM audit_events LIMIT 1""",
    ),
    "two in each other's place": (
        "UPDATE audit_chain SET seq = 99 WHERE seq = 3",
        "UPDATE audit_chain SET seq = 3 WHERE seq = 4",
        "UPDATE audit_chain SET seq = 4 WHERE seq = 99",
    ),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_a_change_shows(node, what):
    for statement in TAMPERING[what]:
        values = {"blob": b'{"number":7}'} if ":blob" in statement else {}
        tamper(node, statement, **values)
    assert faults(node), what


def test_a_deleted_event_shows(node):
    row = rows_of(node, "SELECT event_row FROM audit_chain WHERE seq = 3")[0]["event_row"]
    with closing(sqlite3.connect(node.settings.home / "tocsin.db")) as past_us, past_us:
        past_us.execute("DELETE FROM audit_events WHERE event_row = ?", (row,))
    assert "AUDIT_EVENT_GONE" in faults(node)


def test_a_cut_end_shows_by_a_head_that_was_kept_outside(node):
    keep_head(node)
    last = verify_audit(node).events
    row = rows_of(node, f"SELECT event_row FROM audit_chain WHERE seq = {last}")[0]["event_row"]
    tamper(node, "DELETE FROM audit_chain WHERE seq = :seq", seq=last)
    tamper(node, "DELETE FROM audit_events WHERE event_row = :row", row=row)
    assert faults(node) == ["AUDIT_CUT"]


def test_a_past_rewritten_as_a_whole_shows_by_a_head_that_was_kept_outside(node):
    """Whoever owns the database can make a chain that holds; not the head that lies elsewhere."""
    keep_head(node)
    rewrite(node)
    assert [fault.code for fault in verify_audit(node).faults] == ["AUDIT_HEAD_DIFFERS"]


def rewrite(node):
    """Change the first event, and hang all others on it anew."""
    tamper(node, "UPDATE audit_events SET actor = 'nobody' WHERE event_row = 1")
    previous = FIRST
    with node.database.write() as tx:
        for event in events_after(tx, 0, 1_000):
            digests = digest_event(event.actor, event.params, event.salt)
            previous = link_of(event.seq, previous, event.at, event.code, digests)
            tx.connection.execute(
                sa.text("UPDATE audit_chain SET facts=:f, personal=:p, hash=:h WHERE seq=:s"),
                {"f": digests.facts, "p": digests.personal, "h": previous, "s": event.seq},
            )


def test_heads_are_kept_hourly_and_only_when_there_is_news(node, clock):
    first = keep_head(node)
    assert first is not None
    note(node, "PEER_SET")
    assert keep_head(node) is None, "an hour has not passed"
    clock.advance(heads.INTERVAL)
    second = keep_head(node)
    assert second is not None
    assert second.seq == first.seq + 1
    clock.advance(heads.INTERVAL)
    assert keep_head(node) is None, "nothing new to say"
    assert read_kept_heads(node) == [first, second]


def test_the_worker_keeps_heads(node):
    plan_work(node)
    assert len(read_kept_heads(node)) == 1


def test_the_file_of_heads_is_its_owners_alone_and_holds_no_word_of_an_event(node):
    keep_head(node)
    file = heads.heads_file(node)
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"Example" not in file.read_bytes()
    assert set(json.loads(file.read_bytes())) == {"seq", "hash", "at"}


def test_a_line_that_a_crash_cut_short_ends_before_the_next(node, clock):
    keep_head(node)
    file = heads.heads_file(node)
    file.write_bytes(file.read_bytes() + b'{"seq": 9, "ha')
    note(node, "PEER_SET")
    clock.advance(heads.INTERVAL)
    keep_head(node)
    assert len(read_kept_heads(node)) == 2
    assert faults(node) == []


def test_a_file_that_cannot_be_written_is_an_alarm_that_ends_by_itself(tmp_path, clock):
    place = tmp_path / "not there yet"
    node = make_node(tmp_path, "audited", clock, audit_heads_file=place / "heads")
    try:
        assert keep_head(node) is None
        (alarm,) = list_alarms(node)
        assert (alarm.code, alarm.subject) == (AUDIT_HEAD_UNWRITTEN, "file")
        place.mkdir()
        assert keep_head(node) is not None
        assert list_alarms(node) == ()
    finally:
        node.database.close()


def test_heads_go_to_syslog_too(tmp_path, clock):
    path = f"{tmp_path}/log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(path)
        log.settimeout(10)
        node = make_node(tmp_path, "audited", clock, audit_syslog=path)
        try:
            head = keep_head(node)
            said = log.recv(1_000).decode()
        finally:
            node.database.close()
    assert f"audit head {head.seq} {head.hash}" in said
    assert said.startswith("<86>tocsin: ")


def test_a_silent_syslog_is_an_alarm(tmp_path, clock):
    node = make_node(tmp_path, "audited", clock, audit_syslog=f"{tmp_path}/nobody")
    try:
        assert keep_head(node) is not None, "the file has it"
        assert [alarm.subject for alarm in list_alarms(node)] == ["syslog"]
    finally:
        node.database.close()


def test_personal_details_go_and_the_chain_stays(node):
    (event,) = [e for e in list_events(node) if e.params.get("number") == 2]
    erase_details(node, event.seq, "asked for by law")
    (after,) = [e for e in list_events(node) if e.params.get("number") == 2]
    assert (after.actor, after.params, after.erased) == ("(erased)", {"number": 2}, True)
    assert after.hash == event.hash
    found = verify_audit(node)
    assert (found.faults, found.erased) == ((), 1)
    stored = b"".join(file.read_bytes() for file in node.settings.home.glob("tocsin.db*"))
    assert b"Mrs Example, 2" not in stored
    assert b"Mrs Example, 1" in stored


def test_facts_of_an_erased_event_cannot_be_changed(node):
    (event,) = [e for e in list_events(node) if e.params.get("number") == 2]
    erase_details(node, event.seq, "asked for by law")
    tamper(
        node,
        "UPDATE audit_events SET params = :p WHERE salt IS NULL",
        p=b'{"number":3}',
    )
    assert faults(node) == ["AUDIT_CHANGED"]


def test_what_is_gone_or_tells_of_an_erasure_is_not_erased(node):
    erase_details(node, 1, "asked for by law")
    with pytest.raises(Conflict):
        erase_details(node, 1, "again")
    with pytest.raises(Conflict):
        erase_details(node, list_events(node, limit=1)[0].seq, "hide the hiding")
    with pytest.raises(NotFound):
        erase_details(node, 999, "none")


def test_events_are_listed_by_page_actor_code_and_time(node, clock):
    clock.advance(timedelta(days=1))
    note(node, "PEER_SUSPENDED", actor="duty officer")
    assert [e.code for e in list_events(node, actor="duty officer")] == ["PEER_SUSPENDED"]
    assert [e.code for e in list_events(node, since=NOW + timedelta(hours=1))] == ["PEER_SUSPENDED"]
    first = list_events(node, code="PEER_SET", limit=2)
    then = list_events(node, code="PEER_SET", limit=2, before=first[-1].seq)
    assert [e.params["number"] for e in (*first, *then)] == [4, 3, 2, 1]


@given(
    st.integers(1, 2**40), st.binary(min_size=32, max_size=32), st.text(max_size=9), st.text(),
    st.text(max_size=9), st.text(),
)  # fmt: skip
@settings(max_examples=60)
def test_no_two_events_share_a_link(seq, previous, code, actor, other_code, other_actor):
    salt = bytes(16)
    one = link_of(seq, previous, NOW, code, digest_event(actor, {"reason": code}, salt))
    two = link_of(seq, previous, NOW, other_code, digest_event(other_actor, {}, salt))
    assert one != two


def test_the_operator_is_named_where_the_door_knows_the_name(node):
    node.database.operator = "operator ada"
    note(node, "PEER_SET")
    note(node, "PEER_SET", actor="monitoring")
    assert [event.actor for event in list_events(node, limit=2)] == ["monitoring", "operator ada"]
