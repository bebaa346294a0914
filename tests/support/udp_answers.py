"""A name server of one function on loopback, for what is asked of resolvers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.message

Answer = Callable[[dns.message.Message], dns.message.Message]


@contextmanager
def answering(answer: Answer) -> Iterator[int]:
    """Answer queries over UDP until the end of the block; the port is what it gives."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(0.05)
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                data, asker = listener.recvfrom(4096)
            except TimeoutError:
                continue
            listener.sendto(answer(dns.message.from_wire(data)).to_wire(), asker)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        thread.join()
        listener.close()
