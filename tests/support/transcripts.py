"""Recorded wire exchanges of three nodes, made from fixed seeds at fixed instants.

``python -m tests.support.transcripts`` writes them anew. They are kept so that later releases can
show two things: they still read what this release answered, and, as long as the bytes are meant to
stay, they answer this release's requests byte for byte (``tests/conformance/test_transcripts.py``).

The story is one function, ``play``; what goes over the wire passes a ``Wire``. One records, one
replays: it hands the recorded answer to who asks and, where there are servers, sends them the
recorded request and compares.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from fastapi import FastAPI

from federation.transport.guarded_http import GuardedHttp, HttpAnswer
from hub.app import create_app
from hub.bootstrap import NodeProfile, create_node, open_node
from hub.node import Node
from hub.settings import load_settings

FOLDER = Path(__file__).resolve().parents[1] / "conformance" / "transcripts"
RELEASE = "0.1"
CHAPTERS = ("pairing", "origin", "relay", "wake", "refusals", "intel")
NOTICE = (
    "Test keys from fixed seeds that are public (SHA-256 of the node's name and a count): nodes, "
    "tokens and signatures in this file protect nothing. Made by python -m "
    "tests.support.transcripts; never edited by hand."
)
BEGIN = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
ANSWER_HEADERS = (
    "content-type",
    "www-authenticate",
    "x-taxii-date-added-first",
    "x-taxii-date-added-last",
    "retry-after",
)
UNKNOWN = b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}'


@dataclass
class StoryClock:
    """The one clock of all nodes of the story."""

    at: datetime = BEGIN

    def now(self) -> datetime:
        return self.at

    def advance(self) -> None:
        self.at += timedelta(seconds=1)


@dataclass
class SeededBytes:
    """'Random' bytes of a node: a hash of its name, the length asked for and a count.

    A count for each length, so that asking for one more nonce changes no key.
    """

    name: str
    counts: dict[int, int] = field(default_factory=dict)

    def __call__(self, length: int) -> bytes:
        self.counts[length] = count = self.counts.get(length, 0) + 1
        text = f"tocsin transcripts/{self.name}/{length}/{count}"
        return hashlib.shake_256(text.encode()).digest(length)


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; bodies are text, since all of them are JSON."""

    at: str
    to: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: str | None
    status: int
    answer_headers: Mapping[str, str]
    answer: str

    def written(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "to": self.to,
            "request": {
                "method": self.method,
                "target": self.target,
                "headers": dict(self.headers),
                "body": self.body,
            },
            "answer": {
                "status": self.status,
                "headers": dict(self.answer_headers),
                "body": self.answer,
            },
        }

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Exchange:
        request, answer = value["request"], value["answer"]
        return cls(
            value["at"], value["to"], request["method"], request["target"], request["headers"],
            request["body"], answer["status"], answer["headers"], answer["body"],
        )  # fmt: skip


@dataclass
class Chapter:
    """One file: what was handed over by people, the exchanges, and what the reader then held."""

    name: str
    given: dict[str, str] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    held: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return FOLDER / f"{RELEASE}-{self.name}.json"

    def to_text(self) -> str:
        value = {
            "notice": NOTICE,
            "release": RELEASE,
            "chapter": self.name,
            "given": self.given,
            "exchanges": [exchange.written() for exchange in self.exchanges],
            "held": self.held,
        }
        return json.dumps(value, indent=1) + "\n"

    @classmethod
    def load(cls, name: str) -> Chapter:
        value = json.loads(cls(name).path.read_text())
        read = [Exchange.read(exchange) for exchange in value["exchanges"]]
        return cls(name, value["given"], read, value["held"])


class Wire:
    """What nodes of the story send their requests through, in place of sockets."""

    def __init__(self, clock: StoryClock) -> None:
        self.clock = clock
        self.apps: dict[str, FastAPI] = {}
        self.chapters: dict[str, Chapter] = {}
        self.chapter = Chapter("none")
        self.credentials: dict[str, str] = {}

    def keep_out(self, name: str, credential: str) -> str:
        """Have a placeholder stand in the files for a credential; scanners look for tokens."""
        self.credentials[f"<{name}>"] = credential
        return credential

    def open_chapter(self, name: str) -> None:
        raise NotImplementedError

    def close_chapter(self) -> None:
        """Do what is left to do at a chapter's end."""

    def give(self, name: str, make: Callable[[], str]) -> str:
        """Take what people hand over by other ways than the wire, such as an invitation."""
        raise NotImplementedError

    def exchange(
        self, to: str, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpAnswer:
        raise NotImplementedError

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> HttpAnswer:
        """Stand where ``GuardedHttp.request`` stands."""
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        return self.exchange(str(parts.hostname).split(".")[0], method, target, headers or {}, body)

    def as_http(self) -> GuardedHttp:
        return cast("GuardedHttp", self)


class Recording(Wire):
    """Asks the servers and notes what was said."""

    def open_chapter(self, name: str) -> None:
        self.chapter = self.chapters[name] = Chapter(name)

    def give(self, name: str, make: Callable[[], str]) -> str:
        self.chapter.given[name] = made = make()
        return made

    def exchange(
        self, to: str, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpAnswer:
        answer = ask_app(self.apps[to], method, target, headers, body)
        self.chapter.exchanges.append(
            Exchange(
                self.clock.now().isoformat(), to, method, target, self._without_secrets(headers),
                None if body is None else body.decode(), answer.status, chosen(answer.headers),
                answer.body.decode(),
            )
        )  # fmt: skip
        return answer

    def _without_secrets(self, headers: Mapping[str, str]) -> dict[str, str]:
        written = dict(headers)
        for placeholder, credential in self.credentials.items():
            for name, value in written.items():
                written[name] = value.replace(credential, placeholder)
        return written


class Replaying(Wire):
    """Gives the recorded answers; where it has servers, they are asked the recorded requests.

    A request that was not recorded meets a node that does not know it.
    """

    def __init__(self, clock: StoryClock, *, ask_servers: bool) -> None:
        super().__init__(clock)
        self.ask_servers = ask_servers
        self.left: list[Exchange] = []

    def open_chapter(self, name: str) -> None:
        self.chapter = self.chapters[name] = Chapter.load(name)
        self.left = list(self.chapter.exchanges)

    def close_chapter(self) -> None:
        while self.left:
            self._check(self.left.pop(0))

    def give(self, name: str, make: Callable[[], str]) -> str:
        if self.ask_servers:
            assert make() == self.chapter.given[name]
        return self.chapter.given[name]

    def exchange(
        self, to: str, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpAnswer:
        del headers, body
        for exchange in self.left:
            if (exchange.to, exchange.method, exchange.target) == (to, method, target):
                self.left.remove(exchange)
                self._check(exchange)
                recorded = exchange.answer.encode()
                return HttpAnswer(exchange.status, exchange.answer_headers, recorded)
        return HttpAnswer(404, {"content-type": "application/taxii+json;version=2.1"}, UNKNOWN)

    def _check(self, exchange: Exchange) -> None:
        if not self.ask_servers:
            return
        body = None if exchange.body is None else exchange.body.encode()
        headers = {
            name: re.sub("<.+>", lambda found: self.credentials[found[0]], value)
            for name, value in exchange.headers.items()
        }
        answer = ask_app(self.apps[exchange.to], exchange.method, exchange.target, headers, body)
        where = f"{self.chapter.name}: {exchange.method} {exchange.target} at {exchange.to}"
        assert answer.body.decode() == exchange.answer, where
        assert (answer.status, chosen(answer.headers)) == (
            exchange.status, exchange.answer_headers,
        ), where  # fmt: skip


def chosen(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an answer that a reader goes by."""
    return {name: headers[name] for name in ANSWER_HEADERS if name in headers}


def ask_app(
    app: FastAPI, method: str, target: str, headers: Mapping[str, str], body: bytes | None
) -> HttpAnswer:
    """Ask an application as its server would, without a socket."""
    path, _, query = target.partition("?")
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    if body is not None:
        sent.append((b"content-length", str(len(body)).encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "https", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "root_path": "", "headers": sent, "client": ("192.0.2.1", 1), "server": ("192.0.2.2", 443),
    }  # fmt: skip
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(app(scope, receive, send))
    found: dict[str, str] = {}
    for raw_name, raw_value in said[0]["headers"]:
        name, value = raw_name.decode(), raw_value.decode()
        found[name] = f"{found[name]}, {value}" if name in found else value
    whole = b"".join(message.get("body", b"") for message in said[1:])
    return HttpAnswer(said[0]["status"], found, whole)


def make_story_node(folder: Path, name: str, wire: Wire) -> Node:
    """Make a node from its name alone, and connect it to the wire."""
    settings = load_settings(folder / name)
    base = f"https://{name}.transcripts.example/"
    entropy = SeededBytes(name)
    create_node(
        settings,
        NodeProfile(name, f"{name}.example", base),
        clock=wire.clock,
        entropy=entropy,
    )
    node = open_node(settings, clock=wire.clock, entropy=entropy)
    wire.apps[name] = create_app(node)
    return node


def record() -> dict[str, str]:
    """Play the story and return the text of every file by its chapter."""
    from tests.support.transcript_story import play  # noqa: PLC0415 - it is told with this module

    with tempfile.TemporaryDirectory() as folder:
        wire = Recording(StoryClock())
        play(Path(folder), wire)
    return {name: chapter.to_text() for name, chapter in wire.chapters.items()}


def main() -> None:
    """Write the files of this release."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in record().items():
        Chapter(name).path.write_text(text)
        print(f"{Chapter(name).path.name}: {len(text)} bytes")


if __name__ == "__main__":
    main()
