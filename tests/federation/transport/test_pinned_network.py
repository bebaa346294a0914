"""Which addresses a connection may go to (PROTOCOL 4.7, THREATS 33). No traffic leaves loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import PeerUnreachable
from federation.transport.pinned_network import (
    MAX_ADDRESSES,
    MAX_ATTEMPTS,
    DeadlineStream,
    PinnedNetwork,
    Resolver,
    why_refused,
)

GLOBAL = ("8.8.8.8", "9.9.9.9", "2620:fe::fe", "2a00:1450:4001::1")
SPECIAL = (
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.251",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::8.8.8.8",
    "::ffff:8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:808:808::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "no address",
    "8.8.8.8.",
    "010.8.8.8",
)
WITH_A_SETTING = (
    "10.1.2.3",
    "100.64.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "fc00::1",
    "127.0.0.1",
    "127.255.255.254",
    "::1",
)
NEVER = tuple(address for address in SPECIAL if address not in WITH_A_SETTING)


class RecordingNetwork(httpcore2.NetworkBackend):
    """Notes where it would connect, and fails or gives an empty stream."""

    def __init__(self, failing: Iterable[str] = ()) -> None:
        self.connected: list[tuple[str, int]] = []
        self._failing = set(failing)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        del local_address, socket_options
        assert timeout is not None
        assert timeout > 0
        self.connected.append((host, port))
        if host in self._failing:
            raise httpcore2.ConnectError("refused")
        return httpcore2.MockStream([])


def network_to(
    addresses: Sequence[str],
    sockets: RecordingNetwork,
    *,
    plain: bool = False,
    loopback: bool = False,
    private: Sequence[str] = (),
) -> PinnedNetwork:
    return PinnedNetwork(
        plain=plain,
        allow_loopback=loopback,
        allow_private=lambda host: host in private,
        resolver=lambda _host, _port: addresses,
        network=sockets,
    )


def soon() -> float:
    return time.monotonic() + 5


@pytest.mark.parametrize("address", GLOBAL)
def test_global_addresses_are_admissible(address: str) -> None:
    assert why_refused(address, loopback=False, private=False) is None


@pytest.mark.parametrize("address", SPECIAL)
def test_every_other_address_is_refused(address: str) -> None:
    assert why_refused(address, loopback=False, private=False) is not None


@pytest.mark.parametrize("address", NEVER)
def test_t33_no_setting_admits_link_local_metadata_mapped_or_multicast(address: str) -> None:
    assert why_refused(address, loopback=True, private=True) is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_needs_its_setting_and_the_private_flag_is_no_substitute(address: str) -> None:
    assert why_refused(address, loopback=True, private=False) is None
    assert why_refused(address, loopback=False, private=True) is not None


@pytest.mark.parametrize("address", ["10.0.0.1", "172.31.0.1", "192.168.0.1", "fd12::1"])
def test_private_networks_need_the_flag_and_loopback_is_no_substitute(address: str) -> None:
    assert why_refused(address, loopback=False, private=True) is None
    assert why_refused(address, loopback=True, private=False) is not None


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_gets_in_by_being_written_as_ipv6(address: object) -> None:
    for written in (f"::ffff:{address}", f"64:ff9b::{address}", f"::{address}"):
        if written != "::0.0.0.1":  # loopback itself
            assert why_refused(written, loopback=True, private=True) is not None


def test_the_name_is_resolved_once_and_the_first_answer_is_the_one_in_use() -> None:
    answers = [["8.8.8.8"], ["169.254.169.254"]]
    sockets = RecordingNetwork(failing=["8.8.8.8"])
    network = PinnedNetwork(
        plain=False,
        allow_loopback=False,
        allow_private=lambda _host: False,
        resolver=lambda _host, _port: answers.pop(0),
        network=sockets,
    )
    with pytest.raises(PeerUnreachable) as failure:
        network.connect_tcp("rebinding.example", 443, soon())
    assert failure.value.code == "E_HTTP_CONNECT"
    assert sockets.connected == [("8.8.8.8", 443)]
    assert answers == [["169.254.169.254"]]


def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    sockets = RecordingNetwork()
    network = network_to(["8.8.8.8", "169.254.169.254"], sockets, loopback=True)
    with pytest.raises(PeerUnreachable) as failure:
        network.connect_tcp("mixed.example", 443, soon())
    assert failure.value.code == "E_HTTP_ADDRESS"
    assert sockets.connected == []


def test_the_private_flag_counts_for_its_host_alone() -> None:
    sockets = RecordingNetwork()
    network = network_to(["10.0.0.7"], sockets, private=["inside.example"])
    network.connect_tcp("inside.example", 443, soon())
    with pytest.raises(PeerUnreachable, match="E_HTTP_ADDRESS"):
        network.connect_tcp("outside.example", 443, soon())
    assert sockets.connected == [("10.0.0.7", 443)]


def test_plain_http_never_goes_to_a_global_address() -> None:
    sockets = RecordingNetwork()
    network = network_to(["8.8.8.8"], sockets, plain=True, loopback=True)
    with pytest.raises(PeerUnreachable, match="E_HTTP_ADDRESS"):
        network.connect_tcp("global.example", 80, soon())
    assert sockets.connected == []


def test_the_next_of_the_checked_addresses_is_tried_when_one_is_dead() -> None:
    sockets = RecordingNetwork(failing=["2620:fe::fe"])
    network_to(["2620:fe::fe", "9.9.9.9"], sockets).connect_tcp("two.example", 443, soon())
    assert sockets.connected == [("2620:fe::fe", 443), ("9.9.9.9", 443)]


def test_attempts_and_addresses_of_one_name_are_bounded() -> None:
    many = [f"9.9.9.{last}" for last in range(1, MAX_ADDRESSES + 1)]
    sockets = RecordingNetwork(failing=many)
    with pytest.raises(PeerUnreachable, match="E_HTTP_CONNECT"):
        network_to(many, sockets).connect_tcp("many.example", 443, soon())
    assert len(sockets.connected) == MAX_ATTEMPTS
    with pytest.raises(PeerUnreachable, match="E_HTTP_ADDRESS"):
        network_to([*many, "9.9.9.200"], sockets).connect_tcp("more.example", 443, soon())
    assert len(sockets.connected) == MAX_ATTEMPTS


def test_a_name_that_does_not_resolve_is_a_failure_of_the_wire() -> None:
    sockets = RecordingNetwork()

    def nothing(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    resolvers: list[Resolver] = [nothing, lambda _host, _port: []]
    for resolver in resolvers:
        network = PinnedNetwork(
            plain=False,
            allow_loopback=False,
            allow_private=lambda _host: False,
            resolver=resolver,
            network=sockets,
        )
        with pytest.raises(PeerUnreachable, match="E_HTTP_CONNECT"):
            network.connect_tcp("nowhere.example", 443, soon())
    assert sockets.connected == []


def test_a_resolver_that_hangs_does_not_hold_the_request() -> None:
    released = threading.Event()

    def hang(_host: str, _port: int) -> list[str]:
        released.wait(20)
        return ["8.8.8.8"]

    sockets = RecordingNetwork()
    network = PinnedNetwork(
        plain=False,
        allow_loopback=False,
        allow_private=lambda _host: False,
        resolver=hang,
        network=sockets,
    )
    try:
        with pytest.raises(httpcore2.ConnectTimeout):
            network.connect_tcp("slow.example", 443, time.monotonic() + 0.05)
    finally:
        released.set()
    assert sockets.connected == []


def test_no_operation_starts_after_its_instant() -> None:
    stream = DeadlineStream(httpcore2.MockStream([b"late"]), "late.example")
    past = time.monotonic()
    with pytest.raises(httpcore2.TimeoutException):
        stream.read(10, past)
    with pytest.raises(httpcore2.TimeoutException):
        stream.write(b"late", past)
    with pytest.raises(ValueError, match="deadline"):
        stream.read(10, None)
