"""Alarms to a SIEM by syslog: once each, with back-off, and never of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Misconfigured
from hub.monitoring.alarm_syslog import AlarmsSent, has_untold, send_alarms
from hub.monitoring.alarms import end_alarm, list_alarms, raise_alarm
from hub.node import Node
from hub.settings import load_settings
from hub.workers.jobs import run_due_jobs
from hub.workers.schedule import plan_work
from tests.support.cef_reader import read_cef
from tests.support.certificates import CertificateAuthority
from tests.support.nodes import FixedClock, make_node
from tests.support.stored_state import rows_of
from tests.support.syslog_server import SyslogServer, rsyslog, syslog_server


@pytest.fixture
def server() -> Iterator[SyslogServer]:
    with syslog_server() as made:
        yield made


@pytest.fixture
def node(tmp_path: Path, server: SyslogServer) -> Iterator[Node]:
    made = node_for(tmp_path, f"tcp://127.0.0.1:{server.port}")
    yield made
    made.database.close()


def node_for(tmp_path: Path, address: str, **settings: Any) -> Node:
    members = {"alarm_syslog": address, "base_url": "https://hub.registry.example/"} | settings
    return make_node(tmp_path, "hub", FixedClock(), **members)


def alarm(node: Node, subject: str, code: str = "PEER_SILENT", **params: object) -> None:
    with node.database.write() as tx:
        raise_alarm(tx, code, subject, node.now(), **params)


def end(node: Node, subject: str) -> None:
    with node.database.write() as tx:
        end_alarm(tx, "PEER_SILENT", subject, node.now())


def later(node: Node, **parts: float) -> None:
    assert isinstance(node.clock, FixedClock)
    node.clock.advance(**parts)


def told(server: SyslogServer) -> list[tuple[str, str, str]]:
    """Of each message: the alarm's number, what happened, and about what."""
    events = [read_cef(message).extension for message in server.messages]
    return [(each["externalId"], each["act"], each["cs1"]) for each in events]


def test_a_message_is_a_frame_of_rfc_5424_with_cef_in_it(node: Node, server: SyslogServer) -> None:
    alarm(node, "peer|=1", name="cert=a\nb", since="2026-03-01T09:00:00+00:00")
    assert send_alarms(node) == AlarmsSent(1)
    (message,) = server.messages
    head = (
        "<132>1 2026-03-01T10:00:00.000Z hub.registry.example tocsin - PEER_SILENT - CEF:0|Tocsin|"
    )
    assert message.startswith(head)
    read = read_cef(message)
    assert read.head[4:] == ("PEER_SILENT", "Peer silent opened", "5")
    assert read.extension["msg"] == "Nothing was heard of cert=a\nb since 2026-03-01 09:00 UTC."
    assert read.extension["cs1"] == "peer|=1"
    assert read.extension["deviceExternalId"] == node.node_id


def test_begin_and_end_are_told_once_each(node: Node, server: SyslogServer) -> None:
    alarm(node, "a")
    send_alarms(node)
    assert send_alarms(node) == AlarmsSent(0)
    later(node, minutes=1)
    end(node, "a")
    alarm(node, "b")
    send_alarms(node)
    assert send_alarms(node) == AlarmsSent(0)
    assert told(server) == [("1", "opened", "a"), ("1", "closed", "a"), ("2", "opened", "b")]


def test_what_began_and_ended_in_between_is_told_too(node: Node, server: SyslogServer) -> None:
    send_alarms(node)
    later(node, minutes=1)
    alarm(node, "a")
    end(node, "a")
    send_alarms(node)
    assert told(server) == [("1", "opened", "a"), ("1", "closed", "a")]


def test_a_new_server_is_told_what_is_open_and_nothing_that_was(
    node: Node, server: SyslogServer
) -> None:
    alarm(node, "over")
    end(node, "over")
    alarm(node, "lasts")
    send_alarms(node)
    assert told(server) == [("2", "opened", "lasts")]
    with syslog_server() as other:
        settings = node.settings.model_copy(
            update={"alarm_syslog": f"tcp://127.0.0.1:{other.port}"}
        )
        moved = Node(settings, node.database, node.own, node.keys, node.clock)
        send_alarms(moved)
        assert told(other) == [("2", "opened", "lasts")]


def test_many_are_told_in_several_turns_in_order(node: Node, server: SyslogServer) -> None:
    for number in range(130):
        alarm(node, f"p{number}")
    assert send_alarms(node) == AlarmsSent(100, unfinished=True)
    assert send_alarms(node) == AlarmsSent(30)
    assert [number for number, _, _ in told(server)] == [str(n) for n in range(1, 131)]


@pytest.mark.parametrize("how", ["nobody", "reset"])
def test_a_server_that_takes_nothing_is_an_alarm_that_is_not_told_to_it(
    node: Node, server: SyslogServer, how: str
) -> None:
    alarm(node, "a")
    if how == "nobody":
        server.close()
    server.resets = True
    assert send_alarms(node) == AlarmsSent(error="E_ALARM_SYSLOG")
    assert [each.code for each in list_alarms(node)] == ["ALARMS_UNSENT", "PEER_SILENT"]
    assert send_alarms(node).error == "E_ALARM_SYSLOG"
    if how == "nobody":
        return
    server.resets = False
    assert send_alarms(node) == AlarmsSent(1)
    assert [each.code for each in list_alarms(node)] == ["PEER_SILENT"]
    assert send_alarms(node) == AlarmsSent(0)
    assert told(server) == [("1", "opened", "a")]


def test_the_worker_sends_and_waits_longer_after_failures_but_never_long(
    node: Node, server: SyslogServer
) -> None:
    def wait() -> timedelta:
        run_due_jobs(node, jitter=lambda: 1.0)
        (row,) = rows_of(node, "SELECT next_attempt_at AS at FROM jobs WHERE kind = 'alarms'")
        found = timedelta(microseconds=int(row["at"]) - int(node.now().timestamp() * 1_000_000))
        later(node, seconds=found.total_seconds())
        return found

    alarm(node, "a", "ROSTER_DOUBTED")  # which no look at the exchange ends
    server.resets = True
    plan_work(node)
    waits = [int(wait().total_seconds()) for _ in range(7)]
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    server.resets = False
    run_due_jobs(node)
    assert told(server) == [("1", "opened", "a")]
    plan_work(node)
    assert rows_of(node, "SELECT * FROM jobs WHERE kind = 'alarms'") == []


def test_without_the_setting_there_is_nothing_to_do(tmp_path: Path) -> None:
    node = make_node(tmp_path, "hub", FixedClock())
    alarm(node, "a")
    with node.database.read() as tx:
        assert not has_untold(tx, node)
    assert send_alarms(node) == AlarmsSent()
    node.database.close()


@pytest.mark.parametrize(
    "address",
    ["siem.example:6514", "tcp://siem.example:601", "tcp://192.0.2.1", "udp://127.0.0.1:514",
     "tls://", "tls://h:x", "tls://h:6514/path", "tls://u@h"],
)  # fmt: skip
def test_an_address_that_is_none_or_would_go_unprotected_is_refused(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        load_settings(tmp_path, alarm_syslog=address)
    assert refused.value.code == "E_SETTINGS"


@pytest.mark.parametrize("address", ["tls://siem.example", "tcp://localhost:1514", "tcp://[::1]"])
def test_tls_goes_anywhere_and_plain_tcp_to_this_machine(tmp_path: Path, address: str) -> None:
    assert load_settings(tmp_path, alarm_syslog=address).alarm_syslog == address


def test_over_tls_the_certificate_and_the_host_name_are_checked(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    ca_file = Path(authority.write_to(tmp_path))
    cases = {
        "localhost": (authority.server_context("localhost"), ca_file, None),
        "other": (authority.server_context("other.example"), ca_file, "E_ALARM_SYSLOG"),
        "ended": (authority.expired_server_context("localhost"), ca_file, "E_ALARM_SYSLOG"),
        "unknown": (authority.server_context("localhost"), None, "E_ALARM_SYSLOG"),
    }
    for name, (context, trusted, error) in cases.items():
        with syslog_server(context) as server:
            node = node_for(
                tmp_path / name, f"tls://localhost:{server.port}", alarm_syslog_ca_file=trusted
            )
            alarm(node, "a")
            assert send_alarms(node).error == error, name
            assert bool(server.messages) is (error is None)
            whys = [each.params["why"] for each in list_alarms(node) if "why" in each.params]
            assert len(whys) == (0 if error is None else 1)
            assert all("certificate" in str(why) for why in whys)
            node.database.close()


@pytest.mark.parametrize("is_tls", [False, True], ids=["tcp", "tls"])
def test_the_real_rsyslog_writes_the_line_as_it_was_told(tmp_path: Path, is_tls: bool) -> None:
    authority = CertificateAuthority()
    ca_file = authority.write_to(tmp_path)
    files = authority.write_server_files(tmp_path, "localhost")
    tls = (ca_file, *files) if is_tls else None
    with rsyslog(tmp_path / "rsyslog", tls) as server:
        scheme = "tls" if is_tls else "tcp"
        node = node_for(
            tmp_path, f"{scheme}://localhost:{server.port}", alarm_syslog_ca_file=ca_file
        )
        alarm(node, "pipe|equals=back\\slash", name="two\nlines", since="x")
        assert send_alarms(node) == AlarmsSent(1)
        (line,) = server.wait_for(1)
        later(node, minutes=1)
        end(node, "pipe|equals=back\\slash")
        assert send_alarms(node) == AlarmsSent(1)
        ended = server.wait_for(2)[1]
        node.database.close()
    assert line.startswith(
        "132 2026-03-01T10:00:00.000Z hub.registry.example tocsin PEER_SILENT CEF:0|"
    )
    read = read_cef(line)
    assert read.extension["cs1"] == "pipe|equals=back\\slash"
    assert "two\nlines" in read.extension["msg"]
    assert ended.startswith("133 2026-03-01T10:01:00.000Z ")
    assert read_cef(ended).extension["act"] == "closed"
