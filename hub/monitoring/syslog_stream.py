"""Bring lines to a syslog server over TCP or TLS (RFC 5424, RFC 6587 §3.4.1, RFC 5425).

Invariants:
* frames are counted in octets: a line that held a line end could not be two messages;
* over TLS the server's certificate is verified, its host name too, and no line goes before; without
  TLS nothing leaves this machine (``Settings`` sees to it);
* lines count as brought once the server has read all and closed, or closed its side of TLS: what a
  system's buffer took is not there yet;
* no wait is longer than ``PATIENCE``, all of it together.

What it does not do: check the address against private networks (PROTOCOL 4.7): the administrator of
this machine wrote it, and a SIEM stands in a private network as a rule.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from hub.settings import SyslogAddress
from schemas.timestamps import write_wire_time

PATIENCE: Final = 20.0
FACILITIES: Final = {
    "user": 1, "daemon": 3, "auth": 4, "authpriv": 10,
    **{f"local{number}": 16 + number for number in range(8)},
}  # fmt: skip
_APP: Final = "tocsin"
_LONGEST_HOST: Final = 255


@dataclass(frozen=True, slots=True)
class SyslogMessage:
    """One message of RFC 5424.

    Args:
        facility: of ``FACILITIES``.
        severity: 0 to 7; the less, the more urgent.
        host: who tells it.
        message_id: what kind of message it is, printable ASCII.
    """

    facility: str
    severity: int
    at: datetime
    host: str
    message_id: str
    text: str


def write_message(message: SyslogMessage) -> bytes:
    """Write a message of RFC 5424 §6, without the mark of UTF-8 that CEF readers stumble on."""
    priority = FACILITIES[message.facility] * 8 + message.severity
    host = message.host[:_LONGEST_HOST] or "-"
    at = write_wire_time(message.at)
    head = f"<{priority}>1 {at} {host} {_APP} - {message.message_id[:32]} -"
    return f"{head} {message.text}".encode()


def send_messages(
    address: SyslogAddress, messages: Sequence[bytes], *, ca_file: Path | None = None
) -> None:
    """Send messages, and return when the server has them.

    Args:
        ca_file: PEM file with the only authorities that are trusted; the system's without it.

    Raises:
        OSError: no connection, a wrong certificate (``ssl.SSLError``), or not read to the end.
    """
    ends_at = time.monotonic() + PATIENCE
    with socket.create_connection((address.host, address.port), timeout=PATIENCE) as plain:
        connection = _secured(plain, address, ca_file) if address.is_tls else plain
        with connection:
            _wait_until(connection, ends_at)
            connection.sendall(b"".join(b"%d %b" % (len(each), each) for each in messages))
            _wait_until(connection, ends_at)
            _await_end(connection)


def _secured(plain: socket.socket, address: SyslogAddress, ca_file: Path | None) -> ssl.SSLSocket:
    # The default of a client: certificate and host name are checked, nothing below TLS 1.2.
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    return context.wrap_socket(plain, server_hostname=address.host)


def _await_end(connection: socket.socket) -> None:
    """Say that nothing more comes, and wait until the server has said the same."""
    if isinstance(connection, ssl.SSLSocket):
        # A server that only cuts the line after our word has read what came before it. One that
        # resets it has not.
        with suppress(ssl.SSLEOFError, ssl.SSLZeroReturnError):
            connection.unwrap()
        return
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4_096):
        pass


def _wait_until(connection: socket.socket, ends_at: float) -> None:
    left = ends_at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the syslog server takes too long")
    connection.settimeout(left)
