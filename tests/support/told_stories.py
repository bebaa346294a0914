"""What the stories of ``docs/stories`` have in common: who knows whom, and what people look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from federation.signing.request_auth import sign_request
from hub.bootstrap import open_node
from hub.settings import load_settings
from schemas.dns.domain_sets import SealedList, write_list
from schemas.dns.set_lines import SetLine
from tests.support.processes import (
    Tocsin,
    WireAnswer,
    give_trust_by_command,
    pair_by_command,
    until,
)


def acquaint(one: Tocsin, *others: Tocsin, trust: str = "trusted") -> None:
    """Let one node and each of others know, verify and trust each other; one's server runs."""
    for other in others:
        pair_by_command(one, other)
        give_trust_by_command(one, other, trust)
        give_trust_by_command(other, one, trust)


def open_alarms(node: Tocsin, code: str) -> list[dict[str, Any]]:
    """List a node's open alarms of one kind."""
    return [row for row in node.run("alarms") if row["code"] == code]


def wait_alarm(node: Tocsin, code: str) -> dict[str, Any]:
    """Wait for the first alarm of a kind."""
    alarms: list[dict[str, Any]] = until(
        lambda: open_alarms(node, code), f"{node.name} is alarmed: {code}"
    )
    return alarms[0]


def ask_as(asker: Tocsin, asked: Tocsin, target: str) -> WireAnswer:
    """Ask one node's server something as another node, signed with that node's key."""
    opened = open_node(load_settings(asker.home, allow_loopback_peers=True))
    try:
        headers = sign_request(
            method="GET",
            url=asked.base.removesuffix("/") + target,
            body=None,
            recipient=opened.node_id.__class__(asked.node_id),
            signer=opened.keys.http,
            created=opened.now(),
            nonce=opened.entropy(16),
        )
    finally:
        opened.database.close()
    return asked.get(target, headers)


@dataclass(frozen=True)
class DatedNames:
    """A list of names with the first and last day of each, as its author keeps it."""

    lines: tuple[SetLine, ...]

    def of(self, tld: str) -> DatedNames:
        """Those of one top-level domain."""
        return DatedNames(tuple(line for line in self.lines if line.name.endswith(f".{tld}")))

    def on(self, day: date) -> set[str]:
        """The names that count on a day."""
        return {
            line.name
            for line in self.lines
            if line.first is None or line.first <= day <= (line.last or line.first)
        }

    @property
    def names(self) -> set[str]:
        """All names."""
        return {line.name for line in self.lines}

    def sealed(self) -> SealedList:
        """The list as it travels."""
        return write_list(self.lines)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the files that ``tocsin set publish`` reads: names, and their days."""
        names, days = folder / "names.txt", folder / "days.csv"
        names.write_text("".join(f"{name}\n" for name in sorted(self.names)))
        days.write_text(
            "name,first,last\n"
            + "".join(f"{line.name},{line.first},{line.last}\n" for line in self.lines)
        )
        return names, days


def zone_names(file: Path) -> set[str]:
    """The names that a policy zone's file blocks, each by itself; none where it is not there."""
    if not file.exists():
        return set()
    return {
        line.split()[0]
        for line in file.read_text().splitlines()
        if " CNAME " in line and not line.startswith(("*.", ";"))
    }


def sets_of(node: Tocsin) -> list[dict[str, Any]]:
    """The sets of which a node has made claims."""
    rows: list[dict[str, Any]] = node.run("set", "list")
    return [row for row in rows if row["state"] == "expanded"]
