"""Debian's Suricata, run offline over packets that are made here byte by byte."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import NEEDS_PROGRAM
from tests.support.processes import until

CONFIGURATION = """%YAML 1.1
---
vars:
  address-groups: {HOME_NET: "any", EXTERNAL_NET: "any"}
  port-groups: {}
outputs:
  - eve-log: {enabled: yes, filetype: regular, filename: eve.json, types: [{alert: {}}]}
stats: {enabled: no}
app-layer:
  protocols:
    dns:
      udp: {enabled: yes, detection-ports: {dp: 53}}
      tcp: {enabled: yes, detection-ports: {dp: 53}}
    tls: {enabled: yes, detection-ports: {dp: 443}}
"""
HERE, THERE = "10.0.0.1", "10.0.0.53"


def require_suricata() -> str:
    """Find the program; without it skip, which under ``CI=true`` is a failure."""
    program = shutil.which("suricata")
    if program is None:
        pytest.skip(f"{NEEDS_PROGRAM}: suricata (make system-packages)")
    return program


def write_rules(folder: Path, files: Mapping[str, Iterable[bytes]]) -> Path:
    """Put an export where Suricata reads it; return the rules."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, chunks in files.items():
        (folder / name).write_bytes(b"".join(chunks))
    (folder / "suricata.yaml").write_text(CONFIGURATION)
    return folder / "tocsin.rules"


def check_rules(folder: Path) -> str:
    """Let Suricata load the rules (``-T``) and return what it said."""
    return _run(folder, "-T")


def alerts(folder: Path, packets: Iterable[bytes]) -> list[dict[str, object]]:
    """Run Suricata over packets; return its alerts, from EVE."""
    (folder / "made.pcap").write_bytes(pcap(packets))
    (folder / "eve.json").unlink(missing_ok=True)
    _run(folder, "-r", "made.pcap", "--runmode", "single", "-k", "none")
    lines = (folder / "eve.json").read_text().splitlines()
    return [each for line in lines if "alert" in (each := json.loads(line))]


@dataclass
class Watching:
    """A Suricata that goes on running, and takes capture files from a directory."""

    folder: Path
    process: subprocess.Popen[bytes]
    files: int = 0

    def take(self, packets: Iterable[bytes]) -> list[dict[str, object]]:
        """Let it see packets; return all its alerts so far."""
        self.files += 1
        file = self.folder / f"{self.files}.pcap"
        file.write_bytes(pcap(packets))
        # It takes only files that are older than half a minute, each newer than the last one.
        at = file.stat().st_mtime - 600 + self.files
        os.utime(file, (at, at))
        file.rename(self.folder / "in" / file.name)
        done = f"Processed file in/{file.name}"
        until(lambda: done in self._said(), f"Suricata has read {file.name}", 20)
        lines = (self.folder / "eve.json").read_text().splitlines()
        return [each for line in lines if "alert" in (each := json.loads(line))]

    def reload(self) -> None:
        """Let it read rules and datasets anew; it goes by them from the next packet on."""
        before = self._said().count("signatures processed")
        self.process.send_signal(signal.SIGUSR2)
        until(lambda: self._said().count("signatures processed") > before, "it has read them", 20)

    def _said(self) -> str:
        return (self.folder / "said.log").read_text()


@contextmanager
def watching(folder: Path) -> Iterator[Watching]:
    """Run Suricata over a directory while the ``with`` block runs."""
    (folder / "in").mkdir()
    command = [
        require_suricata(), "-c", "suricata.yaml", "-S", "tocsin.rules", "-l", ".", "-r", "in",
        "--pcap-file-continuous", "--runmode", "single", "-k", "none",
    ]  # fmt: skip
    with (folder / "said.log").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
    try:
        yield Watching(folder, process)
    finally:
        # By SIGTERM it never ends while a reload waits for its next packet.
        process.kill()
        process.wait(30)


def _run(folder: Path, *options: str) -> str:
    command = [
        require_suricata(), "-c", "suricata.yaml", "-S", "tocsin.rules", "-l", ".", *options,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def pcap(packets: Iterable[bytes]) -> bytes:
    """Write a capture file of Ethernet frames, one a second (libpcap's classic form)."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)]
    for number, packet in enumerate(packets):
        parts.append(struct.pack("<IIII", 1_700_000_000 + number, 0, len(packet), len(packet)))
        parts.append(packet)
    return b"".join(parts)


def dns_query(name: str, number: int = 1) -> bytes:
    """A query for a name's address over UDP, in a flow of its own (RFC 1035 §4)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    message = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0"
    message += struct.pack(">HH", 1, 1)
    return _frame(17, struct.pack(">HHHH", 20_000 + number, 53, 8 + len(message), 0) + message)


def tls_hello(name: str, number: int = 1) -> list[bytes]:
    """A TCP handshake and a ClientHello that names a server (RFC 8446 §4.1.2, RFC 6066 §3)."""
    host = name.encode()
    entry = b"\0" + struct.pack(">H", len(host)) + host
    extension = struct.pack(">HHH", 0, len(entry) + 2, len(entry)) + entry
    body = b"\x03\x03" + bytes(32) + b"\0" + struct.pack(">HH", 2, 0x1301) + b"\x01\0"
    body += struct.pack(">H", len(extension)) + extension
    hello = b"\x01" + struct.pack(">I", len(body))[1:] + body
    record = b"\x16\x03\x01" + struct.pack(">H", len(hello)) + hello
    port = 30_000 + number
    return [
        _frame(6, _segment(port, 443, 1_000, 0, 0x02)),
        _frame(6, _segment(443, port, 2_000, 1_001, 0x12), back=True),
        _frame(6, _segment(port, 443, 1_001, 2_001, 0x10)),
        _frame(6, _segment(port, 443, 1_001, 2_001, 0x18) + record),
        _frame(6, _segment(443, port, 2_001, 1_001 + len(record), 0x10), back=True),
    ]


def packet_to(address: str, number: int = 1) -> bytes:
    """A packet of a few bytes to an address."""
    return _frame(17, struct.pack(">HHHH", 40_000 + number, 9_999, 12, 0) + b"tick", to=address)


def _segment(source: int, target: int, seq: int, ack: int, flags: int) -> bytes:
    return struct.pack(">HHIIBBHHH", source, target, seq, ack, 0x50, flags, 64_000, 0, 0)


def _frame(protocol: int, payload: bytes, *, back: bool = False, to: str = THERE) -> bytes:
    source, target = (_octets(to), _octets(HERE)) if back else (_octets(HERE), _octets(to))
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, source, target
    )
    return b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1" + b"\x08\0" + header + payload


def _octets(address: str) -> bytes:
    return bytes(int(part) for part in address.split("."))
