"""Knot of Debian as the hidden primary of policy zones (DNS 3), on loopback.

A new file of a zone becomes an incremental transfer: Knot derives it from the difference, signs it
with TSIG and notifies. Unbound signs no transfer, so Knot knows it by its address.
"""

from __future__ import annotations

import base64
import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode

from tests.support.forks import ROOT
from tests.support.nodes import free_port
from tests.support.processes import until
from tests.support.resolvers import STRANGER, TransferKey, require_programs, run_program, started

DEPLOYED = ROOT / "deploy/knot/knot.conf"


@dataclass
class HiddenPrimary:
    """A Knot that runs, loads zone files and tells its secondaries."""

    folder: Path
    port: int
    key: TransferKey
    process: subprocess.Popen[bytes] | None = field(default=None)

    def publish(self, zone: str, text: str) -> None:
        """Replace a zone's file as one step, and have it loaded."""
        waiting = self.folder / f"{zone}.new"
        waiting.write_text(text)
        waiting.rename(self.folder / f"{zone}.zone")
        self.reload(zone)

    def reload(self, zone: str) -> None:
        """Have a zone's file loaded."""
        run_program(self.folder, "knotc", "-s", "knot.sock", "zone-reload", zone)

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "knotd.out").read_text()


@contextmanager
def running_knot(
    folder: Path, zones: Mapping[str, str], *, key: TransferKey, bind: int, unbound: int
) -> Iterator[HiddenPrimary]:
    """Run Knot as hidden primary of zones by name and text; BIND and Unbound are told by port.

    Each zone's refresh is what its SOA says; the tests' are long, so that what comes about in
    time comes about by NOTIFY.
    """
    require_programs()
    (folder / "database").mkdir(parents=True, exist_ok=True)
    found = HiddenPrimary(folder, free_port(), key)
    for zone, text in zones.items():
        (folder / f"{zone}.zone").write_text(text)
    (folder / "knot.conf").write_text(deployed_configuration(found, list(zones), bind, unbound))
    with started(folder, "knotd", "-c", "knot.conf") as found.process:
        until(lambda: all(serial_of(found, zone) for zone in zones), "Knot serves its zones", 60)
        yield found


def deployed_configuration(
    knot: HiddenPrimary, zones: Sequence[str], bind: int, unbound: int
) -> str:
    """Fill in what an operator fills in of ``deploy/knot/knot.conf``, and nothing else.

    Its addresses, directories, key and zones, and where it logs.
    """
    text = DEPLOYED.read_text(encoding="utf-8")
    for written, here in (
        (r"127\.0\.0\.1@5300", f"127.0.0.1@{knot.port}"),
        (r"127\.0\.0\.1@5353", f"127.0.0.1@{unbound}"),
        (r"127\.0\.0\.1@53\b", f"127.0.0.1@{bind}"),
        (r"/run/knot", str(knot.folder)),
        (r"/var/lib/knot", str(knot.folder / "database")),
        (r"/var/lib/tocsin-rpz$", str(knot.folder)),
        (r"target: syslog", "target: stdout"),
        (r"REPLACE\S+", knot.key.secret),
        (r"(?<=\nzone:\n)(?s:.*)", "".join(f"  - domain: {zone}\n" for zone in zones)),
    ):
        text, count = re.subn(written, lambda _, here=here: here, text, flags=re.MULTILINE)
        assert count, f"{DEPLOYED} has no {written}"
    return text


def serial_of(knot: HiddenPrimary, zone: str) -> int:
    """Tell the serial that Knot serves; 0 while it serves none."""
    done = subprocess.run(
        ("knotc", "-s", "knot.sock", "zone-status", zone, "+serial"),
        cwd=knot.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    serial = done.stdout.rpartition("serial:")[2].strip()
    return int(serial) if serial.isdigit() else 0


def transferred(port: int, zone: str, key: TransferKey | None) -> int:
    """Ask as a stranger for a whole zone: how many records came, or -1 where it is refused."""
    query = dns.message.make_query(zone, "AXFR")
    if key is not None:
        query.use_tsig({dns.name.from_text(key.name): base64.b64decode(key.secret)}, key.name)
    with contextlib.suppress(dns.exception.DNSException, OSError):
        answer = dns.query.tcp(query, "127.0.0.1", port=port, timeout=5, source=STRANGER)
        if answer.rcode() == dns.rcode.NOERROR:
            return sum(len(rrset) for rrset in answer.answer)
    return -1
