"""Ask a resolver for the canary: does it apply the zone that was published (DNS 3)?

The canary is a name of no use whose TXT in the policy zone says the zone's serial. So does a name
below it that is new with each serial: who answers with that one has this very content in force. A
resolver that refused the file answers otherwise, and fails open in silence.

What it does not do: decide what a wrong answer means (``keep_current``).
"""

from __future__ import annotations

import ipaddress
from typing import Final

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from hub.exports.rpz import canary_of
from schemas.errors import WireFormatError

_SECONDS: Final = 2.0


def read_probe(text: str) -> tuple[str, int]:
    """Read ``127.0.0.1@5353``; port 53 where none is said.

    Raises:
        WireFormatError: ``E_TARGET``.
    """
    address, _, port = text.partition("@")
    try:
        return str(ipaddress.ip_address(address)), int(port or "53")
    except ValueError:
        raise WireFormatError(
            "E_TARGET", "a resolver is ADDRESS@PORT, such as 127.0.0.1@53"
        ) from None


def is_in_force(probe: str, canary: str, serial: int) -> bool:
    """Tell whether a resolver applies the zone of this serial, its new names included."""
    return seen_serial(probe, canary_of(canary, serial)) == serial


def seen_serial(probe: str, canary: str) -> int | None:
    """Ask for the serial of the zone that a resolver applies; None when it does not say."""
    address, port = read_probe(probe)
    query = dns.message.make_query(f"{canary}.", dns.rdatatype.TXT)
    try:
        answer = dns.query.udp(query, address, timeout=_SECONDS, port=port)
    except (dns.exception.DNSException, OSError):
        return None
    for found in answer.answer:
        for record in found:
            word, _, number = str(record).strip('"').partition(" ")
            if found.rdtype == dns.rdatatype.TXT and word == "tocsin" and number.isdecimal():
                return int(number)
    return None
