"""The ground on which the clients walk: a served node, its collections, and what was put there.

What a test of a client compares is always the same: the ids that it parsed, in their order,
against the ids that were added. Times that a client makes of its own clock are made here too, in
the forms that clients have.
"""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from hub.bootstrap import open_node
from hub.exchange.collections import add_collection, grant_collection
from hub.operators.tokens import add_token
from hub.settings import load_settings
from schemas.taxii.media_types import TAXII
from tests.support.processes import Tocsin, WireAnswer

_NUMBERS = itertools.count(1)
MAX_CONTENT_LENGTH = 120_000
"""Of the served node, so small that a batch of MISP has to be cut."""


def indicator(number: int, **more: Any) -> dict[str, Any]:
    """Make an indicator that every importer understands (DNS 4)."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": "2026-03-01T09:00:00.000Z",
        "modified": "2026-03-01T09:00:00.000Z",
        "name": f"n{number}.example",
        "indicator_types": ["malicious-activity"],
        "pattern": f"[domain-name:value = 'n{number}.example']",
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": "2026-03-01T09:00:00Z",
        "valid_until": "2027-03-01T09:00:00Z",
        "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
    } | more


def ids(values: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of objects, in their order."""
    return [value["id"] for value in values]


def moment_ago(**delta: float) -> datetime:
    """The clock of a client, some time back."""
    return datetime.now(UTC) - timedelta(**delta)


def to_iso_string(date: datetime) -> str:
    """``Date.prototype.toISOString``: milliseconds, cut off."""
    return date.strftime("%Y-%m-%dT%H:%M:%S.") + f"{date.microsecond // 1000:03d}Z"


def to_rfc3339(date: datetime) -> str:
    """Go's ``time.RFC3339`` in UTC: whole seconds, cut off."""
    return date.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Ground:
    """One collection of the served node, with a producer and a reader that nobody else is."""

    node: Tocsin
    collection_id: str
    title: str
    writer: str
    reader: str
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """The API root, with its last slash."""
        return f"{self.node.base}taxii2/intel/"

    @property
    def path(self) -> str:
        """The path of the collection, with its last slash."""
        return f"/taxii2/intel/collections/{self.collection_id}/"

    @property
    def token(self) -> str:
        """The token of the reader."""
        return self.tokens[self.reader]

    def basic(self, who: str = "") -> str:
        """The ``Authorization`` of name and token."""
        name = who or self.reader
        return "Basic " + base64.b64encode(f"{name}:{self.tokens[name]}".encode()).decode()

    def get(
        self,
        path: str,
        headers: Mapping[str, str],
        parameters: Mapping[str, str] | None = None,
        encode: Callable[[Mapping[str, str]], str] = urlencode,
    ) -> WireAnswer:
        """Ask with these headers alone: ``http.client`` adds ``Host`` and nothing of Python's."""
        query = f"?{encode(parameters)}" if parameters else ""
        return self.node.ask("GET", path + query, headers)

    def add(self, count: int, **more: Any) -> list[str]:
        """Add indicators in one request, as a producer does; return their ids."""
        values = [indicator(number, **more) for number in range(count)]
        self.post(values)
        return ids(values)

    def post(self, values: list[dict[str, Any]]) -> dict[str, Any]:
        """Add objects, none of which may fail."""
        answer = self.node.ask(
            "POST",
            f"{self.path}objects/",
            {"Authorization": self.basic(self.writer), "Content-Type": TAXII, "Accept": TAXII},
            json.dumps({"objects": values}).encode(),
        )
        assert answer.status == 202, answer
        status: dict[str, Any] = answer.document
        assert status["failure_count"] == 0, status
        return status


def new_ground(node: Tocsin) -> Ground:
    """Make a collection with a writer and a reader of its own, beside the running server."""
    number = next(_NUMBERS)
    title, writer, reader = f"Ground {number}", f"writer-{number}", f"siem-{number}"
    opened = open_node(load_settings(node.home, allow_loopback_peers=True))
    try:
        collection_id = add_collection(opened, title).collection_id
        tokens = {
            writer: add_token(opened, writer, "writer").token,
            reader: add_token(opened, reader, "own", originals=True).token,
        }
        grant_collection(opened, collection_id, writer, can_write=True)
        grant_collection(opened, collection_id, reader, can_read=True)
    finally:
        opened.database.close()
    return Ground(node, collection_id, title, writer, reader, tokens)


def encode_as_axios(parameters: Mapping[str, str]) -> str:
    """Write a query as axios does: percent-encoded but for ``:``, ``$`` and ``,``; space as +."""
    return "&".join(
        f"{quote(name, safe=':$,[]')}={quote(value, safe=':$,[]').replace('%20', '+')}"
        for name, value in parameters.items()
    )
