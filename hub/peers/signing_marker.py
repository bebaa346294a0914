"""The marker in the home that counts own signings along with the database (PROTOCOL 4.6).

The database can be put back from a backup, and then knows nothing of what it published since. The
marker lies outside of it and so shows that. It is written after the commit, by whoever committed,
and never goes back. It holds no secret.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from federation.feeds.recovery import Marker
from hub.errors import StorageBusy
from schemas.errors import WireFormatError
from schemas.members import read_integer
from schemas.strict_json import strict_loads, write_json

MARKER_FILE = "last-signed"
_SIZE = 128


def read_marker(home: Path) -> Marker | None:
    """Read the marker; None when there is none, or none that can be read.

    Raises:
        StorageBusy: ``E_STORAGE`` when the home cannot be written, so that none could be kept.
    """
    with _opened(home) as descriptor:
        return _read(descriptor)


def note_signed(home: Path, generation: int, peers: int) -> None:
    """Count a signing write; of two that end at once the later one stands.

    Raises:
        StorageBusy: ``E_STORAGE``.
    """
    with _opened(home) as descriptor:
        held = _read(descriptor)
        # What says that a backup was put back stays until somebody was asked.
        if held is None or (held.generation < generation and not held.restored):
            _write(descriptor, Marker(generation, peers))


def note_restored(home: Path) -> None:
    """Note that a backup takes the database's place, before it does.

    Raises:
        StorageBusy: ``E_STORAGE``.
    """
    with _opened(home) as descriptor:
        held = _read(descriptor) or Marker(0)
        _write(descriptor, replace(held, restored=True))


def settle_marker(home: Path, marker: Marker) -> None:
    """Begin anew from the database's count, once the doubt stands in the database itself.

    Raises:
        StorageBusy: ``E_STORAGE``.
    """
    with _opened(home) as descriptor:
        _write(descriptor, marker)


@contextmanager
def _opened(home: Path) -> Iterator[int]:
    try:
        descriptor = os.open(home / MARKER_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StorageBusy(
            "E_STORAGE",
            f"{MARKER_FILE} in the home cannot be written: {error.strerror}",
            "Make the home writable for the node, and room on its disk.",
        ) from None


def _read(descriptor: int) -> Marker | None:
    try:
        value = strict_loads(os.pread(descriptor, _SIZE, 0).strip())
        if not isinstance(value, dict):
            return None
        generation = read_integer(value, "generation", least=0)
        peers = read_integer(value, "peers", least=0)
    except WireFormatError:
        return None
    return Marker(generation, peers, restored=value.get("restored") is True)


def _write(descriptor: int, marker: Marker) -> None:
    body = {"generation": marker.generation, "peers": marker.peers, "restored": marker.restored}
    # One write of one length into one block: there is no moment at which it is half there.
    os.pwrite(descriptor, write_json(body).ljust(_SIZE - 1) + b"\n", 0)
    os.fsync(descriptor)
