"""Which alarms a syslog server was told of, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.monitoring.alarm_syslog import AlarmsSent, send_alarms
from hub.monitoring.alarms import end_alarm, raise_alarm
from hub.node import Node
from tests.support.cef_reader import read_cef
from tests.support.databases import postgresql_with_tables
from tests.support.nodes import FixedClock, make_node
from tests.support.syslog_server import SyslogServer, syslog_server


@pytest.fixture
def server() -> Iterator[SyslogServer]:
    with syslog_server() as made:
        yield made


def test_begin_and_end_are_told_once_each(tmp_path: Path, server: SyslogServer) -> None:
    clock = FixedClock()
    node: Node = make_node(
        tmp_path,
        "hub",
        clock,
        database_url=postgresql_with_tables(),
        alarm_syslog=f"tcp://127.0.0.1:{server.port}",
    )
    for subject in ("a", "b"):
        with node.database.write() as tx:
            raise_alarm(tx, "PEER_SILENT", subject, node.now())
    assert send_alarms(node) == AlarmsSent(2)
    clock.advance(timedelta(minutes=1))
    with node.database.write() as tx:
        end_alarm(tx, "PEER_SILENT", "a", node.now())
    assert send_alarms(node) == AlarmsSent(1)
    assert send_alarms(node) == AlarmsSent(0)
    told = [read_cef(message).extension for message in server.messages]
    assert [(each["cs1"], each["act"]) for each in told] == [
        ("a", "opened"), ("b", "opened"), ("a", "closed"),
    ]  # fmt: skip
    node.database.close()
