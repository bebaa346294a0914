"""BIND, Unbound and Knot of Debian with policy zones, as an operator runs them; all on loopback.

Each server is a process of its own on free ports, with every file in the test's folder, ended by
whoever started it. One authoritative Knot stands for the rest of the world: it answers any name.

Unbound signs no transfer, so Knot knows it by its address, 127.0.0.1; a stranger asks from
another address of loopback. Debian: ``bind9``, ``bind9-utils``, ``unbound``, ``knot``.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import pytest

from tests.conftest import NEEDS_PROGRAM
from tests.support.nodes import free_port
from tests.support.processes import until

PROGRAMS = ("named", "rndc", "unbound", "unbound-control", "knotd", "knotc", "named-checkzone")
ELSEWHERE = "192.0.2.1"
"""What the rest of the world answers for any name."""
STRANGER = "127.0.0.9"
ROOT = "127.0.0.2"
ROGUE = "127.0.0.4"
"""Where ``ns1.rogue.example`` listens, the name-server of ``victim.example``."""
BAD_ADDRESS = "203.0.113.66"
"""What ``bad-address.example`` resolves to."""
DROPPED = "no answer"


def require_programs() -> None:
    """Skip where a program is missing; under ``CI=true`` that is a failure."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{NEEDS_PROGRAM}: {', '.join(missing)} (make system-packages)")


@dataclass(frozen=True)
class TransferKey:
    """A TSIG key that a hidden primary and a secondary share."""

    name: str = "tocsin-rpz"
    secret: str = base64.b64encode(hashlib.sha256(b"of this test").digest()).decode()
    algorithm: str = "hmac-sha256"


@dataclass(frozen=True)
class PolicyZone:
    """A policy zone at a resolver, and where it comes from: a file, a primary or a URL.

    Args:
        port: of a primary on 127.0.0.1, with the key that its transfers are signed with.
        url: for Unbound; ``file`` is its cache then.
    """

    name: str
    file: Path | None = None
    port: int | None = None
    key: TransferKey | None = None
    url: str | None = None


@dataclass
class Resolver:
    """A resolver that runs.

    Args:
        log: where it writes what its policy did.
    """

    folder: Path
    port: int
    log: Path
    control: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    def ask(self, name: str, rrtype: str = "A", *, patience: float = 3) -> str:
        """Ask once: the first record's text, ``NXDOMAIN``, ``NODATA``, or ``DROPPED``."""
        query = dns.message.make_query(name, rrtype)
        try:
            answer = dns.query.udp(query, "127.0.0.1", timeout=patience, port=self.port)
        except (dns.exception.DNSException, OSError):
            return DROPPED
        if answer.rcode() != dns.rcode.NOERROR:
            return dns.rcode.to_text(answer.rcode())
        wanted = dns.rdatatype.from_text(rrtype)
        texts = [str(r) for rrset in answer.answer if rrset.rdtype == wanted for r in rrset]
        return texts[0] if texts else "NODATA"

    def wait_for(self, name: str, answer: str, seconds: float = 20) -> None:
        """Ask until a name is answered so."""
        until(
            lambda: self.ask(name, patience=0.2) == answer,
            f"{name} is answered with {answer}; log {self.log}",
            seconds,
        )

    def command(self, *order: str) -> str:
        """Give an order over its control channel."""
        return run_program(self.folder, *self.control, *order)

    def memory(self) -> int:
        """Resident memory, in bytes."""
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096


def run_program(folder: Path, *command: str) -> str:
    """Run a program to its end, which has to be a good one."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def started(folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends."""
    with (folder / f"{Path(command[0]).name}.out").open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def rest_of_the_world(folder: Path) -> Iterator[int]:
    """Serve an answer to any name from a root of one's own; return the port.

    ``bad-address.example`` resolves to an address of its own, and ``victim.example`` is delegated
    to ``ns1.rogue.example``, which is another server.
    """
    require_programs()
    port = free_port()
    head = "$TTL 60\n@ SOA ns.root. host.root. (1 3600 600 86400 60)\n"
    root = (
        f"{head}@ NS ns.root.\nns.root. A {ROOT}\n*. A {ELSEWHERE}\n*.example. A {ELSEWHERE}\n"
        f"bad-address.example. A {BAD_ADDRESS}\nns1.rogue.example. A {ROGUE}\n"
        "victim.example. NS ns1.rogue.example.\n"
    )
    victim = f"{head}@ NS ns1.rogue.example.\n@ A {ELSEWHERE}\n* A {ELSEWHERE}\n"
    with (
        _authority(folder / "root", f"{ROOT}@{port}", ".", root),
        _authority(folder / "rogue", f"{ROGUE}@{port}", "victim.example", victim),
    ):
        until(lambda: _answers(ROOT, port, "any.example"), "the root answers")
        until(lambda: _answers(ROGUE, port, "victim.example"), "the rogue server answers")
        yield port


@contextmanager
def _authority(folder: Path, address: str, zone: str, text: str) -> Iterator[None]:
    (folder / "database").mkdir(parents=True)
    (folder / "its.zone").write_text(text)
    (folder / "knot.conf").write_text(
        f"server:\n  rundir: {folder}\n  listen: {address}\n"
        f"log:\n  - target: stdout\n    any: info\ndatabase:\n  storage: {folder}/database\n"
        f"template:\n  - id: default\n    storage: {folder}\n    semantic-checks: off\n"
        "    journal-content: none\n    zonefile-sync: -1\n"
        f"zone:\n  - domain: {zone}\n    file: its.zone\n"
    )
    with started(folder, "knotd", "-c", "knot.conf"):
        yield


def _answers(address: str, port: int, name: str) -> bool:
    try:
        dns.query.udp(dns.message.make_query(name, "A"), address, timeout=0.2, port=port)
    except (dns.exception.DNSException, OSError):
        return False
    return True


@contextmanager
def running_bind(folder: Path, world: int, zones: Sequence[PolicyZone]) -> Iterator[Resolver]:
    """Run BIND with policy zones, the first of them first, on the port of the world it asks.

    The option ``port`` is both where it listens and where it asks: so it iterates from a root of
    the test's own. ``min-update-interval 0``: otherwise changes of a policy zone are taken in once
    a minute.
    """
    folder.mkdir()
    control = free_port()
    found = Resolver(folder, world, folder / "rpz.log", ("rndc", "-c", "rndc.conf"))
    secret = TransferKey("rndc-key")
    keys = {zone.key.name: zone.key for zone in zones if zone.key is not None}
    (folder / "rndc.conf").write_text(
        _bind_key(secret) + f'options {{ default-key "{secret.name}"; default-server 127.0.0.1; '
        f"default-port {control}; }};\n"
    )
    (folder / "root.hints").write_text(f". 60 NS ns.root.\nns.root. 60 A {ROOT}\n")
    policy = " ".join(f'zone "{zone.name}" log yes;' for zone in zones)
    (folder / "named.conf").write_text(
        "".join(_bind_key(key) for key in (secret, *keys.values()))
        + f"controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} "
        f'keys {{ "{secret.name}"; }}; }};\n'
        f'options {{ directory "{folder}"; port {world}; listen-on {{ 127.0.0.1; }}; '
        f'listen-on-v6 {{ none; }}; recursion yes; pid-file "{folder}/pid"; notify no; '
        f'session-keyfile "{folder}/session.key"; dnssec-validation no; empty-zones-enable no; '
        "max-ncache-ttl 1; min-refresh-time 1; "
        f"response-policy {{ {policy} }} qname-wait-recurse no min-update-interval 0; }};\n"
        'logging { channel rpz { file "rpz.log"; severity info; print-time iso8601-utc; '
        "print-category yes; print-severity yes; }; "
        "category rpz { rpz; }; category rpz-passthru { rpz; }; "
        'channel rest { file "named.out"; severity info; print-time yes; }; '
        "category default { rest; }; };\n"
        'zone "." { type hint; file "root.hints"; };\n'
        + "".join(_bind_zone(zone) for zone in zones)
    )
    # Not -g: that writes everything to stderr, and the operator's log files are what is read back.
    with started(folder, "named", "-f", "-c", "named.conf") as found.process:
        found.wait_for("nobody-lists-this.example", ELSEWHERE, 120)
        yield found


def _bind_key(key: TransferKey) -> str:
    return f'key "{key.name}" {{ algorithm {key.algorithm}; secret "{key.secret}"; }};\n'


def _bind_zone(zone: PolicyZone) -> str:
    if zone.port is None:
        return f'zone "{zone.name}" {{ type primary; file "{zone.file}"; }};\n'
    signed = f' key "{zone.key.name}"' if zone.key else ""
    return (
        f'zone "{zone.name}" {{ type secondary; file "{zone.name}.db"; '
        f"primaries {{ 127.0.0.1 port {zone.port}{signed}; }}; "
        "allow-notify { 127.0.0.1; }; masterfile-format text; };\n"
    )


@contextmanager
def running_unbound(
    folder: Path, world: int, zones: Sequence[PolicyZone], *, port: int | None = None
) -> Iterator[Resolver]:
    """Run Unbound with policy zones, the first of them first."""
    folder.mkdir()
    found = Resolver(
        folder, port or free_port(), folder / "unbound.out",
        ("unbound-control", "-c", "unbound.conf"),
    )  # fmt: skip
    (folder / "unbound.conf").write_text(
        f'server:\n  interface: 127.0.0.1@{found.port}\n  directory: "{folder}"\n  chroot: ""\n'
        f'  username: ""\n  pidfile: "{folder}/pid"\n  use-syslog: no\n  num-threads: 1\n'
        "  do-not-query-localhost: no\n  do-ip6: no\n  do-daemonize: no\n  log-time-ascii: no\n"
        '  module-config: "respip iterator"\n'
        '  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n  infra-host-ttl: 0\n  root-hints: ""\n'
        '  log-queries: no\n  target-fetch-policy: "0 0 0 0 0"\n'
        f'remote-control:\n  control-enable: yes\n  control-interface: "{folder}/control"\n'
        "  control-use-cert: no\n"
        f"stub-zone:\n  name: victim.example\n  stub-host: ns1.rogue.example@{world}\n"
        f"forward-zone:\n  name: .\n  forward-addr: {ROOT}@{world}\n"
        + "".join(_unbound_zone(zone) for zone in zones)
    )
    with started(folder, "unbound", "-d", "-c", "unbound.conf") as found.process:
        found.wait_for("nobody-lists-this.example", ELSEWHERE, 120)
        yield found


def _unbound_zone(zone: PolicyZone) -> str:
    lines = [f"  name: {zone.name}", "  rpz-log: yes", f'  rpz-log-name: "{zone.name}"']
    if zone.file is not None:
        lines.append(f'  zonefile: "{zone.file}"')
    if zone.port is not None:
        lines += [f"  primary: 127.0.0.1@{zone.port}", "  allow-notify: 127.0.0.1"]
    if zone.url is not None:
        lines.append(f'  url: "{zone.url}"')
    return "rpz:\n" + "".join(line + "\n" for line in lines)


@contextmanager
def serving_files(folder: Path) -> Iterator[str]:
    """Serve a folder's files over HTTP, without a token; return the base of their addresses."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def policy_zone(name: str, records: Sequence[str], serial: int = 1) -> str:
    """Write a policy zone by hand; owners are relative to the zone."""
    return (
        f"$TTL 60\n$ORIGIN {name}.\n@ SOA localhost. root.localhost. ({serial} 3600 600 86400 60)\n"
        "@ NS localhost.\n" + "".join(line + "\n" for line in records)
    )
