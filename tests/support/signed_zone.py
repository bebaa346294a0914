"""A zone signed by BIND's tools, served by BIND, and a validating Unbound with a private anchor.

All on loopback ports of their own; ended by the process that started them. Debian: ``bind9``,
``bind9-utils`` and ``unbound``.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

from tests.conftest import NEEDS_PROGRAM
from tests.support.nodes import free_port
from tests.support.processes import until

PROGRAMS = ("named", "dnssec-keygen", "dnssec-signzone", "unbound", "rndc")


def require_programs() -> None:
    """Skip where a program is missing; under ``CI=true`` that is a failure."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{NEEDS_PROGRAM}: {', '.join(missing)} (make system-packages)")


@dataclass
class SignedDns:
    """Zones under one BIND, and the resolver that validates them.

    Args:
        folder: where the zones' files are.
        resolver: Unbound's address, as the setting ``resolver`` takes it.
    """

    folder: Path
    authority_port: int
    resolver: str
    serial: int = 1

    def publish(
        self,
        zone: str,
        texts: Mapping[str, str],
        *,
        records: Sequence[str] = (),
        damage: bool = False,
    ) -> None:
        """Write a zone anew, sign it where it has keys, and let BIND load it.

        Args:
            texts: TXT records by owner name within the zone.
            records: further lines of the zone's file.
            damage: change a record after signing, as an attacker would.
        """
        self.serial += 1
        file = self.folder / f"{zone}.zone"
        lines = [f'{owner} TXT "{text}"' for owner, text in texts.items()] + [*records]
        file.write_text(_bare_zone(zone, self.serial) + "".join(f"{line}\n" for line in lines))
        signed = file.with_suffix(".signed")
        if list(self.folder.glob(f"K{zone}.*.key")):
            _run(self.folder, "dnssec-signzone", "-S", "-o", zone, "-f", signed.name, file.name)
            if damage:
                signed.write_text(signed.read_text().replace("v=tocsin1; id=", "v=tocsin1; id=zz"))
        else:
            signed.write_text(file.read_text())
        wanted = self.serial
        self._control("reload")
        until(lambda: self._serial(zone) == wanted, f"BIND serves serial {wanted} of {zone}")

    def _control(self, order: str) -> None:
        port = (self.folder / "rndc.port").read_text()
        _run(self.folder, "rndc", "-c", "rndc.conf", "-p", port, order)

    def _serial(self, zone: str) -> int:
        query = dns.message.make_query(f"{zone}.", "SOA")
        try:
            answer = dns.query.udp(query, "127.0.0.1", timeout=2, port=self.authority_port)
        except (dns.exception.DNSException, OSError):
            return 0
        return int(answer.answer[0][0].serial) if answer.answer else 0


@contextmanager
def signed_dns(
    folder: Path, *, signed: Sequence[str], unsigned: Sequence[str]
) -> Iterator[SignedDns]:
    """Serve zones; the resolver trusts the keys of the signed ones and nothing else."""
    require_programs()
    authority, validator, control = free_port(), free_port(), free_port()
    dns_ = SignedDns(folder, authority, f"127.0.0.1:{validator}")
    for zone in signed:
        _run(folder, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", zone)
        _run(folder, "dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", zone)
    (folder / "rndc.port").write_text(str(control))
    _write_bind(folder, [*signed, *unsigned], authority, control)
    _write_unbound(folder, signed, unsigned, authority, validator)
    with ExitStack() as stack:
        for zone in (*signed, *unsigned):
            (folder / f"{zone}.signed").write_text(_bare_zone(zone, 1))
        stack.enter_context(_running(folder, "named", "-g", "-c", "named.conf"))
        until(lambda: dns_._serial(signed[0]) == 1, "BIND answers")
        for zone in (*signed, *unsigned):
            dns_.publish(zone, {})
        stack.enter_context(_running(folder, "unbound", "-d", "-c", "unbound.conf"))
        until(lambda: _answers(validator, signed[0]), "Unbound answers")
        yield dns_


def _bare_zone(zone: str, serial: int) -> str:
    return (
        f"$TTL 60\n$ORIGIN {zone}.\n@ SOA ns host ({serial} 3600 600 86400 60)\n"
        "@ NS ns\nns A 127.0.0.1\n"
    )


def _answers(port: int, zone: str) -> bool:
    try:
        dns.query.udp(dns.message.make_query(f"{zone}.", "SOA"), "127.0.0.1", timeout=2, port=port)
    except (dns.exception.DNSException, OSError):
        return False
    return True


def _write_bind(folder: Path, zones: Sequence[str], port: int, control: int) -> None:
    secret = "bm90IGEgc2VjcmV0IGJ1dCBhIHRlc3Q="
    key = f'key "test" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
    (folder / "rndc.conf").write_text(
        f'{key}options {{ default-key "test"; default-server 127.0.0.1; }};\n'
    )
    (folder / "named.conf").write_text(
        f"{key}controls {{ inet 127.0.0.1 port {control} "
        f'allow {{ 127.0.0.1; }} keys {{ "test"; }}; }};\n'
        f'options {{ directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; '
        f'listen-on-v6 {{ none; }}; recursion no; pid-file "{folder}/named.pid"; '
        f'session-keyfile "{folder}/session.key"; notify no; dnssec-validation no; }};\n'
        + "".join(f'zone "{zone}" {{ type primary; file "{zone}.signed"; }};\n' for zone in zones)
    )


def _write_unbound(
    folder: Path, signed: Sequence[str], unsigned: Sequence[str], authority: int, port: int
) -> None:
    anchors = "".join(
        line + "\n"
        for zone in signed
        for file in sorted(folder.glob(f"K{zone}.*.key"))
        for line in file.read_text().splitlines()
        if " 257 " in line
    )
    (folder / "anchors").write_text(anchors)
    (folder / "unbound.conf").write_text(
        f'server:\n  interface: 127.0.0.1@{port}\n  directory: "{folder}"\n  chroot: ""\n'
        f'  username: ""\n  pidfile: "{folder}/unbound.pid"\n  use-syslog: no\n'
        f'  do-not-query-localhost: no\n  do-daemonize: no\n  module-config: "validator iterator"\n'
        f'  trust-anchor-file: "{folder}/anchors"\n'
        "  aggressive-nsec: no\n  cache-max-ttl: 0\n  cache-max-negative-ttl: 0\n"
        '  val-bogus-ttl: 0\n  infra-host-ttl: 0\n  root-hints: ""\n'
        + "".join(f'  local-zone: "{zone}" nodefault\n' for zone in (*signed, *unsigned))
        + "remote-control:\n  control-enable: no\n"
        + "".join(
            f"stub-zone:\n  name: {zone}\n  stub-addr: 127.0.0.1@{authority}\n"
            for zone in (*signed, *unsigned)
        )
    )


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


@contextmanager
def _running(folder: Path, *command: str) -> Iterator[None]:
    with (folder / f"{command[0]}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)
