"""One node with objects of every label, put straight into the store, and readers of each kind."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from hub.app import create_app
from hub.exchange import visible
from hub.exchange.object_rows import draft_row
from hub.node import Node
from hub.operators.tokens import add_token
from hub.peers.groups import require_open_group
from hub.storage.queries import objects as stored
from schemas.identifiers import NodeId
from schemas.markings import Tlp
from schemas.strict_json import write_json
from schemas.taxii.media_types import TAXII
from tests.support.in_process import InProcess
from tests.support.nodes import FixedClock, make_node

STRANGER = NodeId("q" * 52)
AT = "2026-03-01T09:00:00.000Z"
LATER = "2026-03-01T09:30:00.000Z"


def stix_id(name: str, stix_type: str = "indicator") -> str:
    return f"{stix_type}--{uuid.uuid5(uuid.NAMESPACE_DNS, name)}"


def indicator(name: str, tlp: Tlp | None = Tlp.GREEN, modified: str = AT, **more: Any) -> Any:
    """An indicator on a name; the name is also the needle that a leak would show."""
    value = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": stix_id(name),
        "created": AT,
        "modified": modified,
        "name": name,
        "pattern": f"[domain-name:value = '{name}']",
        "pattern_type": "stix",
        "valid_from": AT,
    } | more
    return value if tlp is None else value | {"object_marking_refs": [tlp.marking_id]}


def place(
    node: Node,
    *values: Any,
    tlp: Tlp,
    machine: bool = False,
    exercise: bool = False,
    state: str = "accepted",
    origin: NodeId = STRANGER,
    group: str = "",
) -> None:
    """Store accepted objects of another origin and show them, as a pull does.

    Args:
        group: an own group whose feed carried them, as after publishing to it.
    """
    now = node.now()
    with node.database.write() as tx:
        number = stored.claim_object_rows(tx, len(values))
        rows = [
            draft_row(
                value, origin=origin, now=now, object_row=number + place, tlp=tlp,
                machine=machine, exercise=exercise, state=state,
            )
            for place, value in enumerate(values)
        ]  # fmt: skip
        contents = {
            row.object_row: write_json(value) for row, value in zip(rows, values, strict=True)
        }
        stored.store_objects(tx, [(row, contents[row.object_row]) for row in rows])
        if group:
            feed = require_open_group(tx, node, group).feed
            stored.store_carried(tx, [(feed.feed_row, 1, row.object_row) for row in rows])
        visible.show(tx, rows, contents, now)


@dataclass
class Intel:
    """A node behind Starlette's test client, and the tokens given out so far."""

    node: Node
    clock: FixedClock
    client: TestClient
    line: InProcess
    tokens: dict[str, str] = field(default_factory=dict)

    def close(self) -> None:
        self.line.close()
        self.client.__exit__()
        self.node.database.close()

    def add(self, name: str, kind: str, **more: Any) -> str:
        """Give out a token; its name is then enough to ask as this reader."""
        self.tokens[name] = add_token(self.node, name, kind, **more).token
        return name

    def ask(self, reader: str | None, path: str, method: str = "GET", **more: Any) -> Any:
        """Ask as a reader, by Bearer; the path is below the intel root unless it is absolute."""
        url = path if path.startswith("/") else f"/taxii2/intel/{path}"
        headers = {"Accept": TAXII} | more.pop("headers", {})
        if reader is not None:
            headers = {"Authorization": f"Bearer {self.tokens[reader]}"} | headers
        return self.line.request(method, url, headers=headers, **more)

    def post(self, reader: str, collection: str, *values: Any, **more: Any) -> Any:
        """Add objects to a collection."""
        body = write_json({"objects": list(values)})
        headers = {"Content-Type": TAXII}
        path = f"collections/{collection}/objects/"
        return self.ask(reader, path, "POST", content=body, headers=headers, **more)

    def names(self, reader: str, collection: str = "originals", query: str = "") -> list[str]:
        """The names of the indicators on a reader's first page."""
        answer = self.ask(reader, f"collections/{collection}/objects/{query}")
        assert answer.status_code == 200, answer.text
        found = answer.json().get("objects", [])
        return [value["name"] for value in found if value["type"] == "indicator"]


def basic(name: str, token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()}


def make_intel(path: Path, now: datetime, **settings: Any) -> Intel:
    clock = FixedClock(now)
    node = make_node(path, "reader-hub", clock, base_url="http://127.0.0.1:8000/", **settings)
    return open_intel(node, clock)


def open_intel(node: Node, clock: FixedClock, tokens: dict[str, str] | None = None) -> Intel:
    client = TestClient(create_app(node), raise_server_exceptions=False)
    client.__enter__()  # one event loop for all requests; without it each starts its own
    return Intel(node, clock, client, InProcess(client.app), tokens or {})


@pytest.fixture
def intel(tmp_path: Path, now: datetime) -> Iterator[Intel]:
    made = make_intel(tmp_path, now)
    yield made
    made.close()
