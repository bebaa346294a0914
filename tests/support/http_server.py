"""Tiny real HTTP servers in threads, well and badly behaved, for tests of the outbound side.

A server runs a *script*: a function that gets each request and the connection, and sends raw
bytes. So a test can send what no decent server would. Each request is kept as it came.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_PATIENCE = 20.0


@dataclass(frozen=True)
class ReceivedRequest:
    """A request as it was on the wire: ``target`` is not decoded, header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """One accepted connection, for a script to send on."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock = sock
        self._stopping = stopping
        self._waiting = b""

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self._sock.sendall(data)

    def pause(self, seconds: float) -> bool:
        """Wait; False when the test is over or the other side has gone away."""
        gone, _, _ = select.select([self._sock], [], [], seconds)
        return not gone and not self._stopping.is_set()

    def read_request(self) -> ReceivedRequest | None:
        """Read the next request; None when the other side has closed."""
        while b"\r\n\r\n" not in self._waiting:
            if not self._read_more():
                return None
        head, _, self._waiting = self._waiting.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        pairs = (text.partition(":") for text in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        while len(self._waiting) < length:
            if not self._read_more():
                return None
        body, self._waiting = self._waiting[:length], self._waiting[length:]
        return ReceivedRequest(method, target, headers, body)

    def _read_more(self) -> bool:
        data = self._sock.recv(65_536)
        self._waiting += data
        return bool(data)


Script = Callable[[ReceivedRequest, Connection], bool]
"""Sends the answer; True when the connection stays open for the next request."""


@dataclass
class ScriptedServer:
    """A server on a free loopback port that plays one script for every request."""

    script: Script
    context: ssl.SSLContext | None = None
    requests: list[ReceivedRequest] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        if self.context is not None:
            self.context.sni_callback = self._note_name

    @property
    def base(self) -> str:
        """The base address; with TLS under the name ``localhost``."""
        return f"{'http' if self.context is None else 'https'}://127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        # Wakes the accepting thread; closing alone would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(lambda sock=sock: self._serve(sock))  # type: ignore[misc]

    def _serve(self, sock: socket.socket) -> None:
        self._open.add(sock)
        try:
            # Other sides that break off are what many of these tests are about.
            with contextlib.suppress(OSError):
                if self.context is not None:
                    self._open.discard(sock)
                    sock = self.context.wrap_socket(sock, server_side=True)
                    self._open.add(sock)
                self._play(Connection(sock, self._stopping))
        finally:
            self._open.discard(sock)
            sock.close()

    def _play(self, connection: Connection) -> None:
        while not self._stopping.is_set():
            request = connection.read_request()
            if request is None:
                return
            self.requests.append(request)
            if not self.script(request, connection):
                return

    def _note_name(self, _sock: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        self.server_names.append(name)


def write_answer(
    status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """Write a whole, well-formed answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {text}" for name, text in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def answers(*raw: bytes) -> Script:
    """Answer the requests with these in turn, then with the last one for ever."""
    waiting = list(raw)

    def play(_request: ReceivedRequest, connection: Connection) -> bool:
        connection.send(waiting.pop(0) if len(waiting) > 1 else waiting[0])
        return True

    return play


def redirects(location: str, status: int = 302) -> Script:
    """Answer every request with a redirect."""
    return answers(write_answer(status, headers={"Location": location}))


def gzip_of_zeros(megabytes: int) -> Iterator[bytes]:
    """Make gzip data that grows about a thousand times, without packing it all: the start.

    One block that refers to nothing before it is repeated; the trailer is left out, since nobody
    should ever read that far.
    """
    packer = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    block = packer.compress(bytes(1024 * 1024)) + packer.flush(zlib.Z_FULL_FLUSH)
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    for _ in range(megabytes):
        yield block


def gzip_bomb(megabytes: int) -> Script:
    """Answer with gzip data that grows about a thousand times."""
    packed = b"".join(gzip_of_zeros(megabytes))
    return answers(write_answer(body=packed, headers={"Content-Encoding": "gzip"}))


def endless(chunk: bytes = b"x" * 65_536, headers: Mapping[str, str] | None = None) -> Script:
    """Answer with a chunked body that never ends."""

    def play(_request: ReceivedRequest, connection: Connection) -> bool:
        lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked"]
        lines += [f"{name}: {text}" for name, text in (headers or {}).items()]
        connection.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        framed = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        while connection.pause(0):
            connection.send(framed)
        return False

    return play


def dripping(raw: bytes, *, at_once: int, every: float) -> Script:
    """Send the first ``at_once`` bytes of an answer, then one byte at a time."""

    def play(_request: ReceivedRequest, connection: Connection) -> bool:
        connection.send(raw[:at_once])
        for position in range(at_once, len(raw)):
            if not connection.pause(every):
                return False
            connection.send(raw[position : position + 1])
        return True

    return play


def silent(_request: ReceivedRequest, connection: Connection) -> bool:
    """Take the request and never answer."""
    while connection.pause(0.05):
        pass
    return False
