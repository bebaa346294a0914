"""The outbound HTTP module against real servers on loopback (PROTOCOL 4.7, THREATS 31 and 33)."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpcore2
import pytest

from federation.errors import PeerUnreachable
from federation.transport.guarded_http import MAX_HEADER_BYTES, GuardedHttp, read_url
from tests.support.certificates import CertificateAuthority
from tests.support.http_server import (
    Connection,
    ReceivedRequest,
    Script,
    ScriptedServer,
    answers,
    dripping,
    endless,
    gzip_bomb,
    redirects,
    silent,
    write_answer,
)

NO_PATIENCE = 0.3
"""Seconds for exchanges that are meant to run out of time."""
HUB = "hub.a.example"


class NoNetwork(httpcore2.NetworkBackend):
    """Notes where a socket would have been opened, and opens none."""

    def __init__(self) -> None:
        self.connected: list[str] = []

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        del port, timeout, local_address, socket_options
        self.connected.append(host)
        raise httpcore2.ConnectError("no network in this test")


class Resolver:
    """Gives loopback for every name and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        return ["127.0.0.1"]


def base_of(listener: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"


def failure_code(script: Script, *, path: str = "", total_seconds: float = 10.0) -> str:
    with (
        ScriptedServer(script) as server,
        GuardedHttp(allow_loopback=True, total_seconds=total_seconds) as http,
        pytest.raises(PeerUnreachable) as failure,
    ):
        http.request("GET", server.base + path)
    return failure.value.code


@pytest.mark.parametrize(
    "target",
    [
        "taxii2/fed/collections/52246553-b715-5479-982c-bbc06d1e5bc7/objects/?next=seq:100&limit=50",
        "a/../b/./c//d",
        "a%2Fb%2fc%41?x=%7e~&y=a+b&&z",
        "federation/v1/heads?feed=" + "a" * 52 + "/green/1",
        "?",
        "-._~:/?@!$&'()*+,;=%25",
        "",
    ],
)
def test_the_url_goes_on_the_wire_byte_for_byte(target: str) -> None:
    with (
        ScriptedServer(answers(write_answer(body=b"ok"))) as server,
        GuardedHttp(allow_loopback=True) as http,
    ):
        answer = http.request("GET", server.base + target)
        assert server.requests[0].target == "/" + target
        assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.mark.parametrize(
    "url",
    [
        "https://hub.a.example",
        "https://HUB.a.example/",
        "https://hub.a.example./",
        "https://user@hub.a.example/",
        "https://hub.a.example/#x",
        "https://hub.a.example/a b",
        'https://hub.a.example/"',
        "https://hub.a.example/[x]",
        "https://hub.a.example/\r\nX: y",
        "https://hub.a.example/é",
        "https://hub.a.example:0/",
        "https://hub.a.example:65536/",
        "https://hub.a.example:/",
        "https://-hub.example/",
        "https://a..example/",
        "https://" + "a" * 64 + ".example/",
        "https:///path",
        "https://hub.a.example\\@evil.example/",
    ],
)
def test_a_url_that_would_need_rewriting_is_refused(url: str) -> None:
    with pytest.raises(PeerUnreachable) as failure:
        read_url(url)
    assert failure.value.code == "E_HTTP_URL"


@pytest.mark.parametrize("url", ["ftp://a.example/", "file:///etc/passwd", "unix:/run/x", "x"])
def test_no_scheme_but_http_and_https(url: str) -> None:
    with pytest.raises(PeerUnreachable) as failure:
        read_url(url)
    assert failure.value.code == "E_HTTP_SCHEME"


def test_literal_addresses_and_default_ports_are_read() -> None:
    assert read_url("https://[2620:fe::fe]/").host == "2620:fe::fe"
    assert read_url("https://9.9.9.9/").port == 443
    assert read_url("http://9.9.9.9:8080/x").authority == "9.9.9.9:8080"


def test_class06_by_default_neither_plain_http_nor_loopback_is_reached() -> None:
    network = NoNetwork()
    codes = []
    with GuardedHttp(allow_loopback=False, network=network) as http:
        for url in ("http://127.0.0.1/", "https://127.0.0.1/", "https://[::1]/"):
            with pytest.raises(PeerUnreachable) as failure:
                http.request("GET", url)
            codes.append(failure.value.code)
    assert codes == ["E_HTTP_SCHEME", "E_HTTP_ADDRESS", "E_HTTP_ADDRESS"]
    assert network.connected == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "[::]"])
def test_other_spellings_of_loopback_are_judged_by_the_address_they_mean(host: str) -> None:
    network = NoNetwork()
    with (
        GuardedHttp(allow_loopback=False, network=network) as http,
        pytest.raises(PeerUnreachable) as failure,
    ):
        http.request("GET", f"https://{host}/")
    assert failure.value.code in ("E_HTTP_ADDRESS", "E_HTTP_CONNECT", "E_HTTP_URL")
    assert network.connected == []


def test_t33_class06_a_resolver_that_changes_its_mind_is_asked_once_and_tried_once() -> None:
    answers_of_dns = [["8.8.8.8"], ["169.254.169.254"]]
    network = NoNetwork()
    with (
        GuardedHttp(
            allow_loopback=False,
            resolver=lambda _host, _port: answers_of_dns.pop(0),
            network=network,
        ) as http,
        pytest.raises(PeerUnreachable) as failure,
    ):
        http.request("GET", "https://rebinding.example/")
    assert failure.value.code == "E_HTTP_CONNECT"
    assert network.connected == ["8.8.8.8"]
    assert len(answers_of_dns) == 1


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_t33_class06_no_redirect_is_followed(status: int) -> None:
    with ScriptedServer(answers(write_answer())) as target:
        assert failure_code(redirects(target.base, status)) == "E_HTTP_REDIRECT"
        assert target.connections == 0


def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with ScriptedServer(answers(write_answer())) as server, ScriptedServer(silent) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.base)
        with GuardedHttp(allow_loopback=True) as http:
            http.request("GET", server.base)
        assert proxy.connections == 0
        assert "authorization" not in server.requests[0].headers


def test_cookies_are_not_kept() -> None:
    with (
        ScriptedServer(answers(write_answer(headers={"Set-Cookie": "a=b"}))) as server,
        GuardedHttp(allow_loopback=True) as http,
    ):
        http.request("GET", server.base)
        http.request("GET", server.base)
        assert "cookie" not in server.requests[1].headers


def test_many_requests_share_a_connection_and_one_resolution() -> None:
    resolver = Resolver()
    with (
        ScriptedServer(answers(write_answer(body=b"{}"))) as server,
        GuardedHttp(allow_loopback=True, resolver=resolver) as http,
    ):
        for _ in range(5):
            http.request("GET", f"http://{HUB}:{server.port}/")
        assert server.connections == 1
        assert len(server.requests) == 5
    assert resolver.asked == [HUB]


def test_a_connection_that_was_left_in_the_middle_is_not_used_again() -> None:
    half_read = write_answer(302, b"x" * 500)
    with (
        ScriptedServer(answers(half_read, write_answer())) as server,
        GuardedHttp(allow_loopback=True) as http,
    ):
        with pytest.raises(PeerUnreachable):
            http.request("GET", server.base)
        assert http.request("GET", server.base).status == 200
        assert server.connections == 2


def test_threads_share_one_instance() -> None:
    def echo(request: ReceivedRequest, connection: Connection) -> bool:
        connection.send(write_answer(body=request.target.encode()))
        return True

    with ScriptedServer(echo) as server, GuardedHttp(allow_loopback=True) as http:
        seen: dict[int, list[bytes]] = {}

        def ask(number: int) -> None:
            seen[number] = [http.request("GET", f"{server.base}{number}").body for _ in range(10)]

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == {number: [f"/{number}".encode()] * 10 for number in range(8)}


def test_a_body_is_sent_as_it_is_and_the_callers_headers_cannot_replace_ours() -> None:
    with (
        ScriptedServer(answers(write_answer(202))) as server,
        GuardedHttp(allow_loopback=True) as http,
    ):
        http.request(
            "POST",
            server.base,
            headers={"Tocsin-To": "x", "host": "evil.example", "Accept-Encoding": "br"},
            body=b'{"heads":[]}',
        )
        request = server.requests[0]
    assert request.body == b'{"heads":[]}'
    assert request.headers["tocsin-to"] == "x"
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["accept-encoding"] == "gzip"


def test_answers_come_with_status_lower_case_headers_and_unpacked_body() -> None:
    text = b'{"objects":["' + bytes(range(48, 58)) + b'"]}'
    packed = write_answer(
        404, gzip.compress(text), {"Content-Encoding": "GZIP", "X-A": "1", "x-a": "2"}
    )
    with ScriptedServer(answers(packed)) as server, GuardedHttp(allow_loopback=True) as http:
        answer = http.request("GET", server.base)
    assert (answer.status, answer.body, answer.headers["x-a"]) == (404, text, "1, 2")


def test_t31_a_gzip_bomb_is_refused() -> None:
    assert failure_code(gzip_bomb(64)) == "E_HTTP_TOO_BIG"


def test_an_endless_body_is_refused() -> None:
    assert failure_code(endless()) == "E_HTTP_TOO_BIG"


def test_a_body_that_announces_too_much_is_not_even_read() -> None:
    def announce(_request: ReceivedRequest, connection: Connection) -> bool:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4194305\r\n\r\n")
        return silent(_request, connection)

    assert failure_code(announce) == "E_HTTP_TOO_BIG"


def test_an_encoding_that_was_not_asked_for_is_refused() -> None:
    brotli = answers(write_answer(body=b"x", headers={"Content-Encoding": "br"}))
    assert failure_code(brotli) == "E_HTTP_ENCODING"


def test_headers_are_bounded() -> None:
    large = answers(write_answer(headers={"X-Large": "x" * MAX_HEADER_BYTES}))
    assert failure_code(large) == "E_HTTP_TOO_BIG"


def test_headers_without_end_are_refused() -> None:
    def flood(_request: ReceivedRequest, connection: Connection) -> bool:
        connection.send(b"HTTP/1.1 200 OK\r\n")
        while connection.pause(0):
            connection.send(b"X: " + b"x" * 8_000 + b"\r\n")
        return False

    assert failure_code(flood) == "E_HTTP_PROTOCOL"


def test_interim_answers_without_end_run_out_of_time() -> None:
    def flood(_request: ReceivedRequest, connection: Connection) -> bool:
        while connection.pause(0.01):
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return False

    assert failure_code(flood, total_seconds=NO_PATIENCE) == "E_HTTP_TIMEOUT"


@pytest.mark.parametrize("at_once", [0, 17, 45])
def test_drops_of_status_headers_or_body_do_not_stretch_the_time(at_once: int) -> None:
    raw = write_answer(body=b"x" * 1_000)
    script = dripping(raw, at_once=at_once, every=0.02)
    assert failure_code(script, total_seconds=NO_PATIENCE) == "E_HTTP_TIMEOUT"


def test_a_silent_server_runs_out_of_time() -> None:
    assert failure_code(silent, total_seconds=NO_PATIENCE) == "E_HTTP_TIMEOUT"


def test_a_server_that_does_not_read_runs_out_of_time() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        GuardedHttp(allow_loopback=True, total_seconds=NO_PATIENCE) as http,
        pytest.raises(PeerUnreachable) as failure,
    ):
        http.request("POST", base_of(listener), body=bytes(32 * 1024 * 1024))
    assert failure.value.code == "E_HTTP_TIMEOUT"


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"",
    ],
)
def test_what_is_no_http_answer_fails(raw: bytes) -> None:
    def once(_request: ReceivedRequest, connection: Connection) -> bool:
        connection.send(raw)
        return False

    assert failure_code(once) == "E_HTTP_PROTOCOL"


def test_a_closed_port_fails_to_connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        GuardedHttp(allow_loopback=True) as http,
        pytest.raises(PeerUnreachable) as failure,
    ):
        http.request("GET", f"http://127.0.0.1:{port}/")
    assert failure.value.code == "E_HTTP_CONNECT"


def tls_answer(
    authority: CertificateAuthority, served: str, asked: str, ca_file: str | None
) -> tuple[list[str | None], int | str]:
    """Ask a TLS server over loopback; give the names it was asked for and the status or code."""
    context = authority.server_context(served)
    with (
        ScriptedServer(answers(write_answer()), context=context) as server,
        GuardedHttp(allow_loopback=True, ca_file=ca_file, resolver=Resolver()) as http,
    ):
        try:
            result: int | str = http.request("GET", f"https://{asked}:{server.port}/").status
        except PeerUnreachable as failure:
            result = failure.code
    return server.server_names, result


def test_a_peer_of_a_trusted_authority_is_reached_and_told_the_name(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    names, result = tls_answer(authority, HUB, HUB, authority.write_to(tmp_path))
    assert (names, result) == ([HUB], 200)


def test_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    other = CertificateAuthority().write_to(tmp_path)
    assert tls_answer(CertificateAuthority(), HUB, HUB, other)[1] == "E_HTTP_TLS"
    assert tls_answer(CertificateAuthority(), HUB, HUB, None)[1] == "E_HTTP_TLS"


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    ca_file = authority.write_to(tmp_path)
    assert tls_answer(authority, "hub.b.example", HUB, ca_file)[1] == "E_HTTP_TLS"
    # The pinned address in the certificate does not help: the name counts.
    assert tls_answer(authority, "127.0.0.1", HUB, ca_file)[1] == "E_HTTP_TLS"


def test_a_literal_address_needs_a_certificate_for_it(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    ca_file = authority.write_to(tmp_path)
    assert tls_answer(authority, "127.0.0.1", "127.0.0.1", ca_file)[1] == 200
    assert tls_answer(authority, HUB, "127.0.0.1", ca_file)[1] == "E_HTTP_TLS"


def test_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    context = authority.expired_server_context(HUB)
    with (
        ScriptedServer(answers(write_answer()), context=context) as server,
        GuardedHttp(
            allow_loopback=True, ca_file=authority.write_to(tmp_path), resolver=Resolver()
        ) as http,
        pytest.raises(PeerUnreachable) as failure,
    ):
        http.request("GET", f"https://{HUB}:{server.port}/")
    assert failure.value.code == "E_HTTP_TLS"
    assert "expired" in failure.value.detail


def test_a_server_without_tls_is_no_https_peer() -> None:
    with (
        ScriptedServer(answers(write_answer())) as server,
        GuardedHttp(allow_loopback=True, total_seconds=NO_PATIENCE) as http,
        pytest.raises(PeerUnreachable) as failure,
    ):
        http.request("GET", f"https://127.0.0.1:{server.port}/")
    assert failure.value.code in ("E_HTTP_TLS", "E_HTTP_TIMEOUT", "E_HTTP_CONNECT")


def test_a_handshake_that_hangs_ends_with_the_time_to_connect() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        GuardedHttp(allow_loopback=True, connect_seconds=0.2) as http,
        pytest.raises(PeerUnreachable) as failure,
    ):
        http.request("GET", base_of(listener, "https"))
    assert failure.value.code == "E_HTTP_TIMEOUT"
