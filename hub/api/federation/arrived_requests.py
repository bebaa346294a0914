"""A request of another node as it stood on the wire, and the peer that signed it.

Invariants:
* the target is the raw one, not decoded and not rebuilt; repeated headers are joined, so that a
  second signature shows;
* a body is parsed only after it is known who sent it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from hub.api.dependencies import CurrentNode
from hub.peers.authenticate import ArrivedRequest, authenticate_peer
from hub.peers.wire_version import require_common_version
from hub.storage.queries.peers import PeerRow


async def read_arrived(request: Request) -> ArrivedRequest:
    """Take in a request whole; how large it may be was judged on the way (``body_limit``)."""
    body = b"".join([chunk async for chunk in request.stream()])
    query: bytes = request.scope["query_string"]
    target: bytes = request.scope["raw_path"] + (b"?" + query if query else b"")
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return ArrivedRequest(request.method, target.decode("latin-1"), headers, body or None)


Arrived = Annotated[ArrivedRequest, Depends(read_arrived)]


def signing_peer(node: CurrentNode, arrived: Arrived) -> PeerRow:
    """Find the peer that signed this request; everybody else is 401."""
    return authenticate_peer(node, arrived)


def agreeing_peer(node: CurrentNode, arrived: Arrived) -> PeerRow:
    """Find the peer that signed this request and that speaks a version of ours.

    All but node documents needs it: by these the two find out that they understand each other.
    """
    peer = signing_peer(node, arrived)
    require_common_version(node, peer)
    return peer


SigningPeer = Annotated[PeerRow, Depends(agreeing_peer)]
