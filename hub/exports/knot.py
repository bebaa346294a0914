"""Tell a Knot DNS on this machine that a zone's file is new (DNS 3).

Knot derives the incremental transfer from the difference, signs with TSIG and notifies: Tocsin has
no transfer server of its own.

Invariant: the program is found once, by its whole path, and gets a list of arguments: nothing of
a setting is ever read by a shell.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from hub.errors import Misconfigured
from schemas.dns.names import read_name
from schemas.errors import WireFormatError

PROGRAM: Final = "knotc"
_PATHS: Final = "/usr/sbin:/usr/local/sbin"
_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class KnotZone:
    """A zone at a Knot; ``socket`` is the file of its control socket."""

    socket: str
    zone: str


def read_knot(text: str) -> KnotZone:
    """Read ``SOCKET/ZONE``, such as ``/run/knot/knot.sock/organisation.rpz``.

    Raises:
        WireFormatError: ``E_TARGET``.
    """
    socket, slash, zone = text.rpartition("/")
    try:
        if slash and socket.startswith("/"):
            return KnotZone(socket, read_name(zone).a_label)
    except WireFormatError:
        pass
    raise WireFormatError("E_TARGET", "a Knot is SOCKET/ZONE, as /run/knot/knot.sock/dga.rpz")


def reload_zone(zone: KnotZone) -> None:
    """Let Knot read a zone's file again.

    Raises:
        Misconfigured: ``E_KNOT`` where the program is missing, or Knot does not take the order.
    """
    program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path=_PATHS)
    if program is None:
        raise Misconfigured("E_KNOT", "there is no knotc on this machine", "Install knot.")
    command = [program, "-s", zone.socket, "zone-reload", zone.zone]
    try:
        done = subprocess.run(  # noqa: S603 - a list; its words were read as a path and a name
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise _failed(zone, "no answer in time") from None
    if done.returncode != 0:
        raise _failed(zone, (done.stderr or done.stdout).strip()[:200])


def _failed(zone: KnotZone, why: str) -> Misconfigured:
    return Misconfigured(
        "E_KNOT",
        f"zone {zone.zone} is not reloaded: {why}",
        f"Try `knotc -s {zone.socket} zone-status {zone.zone}`.",
    )
