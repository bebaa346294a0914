"""A TAXII server in a process of its own, over TLS, and requests whose every header is the test's.

Collections and tokens are made in the test's own process on the same database, as another process
of the node would; everything else goes over the wire.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import ssl
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from hub.exchange.collections import add_collection, grant_collection
from hub.node import Node, SystemClock
from hub.operators.tokens import add_token
from schemas.markings import Tlp
from tests.support.certificates import CertificateAuthority
from tests.support.forks import Forks
from tests.support.nodes import free_port, make_node
from tests.support.processes import PATIENCE, Tocsin, WireAnswer

TAXII = "application/taxii+json;version=2.1"
STIX = "application/stix+json;version=2.1"
LARGEST_BODY = 60_000
"""What this server is set to take, so that its limit is reached quickly."""
AT = "2026-03-01T09:00:00.000Z"
_NUMBERS = itertools.count(1)

Json = dict[str, Any]


def indicator(modified: str = AT, **more: Any) -> Json:
    """A new indicator, GREEN."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": AT,
        "modified": modified,
        "pattern": "[domain-name:value = 'a.example']",
        "pattern_type": "stix",
        "valid_from": AT,
        "object_marking_refs": [Tlp.GREEN.marking_id],
    } | more


def address(number: int) -> Json:
    """A cyber-observable: no ``created``, no ``modified``, no ``spec_version``."""
    return {
        "type": "x-seen-address",
        "id": f"x-seen-address--{uuid.uuid5(uuid.NAMESPACE_OID, str(number))}",
        "value": f"192.0.2.{number % 256}",
        "object_marking_refs": [Tlp.GREEN.marking_id],
    }


@dataclass
class Collection:
    """One collection of the server, by its alias, with ``producer`` and ``reader`` granted."""

    taxii: Taxii
    collection_id: str
    alias: str

    @property
    def path(self) -> str:
        """Its address below the host."""
        return f"/taxii2/intel/collections/{self.collection_id}/"

    def get(self, query: str = "", reader: str = "reader", **more: Any) -> WireAnswer:
        """Ask for its objects."""
        return self.taxii.get(f"{self.path}objects/{query}", reader, **more)

    def page(self, query: str = "", reader: str = "reader") -> Json:
        """A page of its objects."""
        answer = self.get(query, reader)
        assert answer.status == 200, answer.whole
        document: Json = answer.document
        return document

    def ids(self, query: str = "") -> list[str]:
        """The ids on a page of its objects."""
        return [value["id"] for value in self.page(query).get("objects", [])]

    def manifest(self, query: str = "") -> list[Json]:
        """A page of its manifest."""
        answer = self.taxii.get(f"{self.path}manifest/{query}", "reader")
        assert answer.status == 200, answer.whole
        records: list[Json] = answer.document.get("objects", [])
        return records

    def post(self, body: bytes, headers: Sequence[tuple[str, str]] | None = None) -> WireAnswer:
        """Post a body as it is."""
        sent = [("Content-Type", TAXII)] if headers is None else list(headers)
        return self.taxii.ask("POST", f"{self.path}objects/", "producer", headers=sent, body=body)

    def add(self, *values: Any) -> Json:
        """Add objects; return the status."""
        answer = self.post(json.dumps({"objects": list(values)}).encode())
        assert answer.status == 202, answer.whole
        status: Json = answer.document
        return status

    def filled(self, count: int) -> list[str]:
        """Add this many indicators; return their ids in their order."""
        values = [indicator() for _ in range(count)]
        assert self.add(*values)["success_count"] == count
        return [value["id"] for value in values]


@dataclass
class Taxii:
    """A server and those who have tokens for it."""

    node: Node
    server: Tocsin
    trust: ssl.SSLContext
    tokens: dict[str, str] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)

    def token(self, name: str, kind: str, **options: Any) -> None:
        """Give out a token."""
        self.tokens[name] = add_token(self.node, name, kind, **options).token

    def basic(self, name: str) -> tuple[str, str]:
        """The header by which a token holder says who it is."""
        pair = base64.b64encode(f"{name}:{self.tokens[name]}".encode()).decode()
        return ("Authorization", f"Basic {pair}")

    def collection(self, **options: Any) -> Collection:
        """Make a collection that ``producer`` fills and ``reader`` reads."""
        alias = f"c{next(_NUMBERS)}"
        row = add_collection(self.node, f"Collection {alias}", alias=alias, **options)
        grant_collection(self.node, alias, "producer", can_read=True, can_write=True)
        grant_collection(self.node, alias, "reader", can_read=True)
        return Collection(self, row.collection_id, alias)

    def ask(
        self,
        method: str,
        path: str,
        reader: str | None = "reader",
        *,
        accept: str | None = TAXII,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> WireAnswer:
        """Send exactly this; brackets and the like in a query are escaped as clients do."""
        sent = list(headers)
        if accept is not None:
            sent.append(("Accept", accept))
        if reader is not None:
            sent.append(self.basic(reader))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.server.port, timeout=PATIENCE, context=self.trust
        )
        try:
            connection.putrequest(method, quote(path, safe="/?&=,:%+"), skip_accept_encoding=True)
            for name, value in sent:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return WireAnswer(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def get(self, path: str, reader: str | None = "reader", **more: Any) -> WireAnswer:
        """Ask for a resource."""
        return self.ask("GET", path, reader, **more)

    def resource(self, path: str, reader: str = "reader") -> Json:
        """The document of a resource that is there."""
        answer = self.get(path, reader)
        assert answer.status == 200, answer.whole
        document: Json = answer.document
        return document

    def every_resource(self) -> Mapping[str, str]:
        """An address of every kind that answers ``producer`` with 200, by what is there."""
        if self.resources:
            return self.resources
        collection = self.collection()
        (stix_id,) = collection.filled(1)
        status = collection.add(indicator())["id"]
        self.resources = {
            "discovery": "/taxii2/",
            "API root": "/taxii2/intel/",
            "status": f"/taxii2/intel/status/{status}/",
            "collections": "/taxii2/intel/collections/",
            "collection": collection.path,
            "manifest": f"{collection.path}manifest/",
            "objects": f"{collection.path}objects/",
            "object": f"{collection.path}objects/{stix_id}/",
            "versions": f"{collection.path}objects/{stix_id}/versions/",
        }
        return self.resources

    def path_of_url(self, url: str) -> str:
        """The path of one of the server's own addresses."""
        split = urlsplit(url)
        assert split.scheme in {"", "https"}
        return split.path


@contextmanager
def serving_taxii(folder: Path, database_url: str) -> Iterator[Taxii]:
    """Serve a new node over TLS while the block runs."""
    authority = CertificateAuthority()
    cert, key = authority.write_server_files(folder, "127.0.0.1")
    port = free_port()
    settings: Json = {"database_url": database_url} if database_url else {}
    node = make_node(
        folder, "server", SystemClock(), base_url=f"https://127.0.0.1:{port}/",
        max_content_length=LARGEST_BODY, **settings,
    )  # fmt: skip
    environment = {
        "TOCSIN_MAX_CONTENT_LENGTH": str(LARGEST_BODY),
        # Tests ask without credentials and with wrong ones, all from one address.
        "TOCSIN_RATE_LIMITS": "off",
    } | ({"TOCSIN_DATABASE_URL": database_url} if database_url else {})
    server = Tocsin(
        "server", node.settings.home, Forks(), environment, port=port, scheme="https",
        serve_options=("--tls-cert", cert, "--tls-key", key),
    )  # fmt: skip
    trust = ssl.create_default_context(cafile=authority.write_to(folder))
    taxii = Taxii(node, server, trust)
    try:
        server.start()
        taxii.token("producer", "writer")
        taxii.token("reader", "own", originals=True)
        taxii.token("stranger", "own")
        server.wait_ready()
        yield taxii
        server.stop()
    finally:
        server.kill()
        node.database.close()
