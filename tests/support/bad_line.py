"""A poor line: a TCP proxy on loopback that delays, cuts, stalls or refuses connections.

What it does to a connection is decided when the connection is made, so that a test can change the
weather while nodes talk. It forwards bytes and looks at none of them.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_CHUNK = 4096
_STUCK = 30.0
"""Seconds after which a stalled connection ends by itself, whatever a test forgot."""


@dataclass(frozen=True)
class Weather:
    """What happens to one connection.

    Args:
        seconds_a_chunk: a wait before each 4 KiB that come back.
        cut_after: bytes that come back before the connection breaks.
        stall_after: bytes that come back before nothing more does, until ``end_stalls``.
        refused: the connection is closed at once.
    """

    seconds_a_chunk: float = 0.0
    cut_after: int | None = None
    stall_after: int | None = None
    refused: bool = False


FINE = Weather()


@dataclass
class BadLine:
    """Forwards ``front`` to ``port`` while the ``with`` block runs.

    ``stalled`` is set when a connection begins to stall.
    """

    front: int
    port: int
    weather: Callable[[], Weather] = field(default=lambda: FINE)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.front))
        self._ended = threading.Event()
        self._go_on = threading.Event()
        self.stalled = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._go_on.set()
        self._listener.close()

    def end_stalls(self) -> None:
        """Break the connections that stall."""
        self._go_on.set()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                asker, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(asker, self.weather()), daemon=True).start()

    def _serve(self, asker: socket.socket, weather: Weather) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(asker)
            if weather.refused:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.port), timeout=_STUCK)
            except OSError:
                return
            stack.enter_context(server)
            asker.settimeout(_STUCK)
            sending = threading.Thread(target=_pour, args=(asker, server), daemon=True)
            sending.start()
            self._answer(server, asker, weather)
            for side in (asker, server):
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
            sending.join(_STUCK)

    def _answer(self, server: socket.socket, asker: socket.socket, weather: Weather) -> None:
        passed = 0
        pause = threading.Event()
        with contextlib.suppress(OSError):
            while chunk := server.recv(_CHUNK):
                if weather.seconds_a_chunk:
                    pause.wait(weather.seconds_a_chunk)
                if weather.cut_after is not None and passed + len(chunk) > weather.cut_after:
                    asker.sendall(chunk[: weather.cut_after - passed])
                    return
                if weather.stall_after is not None and passed + len(chunk) > weather.stall_after:
                    asker.sendall(chunk[: weather.stall_after - passed])
                    self.stalled.set()
                    self._go_on.wait(_STUCK)
                    return
                asker.sendall(chunk)
                passed += len(chunk)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)


def broken_line(seed: int, *, least: int, most: int, share: float) -> Callable[[], Weather]:
    """Break a share of the connections after some number of bytes; the same seed does the same."""
    dice = random.Random(seed)

    def weather() -> Weather:
        return Weather(cut_after=dice.randint(least, most)) if dice.random() < share else FINE

    return weather
