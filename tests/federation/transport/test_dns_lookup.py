"""The question to the resolver of this machine: whatever comes back is a value."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import pytest

from federation.identity.dns_name import NameAnswer
from federation.transport.dns_lookup import look_up
from schemas.identifiers import NodeId

OURS = NodeId("a" * 52)


@contextmanager
def a_resolver(*answers: bytes | int) -> Iterator[tuple[str, int]]:
    """Answer each question in turn with bytes, or with an empty answer of this code."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))

        def serve() -> None:
            for answer in answers:
                data, asker = listener.recvfrom(4096)
                query = dns.message.from_wire(data)
                if isinstance(answer, int):
                    reply = dns.message.make_response(query)
                    reply.set_rcode(dns.rcode.Rcode(answer))
                    reply.flags |= dns.flags.AD
                    listener.sendto(reply.to_wire(), asker)
                else:
                    listener.sendto(answer, asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()
        thread.join(10)


def test_silence_is_no_answer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        found = look_up("example.fr", listener.getsockname(), seconds=0.1)
    assert found == NameAnswer(answered=False)


def test_what_is_no_dns_message_is_no_answer():
    with a_resolver(b"\x00") as resolver:
        assert look_up("example.fr", resolver, seconds=0.2) == NameAnswer(answered=False)


@pytest.mark.parametrize("domain", ["a" * 64 + ".fr", ".".join(["a" * 60] * 5), "a..fr"])
def test_a_name_that_dns_does_not_have_is_no_answer(domain):
    assert look_up(domain, ("127.0.0.1", 9)) == NameAnswer(answered=False)


def test_a_name_that_is_proven_not_to_be_there_names_nobody():
    with a_resolver(dns.rcode.NXDOMAIN) as resolver:
        assert look_up("example.fr", resolver) == NameAnswer(validated=True)


def test_a_failure_that_goes_away_without_validation_is_bogus():
    with a_resolver(dns.rcode.SERVFAIL, dns.rcode.NOERROR) as resolver:
        assert look_up("example.fr", resolver) == NameAnswer(bogus=True)


def test_a_failure_that_stays_says_nothing():
    with a_resolver(dns.rcode.SERVFAIL, dns.rcode.SERVFAIL) as resolver:
        assert look_up("example.fr", resolver) == NameAnswer(answered=False)


def test_a_resolver_that_refuses_says_nothing():
    with a_resolver(dns.rcode.REFUSED) as resolver:
        assert look_up("example.fr", resolver) == NameAnswer(answered=False)
