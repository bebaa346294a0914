"""Networks of a test's own: a namespace for each node, joined by a bridge, to be cut and healed.

The addresses look global, because a node connects to no others, and exist in these namespaces
alone: no packet leaves the machine. Needs root and Debian's ``iproute2``.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.conftest import NEEDS_PROGRAM

_NUMBERS = itertools.count(1)


@dataclass
class Networks:
    """One namespace for each name, and one with the bridge between them."""

    names: Sequence[str]
    prefix: str = field(default_factory=lambda: f"toc{os.getpid()}n{next(_NUMBERS)}")

    def namespace(self, name: str) -> str:
        """The namespace of a node."""
        return f"{self.prefix}{name}"

    def address(self, name: str) -> str:
        """The address of a node."""
        return f"11.77.0.{self.names.index(name) + 1}"

    def under(self, name: str) -> tuple[str, ...]:
        """What a command line begins with to run in a node's namespace."""
        return ("ip", "netns", "exec", self.namespace(name))

    def cut_off(self, name: str) -> None:
        """Take a node's line down: packets are lost and nobody is told."""
        _ip("-n", self.namespace("hub"), "link", "set", f"to-{name}", "down")

    def join(self, name: str) -> None:
        """Bring a node's line up again."""
        _ip("-n", self.namespace("hub"), "link", "set", f"to-{name}", "up")

    def part(self, one: str, other: str) -> None:
        """Let two nodes not reach each other, while both reach everybody else."""
        for here, there in ((one, other), (other, one)):
            _ip("-n", self.namespace(here), "route", "add", "unreachable", self.address(there))

    def unpart(self, one: str, other: str) -> None:
        """Let two nodes reach each other again."""
        for here, there in ((one, other), (other, one)):
            _ip("-n", self.namespace(here), "route", "del", "unreachable", self.address(there))

    def make(self) -> None:
        """Make the namespaces and the lines."""
        hub = self.namespace("hub")
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "add", "bridge", "type", "bridge")
        _ip("-n", hub, "link", "set", "bridge", "up")
        for name in self.names:
            own = self.namespace(name)
            _ip("netns", "add", own)
            _ip("-n", own, "link", "add", "line", "type", "veth", "peer", "name", f"to-{name}",
                "netns", hub)  # fmt: skip
            _ip("-n", hub, "link", "set", f"to-{name}", "master", "bridge", "up")
            _ip("-n", own, "addr", "add", f"{self.address(name)}/24", "dev", "line")
            _ip("-n", own, "link", "set", "line", "up")
            _ip("-n", own, "link", "set", "lo", "up")

    def delete(self) -> None:
        """Delete the namespaces, and the lines with them."""
        for name in ("hub", *self.names):
            subprocess.run(
                ["ip", "netns", "delete", self.namespace(name)], capture_output=True, check=False
            )


@contextmanager
def networks(*names: str) -> Iterator[Networks]:
    """Make networks for nodes, or skip where the machine does not allow it."""
    if shutil.which("ip") is None:
        pytest.skip(f"{NEEDS_PROGRAM}: ip (make system-packages)")
    made = Networks(names)
    try:
        try:
            made.make()
        except RuntimeError as error:
            pytest.skip(f"this machine does not allow network namespaces ({error})")
        yield made
    finally:
        made.delete()


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
