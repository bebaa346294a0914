"""Decides what an outbound HTTP request may do; the one module of the product that sends any.

Invariants (PROTOCOL 4.7, THREATS 31 and 33):
* https, to checked and pinned addresses (``pinned_network``), with the certificate and the SNI of
  the URL's host; plain http only under the setting of the demo and the tests;
* the URL goes on the wire byte for byte, since it is signed (PROTOCOL 2.7); one that would need
  rewriting is refused, not mended;
* no redirect is followed, no proxy, ``.netrc`` or ``SSL_CERT_FILE`` of the environment is used, no
  cookie is kept, and nothing is tried a second time (a repeat would carry a used nonce);
* the whole exchange ends at one instant, and an answer has bounded headers and a bounded body.

Pinning and keep-alive: connections are pooled by scheme, host and port. Names are resolved and
checked when a connection is *opened*; one that is open stays with the address that was checked,
so reuse cannot rebind. Idle connections end after four seconds (servers of uvicorn close
after five, and a request that meets a closing connection fails), hence a pull of many pages
resolves once and the next pull resolves again.

It stands on httpcore2, the engine of httpx2, because httpx2's own client rewrites URLs and keeps
cookies. It does not judge status codes except redirects: that is ``peer_answers``.

>>> read_url("https://hub.example.fr/a/../b%2f?next=seq:100").target
'/a/../b%2f?next=seq:100'
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpcore2
import httpx2

from federation.errors import PeerUnreachable
from federation.transport.bounded_body import BodyLimits, read_bounded, too_big
from federation.transport.pinned_network import PinnedNetwork, Resolver, resolve_by_system

MAX_HEADER_BYTES = 32_768
_IDLE_SECONDS = 4.0
_IDLE_CONNECTIONS = 32

_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_URL = re.compile(
    r"(?P<scheme>https?)://"
    rf"(?P<authority>(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]{{2,45}}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?)"
    # The characters of RFC 3986 paths and queries; all else is percent-encoded by the caller.
    r"(?P<target>/[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)"
)
_OURS_ALONE = frozenset(
    {"host", "accept-encoding", "content-length", "transfer-encoding", "connection"}
)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer within all limits; header names in lower case, repeated ones joined by commas.

    ``wire_bytes`` is the size of the body as it came, before gunzip.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    wire_bytes: int = 0


@dataclass(frozen=True, slots=True)
class HttpStream:
    """An answer whose body is still on the wire, and comes as it is: nothing was compressed.

    ``chunks`` has no bound but the instant that ends the exchange: whoever reads it counts.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class WireUrl:
    """The parts of a URL that need no rewriting."""

    scheme: str
    authority: str
    host: str
    port: int
    target: str


def read_url(url: str) -> WireUrl:
    """Take a URL apart without changing a byte of it.

    Raises:
        PeerUnreachable: ``E_HTTP_URL`` for one with a user, a fragment, capitals in the host, a raw
            character that RFC 3986 does not allow, or anything else that would need rewriting;
            ``E_HTTP_SCHEME`` for another scheme than http and https.
    """
    found = _URL.fullmatch(url)
    if found is None:
        scheme = url.partition(":")[0]
        if scheme not in ("http", "https"):
            raise _scheme_refused("neither https nor http")
        raise _url_refused()
    scheme, authority, host, port, target = found.group(
        "scheme", "authority", "host", "port", "target"
    )
    number = int(port) if port else {"http": 80, "https": 443}[scheme]
    if number > 65_535:  # noqa: PLR2004  (the last TCP port)
        raise _url_refused()
    return WireUrl(scheme, authority, host.strip("[]"), number, target)


class GuardedHttp:
    """Send requests to peers within the limits above; safe to share between threads.

    Args:
        allow_loopback: admits plain http and loopback addresses; the demo's and tests' setting.
        ca_file: PEM file with authorities to trust beside the system's.
        allow_private: tells by host name whether private networks are allowed for it (the
            administrator's flag of that peer).
        resolver: called once for each new connection.
        network: opens sockets to literal addresses; tests put in one that only records.
        connect_seconds: for resolving, connecting and TLS together.
        total_seconds: for the whole exchange.
        max_bytes: cap of a body, before and after gunzip.
        max_ratio: how many times a compressed body may grow.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool,
        ca_file: str | None = None,
        allow_private: Callable[[str], bool] = lambda _host: False,
        resolver: Resolver = resolve_by_system,
        network: httpcore2.NetworkBackend | None = None,
        connect_seconds: float = 10.0,
        total_seconds: float = 30.0,
        max_bytes: int = 4 * 1024 * 1024,
        max_ratio: int = 20,
    ) -> None:
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._limits = BodyLimits(max_bytes, max_ratio)
        context = httpx2.create_ssl_context(trust_env=False)
        if ca_file is not None:
            context.load_verify_locations(ca_file)
        schemes = ("https", "http") if allow_loopback else ("https",)
        sockets = network if network is not None else httpcore2.SyncBackend()
        self._pools = {
            scheme: httpcore2.ConnectionPool(
                ssl_context=context,
                # Callers bound themselves; a cap here would let one hanging peer block the rest.
                max_connections=None,
                max_keepalive_connections=_IDLE_CONNECTIONS,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=PinnedNetwork(
                    plain=scheme == "http",
                    allow_loopback=allow_loopback,
                    allow_private=allow_private,
                    resolver=resolver,
                    network=sockets,
                ),
            )
            for scheme in schemes
        }

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> HttpAnswer:
        """Send one request and read the whole answer.

        Args:
            method: such as ``GET``.
            url: goes on the wire as it stands.
            headers: more headers; Host, Accept-Encoding and the framing are ours.
            body: the exact bytes, or None for a request without a body.

        Raises:
            PeerUnreachable: ``E_HTTP_URL``, ``E_HTTP_SCHEME``, ``E_HTTP_ADDRESS``,
                ``E_HTTP_CONNECT``, ``E_HTTP_TLS``, ``E_HTTP_TIMEOUT``, ``E_HTTP_REDIRECT``,
                ``E_HTTP_TOO_BIG``, ``E_HTTP_ENCODING`` or ``E_HTTP_PROTOCOL``.
        """
        with self._exchange(method, url, headers or {}, body, "gzip") as (answer, received):
            announced = received.get("content-length", "")
            if announced.isdecimal() and int(announced[:20]) > self._limits.max_bytes:
                raise too_big(self._limits)
            came = _Counted(answer.iter_stream())
            content = read_bounded(
                came,
                encoding=received.get("content-encoding", "").strip().lower(),
                limits=self._limits,
            )
        return HttpAnswer(answer.status, received, content, came.size)

    @contextmanager
    def stream(self, url: str, *, headers: Mapping[str, str] | None = None) -> Iterator[HttpStream]:
        """Get what is too large to be held whole, piece by piece.

        Its caller counts the bytes and stops; leaving the block early closes the connection.

        Args:
            url: goes on the wire as it stands.
            headers: more headers; what comes is not compressed (``Accept-Encoding: identity``).

        Raises:
            PeerUnreachable: as ``request``; ``E_HTTP_ENCODING`` for an answer that is compressed
                nevertheless.
        """
        with self._exchange("GET", url, headers or {}, None, "identity") as (answer, received):
            if received.get("content-encoding", "").strip().lower() not in ("", "identity"):
                raise PeerUnreachable(
                    "E_HTTP_ENCODING",
                    "the answer is compressed, which was not asked for",
                    "Check whether a proxy in front of the peer recodes answers.",
                )
            yield HttpStream(answer.status, received, answer.iter_stream())

    @contextmanager
    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        encoding: str,
    ) -> Iterator[tuple[httpcore2.Response, dict[str, str]]]:
        """Send a request, and give its answer with the body unread."""
        # 1. The URL as it stands, and a scheme that is switched on.
        parts = read_url(url)
        pool = self._pools.get(parts.scheme)
        if pool is None:
            raise _scheme_refused("plain http is switched off")
        # 2. One instant ends everything. These are instants, not pauses: see PinnedNetwork.
        now = time.monotonic()
        end = now + self._total_seconds
        instants = {"connect": min(now + self._connect_seconds, end), "read": end, "write": end}
        # 3. The exchange; leaving the block early closes the connection, unread.
        with (
            _named_failures(parts.authority),
            pool.stream(
                method,
                httpcore2.URL(
                    scheme=parts.scheme, host=parts.host, port=parts.port, target=parts.target
                ),
                headers=_wire_headers(parts, headers, body, encoding),
                content=body,
                extensions={"timeout": instants},
            ) as answer,
        ):
            received = _read_headers(answer.headers)
            # 4. No redirect: it would leave the pinned address and the signed URL.
            if 300 <= answer.status < 400:  # noqa: PLR2004  (the class of redirects)
                raise PeerUnreachable(
                    "E_HTTP_REDIRECT",
                    f"{parts.authority} answered with a redirect ({answer.status})",
                    "Ask the peer for its true base address; redirects are never followed.",
                )
            # 5. No 1xx gets here but 101, which nobody asked for.
            if answer.status < 200:  # noqa: PLR2004
                raise _protocol_broken(parts.authority)
            yield answer, received

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Counted:
    """Chunks from the wire, and how many bytes they were."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.size = 0
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk


def _wire_headers(
    parts: WireUrl, headers: Mapping[str, str], body: bytes | None, encoding: str
) -> list[tuple[bytes, bytes]]:
    """Lay out the headers; the caller's come last and cannot replace ours."""
    chosen = {"Host": parts.authority, "User-Agent": "tocsin", "Accept-Encoding": encoding}
    if body is not None:
        chosen["Content-Length"] = str(len(body))
    chosen |= {name: text for name, text in headers.items() if name.lower() not in _OURS_ALONE}
    return [(name.encode("ascii"), text.encode("ascii")) for name, text in chosen.items()]


def _read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Read an answer's headers within their cap (httpcore2 alone would take over 100 KiB)."""
    headers: dict[str, str] = {}
    size = 0
    for raw_name, raw_text in raw:
        size += len(raw_name) + len(raw_text)
        if size > MAX_HEADER_BYTES:
            raise PeerUnreachable(
                "E_HTTP_TOO_BIG", f"the answer's headers are over {MAX_HEADER_BYTES} bytes"
            )
        name, text = raw_name.decode("latin-1").lower(), raw_text.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


@contextmanager
def _named_failures(authority: str) -> Iterator[None]:
    """Turn the engine's exceptions into ours; its texts stay out of ours."""
    try:
        yield
    except httpcore2.TimeoutException as failure:
        raise PeerUnreachable(
            "E_HTTP_TIMEOUT",
            f"{authority} did not answer in time",
            "Nothing to do at first: it is tried again later. If it lasts, ask the peer.",
        ) from failure
    except httpcore2.NetworkError as failure:
        raise PeerUnreachable(
            "E_HTTP_CONNECT",
            f"the connection to {authority} broke off",
            "Nothing to do at first: it is tried again later. If it lasts, ask the peer.",
        ) from failure
    except httpcore2.ProtocolError as failure:
        raise _protocol_broken(authority) from failure


def _protocol_broken(authority: str) -> PeerUnreachable:
    return PeerUnreachable(
        "E_HTTP_PROTOCOL",
        f"{authority} does not speak HTTP/1.1 as it should, or broke off in the middle",
        "Check that the base address names a Tocsin hub, and the proxies in front of it.",
    )


def _scheme_refused(detail: str) -> PeerUnreachable:
    return PeerUnreachable(
        "E_HTTP_SCHEME",
        detail,
        "Use an https address; TOCSIN_ALLOW_LOOPBACK_PEERS admits http for demos and tests.",
    )


def _url_refused() -> PeerUnreachable:
    return PeerUnreachable(
        "E_HTTP_URL",
        "the address is not one that can be sent unchanged",
        "Write the base as scheme, lower-case host, port unless default, and the path /.",
    )
