"""Ask a parent's name servers what they say of a delegation (DNS 5).

Decides what an answer says: the name servers and DS records that the parent has for a zone.
Invariants:
* questions are not recursive, so that what comes is the server's own word and no cache's;
* a server counts only if it speaks for the parent: a referral to the very zone, or an
  authoritative answer; what a lame, refusing or silent server says tells nothing;
* where servers differ the answer is no agreement, and equals no set;
* the parent's servers are found by the resolver of this machine, and questions go to global
  addresses alone: a zone's owner chooses what stands there (THREATS 33).

It does not validate signatures: who could forge the parent's word could say no more by it than
that a delegation is back, and that is asked twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from federation.transport.pinned_network import why_refused
from schemas.dns.delegations import read_ds

LOOKUP_SECONDS = 5.0
DNS_PORT = 53
MOST_SERVERS = 4
"""Of a parent; they say the same, or the parent itself is broken."""
_MOST_NAMES = 13
_MOST_RECORDS = 64
_Server = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Delegation:
    """What the parent's servers say of a zone.

    Args:
        ns: the name servers, lower case and without the trailing dot.
        ds: the DS records as ``schemas.dns.delegations`` writes them.
        agreed: all servers that answered say the same.
    """

    ns: frozenset[str]
    ds: frozenset[str]
    agreed: bool = True


def look_up_delegation(
    zone: str, servers: Sequence[_Server], *, seconds: float = LOOKUP_SECONDS
) -> Delegation | None:
    """Ask servers of the parent for a zone's NS and DS records; None when none told anything.

    Args:
        servers: addresses and ports, of which the first four are asked.
    """
    try:
        name = dns.name.from_text(zone)
    except dns.exception.DNSException:
        return None
    told = [_ask_one(name, server, seconds) for server in servers[:MOST_SERVERS]]
    found = [each for each in told if each is not None]
    if not found:
        return None
    return Delegation(
        frozenset().union(*(ns for ns, _ in found)),
        frozenset().union(*(ds for _, ds in found)),
        agreed=len(set(found)) == 1,
    )


def parent_servers(
    zone: str, resolver: _Server, *, seconds: float = LOOKUP_SECONDS
) -> tuple[_Server, ...]:
    """Find the servers of the zone above, by the resolver of this machine.

    Args:
        resolver: a loopback address and port; the settings take no other.
    """
    try:
        name = dns.name.from_text(zone)
    except dns.exception.DNSException:
        return ()
    while name != dns.name.root:
        name = name.parent()
        answer = _ask(name, dns.rdatatype.NS, resolver, seconds, recursive=True)
        if answer is None or answer.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
            return ()
        hosts = _names_in(answer.answer, name)
        if hosts:
            return _addresses_of(sorted(hosts), resolver, seconds)
    return ()


def _addresses_of(hosts: Iterable[str], resolver: _Server, seconds: float) -> tuple[_Server, ...]:
    found: dict[_Server, None] = {}
    for host in list(hosts)[:_MOST_NAMES]:
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            name = dns.name.from_text(host)
            answer = _ask(name, kind, resolver, seconds, recursive=True)
            for rrset in () if answer is None else answer.answer:
                for record in list(rrset)[:_MOST_RECORDS] if rrset.rdtype == kind else ():
                    if why_refused(record.address, loopback=False, private=False) is None:
                        found[record.address, DNS_PORT] = None
            if len(found) >= MOST_SERVERS:
                return tuple(found)[:MOST_SERVERS]
    return tuple(found)


def _ask_one(
    zone: dns.name.Name, server: _Server, seconds: float
) -> tuple[frozenset[str], frozenset[str]] | None:
    """Ask one server for both; None where it does not speak for the parent."""
    answer = _ask(zone, dns.rdatatype.NS, server, seconds)
    ns = None if answer is None else _name_servers(answer, zone)
    if ns is None:
        return None
    answer = _ask(zone, dns.rdatatype.DS, server, seconds)
    ds = None if answer is None else _keys(answer, zone)
    return None if ds is None else (ns, ds)


def _name_servers(answer: dns.message.Message, zone: dns.name.Name) -> frozenset[str] | None:
    speaks = bool(answer.flags & dns.flags.AA)
    if answer.rcode() == dns.rcode.NXDOMAIN and speaks:
        return frozenset()  # the delegation is gone altogether
    if answer.rcode() != dns.rcode.NOERROR:
        return None
    # A referral has them in its authority section; a server of parent and child answers.
    found = _names_in([*(answer.answer if speaks else ()), *answer.authority], zone)
    return frozenset(found) if found or speaks else None


def _keys(answer: dns.message.Message, zone: dns.name.Name) -> frozenset[str] | None:
    # DS stands at the parent and nowhere else, so that an answer without AA tells nothing
    # (RFC 4035 §2.4, §3.1.4.1).
    if not answer.flags & dns.flags.AA:
        return None
    if answer.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        return None
    keys = (
        read_ds(record.to_text())
        for rrset in answer.answer
        if rrset.rdtype == dns.rdatatype.DS and rrset.name == zone
        for record in list(rrset)[:_MOST_RECORDS]
    )
    return frozenset(key for key in keys if key is not None)


def _names_in(section: Iterable[dns.rrset.RRset], owner: dns.name.Name) -> set[str]:
    return {
        record.target.to_text(omit_final_dot=True).lower()
        for rrset in section
        if rrset.rdtype == dns.rdatatype.NS and rrset.name == owner
        for record in list(rrset)[:_MOST_RECORDS]
    }


def _ask(
    name: dns.name.Name,
    kind: dns.rdatatype.RdataType,
    server: _Server,
    seconds: float,
    *,
    recursive: bool = False,
) -> dns.message.Message | None:
    query = dns.message.make_query(name, kind)
    if not recursive:
        query.flags &= ~dns.flags.RD
    host, port = server
    try:
        return dns.query.udp_with_fallback(query, host, timeout=seconds, port=port)[0]
    except (dns.exception.DNSException, OSError, EOFError):
        return None  # EOFError: over TCP the server hung up before it had answered
