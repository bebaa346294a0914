"""What endpoints ask for by type: the node, who reads, media types, a body.

Authentication is on by default: the routers of token holders name ``current_reader`` once for all
of their endpoints, so leaving it out would be visible. Dependencies run in their order: who asks,
what form, whether it may, and only then the body.

What only looks at the request is ``async``, so that it runs where it is: each plain ``def`` is a
trip to a thread and back, of which a page took six and takes two.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request

from hub.api.rate_limits import GuessLimits, StrangerLimits
from hub.errors import NotFound, NotPermitted
from hub.exchange.add_objects import require_may_add
from hub.node import Node
from hub.operators.readers import (
    Credentials,
    Reader,
    authenticate_reader,
    record_use,
    use_is_recorded,
)
from schemas.errors import WireFormatError
from schemas.taxii.media_types import TAXII, accepts_taxii, is_taxii_content
from schemas.taxii.paging import Matches, PageRequest, read_matches_alone, read_page_request

_LONGEST_AUTHORIZATION = 2_048


async def current_node(request: Request) -> Node:
    """Return the node that this app serves."""
    node: Node = request.app.state.node
    return node


CurrentNode = Annotated[Node, Depends(current_node)]


def current_reader(request: Request, node: CurrentNode, after: BackgroundTasks) -> Reader:
    """Find who reads, by Basic or Bearer (INTERFACE "Addresses")."""
    credentials = read_credentials(request.headers.get("authorization"))
    limits: GuessLimits | None = request.app.state.guess_limits
    reader = (
        authenticate_reader(node, credentials)
        if limits is None
        else _authenticate_slowly(node, credentials, limits, _address_of(request))
    )
    if not use_is_recorded(node, reader):
        after.add_task(record_use, node, reader.name)
    return reader


def _authenticate_slowly(
    node: Node, credentials: Credentials, limits: GuessLimits, address: str
) -> Reader:
    limits.admit(address, credentials)
    try:
        reader = authenticate_reader(node, credentials)
    except NotPermitted:
        limits.record_wrong(address, credentials)
        raise
    limits.record_right(credentials)
    return reader


def _address_of(request: Request) -> str:
    """Return the address at the other end of the connection; no header is believed."""
    return "" if request.client is None else request.client.host


CurrentReader = Annotated[Reader, Depends(current_reader)]


def current_admin(reader: CurrentReader) -> Reader:
    """Refuse every kind of token but ``admin``, as if the address were not there.

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    if reader.standing.kind != "admin":
        raise NotFound("E_NOT_FOUND", "no such address")
    return reader


AdminReader = Annotated[Reader, Depends(current_admin)]


async def stranger_gate(request: Request) -> Callable[[], None]:
    """Return what is asked before a body is read that no known key has signed."""
    limits: StrangerLimits | None = request.app.state.stranger_limits
    if limits is None:
        return lambda: None
    return partial(limits.admit, _address_of(request))


StrangerGate = Annotated[Callable[[], None], Depends(stranger_gate)]


def read_credentials(field: str | None) -> Credentials:
    """Read an ``Authorization`` field (RFC 7617, RFC 6750; ``Token`` is taken as ``Bearer``).

    Raises:
        NotPermitted: ``E_TOKEN`` when it is missing or cannot be read.
    """
    refused = NotPermitted(
        "E_TOKEN", "no valid token", "Use the token's name and the token, or the token as Bearer."
    )
    if field is None or len(field) > _LONGEST_AUTHORIZATION:
        raise refused
    scheme, _, rest = field.strip().partition(" ")
    # "Token" is how taxii2-client's TokenAuth says it, so OpenCTI's connector and Cortex XSOAR do.
    if scheme.lower() in {"bearer", "token"}:
        return Credentials(None, rest.strip())
    if scheme.lower() != "basic":
        raise refused
    try:
        name, colon, secret = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise refused from None
    if not colon:
        raise refused
    return Credentials(name, secret)


async def require_taxii_accept(request: Request) -> None:
    """Refuse who does not take TAXII's media type (TAXII 2.1 §3.1)."""
    fields = request.headers.getlist("accept")
    if not accepts_taxii(", ".join(fields) if fields else None):
        raise WireFormatError("E_NOT_ACCEPTABLE", f"answers come as {TAXII}")


async def page_request(request: Request) -> PageRequest:
    """Read the filters of a collection's objects and manifest."""
    return read_page_request(request.query_params.multi_items())


async def object_page_request(request: Request) -> PageRequest:
    """Read the filters of one object."""
    return read_page_request(request.query_params.multi_items(), ("version", "spec_version"))


async def versions_page_request(request: Request) -> PageRequest:
    """Read the filters of one object's versions."""
    return read_page_request(request.query_params.multi_items(), ("spec_version",))


async def deletion_matches(request: Request) -> Matches:
    """Read which versions of one object are to be deleted."""
    return read_matches_alone(request.query_params.multi_items(), ("version", "spec_version"))


Deletion = Annotated[Matches, Depends(deletion_matches)]
Filters = Annotated[PageRequest, Depends(page_request)]
ObjectFilters = Annotated[PageRequest, Depends(object_page_request)]
VersionFilters = Annotated[PageRequest, Depends(versions_page_request)]


def require_writable(node: CurrentNode, reader: CurrentReader, collection_id: str) -> None:
    """Refuse who may not add objects here, before the body is read."""
    require_may_add(node, reader, collection_id)


async def taxii_body(request: Request) -> bytes:
    """Read the whole body of a TAXII request; its size is ``body_limit``'s matter."""
    if not is_taxii_content(request.headers.get("content-type")):
        raise WireFormatError("E_CONTENT_TYPE", f"bodies come as {TAXII}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        # Unpacking is where a small body grows without a limit; nobody in this field needs it.
        raise WireFormatError("E_CONTENT_TYPE", "bodies come without a Content-Encoding")
    return b"".join([chunk async for chunk in request.stream()])


TaxiiBody = Annotated[bytes, Depends(taxii_body)]
