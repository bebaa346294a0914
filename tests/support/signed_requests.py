"""Requests between nodes that a test can bend before they are sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime

from federation.signing.request_auth import sign_request
from federation.signing.signer import Signer
from federation.transport.guarded_http import GuardedHttp, HttpAnswer
from hub.node import Node
from hub.peers.node_documents import read_hint
from schemas.identifiers import NodeId
from schemas.strict_json import strict_loads

NOT_FOUND = b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}'


def address_of(node: Node, target: str) -> str:
    """The URL of a target at a node."""
    return read_hint(node)["base"].removesuffix("/") + target


def ask(
    sender: Node,
    recipient: Node,
    target: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    signer: Signer | None = None,
    to: NodeId | None = None,
    created: datetime | None = None,
    nonce: bytes | None = None,
    signed_target: str | None = None,
    headers: Mapping[str, str] | None = None,
    bend: Callable[[dict[str, str]], None] = lambda _headers: None,
    sent_body: bytes | None = None,
) -> HttpAnswer:
    """Send a request that the sender signed, bent as a test asks for.

    Args:
        signer, to, created, nonce, signed_target: sign with these instead of the right ones.
        headers: further headers.
        bend: changes the signed headers.
        sent_body: sent instead of the body that was signed.
    """
    signed = sign_request(
        method=method,
        url=address_of(recipient, signed_target or target),
        body=body,
        recipient=to or recipient.node_id,
        signer=signer or sender.keys.http,
        created=created or sender.now(),
        nonce=nonce or os.urandom(16),
    )
    bend(signed)
    return send(
        recipient, target, method=method, body=body if sent_body is None else sent_body,
        headers={**signed, **(headers or {})},
    )  # fmt: skip


def send(
    recipient: Node,
    target: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpAnswer:
    """Send a request with just these headers."""
    with GuardedHttp(allow_loopback=True, max_bytes=8 * 1024 * 1024) as http:
        return http.request(method, address_of(recipient, target), headers=headers, body=body)


def code_of(answer: HttpAnswer) -> str:
    """The error code of an answer."""
    return str(strict_loads(answer.body)["error_code"])
