"""A syslog server of a few lines, and Debian's rsyslogd, both on loopback ports of their own."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import NEEDS_PROGRAM
from tests.support.nodes import free_port
from tests.support.processes import until

_GTLS = "lmnsd_gtls.so"
_MODULES = ("/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog",
            "/usr/lib/rsyslog")  # fmt: skip


@dataclass
class SyslogServer:
    """Takes octet-counted frames (RFC 6587) until told to refuse them."""

    context: ssl.SSLContext | None = None
    messages: list[str] = field(default_factory=list)
    resets: bool = False

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self._take(connection)

    def _take(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        if self.resets:
            plain.recv(10)
            # Closing with unread bytes and no lingering sends a reset.
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return
        connection = plain
        if self.context is not None:
            connection = self.context.wrap_socket(plain, server_side=True)
        data = b""
        while more := connection.recv(65_536):
            data += more
        while data:
            length, _, rest = data.partition(b" ")
            self.messages.append(rest[: int(length)].decode())
            data = rest[int(length) :]
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap().close()


@contextmanager
def syslog_server(context: ssl.SSLContext | None = None) -> Iterator[SyslogServer]:
    """Run a server while the ``with`` block runs."""
    server = SyslogServer(context)
    try:
        yield server
    finally:
        server.close()


@dataclass
class Rsyslog:
    """A running rsyslogd: its port, and the file that it writes."""

    port: int
    file: Path

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []

    def wait_for(self, count: int) -> list[str]:
        until(lambda: len(self.lines()) >= count, f"rsyslog writes {count} lines")
        return self.lines()


@contextmanager
def rsyslog(folder: Path, tls: tuple[str, str, str] | None = None) -> Iterator[Rsyslog]:
    """Run Debian's rsyslogd, over TLS with the gtls driver where certificates are given.

    Args:
        tls: files of the authority, of the chain and of the key.
    """
    program = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin")
    if program is None:
        pytest.skip(f"{NEEDS_PROGRAM}: rsyslogd (make system-packages)")
    if tls is not None and not any((Path(place) / _GTLS).exists() for place in _MODULES):
        pytest.skip(f"{NEEDS_PROGRAM}: rsyslog-gnutls (make system-packages)")
    folder.mkdir(parents=True, exist_ok=True)
    port, file = free_port(), folder / "alarms.log"
    (folder / "rsyslog.conf").write_text(_configuration(folder, port, file, tls))
    command = [program, "-n", "-iNONE", "-f", str(folder / "rsyslog.conf")]
    with (folder / "errors.log").open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
    try:
        until(lambda: _listens(port, process, folder), "rsyslogd listens")
        yield Rsyslog(port, file)
    finally:
        process.terminate()
        process.wait(20)


def _configuration(folder: Path, port: int, file: Path, tls: tuple[str, str, str] | None) -> str:
    driver = ""
    secured = ""
    if tls is not None:
        authority, chain, key = tls
        driver = (
            f'DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="{authority}" '
            f'DefaultNetstreamDriverCertFile="{chain}" DefaultNetstreamDriverKeyFile="{key}"'
        )
        secured = ' StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"'
    return (
        f'global(workDirectory="{folder}" {driver})\n'
        f'module(load="imtcp"{secured})\n'
        f'input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="alarms")\n'
        'template(name="whole" type="string" string='
        '"%pri% %timestamp:::date-rfc3339% %hostname% %app-name% %msgid% %msg%\\n")\n'
        'ruleset(name="alarms") {\n'
        f'  action(type="omfile" file="{file}" template="whole" asyncWriting="off")\n'
        "}\n"
    )


def _listens(port: int, process: subprocess.Popen[bytes], folder: Path) -> bool:
    assert process.poll() is None, (folder / "errors.log").read_text()
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
