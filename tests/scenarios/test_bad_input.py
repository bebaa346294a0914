"""Bad input over real HTTP: an error resource with a stable code, and nothing half stored.

One server of its own process; requests are signed with the keys of a paired node and bent one way
each. After every refusal all that the server keeps of others is what it was before.
"""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from federation.signing.signer import SeedSigner
from federation.transport.guarded_http import HttpAnswer
from hub.bootstrap import open_node
from hub.node import Node
from hub.settings import load_settings
from schemas.identifiers import FeedName
from schemas.strict_json import write_json
from tests.scenarios.needles import Needle, write_bundle
from tests.support.processes import (
    Tocsin,
    WireAnswer,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)
from tests.support.signed_requests import ask, send

WAKE = "/federation/v1/wake"
LIMIT = 300_000
TAXII = "application/taxii+json;version=2.1"
PRODUCED = "/taxii2/intel/collections/produced/objects/"


@dataclass
class World:
    """A served node, a paired one that only asks, and a writer's token."""

    server: Tocsin
    asker: Tocsin
    there: Node
    here: Node
    writer: str

    def wake(self, body: bytes = b'{"heads":[]}', **bent: Any) -> HttpAnswer:
        return ask(self.here, self.there, WAKE, method="POST", body=body, **bent)

    def page(self, **bent: Any) -> HttpAnswer:
        target = f"/taxii2/fed/collections/{self.clear.collection_id}/objects/"
        return ask(self.here, self.there, target, **bent)

    @property
    def clear(self) -> FeedName:
        return FeedName(self.there.node_id, "clear")

    def add(self, body: bytes, token: str | None = None, **headers: str) -> WireAnswer:
        sent = {
            "Authorization": f"Bearer {token or self.writer}",
            "Content-Type": TAXII,
            "Accept": TAXII,
        }
        return self.server.ask("POST", PRODUCED, sent | headers, body)

    def kept(self) -> list[Any]:
        """All that the server keeps of others and for readers."""
        # What the server's worker changes by itself, such as when it last tried, is left out.
        chosen = {"peers": "node_id, trust, verified, state"}
        tables = (
            "feeds", "entries", "objects", "carried", "view_rows", "peers", "node_documents",
            "statuses", "invitations",
        )  # fmt: skip
        with closing(sqlite3.connect(self.server.home / "tocsin.db")) as database:
            return [
                database.execute(f"SELECT {chosen.get(t, '*')} FROM {t} ORDER BY 1, 2").fetchall()
                for t in tables
            ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("bad-input")
    with organisations(folder, "server", "asker") as (server, asker):
        server.environment["TOCSIN_MAX_CONTENT_LENGTH"] = str(LIMIT)
        start_all(server)
        pair_by_command(server, asker)
        give_trust_by_command(server, asker, "trusted")
        give_trust_by_command(asker, server, "trusted")
        server.run("collection", "add", "Produced here", "--alias", "produced")
        writer = server.run("token", "add", "producer", "--kind", "writer")["token"]
        server.run("collection", "grant", "produced", "producer", "--write", "--read")
        server.run("publish", Needle("clear", 1).file(folder), "--tlp", "clear")
        there, here = (
            open_node(load_settings(node.home, allow_loopback_peers=True))
            for node in (server, asker)
        )
        # Its server's worker has done what pairing and publishing asked for.
        asker.run("pull", server.node_id)
        yield World(server, asker, there, here, writer)
        for node in (there, here):
            node.database.close()


def check_refused(answer: HttpAnswer | WireAnswer, status: int, code: str) -> None:
    """An error resource of TAXII with these two, and nothing of the inside (PROTOCOL 2.9)."""
    headers = {name.lower(): value for name, value in dict(answer.headers).items()}
    document = json.loads(answer.body)
    assert (answer.status, document["error_code"]) == (status, code)
    assert document["http_status"] == str(status)
    assert document["title"]
    assert headers["content-type"] == TAXII
    assert b"Traceback" not in answer.body
    assert b".py" not in answer.body


DEEP = b'{"heads":' + b"[" * 16 + b"]" * 16 + b"}"
BODIES = {
    "it ends early": (b'{"heads":[', "E_JSON_SYNTAX"),
    "it is empty": (b" ", "E_JSON_SYNTAX"),
    "two documents": (b'{"heads":[]}{}', "E_JSON_SYNTAX"),
    "a key twice": (b'{"heads":[],"heads":[]}', "E_JSON_DUPKEY"),
    "a key twice, once escaped": (b'{"heads":[],"a":1,"\\u0061":1}', "E_JSON_DUPKEY"),
    "a key twice, deep inside": (b'{"heads":[{"a":{"b":1,"b":2}}]}', "E_JSON_DUPKEY"),
    "17 levels": (DEEP, "E_JSON_DEPTH"),
    "50,000 levels": (b"[" * 50_000, "E_JSON_DEPTH"),
    "not UTF-8": (b'{"heads":"\xff"}', "E_JSON_UTF8"),
    "a byte order mark": (b'\xef\xbb\xbf{"heads":[]}', "E_JSON_BOM"),
    "a number that is none": (b'{"heads":[NaN]}', "E_JSON_NUM"),
    "a number too large": (b'{"heads":[9007199254740993]}', "E_JSON_INT"),
    "half a surrogate pair": (b'{"heads":["\\ud800"]}', "E_JSON_SURROGATE"),
    "a list": (b"[]", "E_SCHEMA"),
    "a member missing": (b"{}", "E_SCHEMA"),
    "a member of another type": (b'{"heads":{}}', "E_SCHEMA"),
}


@pytest.mark.parametrize("what", BODIES)
def test_t29_t30_a_body_that_is_not_strict_json(what: str, world: World) -> None:
    body, code = BODIES[what]
    before = world.kept()

    check_refused(world.wake(body), 400, code)
    added = world.add(body.replace(b"heads", b"objects"))
    if code == "E_SCHEMA":
        check_refused(added, 422, "E_ENVELOPE")
    else:
        check_refused(added, 400, code)

    assert world.kept() == before


REQUESTS: dict[str, tuple[Callable[[World], HttpAnswer], str]] = {
    "no signature": (lambda w: send(w.there, WAKE, method="POST", body=b"{}"), "E_HTTP_SIG"),
    "a changed signature": (lambda w: w.wake(bend=_bend_signature), "E_HTTP_SIG"),
    "a key of another purpose": (lambda w: w.wake(signer=w.here.keys.entry), "E_HTTP_SIG"),
    "an unknown node": (lambda w: w.wake(signer=SeedSigner(bytes(32))), "E_HTTP_SIG"),
    "another body": (lambda w: w.wake(sent_body=b'{"heads":[ ]}'), "E_HTTP_SIG"),
    "another target": (lambda w: w.wake(signed_target="/federation/v1/heads"), "E_HTTP_SIG"),
    "another recipient": (lambda w: w.wake(to=w.here.node_id), "E_HTTP_TO"),
    "six minutes old": (lambda w: w.wake(created=_from_now(w, -360)), "E_HTTP_TIME"),
    "six minutes early": (lambda w: w.wake(created=_from_now(w, 360)), "E_HTTP_TIME"),
}


def _bend_signature(headers: dict[str, str]) -> None:
    name, value = "Signature", headers["Signature"]
    at = value.index(":") + 10
    headers[name] = value[:at] + ("B" if value[at] == "A" else "A") + value[at + 1 :]


def _from_now(world: World, seconds: int) -> Any:
    return world.here.now() + timedelta(seconds=seconds)


@pytest.mark.parametrize("what", REQUESTS)
def test_t47_a_request_that_is_not_a_peers_own(what: str, world: World) -> None:
    make, code = REQUESTS[what]
    before = world.kept()

    check_refused(make(world), 401, code)

    assert world.kept() == before


def test_t47_a_request_repeated(world: World) -> None:
    nonce, created = bytes(range(16)), world.here.now()
    first = world.page(nonce=nonce, created=created)
    again = world.page(nonce=nonce, created=created)

    assert first.status == 200
    check_refused(again, 401, "E_HTTP_REPLAY")


def test_a_suspended_peer_is_a_stranger(world: World) -> None:
    stranger = world.page(signer=SeedSigner(bytes(32)))
    world.server.run("peer", "suspend", world.here.node_id)
    try:
        suspended = world.page()
    finally:
        world.server.run("peer", "resume", world.here.node_id)

    check_refused(suspended, 401, "E_HTTP_SIG")
    assert suspended.body == stranger.body
    assert world.page().status == 200


def talk(world: World, head: bytes, pieces: Iterator[bytes]) -> tuple[bytes, int]:
    """Send a head and pieces of a body until the server has answered; return that, and how much.

    Reads only when the other side has something to say, so a server that reads on would be sent
    everything.
    """
    sent = 0
    with socket.create_connection(("127.0.0.1", world.server.port), timeout=20) as wire:
        wire.sendall(head)
        for piece in pieces:
            try:
                wire.sendall(piece)
            except OSError:  # it has hung up, as it may
                break
            sent += len(piece)
            wire.setblocking(False)
            try:
                if wire.recv(1, socket.MSG_PEEK) is not None:
                    break
            except BlockingIOError:
                pass
            finally:
                wire.settimeout(20)
        answer = b""
        while chunk := wire.recv(65_536):
            answer += chunk
            if b"\r\n\r\n" in answer and answer.endswith(b"}"):
                break
    return answer, sent


@pytest.mark.parametrize(
    ("target", "limit"), [(WAKE, 4 * 1024 * 1024), (PRODUCED, LIMIT)], ids=["peers", "producers"]
)
def test_a_body_that_says_that_it_is_too_big_is_not_read(
    target: str, limit: int, world: World
) -> None:
    head = (
        f"POST {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.writer}\r\n"
        f"Content-Type: {TAXII}\r\nAccept: {TAXII}\r\nContent-Length: {limit + 1}\r\n\r\n"
    )

    answer, sent = talk(world, head.encode(), iter(()))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"error_code":"E_TOO_BIG"' in answer
    assert sent == 0


@pytest.mark.parametrize(
    ("target", "limit"), [(WAKE, 4 * 1024 * 1024), (PRODUCED, LIMIT)], ids=["peers", "producers"]
)
def test_a_body_that_does_not_say_its_size_is_given_up_at_the_limit(
    target: str, limit: int, world: World
) -> None:
    head = (
        f"POST {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.writer}\r\n"
        f"Content-Type: {TAXII}\r\nAccept: {TAXII}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"

    answer, sent = talk(world, head.encode(), (piece for _ in range(1024)))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"error_code":"E_TOO_BIG"' in answer
    assert sent < limit + 16 * 1024 * 1024, "it was read on and on"


def test_an_unknown_a_revoked_and_an_expired_token_are_one_answer(world: World) -> None:
    server = world.server
    revoked = server.run("token", "add", "revoked", "--kind", "own", "--originals")["token"]
    server.run("token", "revoke", "revoked")
    expired = server.run(
        "token", "add", "expired", "--kind", "own", "--originals", "--expires-days", "1"
    )["token"]
    with closing(sqlite3.connect(server.home / "tocsin.db", timeout=30)) as database, database:
        database.execute("UPDATE tokens SET expires_at = 0 WHERE name = 'expired'")

    answers = [
        server.get("/taxii2/intel/collections/", {"Authorization": f"Bearer {t}", "Accept": TAXII})
        for t in (revoked, expired, "tocsin_" + "a" * 52)
    ]

    for answer in answers:
        check_refused(answer, 401, "E_TOKEN")
        assert answer.body == answers[0].body
    check_refused(world.add(b'{"objects":[{}]}', token=revoked), 401, "E_TOKEN")


BROKEN = Needle("clear", 66).value(pattern="[domain-name:value = ")


def test_a_broken_object_in_a_good_batch_is_refused_alone_by_command(
    world: World, tmp_path: Path
) -> None:
    good = [Needle("green", number).value() for number in (61, 62)]
    file = write_bundle(tmp_path / "batch.json", good[0], BROKEN, good[1])

    outcome = world.server.run("publish", file, "--tlp", "green")

    assert outcome["objects"] == 2
    (skipped,) = outcome["import"]["lines"]
    assert (skipped["text"], skipped["code"]) == (BROKEN["id"], "E_SCHEMA")
    assert "pattern" in skipped["detail"]
    (row,) = world.asker.run("pull", world.server.node_id)
    assert (row["error"], row["rejected"]) == (None, 0)
    held = {item["id"] for item in world.asker.run("objects", "list")}
    assert held & {good[0]["id"], good[1]["id"], BROKEN["id"]} == {good[0]["id"], good[1]["id"]}


def test_a_broken_object_in_a_good_batch_is_refused_alone_by_taxii(world: World) -> None:
    good = [Needle("clear", number).value() for number in (71, 72)]

    answer = world.add(write_json({"objects": [good[0], BROKEN, good[1]]}))

    assert answer.status == 202
    status = answer.document
    assert (status["total_count"], status["success_count"], status["failure_count"]) == (3, 2, 1)
    assert status["failures"][0]["id"] == BROKEN["id"]
    assert "E_SCHEMA" in status["failures"][0]["message"]
    reading = {"Authorization": f"Bearer {world.writer}", "Accept": TAXII}
    listed = world.server.get(PRODUCED, reading).document["objects"]
    assert {item["id"] for item in listed} == {value["id"] for value in good}
