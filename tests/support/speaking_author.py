"""An author of feeds that also speaks for itself: signed requests of a node that runs nowhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from federation.signing.request_auth import sign_request
from federation.transport.guarded_http import HttpAnswer
from hub.node import Node
from schemas.identifiers import FeedName
from schemas.strict_json import write_json
from tests.support.publications import Author
from tests.support.signed_requests import address_of, send

TAXII = "application/taxii+json;version=2.1"


class Speaker(Author):
    """An ``Author`` whose requests are signed with its http key."""

    def ask(
        self,
        hub: Node,
        target: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Send a request in this author's name."""
        signed = sign_request(
            method=method,
            url=address_of(hub, target),
            body=body,
            recipient=hub.node_id,
            signer=self.owner.http,
            created=hub.now(),
            nonce=os.urandom(16),
        )
        return send(hub, target, method=method, body=body, headers={**signed, **(headers or {})})

    def post(
        self,
        hub: Node,
        feed: FeedName,
        objects: Sequence[Mapping[str, Any]] | None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        """Add objects to the collection of a feed."""
        content = write_json({"objects": objects}) if body is None else body
        target = f"/taxii2/fed/collections/{feed.collection_id}/objects/"
        return self.ask(
            hub, target, method="POST", body=content, headers=headers or {"Content-Type": TAXII}
        )

    def wake(self, hub: Node, audience: str) -> HttpAnswer:
        """Tell the head of a feed."""
        body = write_json({"heads": [self.head(audience)]})
        return self.ask(
            hub, "/federation/v1/wake", method="POST", body=body,
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
