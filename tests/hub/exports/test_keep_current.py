"""Targets and fetched feeds are kept current: when, how often, and what a failure leaves."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import dns.message
import dns.rrset
import pytest

from hub.errors import Misconfigured
from hub.exports.canary import seen_serial
from hub.exports.export_key import ExportKey
from hub.exports.keep_current import EXPORTS, MANY, REST, keep_current, request_exports
from hub.exports.knot import KnotZone, reload_zone
from hub.exports.targets import add_target, list_targets, run_targets
from hub.monitoring.alarm_words import words_of
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.storage.dialects import to_micros
from hub.storage.queries.jobs import subjects_with_job
from hub.storage.queries.verdict_work import put_marks
from hub.verdicts.fuse import refresh_all
from hub.verdicts.guard_names import add_guard
from hub.workers.jobs import run_due_jobs
from tests.support.asked_blocks import ask_for_blocks, withdraw_verdicts
from tests.support.nodes import FixedClock, make_node
from tests.support.udp_answers import answering

ZONE = ExportKey("rpz", "organisation")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def node(tmp_path: Path, clock: FixedClock) -> Node:
    return make_node(tmp_path, "hub", clock, rpz_canary="canary.example", probe_seconds=10)


def records(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if " CNAME " in line]


def test_a_target_follows_what_is_blocked(node: Node, clock: FixedClock, tmp_path: Path) -> None:
    file = tmp_path / "x.zone"
    add_target(node, ZONE, file)
    ask_for_blocks(node, ["a.example"])
    keep_current(node)
    assert records(file) == ["a.example CNAME ."]
    before = file.stat()
    clock.advance(minutes=1)
    assert keep_current(node).rendered == 0
    assert file.stat() == before
    ask_for_blocks(node, ["b.example"])
    keep_current(node)
    assert records(file) == ["a.example CNAME .", "b.example CNAME ."]
    withdraw_verdicts(node, ["a.example"])
    clock.advance(minutes=1)
    keep_current(node)
    assert records(file) == ["b.example CNAME ."]
    add_guard(node, "b.example")  # no verdict changes by it
    clock.advance(minutes=1)
    keep_current(node)
    assert records(file) == []


def test_names_leave_when_they_end_and_their_answers_before(
    node: Node, clock: FixedClock, tmp_path: Path
) -> None:
    file = tmp_path / "x.zone"
    add_target(node, ZONE, file)
    ask_for_blocks(node, ["a.example"], valid_until=clock.now() + timedelta(hours=1))
    first = keep_current(node)
    assert first.due_at == clock.now() + timedelta(minutes=55)  # the TTL of five minutes
    clock.advance(minutes=55)
    second = keep_current(node)
    assert records(file) == ["a.example 60 CNAME ."]
    assert second.due_at == clock.now() + timedelta(minutes=5)
    clock.advance(minutes=5)
    keep_current(node)
    assert records(file) == []


def test_changes_that_come_together_are_rendered_once(
    node: Node, clock: FixedClock, tmp_path: Path
) -> None:
    file = tmp_path / "x.zone"
    add_target(node, ZONE, file)
    keep_current(node)
    ask_for_blocks(node, ["a.example"])
    waits = keep_current(node)
    assert records(file) == []
    assert waits.due_at == clock.now() + timedelta(seconds=2)
    ask_for_blocks(node, ["b.example"])
    clock.advance(seconds=2)
    keep_current(node)
    assert records(file) == ["a.example CNAME .", "b.example CNAME ."]


def test_while_names_are_judged_it_is_rendered_seldom_and_once_they_are(
    node: Node, clock: FixedClock, tmp_path: Path
) -> None:
    file = tmp_path / "x.zone"
    add_target(node, ZONE, file)
    ask_for_blocks(node, ["a.example"])
    keep_current(node)
    with node.database.write() as tx:
        at = to_micros(clock.now())
        put_marks(tx, [(f"n{number}.example", 0, at, False) for number in range(MANY)])
    ask_for_blocks(node, ["b.example"])
    clock.advance(seconds=5)
    waiting = keep_current(node)
    assert (waiting.rendered, waiting.due_at) == (0, clock.now() + REST)
    assert records(file) == ["a.example CNAME ."]
    clock.advance(seconds=16)
    assert keep_current(node).rendered == 1
    assert records(file) == ["a.example CNAME .", "b.example CNAME ."]
    ask_for_blocks(node, ["c.example"])
    clock.advance(seconds=5)
    assert keep_current(node).rendered == 0
    refresh_all(node)
    assert keep_current(node).rendered == 1
    assert len(records(file)) == 3


def test_the_worker_does_it_when_verdicts_change(
    node: Node, clock: FixedClock, tmp_path: Path
) -> None:
    file = tmp_path / "x.zone"
    add_target(node, ZONE, file)
    request_exports(node)
    run_due_jobs(node)
    assert records(file) == []
    ask_for_blocks(node, ["a.example"], valid_until=clock.now() + timedelta(days=1))
    request_exports(node)
    clock.advance(seconds=2)
    run_due_jobs(node)
    assert records(file) == ["a.example CNAME ."]
    with node.database.read() as tx:
        assert subjects_with_job(tx, EXPORTS) == {""}  # for the name's end
    clock.advance(days=1)
    run_due_jobs(node)
    assert records(file) == []


def test_a_jump_leaves_the_last_good_file_and_is_looked_at_once(
    node: Node, clock: FixedClock, tmp_path: Path
) -> None:
    file = tmp_path / "x.zone"
    add_target(node, ZONE, file)
    ask_for_blocks(node, [f"n{number}.example" for number in range(150)])
    keep_current(node)
    before = file.read_bytes()
    ask_for_blocks(node, [f"m{number}.example" for number in range(150)])
    clock.advance(minutes=1)
    assert keep_current(node).failed == ("E_EXPORT_JUMP",)
    assert file.read_bytes() == before
    clock.advance(minutes=1)
    assert keep_current(node).rendered == 0
    assert [alarm.code for alarm in list_alarms(node)] == ["EXPORT_JUMP"]
    assert [row.error for row in list_targets(node)] == ["E_EXPORT_JUMP"]
    (written,) = run_targets(node, accept_jump="A new botnet.")
    assert written.names == 300
    assert len(records(file)) == 300
    assert list_alarms(node) == ()


def test_one_target_that_fails_keeps_no_other_from_being_written(
    node: Node, tmp_path: Path
) -> None:
    if os.getuid() == 0:
        (tmp_path / "gone").mkdir()
    else:  # pragma: no cover - the same by another way
        (tmp_path / "gone").mkdir(mode=0o700)
    add_target(node, ZONE, tmp_path / "gone" / "x.zone", name="a")
    add_target(node, ExportKey("names", "organisation"), tmp_path / "names.txt", name="b")
    (tmp_path / "gone").rmdir()
    ask_for_blocks(node, ["a.example"])
    kept = keep_current(node)
    assert kept.failed == ("E_FILE",)
    assert kept.due_at is not None
    assert (tmp_path / "names.txt").read_text() == "a.example\n"
    (alarm,) = list_alarms(node)
    assert words_of(alarm)[0].startswith("The target a was not written: No such file")
    (tmp_path / "gone").mkdir()
    keep_current(node)
    assert list_alarms(node) == ()
    assert [row.error for row in list_targets(node)] == [None, None]


def test_knot_is_told_by_a_list_of_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    program = tmp_path / "knotc"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {told}\n[ "$2" != /bad ]\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    reload_zone(KnotZone("/run/a b;c.sock", "dga.rpz"))
    assert told.read_text().splitlines() == ["-s", "/run/a b;c.sock", "zone-reload", "dga.rpz"]
    with pytest.raises(Misconfigured) as refused:
        reload_zone(KnotZone("/bad", "dga.rpz"))
    assert refused.value.code == "E_KNOT"


def test_a_resolver_says_which_serial_it_applies() -> None:
    with answering(lambda query: txt(query, "tocsin 42")) as port:
        assert seen_serial(f"127.0.0.1@{port}", "canary.example") == 42
    with answering(lambda query: txt(query, "something else")) as port:
        assert seen_serial(f"127.0.0.1@{port}", "canary.example") is None


def test_a_resolver_that_does_not_apply_the_zone_is_an_alarm(
    node: Node, clock: FixedClock, tmp_path: Path
) -> None:
    seen = {"serial": 1}
    with answering(lambda query: txt(query, f"tocsin {seen['serial']}")) as port:
        add_target(node, ZONE, tmp_path / "x.zone", probe=f"127.0.0.1@{port}")
        assert keep_current(node).due_at == clock.now() + timedelta(seconds=1)
        assert list_alarms(node) == ()
        clock.advance(seconds=10)
        keep_current(node)
        (alarm,) = list_alarms(node)
        assert (alarm.code, alarm.params["seen"]) == ("CANARY", 1)
        assert "is at serial 1" in words_of(alarm)[0]
        ask_for_blocks(node, ["a.example"])
        clock.advance(minutes=1)
        seen["serial"] = int(clock.now().timestamp())
        keep_current(node)
        assert list_alarms(node) == ()


def txt(query: dns.message.Message, text: str) -> dns.message.Message:
    answer = dns.message.make_response(query)
    name = query.question[0].name
    answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", f'"{text}"'))
    return answer
