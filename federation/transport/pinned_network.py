"""Decides to which addresses a connection to a peer may go, and opens it to exactly these.

Invariants (PROTOCOL 4.7, THREATS 33):
* a name is resolved once for each new connection, *all* its addresses must be admissible, and
  the socket is opened to one of the very addresses that were checked: a second answer of the
  resolver (DNS rebinding) is never asked for;
* loopback needs the setting of the demo and the tests, private networks need the flag of the
  one peer; link-local, metadata services, multicast and every way to write an IPv4 address
  inside an IPv6 one are refused always;
* plain http never leaves loopback and flagged private networks;
* every operation ends at an instant, not after a pause: a peer that sends one byte now and then
  gains no time.

It does not check certificates (the TLS context that it is given does) and does not read HTTP.

>>> why_refused("169.254.169.254", loopback=True, private=True)
'not a global address'
>>> why_refused("192.0.2.1", loopback=False, private=False)
'not a global address'
>>> why_refused("9.9.9.9", loopback=False, private=False) is None
True
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore2

from federation.errors import PeerUnreachable

Resolver = Callable[[str, int], Sequence[str]]

MAX_ADDRESSES = 32
"""A name with more addresses than this is no hub, but work for us."""
MAX_ATTEMPTS = 4
"""Addresses tried for one connection; all of them from the one answer that was checked."""
_WRITE_BYTES = 16_384

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LOOPBACK: tuple[_Network, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)
_PRIVATE: tuple[_Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
# What ``is_global`` of the oldest Python that we run on lets through, and what stays refused even
# for a peer with the private flag. IPv6 outside 2000::/3 needs no line here: see why_refused.
_NEVER: tuple[_Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments, and one cloud's metadata service
        "192.88.99.0/24",  # 6to4 relays
        "224.0.0.0/4",  # multicast counts as global in Python
        "100.100.100.200/32",  # a cloud's metadata service inside the shared space
        "fd00:ec2::/32",  # the same in IPv6
        "fd20:ce::/32",  # the same in IPv6
        "2001::/23",  # Teredo, ORCHID and others: tunnels and names, no hosts
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries any IPv4 address
        "3fff::/20",  # documentation
    )
)
_GLOBAL_UNICAST_6 = ipaddress.ip_network("2000::/3")


def why_refused(address: str, *, loopback: bool, private: bool) -> str | None:
    """Tell why no connection may go to ``address``; None when it may (PROTOCOL 4.7).

    Args:
        address: as the resolver gave it.
        loopback: the node runs under the setting of the demo and the tests.
        private: the administrator allowed private networks for this peer.
    """
    try:
        # A scope ("fe80::1%eth0") is kept by the parser; such addresses are link-local anyway.
        found = ipaddress.ip_address(address)
    except ValueError:
        return "not an address"
    if loopback and any(found in network for network in _LOOPBACK):
        return None
    if any(found in network for network in _NEVER):
        return "an address for special use"
    if private and any(found in network for network in _PRIVATE):
        return None
    # 2000::/3 is all that is given to hosts. Outside of it ``is_global`` lets things through:
    # ::/96 (compatible IPv4), 64:ff9b::/96 (NAT64), fec0::/10 and ff00::/8; and ::ffff:0:0/96
    # (mapped IPv4) has been judged in two ways by different releases of Python.
    unicast = isinstance(found, ipaddress.IPv4Address) or found in _GLOBAL_UNICAST_6
    if not unicast or not found.is_global:
        return "not a global address"
    return None


def resolve_by_system(host: str, port: int) -> list[str]:
    """Resolve with the system's resolver, in the order that it prefers (RFC 6724)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


class PinnedNetwork(httpcore2.NetworkBackend):
    """Open connections for one scheme, to checked addresses alone.

    The ``timeout`` that httpcore2 hands through is *an instant of the monotonic clock* here, as
    ``GuardedHttp`` sets it: httpcore2 would start a pause anew with every read.

    Args:
        plain: True for the network of plain http, which needs loopback or a private network.
        allow_loopback: the setting of the demo and the tests.
        allow_private: tells by host name whether this peer has the administrator's flag.
        resolver: called once for each new connection.
        network: opens sockets to literal addresses.
    """

    def __init__(
        self,
        *,
        plain: bool,
        allow_loopback: bool,
        allow_private: Callable[[str], bool],
        resolver: Resolver,
        network: httpcore2.NetworkBackend,
    ) -> None:
        self._plain = plain
        self._allow_loopback = allow_loopback
        self._allow_private = allow_private
        self._resolver = resolver
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Resolve once, check all addresses, connect to one of them.

        Raises:
            PeerUnreachable: ``E_HTTP_ADDRESS``, ``E_HTTP_CONNECT`` or ``E_HTTP_TIMEOUT``.
        """
        addresses = self._resolve(host, port, timeout)
        self._check(host, addresses)
        attempts = addresses[:MAX_ATTEMPTS]
        for position, address in enumerate(attempts):
            # A dead first address must leave time for the next.
            seconds = _left(timeout) / (len(attempts) - position)
            try:
                stream = self._network.connect_tcp(
                    address, port, seconds, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failure:
                last = failure
            else:
                return DeadlineStream(stream, host)
        if isinstance(last, httpcore2.ConnectTimeout):
            raise last
        raise PeerUnreachable(
            "E_HTTP_CONNECT",
            f"no address of {host} port {port} accepts a connection",
            "Ask the peer whether its hub runs, and check the firewalls in between.",
        ) from last

    def _resolve(self, host: str, port: int, deadline: float | None) -> list[str]:
        """Ask the resolver in a thread of its own, because ``getaddrinfo`` knows no deadline."""
        answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(list(self._resolver(host, port)))
            except Exception as failure:  # noqa: BLE001  (re-raised by the thread that waits)
                answers.put(failure)

        threading.Thread(target=ask, name="tocsin-resolver", daemon=True).start()
        try:
            answer = answers.get(timeout=_left(deadline))
        except queue.Empty:
            raise httpcore2.ConnectTimeout(f"the name {host} did not resolve in time") from None
        if isinstance(answer, (OSError, UnicodeError)) or answer == []:
            raise PeerUnreachable(
                "E_HTTP_CONNECT",
                f"the name {host} does not resolve",
                "Check the peer's base address and this machine's resolver.",
            )
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _check(self, host: str, addresses: Sequence[str]) -> None:
        """Refuse the name when a single one of its addresses is not admissible.

        All of them, not only the one in use: a name that mixes is a rebinding attempt or a split
        view of DNS, and which address comes first is the resolver's whim.
        """
        private = self._allow_private(host)
        if len(addresses) > MAX_ADDRESSES:
            raise _address_refused(host, f"more than {MAX_ADDRESSES} addresses")
        for address in addresses:
            why = why_refused(address, loopback=self._allow_loopback, private=private)
            if why is not None:
                raise _address_refused(host, why)
            if self._plain and ipaddress.ip_address(address).is_global:
                raise _address_refused(host, "plain http to a global address")


class DeadlineStream(httpcore2.NetworkStream):
    """A connection whose operations end at an instant, however slowly bytes come or go."""

    def __init__(self, stream: httpcore2.NetworkStream, host: str) -> None:
        self._stream = stream
        self._host = host

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there; ``timeout`` is an instant."""
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all; in slices, so that a peer that reads by drops gains no time."""
        for start in range(0, len(buffer), _WRITE_BYTES):
            self._stream.write(buffer[start : start + _WRITE_BYTES], _left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        """Begin TLS with the name of the URL, never with the pinned address.

        Raises:
            PeerUnreachable: ``E_HTTP_TLS``.
        """
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, _left(timeout))
        except httpcore2.ConnectError as failure:
            if not isinstance(failure.__cause__, ssl.SSLError):
                raise
            reason = getattr(failure.__cause__, "verify_message", "") or "the handshake failed"
            raise PeerUnreachable(
                "E_HTTP_TLS",
                f"no trusted TLS connection to {self._host}: {reason}",
                "Ask the peer for a certificate of a public authority that names its host, or"
                " add its authority with TOCSIN_CA_FILE.",
            ) from failure
        return DeadlineStream(stream, self._host)

    def get_extra_info(self, info: str) -> Any:
        """Pass the question on (httpcore2 asks whether an idle connection has become readable)."""
        return self._stream.get_extra_info(info)


def _left(deadline: float | None) -> float:
    """Return the seconds until ``deadline``; the instant itself is too late."""
    if deadline is None:
        raise ValueError("every operation of the network has a deadline")
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise httpcore2.ReadTimeout("the time for this request is used up")
    return seconds


def _address_refused(host: str, why: str) -> PeerUnreachable:
    return PeerUnreachable(
        "E_HTTP_ADDRESS",
        f"{host} is not reached: {why}",
        "Correct the peer's base address; a peer in a private network needs the flag for private"
        " addresses, loopback and plain http the setting TOCSIN_ALLOW_LOOPBACK_PEERS.",
    )
