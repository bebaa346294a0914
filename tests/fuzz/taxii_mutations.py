"""TAXII requests that are right, and what a careless or hostile sender makes of them.

A request is mutated as text: its method, path, query, headers and body, none, one or several at a
time. Where a mutation breaks the framing of HTTP itself (a length that lies, a line that is no
header), the request says so, because an answer cannot be demanded then.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.taxii.media_types import TAXII

LIMIT = 256 * 1024
"""The ``max_content_length`` of the server under test."""


@dataclass
class TaxiiRequest:
    """One request; ``framed`` says that it is complete by the rules of HTTP."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    framed: bool = True
    length: str | None = None

    @property
    def target(self) -> str:
        """Path and query."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return self.path + ("?" + query if query else "")

    def to_bytes(self, authorization: str | None) -> bytes:
        """Write it as it goes over the wire."""
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        if not any(name.lower() == "host" for name, _ in self.headers):
            lines.append("Host: 127.0.0.1")
        if authorization is not None:
            lines.append(f"Authorization: {authorization}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.length is not None:
            lines.append(f"Content-Length: {self.length}")
        elif self.body or self.method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + self.body


@dataclass(frozen=True)
class Vocabulary:
    """What requests are made of in the world under test."""

    collections: Sequence[str]
    ids: Sequence[str]
    statuses: Sequence[str]
    cursors: Sequence[str]
    make_objects: Callable[[random.Random], list[Any]]


_DATES = (
    "2026-03-01T10:00:05Z", "2026-03-01T10:00:05.123456Z", "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "0000-00-00T00:00:00Z",
    "2026-02-31T00:00:00Z", "2026-03-01", "2026-03-01T10:00:05%2B01:00", "1e9", "-1", "%00",
)  # fmt: skip
_WORDS = (
    "", "0", "1", "2", "-1", "10001", "99999999999999999999", "1.5", "+1", "%D9%A3", "last",
    "first", "all", "first,last", "all,", ",", "indicator", "identity,indicator", "INDICATOR",
    "2.1", "2.0", "2.1,2.0", "null", "%00", "%FF%FE", "%C3%A9", "'", "';--", "%25", "a" * 600,
    "../..", "*", "%5C", "%F0%9F%98%80", "%ED%A0%80", "%0D%0AX-Injected:%201",
)  # fmt: skip
_NAMES = (
    "limit", "next", "added_after", "match[id]", "match[type]", "match[version]",
    "match[spec_version]", "match%5Bid%5D", "match[]", "match[relationships-all]", "match", "x", "",
)  # fmt: skip
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", "get")
_PATHS = (
    "/", "//", "/taxii2", "/taxii2/", "/taxii2//", "/taxii2/fed/", "/taxii2/intel", "/TAXII2/",
    "/taxii2/intel/collections", "/taxii2/intel/status/", "/taxii2/intel/../intel/collections/",
    "/federation/node", "/federation/wake", "/federation/pair", "/.well-known/tocsin", "/healthz",
    "/readyz", "/api/v1/openapi.json", "/api/v1/", "/metrics", "/%00", "/taxii2/%2e%2e/",
    "/taxii2/intel/collections/%2F/objects/", "*", "/taxii2/fed/collections/clear/objects/",
)  # fmt: skip
_PATH_BITS = (
    "%00",
    "%FF",
    "%2F",
    "..",
    ".",
    "",
    "%2e%2e",
    "é",
    "%C3%A9",
    "a" * 3000,
    "?",
    "#",
    "'",
)
_ACCEPTS = (
    TAXII, "*/*", "application/*", "application/taxii+json", "application/json", "text/html",
    "application/taxii+json;version=2.0", f"{TAXII};q=0", "APPLICATION/TAXII+JSON; VERSION=2.1",
    "", ",", ";", "q=1", "a/b;" * 400, 'application/taxii+json;version="2.1"', "é",
    "*/*;q=0.1, application/taxii+json;version=2.1;q=1.0000",
)  # fmt: skip
_HEADERS = (
    ("Content-Type", "application/json"), ("Content-Type", "application/taxii+json"),
    ("Content-Type", ""), ("Content-Encoding", "gzip"), ("Content-Encoding", "identity"),
    ("Range", "bytes=0-10"), ("If-None-Match", "*"), ("Expect", "200-maybe"),
    ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Host", "evil"), ("Host", "evil"),
    ("Signature-Input", "sig=()"), ("Signature", "sig=:AA==:"), ("Cookie", "a=b"),
    ("X-HTTP-Method-Override", "DELETE"), ("Accept-Encoding", "gzip, br"), ("Origin", "null"),
    ("Authorization", "Bearer nobody"), ("Tocsin-To", "é"), ("Connection", "close"),
    ("Accept-Language", "x" * 5000), ("Content-Digest", "sha-256=:AA==:"),
)  # fmt: skip
_LENGTHS = ("0", "1", "-1", "99999999999", "1e3", "0x10", "+5", " 5", "5, 6", "9" * 40)
_JSON_BITS = (
    None, True, False, 0, -1, 1.5, 2**53, 2**70, "", "x", "é", "\x00", "a" * 5000, [], {}, [[]],
    {"id": 1}, "bundle", "indicator", "2026-02-31T00:00:00Z", ["marking-definition--x"],
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", [None], {"extension_type": "x"},
)  # fmt: skip
_RAW_BITS = (
    b"", b"\xff", b"\xef\xbb\xbf", b"[" * 3000, b"NaN", b"1e999", b'"\\ud800"', b"\x00", b"}", b"]",
    b'{"objects":[]}', b'{"objects":{}}', b'{"objects":[1,null,"x",[]]}', b"null", b'"x"',
    b'{"objects":[{}],"objects":[{}]}', b'{"id":"a","id":"b"}', b"9" * 400, b"[" * 17 + b"]" * 17,
)  # fmt: skip


def a_right_request(rng: random.Random, words: Vocabulary) -> TaxiiRequest:
    """Choose a request that a careful importer or producer sends."""
    collection, stix_id = rng.choice(words.collections), rng.choice(words.ids)
    root = "/taxii2/intel/"
    one = f"{root}collections/{collection}/"
    path = rng.choice(
        [
            "/taxii2/", root, f"{root}collections/", one, f"{one}manifest/", f"{one}objects/",
            f"{one}objects/", f"{one}objects/{stix_id}/", f"{one}objects/{stix_id}/versions/",
            f"{root}status/{rng.choice(words.statuses)}/", "POST", "POST", "DELETE",
        ]
    )  # fmt: skip
    headers = [("Accept", TAXII)]
    if path == "POST":
        body = json.dumps({"objects": words.make_objects(rng)}).encode()
        return TaxiiRequest("POST", f"{one}objects/", [], [*headers, ("Content-Type", TAXII)], body)
    if path == "DELETE":
        return TaxiiRequest("DELETE", f"{one}objects/{stix_id}/", [], headers)
    request = TaxiiRequest("GET", path, [], headers)
    if path.endswith(("objects/", "manifest/", f"{stix_id}/", "versions/")):
        for _ in range(rng.randrange(3)):
            request.query.append(_a_parameter(rng, words))
    return request


def mutate(rng: random.Random, request: TaxiiRequest, words: Vocabulary) -> TaxiiRequest:
    """Change a request in place, a little or a lot, and return it."""
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        change = rng.choice(
            (
                _change_path,
                _change_query,
                _change_query,
                _change_headers,
                _change_body,
                _change_body,
            )
            + ((_change_method, _change_framing) if rng.random() < 0.25 else ())
        )
        change(rng, request, words)
    return request


def _a_parameter(rng: random.Random, words: Vocabulary) -> tuple[str, str]:
    name = rng.choice(_NAMES[:7])
    value = {
        "next": rng.choice(words.cursors or ("x",)),
        "added_after": rng.choice(_DATES[:4]),
        "limit": str(rng.choice((1, 2, 7, 1000))),
        "match[id]": ",".join(rng.sample(list(words.ids), 2)),
        "match[type]": "indicator",
        "match[version]": rng.choice(("all", "first", "last", _DATES[0])),
        "match[spec_version]": "2.1",
    }[name]
    return name, value


def _change_path(rng: random.Random, request: TaxiiRequest, words: Vocabulary) -> None:
    if rng.random() < 0.3:
        request.path = rng.choice(_PATHS)
        return
    parts = request.path.split("/")
    at = rng.randrange(len(parts))
    choice = rng.randrange(5)
    if choice == 0:
        parts[at] = rng.choice(_PATH_BITS)
    elif choice == 1:
        parts.insert(at, rng.choice((*_PATH_BITS, *words.collections, *words.ids)))
    elif choice == 2:
        del parts[at]
    elif choice == 3:
        parts[at] = "".join(f"%{ord(c) & 255:02x}" for c in parts[at][:80])
    else:
        parts[at] = _spoil_text(rng, parts[at])
    path = "/".join(parts).replace(" ", "%20")
    request.path = path if path.startswith("/") else "/" + path


def _change_query(rng: random.Random, request: TaxiiRequest, words: Vocabulary) -> None:
    choice = rng.randrange(5)
    if choice == 0 or not request.query:
        values = (*_WORDS, *_DATES, *words.ids[:5], *words.cursors)
        request.query.append((rng.choice(_NAMES), rng.choice(values)))
        return
    at = rng.randrange(len(request.query))
    name, value = request.query[at]
    if choice == 1:
        request.query.append((name, rng.choice((value, *_WORDS))))
    elif choice == 2:
        request.query[at] = (name, rng.choice((*_WORDS, *_DATES)))
    elif choice == 3:
        request.query[at] = (name, _spoil_text(rng, value).replace(" ", "+"))
    else:
        request.query += [(name, str(place)) for place in range(rng.choice((2, 50, 700)))]


def _change_headers(rng: random.Random, request: TaxiiRequest, _words: Vocabulary) -> None:
    choice = rng.randrange(4)
    if choice == 0:
        request.headers = [h for h in request.headers if h[0] != "Accept"]
        request.headers.append(("Accept", rng.choice(_ACCEPTS)))
    elif choice == 1:
        request.headers.append(rng.choice(_HEADERS))
    elif choice == 2 and request.headers:
        del request.headers[rng.randrange(len(request.headers))]
    else:
        name, value = rng.choice(_HEADERS)
        request.headers.append((name, _spoil_text(rng, value)))


def _change_body(rng: random.Random, request: TaxiiRequest, _words: Vocabulary) -> None:
    if request.method != "POST" and rng.random() < 0.8:
        return
    choice = rng.randrange(6)
    body = bytearray(request.body)
    if choice == 0 and body:
        for _ in range(rng.randrange(1, 8)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        request.body = bytes(body)
    elif choice == 1:
        request.body = bytes(body[: rng.randrange(len(body) + 1)])
    elif choice == 2:
        at = rng.randrange(len(body) + 1)
        request.body = bytes(body[:at]) + rng.choice(_RAW_BITS) + bytes(body[at:])
    elif choice == 3:
        request.body = rng.choice(_RAW_BITS)
    elif choice == 4 and rng.random() < 0.05:
        request.body = request.body + b" " * rng.choice((LIMIT - 10, LIMIT, 2 * LIMIT))
    else:
        request.body = _spoil_json(rng, request.body)


def _change_method(rng: random.Random, request: TaxiiRequest, _words: Vocabulary) -> None:
    request.method = rng.choice(_METHODS)


def _change_framing(rng: random.Random, request: TaxiiRequest, _words: Vocabulary) -> None:
    request.framed = False
    choice = rng.randrange(5)
    if choice == 0:
        request.length = rng.choice(_LENGTHS)
    elif choice == 1:
        request.headers.append(("Transfer-Encoding", rng.choice(("chunked", "gzip", "chunked,"))))
        request.body = rng.choice(
            (b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"ffffffff\r\nx")
        )
    elif choice == 2:
        request.headers.append((rng.choice(("", "a b", "é", "x\x00y", ":")), "value"))
    elif choice == 3:
        request.headers.append(("X-Long", "x" * rng.choice((20_000, 40_000, 200_000))))
    else:
        request.path = request.path + rng.choice((" x", "\x00", "\t", "\r\nX: y", "é"))


def _spoil_text(rng: random.Random, text: str) -> str:
    if not text:
        return rng.choice(_PATH_BITS)
    at = rng.randrange(len(text))
    choice = rng.randrange(4)
    if choice == 0:
        return text[:at] + text[at + 1 :]
    if choice == 1:
        return text[:at] + chr(rng.randrange(33, 127)) + text[at + 1 :]
    if choice == 2:
        return text.swapcase()
    return text[:at] + text


def _spoil_json(rng: random.Random, body: bytes) -> bytes:
    """Replace, drop or double something somewhere in the tree."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return rng.choice(_RAW_BITS)
    places: list[tuple[Any, Any]] = []
    if isinstance(value, (dict, list)):
        _places_of(value, places)
    if not places:
        return rng.choice(_RAW_BITS)
    for _ in range(rng.randrange(1, 4)):
        holder, key = rng.choice(places)
        choice = rng.randrange(3)
        if choice == 0 and isinstance(holder, dict):
            holder.pop(key, None)
        elif choice == 1 and isinstance(holder, dict):
            holder[f"x_{rng.randrange(9)}"] = copy.deepcopy(rng.choice(_JSON_BITS))
        elif isinstance(holder, dict) or key < len(holder):
            holder[key] = copy.deepcopy(rng.choice(_JSON_BITS))
    return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _places_of(value: Any, found: list[tuple[Any, Any]]) -> None:
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in members:
        found.append((value, key))
        if isinstance(item, (dict, list)):
            _places_of(item, found)
