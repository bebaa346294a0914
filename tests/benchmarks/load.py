"""The load generator: raw sockets, so that the machine's two cores are left to the servers.

A client library would cost more than the server that it measures. What is done with an answer is
the least that keeps the figure honest: its status is checked, and its objects are counted.
"""

from __future__ import annotations

import base64
import re
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

TAXII = "application/taxii+json;version=2.1"
PAGE = 1_000
BATCH = 250
_NEXT = re.compile(rb'"next": ?"([^"]+)"')
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_ONCE_AN_OBJECT = b'"valid_from"'
_EDGE = 1_024
"""``next`` stands before or behind the objects, never between them."""
_PATIENCE = 600.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Target:
    """A collection of some TAXII server, and who asks."""

    name: str
    port: int
    objects: str
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def by_basic(cls, name: str, port: int, objects: str, user: str, secret: str) -> Target:
        """Make a target that is asked with Basic authentication."""
        words = base64.b64encode(f"{user}:{secret}".encode()).decode()
        return cls(name, port, objects, (("Authorization", f"Basic {words}"),))


@dataclass
class Connection:
    """One connection that is kept while the server keeps it."""

    target: Target
    _socket: socket.socket | None = None
    _buffer: bytearray = field(default_factory=lambda: bytearray(1 << 16))

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, memoryview]:
        """Ask and return the status and the body, which is good until the next question."""
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.target.port), _PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.target.port}",
            f"Accept: {TAXII}",
        ]
        lines += [f"{name}: {value}" for name, value in self.target.headers]
        if method == "POST":
            lines += [f"Content-Type: {TAXII}", f"Content-Length: {len(body)}"]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return self._answer(self._socket)

    def _answer(self, connection: socket.socket) -> tuple[int, memoryview]:
        head_end, taken = -1, 0
        while head_end < 0:
            taken += self._take(connection, taken)
            head_end = self._buffer.find(b"\r\n\r\n", 0, taken)
        head = bytes(self._buffer[:head_end])
        length = _LENGTH.search(head)
        assert length is not None, f"{self.target.name} gave no Content-Length: {head[:200]!r}"
        begin = head_end + 4
        end = begin + int(length.group(1))
        while taken < end:
            taken += self._take(connection, taken, end)
        if head.startswith(b"HTTP/1.0") or b"connection: close" in head.lower():
            self.close()
        return int(head[9:12]), memoryview(self._buffer)[begin:end]

    def _take(self, connection: socket.socket, at: int, end: int = 0) -> int:
        if len(self._buffer) < max(end, at + 1):
            # A new buffer: the old one may still be looked at through the last answer.
            self._buffer = self._buffer.ljust(max(end, 2 * at), b"\0")
        count = connection.recv_into(memoryview(self._buffer)[at:])
        assert count, f"{self.target.name} closed the connection within an answer"
        return count

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@dataclass(frozen=True, slots=True)
class Walked:
    """A walk over a collection: how much came, and how long each page took.

    ``cut_off`` says that the time was up before the last page.
    """

    objects: int
    size: int
    page_seconds: tuple[float, ...]
    last_path: str = ""
    cut_off: bool = False


def add(target: Target, bodies: Sequence[bytes]) -> float:
    """Post envelopes one after the other; return the seconds."""
    connection = Connection(target)
    started = time.perf_counter()
    for body in bodies:
        status, answer = connection.ask("POST", target.objects, body)
        assert status == 202, f"{target.name}: {status} {bytes(answer[:300])!r}"
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


def walk(
    target: Target,
    page: int = PAGE,
    keep: list[bytes] | None = None,
    longest: float = float("inf"),
) -> Walked:
    """Read a collection from its first page to its last; ``keep`` is given the pages.

    Args:
        longest: no page is begun after so many seconds.
    """
    connection = Connection(target)
    objects = size = 0
    seconds = []
    following = ""
    while True:
        path = f"{target.objects}?limit={page}{following}"
        started = time.perf_counter()
        status, body = connection.ask("GET", path)
        seconds.append(time.perf_counter() - started)
        assert status == 200, f"{target.name}: {status} {bytes(body[:300])!r}"
        whole = bytes(body)
        objects += whole.count(_ONCE_AN_OBJECT)
        size += len(whole)
        if keep is not None:
            keep.append(whole)
        found = _NEXT.search(whole[:_EDGE]) or _NEXT.search(whole[-_EDGE:])
        if found is None:
            break
        following = f"&next={quote(found.group(1).decode(), safe='')}"
        if sum(seconds) > longest:
            break
    connection.close()
    return Walked(objects, size, tuple(seconds), path, cut_off=found is not None)


def fetch(target: Target, paths: Sequence[str]) -> Walked:
    """Get addresses one after the other, and count as a walk does."""
    connection = Connection(target)
    objects = size = 0
    for path in paths:
        status, body = connection.ask("GET", path)
        assert status == 200, f"{target.name}: {status}"
        whole = bytes(body)
        objects += whole.count(_ONCE_AN_OBJECT)
        size += len(whole)
    connection.close()
    return Walked(objects, size, ())


def alternate(target: Target, paths: Sequence[str], times: int) -> list[list[float]]:
    """Get addresses in turn, again and again; return each one's seconds."""
    connection = Connection(target)
    seconds: list[list[float]] = [[] for _ in paths]
    for _ in range(times):
        for place, path in enumerate(paths):
            started = time.perf_counter()
            status, _ = connection.ask("GET", path)
            seconds[place].append(time.perf_counter() - started)
            assert status == 200, f"{target.name}: {status}"
    connection.close()
    return seconds


def look_up(target: Target, stix_ids: Sequence[str], longest: float = float("inf")) -> list[float]:
    """Get single objects by id, as many as come in time; return the seconds of each."""
    connection = Connection(target)
    seconds = []
    for stix_id in stix_ids:
        started = time.perf_counter()
        status, body = connection.ask("GET", f"{target.objects}{stix_id}/")
        seconds.append(time.perf_counter() - started)
        assert status == 200, f"{target.name}: {status}"
        assert stix_id.encode() in bytes(body), f"{target.name} answered with another object"
        if sum(seconds) > longest:
            break
    connection.close()
    return seconds


def at_once(jobs: Sequence[Callable[[], _T]]) -> tuple[list[_T], float]:
    """Run jobs in threads of their own; return what they returned, and the seconds of all."""
    results: list[_T] = []
    threads = [threading.Thread(target=lambda job=job: results.append(job())) for job in jobs]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    assert len(results) == len(jobs), "a reader failed"
    return results, seconds
