"""A request of another node as it stood on the wire, and the peer that signed it.

Invariants:
* the target is the raw one, not decoded and not rebuilt; repeated headers are joined, so that a
  second signature shows;
* a body is read within a cap, before anybody is asked who sent it, and parsed only afterwards.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from hub.node import Node
from hub.peers.authenticate import ArrivedRequest, authenticate_peer
from hub.storage.queries.peers import PeerRow
from schemas.errors import WireFormatError
from schemas.strict_json import MAX_BODY_BYTES


def current_node(request: Request) -> Node:
    """Return the node that this application was created for."""
    node: Node = request.app.state.node
    return node


CurrentNode = Annotated[Node, Depends(current_node)]


async def read_arrived(request: Request) -> ArrivedRequest:
    """Take in a request with at most 4 MiB of body (PROTOCOL 2.1).

    Raises:
        WireFormatError: ``E_TOO_BIG``, as soon as it is known.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY_BYTES:
        raise _too_big()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_big()
    query: bytes = request.scope["query_string"]
    target: bytes = request.scope["raw_path"] + (b"?" + query if query else b"")
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return ArrivedRequest(request.method, target.decode("latin-1"), headers, bytes(body) or None)


Arrived = Annotated[ArrivedRequest, Depends(read_arrived)]


def signing_peer(node: CurrentNode, arrived: Arrived) -> PeerRow:
    """Find the peer that signed this request; everybody else is 401."""
    return authenticate_peer(node, arrived)


SigningPeer = Annotated[PeerRow, Depends(signing_peer)]


def _too_big() -> WireFormatError:
    return WireFormatError("E_TOO_BIG", f"a body of over {MAX_BODY_BYTES} bytes")
