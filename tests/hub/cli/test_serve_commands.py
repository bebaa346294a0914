"""The serving process itself: started, asked over real sockets, ended by a signal."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

SERVING = re.compile(rb"Serving \S+ on https?://127\.0\.0\.1:([0-9]+)/")


class Running:
    """A started process of ``tocsin``; its standard error is read up to the line waited for."""

    def __init__(self, home: Path, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hub", *words, "--home", str(home)],
            stderr=subprocess.PIPE,
            env=os.environ | {"TOCSIN_HOME": "/nowhere"},
        )
        self.lines: list[bytes] = []

    def wait_for(self, form: re.Pattern[bytes]) -> re.Match[bytes]:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := form.search(line):
                return found
        raise AssertionError(b"".join(self.lines).decode())

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=60)
        self.lines.append(rest)
        return self.process.returncode


@contextlib.contextmanager
def running(home: Path, *words: str) -> Iterator[Running]:
    started = Running(home, *words)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.process.communicate()


def ask(connection: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    connection.request("GET", path, headers={"X-Forwarded-Proto": "https"})
    answer = connection.getresponse()
    answer.read()
    return answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_answers_and_ends_with_zero_when_it_is_told_to(tocsin, number):
    with running(tocsin.home, "serve", "--port", "0") as server:
        port = int(server.wait_for(SERVING)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for path in ("/healthz", "/readyz"):
            answer = ask(connection, path)
            assert answer.status == 200
            assert answer.getheader("server") is None
        connection.close()
        assert server.end(number) == 0
    assert b"/healthz" not in b"".join(server.lines), "no access log"


def test_serve_over_tls_with_two_processes(tocsin, tmp_path):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    words = ["serve", "--port", "0", "--workers", "2"]
    with running(tocsin.home, *words, "--tls-cert", str(cert), "--tls-key", str(key)) as server:
        port = int(server.wait_for(SERVING)[1])
        server.wait_for(re.compile(rb"Started server process"))
        context = ssl.create_default_context()
        authority.configure_trust(context)
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
        assert ask(connection, "/readyz").status == 200
        connection.close()
        assert server.end() == 0


def test_a_head_without_an_end_is_not_kept_in_memory(tocsin):
    with running(tocsin.home, "serve", "--port", "0") as server:
        port = int(server.wait_for(SERVING)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as asking:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"a" * 200_000)
            with contextlib.suppress(ConnectionResetError):
                assert asking.recv(64).startswith(b"HTTP/1.1 4")
        assert server.end() == 0


def test_the_worker_alone_ends_with_zero(tocsin):
    with running(tocsin.home, "worker") as worker:
        worker.wait_for(re.compile(rb"Working for"))
        assert worker.end() == 0


def test_a_port_in_use_is_named(tocsin):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = tocsin("serve", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1
    assert "E_LISTEN" in result.stderr


def test_certificate_and_key_go_together_and_have_to_fit(tocsin, tmp_path):
    file = tmp_path / "a.pem"
    file.write_text("nonsense")
    assert tocsin("serve", "--tls-cert", str(file)).exit_code == 2
    both = tocsin("serve", "--tls-cert", str(file), "--tls-key", str(file))
    assert both.exit_code == 1
    assert "E_TLS_FILE" in both.stderr


def test_serve_does_not_start_without_a_node(tocsin):
    tocsin.home = tocsin.home / "absent"
    result = tocsin("serve")
    assert result.exit_code == 1
    assert "E_NOT_INITIALISED" in result.stderr
