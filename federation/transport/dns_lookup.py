"""Ask the validating resolver of this machine for a domain's TXT record (PROTOCOL 4.5).

Decides what an answer proves: only the AD bit of a resolver on a loopback address counts, because
the bit itself is not signed and travels in clear (RFC 4035 §4.9.3). Invariants:
* nothing is sent to any other address than the configured loopback one;
* whatever comes back is a value; a failure to ask is "not answered".

It does not validate: that is the resolver's work, with its own trust anchors.
"""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from federation.identity.dns_name import NameAnswer, read_statement, statement_name
from schemas.identifiers import NodeId

LOOKUP_SECONDS = 5.0
MOST_RECORDS = 16
"""Of the records under one name; more are somebody's joke."""
_ANSWERS = frozenset({dns.rcode.NOERROR, dns.rcode.NXDOMAIN})


def look_up(
    domain: str, resolver: tuple[str, int], *, seconds: float = LOOKUP_SECONDS
) -> NameAnswer:
    """Ask for a domain's statement of node ids.

    Args:
        resolver: a loopback address and port; the settings take no other.
    """
    try:
        name = dns.name.from_text(statement_name(domain))
    except dns.exception.DNSException:
        return NameAnswer(answered=False)
    answer = _ask(name, resolver, seconds, dns.flags.AD)
    if answer is not None and answer.rcode() == dns.rcode.SERVFAIL:
        # A validating resolver says so of what does not validate, and also of what it cannot
        # reach: asked without validation (CD, RFC 4035 §3.2.2) it tells which of the two it is.
        unchecked = _ask(name, resolver, seconds, dns.flags.CD)
        is_bogus = unchecked is not None and unchecked.rcode() in _ANSWERS
        return NameAnswer(bogus=True) if is_bogus else NameAnswer(answered=False)
    if answer is None or answer.rcode() not in _ANSWERS:
        return NameAnswer(answered=False)
    return NameAnswer(
        validated=bool(answer.flags & dns.flags.AD), statements=tuple(_statements(answer))
    )


def _ask(
    name: dns.name.Name, resolver: tuple[str, int], seconds: float, flag: dns.flags.Flag
) -> dns.message.Message | None:
    # AD in the query asks for AD in the answer (RFC 6840 §5.7); DO would only make it longer.
    query = dns.message.make_query(name, dns.rdatatype.TXT)
    query.flags |= flag
    host, port = resolver
    try:
        return dns.query.udp_with_fallback(query, host, timeout=seconds, port=port)[0]
    except (dns.exception.DNSException, OSError, EOFError):
        return None  # EOFError: over TCP it hung up before it had answered


def _statements(answer: dns.message.Message) -> dict[NodeId, None]:
    found: dict[NodeId, None] = {}
    for rrset in answer.answer:
        if rrset.rdtype == dns.rdatatype.TXT:
            for record in list(rrset)[:MOST_RECORDS]:
                node_id = read_statement(record.strings)
                if node_id is not None:
                    found[node_id] = None
    return found
