"""Tell a SIEM of alarms by syslog, as CEF (issue 6, point 5).

Invariants:
* of each alarm its begin is told once and its end once, in the order of their numbers; where a
  server took messages and its answer was lost, it is told them again with the same number
  (``externalId``);
* what closed before the server was set is not told; what is open then, is;
* no turn of the database's writers waits for the network;
* that the server cannot be reached is an alarm of its own, which is never told to that server;
* what is told of an alarm's content is decided by ``alarm_events``.

What it does not do: connect (``syslog_stream``) or wait; the worker does, longer each time.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final
from urllib.parse import urlsplit

from hub.exports.cef import write_cef
from hub.monitoring.alarm_events import CLOSED, OPENED, Teller, event_of, syslog_severity
from hub.monitoring.alarms import ALARMS_UNSENT, end_alarm, raise_alarm
from hub.monitoring.syslog_stream import (
    SyslogMessage,
    send_messages,
    write_message,
)
from hub.node import Node
from hub.peers.node_documents import own_base
from hub.settings import syslog_address
from hub.storage.queries.alarms import AlarmRow
from hub.storage.queries.alarms_out import (
    BEGIN_TOLD,
    END_TOLD,
    UntoldAlarm,
    add_outlet,
    has_outlet,
    note_told,
    untold_alarms,
)
from hub.storage.transaction import Transaction
from schemas.markings import Tlp

ALARMS_AT_ONCE: Final = 100
_SUBJECT: Final = "syslog"


@dataclass(frozen=True, slots=True)
class AlarmsSent:
    """What a server was told.

    Args:
        messages: that it took.
        unfinished: whether there is more to tell.
        error: ``E_ALARM_SYSLOG`` when it could not be reached; then nothing counts as told.
    """

    messages: int = 0
    unfinished: bool = False
    error: str | None = None


def has_untold(tx: Transaction, node: Node) -> bool:
    """Tell whether the configured server has to be told anything."""
    address = node.settings.alarm_syslog
    if not address:
        return False
    if not has_outlet(tx, address):
        return True
    return bool(untold_alarms(tx, address, 1, but=ALARMS_UNSENT))


def send_alarms(node: Node) -> AlarmsSent:
    """Tell the configured server what it has not been told yet."""
    settings, now = node.settings, node.now()
    if not settings.alarm_syslog:
        return AlarmsSent()
    address = settings.alarm_syslog
    with node.database.read() as tx:
        is_new = not has_outlet(tx, address)
    if is_new:
        with node.database.write() as tx:
            add_outlet(tx, address, now)
    with node.database.read() as tx:
        waiting = untold_alarms(tx, address, ALARMS_AT_ONCE + 1, but=ALARMS_UNSENT)
        telling = waiting[:ALARMS_AT_ONCE]
        messages = list(_messages(node, telling, _teller(tx, node)))
    if not messages:
        return AlarmsSent()
    why = _why_not_sent(node, messages)
    with node.database.write() as tx:
        if why is not None:
            raise_alarm(tx, ALARMS_UNSENT, _SUBJECT, now, address=address, why=why)
            return AlarmsSent(error="E_ALARM_SYSLOG")
        end_alarm(tx, ALARMS_UNSENT, _SUBJECT, now)
        for each in telling:
            told = BEGIN_TOLD if each.alarm.closed_at is None else END_TOLD
            note_told(tx, address, each.alarm.alarm_id, told, now)
    return AlarmsSent(len(messages), unfinished=len(waiting) > len(telling))


def _why_not_sent(node: Node, messages: Sequence[bytes]) -> str | None:
    settings = node.settings
    try:
        send_messages(
            syslog_address(settings.alarm_syslog), messages, ca_file=settings.alarm_syslog_ca_file
        )
    except ssl.SSLCertVerificationError as error:
        return f"its certificate: {error.verify_message}"
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
    return None


def _messages(node: Node, telling: Sequence[UntoldAlarm], teller: Teller) -> Iterator[bytes]:
    for each in telling:
        alarm = each.alarm
        if each.told < BEGIN_TOLD:
            yield _message(node, alarm, OPENED, teller)
        if alarm.closed_at is not None:
            yield _message(node, alarm, CLOSED, teller)


def _message(node: Node, alarm: AlarmRow, what: str, teller: Teller) -> bytes:
    event = event_of(alarm, what, teller)
    at = alarm.closed_at if what == CLOSED else alarm.opened_at
    return write_message(
        SyslogMessage(
            facility=node.settings.alarm_syslog_facility,
            severity=syslog_severity(event),
            at=at or alarm.opened_at,
            host=teller.host,
            message_id=alarm.code,
            text=write_cef(event),
        )
    )


def _teller(tx: Transaction, node: Node) -> Teller:
    host = urlsplit(own_base(tx, node)).hostname or "-"
    return Teller(_release(), node.node_id, host, Tlp.read(node.settings.alarm_syslog_max_tlp))


def _release() -> str:
    try:
        return version("tocsin")
    except PackageNotFoundError:  # run from a tree that was never installed
        return "0"
