"""Errors as HTTP: one table for every door, TAXII's error resource for all (PROTOCOL 2.9).

Invariants:
* a code or a class of errors means one status, here and nowhere else;
* a 404 is byte for byte the same, whatever the reason;
* nothing of the inside goes out: no stack trace, no name of a file or statement, and no sentence
  at 5xx; the reference of a 500 finds the trace in the log.

What it does not do: decide. Exceptions carry no HTTP number (ARCHITECTURE 6).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from federation.errors import (
    ChainBroken,
    ContentRejected,
    EntryDeferred,
    PeerState,
    PeerUnreachable,
    SharingRefused,
    SignatureRejected,
)
from hub.errors import (
    Conflict,
    Misconfigured,
    NotFound,
    NotPermitted,
    RateLimited,
    StorageBusy,
)
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import b32
from schemas.taxii.media_types import TAXII
from schemas.taxii.resources import write_error

_LOG = logging.getLogger(__name__)

STATUS_OF_CODE: Final[Mapping[str, int]] = MappingProxyType(
    {
        # PROTOCOL 2.9
        "E_TOO_BIG": 413,
        "E_QUOTA": 429,
        "E_HTTP_SIG": 401,
        "E_HTTP_TIME": 401,
        "E_HTTP_REPLAY": 401,
        "E_HTTP_TO": 401,
        "E_GAP": 409,
        "E_FORK": 409,
        "E_ID_CONFLICT": 409,
        "E_STALE_MODIFIED": 409,
        "E_REF_LEAK": 409,
        "E_NODE_VERSION": 409,
        "E_WIRE_VERSION": 409,
        "E_ERASED": 410,
        "E_RANGE": 416,
        "E_B64": 400,
        "E_SCHEMA": 400,
        "E_POLICY": 400,
        "E_TYPE": 422,
        "E_SIG_NONE": 422,
        "E_SIG_LEN": 422,
        # TAXII 2.1 §3.6 and §5.5
        "E_TOKEN": 401,
        "E_NOT_ACCEPTABLE": 406,
        "E_CONTENT_TYPE": 415,
        "E_ENVELOPE": 422,
        "E_SCHEMA_VERSION": 503,
    }
)
"""What a code means, before what its class means."""

STATUS_OF_CLASS: Final[tuple[tuple[type[TocsinError], int], ...]] = (
    (NotFound, 404),
    (SharingRefused, 404),
    (NotPermitted, 403),
    (PeerState, 403),
    (Conflict, 409),
    (RateLimited, 429),
    (StorageBusy, 503),
    (PeerUnreachable, 502),
    (Misconfigured, 500),
    (SignatureRejected, 422),
    (ChainBroken, 422),
    (EntryDeferred, 422),
    (ContentRejected, 422),
    (WireFormatError, 400),
)
"""What a class means where its code is not in the table above."""

SECURITY_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)
"""On every answer. Intelligence is kept by who asked for it, never by a cache on the way."""

_CHALLENGES: Final = ('Basic realm="tocsin", charset="UTF-8"', 'Bearer realm="tocsin"')
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SERVER_ERROR: Final = 500


def status_of(error: TocsinError) -> int:
    """Return the HTTP status that an error means."""
    by_code = STATUS_OF_CODE.get(error.code)
    if by_code is not None:
        return by_code
    for family, status in STATUS_OF_CLASS:
        if isinstance(error, family):
            return status
    return _SERVER_ERROR


def error_response(error: TocsinError) -> Response:
    """Write an error as a TAXII error resource with the headers that belong to it."""
    status = status_of(error)
    inside = status >= _SERVER_ERROR
    body = write_error(
        HTTPStatus(status).phrase,
        status,
        error.code,
        description="" if inside else error.detail,
        details=None if inside else error.params,
    )
    response = Response(body, status, media_type=TAXII)
    if error.code == "E_RANGE":
        response.headers["Content-Range"] = f"bytes */{error.params.get('size')}"
    if error.code == "E_TOKEN":
        for challenge in _CHALLENGES:
            response.headers.append("WWW-Authenticate", challenge)
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        response.headers["Retry-After"] = str(error.params.get("retry_after", 1))
    return response


def install_error_responses(app: FastAPI) -> None:
    """Answer every error of this app by the table."""
    app.add_exception_handler(TocsinError, _answer_known)
    app.add_exception_handler(RequestValidationError, _answer_unreadable)
    app.add_exception_handler(HTTPException, _answer_routing)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_exception_handler(Exception, _answer_unexpected)


def _answer_known(_request: Request, error: Exception) -> Response:
    if not isinstance(error, TocsinError):  # Starlette's signature is wider than its promise
        raise error
    if status_of(error) >= _SERVER_ERROR:
        _LOG.error("%s: %s", error.code, error.detail)
    return error_response(error)


def _answer_unreadable(_request: Request, _error: Exception) -> Response:
    # Which input it was stays out: FastAPI's list repeats what was sent.
    return error_response(WireFormatError("E_SCHEMA", "a parameter cannot be read"))


def _answer_routing(request: Request, error: Exception) -> Response:
    """Answer what the router says: no such address, no such method, or OPTIONS."""
    status = error.status_code if isinstance(error, HTTPException) else _SERVER_ERROR
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_allowed_methods(request))
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": allowed})
        body = write_error(HTTPStatus(status).phrase, status, "E_METHOD")
        return Response(body, status, headers={"Allow": allowed}, media_type=TAXII)
    code = "E_NOT_FOUND" if status == HTTPStatus.NOT_FOUND else "E_HTTP"
    body = write_error(HTTPStatus(status).phrase, status, code)
    return Response(body, status, media_type=TAXII)


def _answer_nobody(_request: Request, _error: Exception) -> Response:
    """Answer who broke off while sending; nobody reads it, and it is no error of ours."""
    return error_response(WireFormatError("E_SCHEMA", "the body ended early"))


def _answer_unexpected(_request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw, with a reference to the trace in the log."""
    reference = b32(os.urandom(10))
    _LOG.error("E_INTERNAL, reference %s", reference, exc_info=error)
    body = write_error("Internal error", _SERVER_ERROR, "E_INTERNAL", error_id=reference)
    # Starlette answers this outside every middleware, so the headers are put here too.
    return Response(body, _SERVER_ERROR, headers=dict(SECURITY_HEADERS), media_type=TAXII)


def _allowed_methods(request: Request) -> list[str]:
    """List what the address takes; the router's own list names its first route only."""
    found = []
    for method in _METHODS:
        scope = dict(request.scope) | {"method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            found += ["GET", "HEAD"] if method == "GET" else [method]
    return [*found, "OPTIONS"]
