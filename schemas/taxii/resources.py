"""TAXII 2.1's resources as bytes: built here, joined here, never parsed and dumped.

Invariants:
* a page of objects is a join of the objects' own bytes: what an author sealed is what a reader
  gets (ARCHITECTURE 5);
* empty lists are left out, as TAXII asks (TAXII 2.1 §3.7, §5.1).

What it does not do: choose what is on a page, or map errors to HTTP.

>>> write_envelope([], None)
b'{"more":false}'
>>> write_envelope([b'{"id":"a"}', b'{"id":"b"}'], "c")
b'{"more":true,"next":"c","objects":[{"id":"a"},{"id":"b"}]}'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads, write_json
from schemas.taxii.media_types import STIX, TAXII
from schemas.timestamps import write_taxii_time

NOT_FOUND: Final = b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}'
"""Byte for byte (PROTOCOL 2.9): unknown and not permitted are one answer."""


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection as one reader sees it (TAXII 2.1 §5.2.1)."""

    collection_id: str
    title: str
    description: str | None
    alias: str | None
    can_read: bool
    can_write: bool


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """One line of a manifest (TAXII 2.1 §5.3.1)."""

    stix_id: str
    date_added: datetime
    version: str


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """What became of one added object (TAXII 2.1 §4.3.1 ``status-details``)."""

    stix_id: str
    version: str
    message: str | None = None

    def to_json(self) -> dict[str, str]:
        """Write the resource."""
        body = {"id": self.stix_id, "version": self.version}
        return body if self.message is None else body | {"message": self.message}


def write_envelope(contents: Sequence[bytes], following: str | None) -> bytes:
    """Join stored bytes to an envelope (TAXII 2.1 §3.7).

    Args:
        contents: each object's own bytes.
        following: the cursor of the next page, None on the last one.
    """
    if not contents:
        return _head(following)[:-1] + b"}"
    # One join: each sum of bytes as long as a page would copy the page (1 ms less for 1,000).
    parts = list(contents)
    parts[0] = _head(following) + b'"objects":[' + parts[0]
    parts[-1] += b"]}"
    return b",".join(parts)


def write_manifest(records: Sequence[ManifestRecord], following: str | None) -> bytes:
    """Write a manifest; ``next`` is there too, because taxii2-client pages manifests by it."""
    lines = [
        write_json(
            {
                "id": record.stix_id,
                "date_added": write_taxii_time(record.date_added),
                "version": record.version,
                "media_type": STIX,
            }
        )
        for record in records
    ]
    return write_envelope(lines, following)


def write_versions(versions: Sequence[str], following: str | None) -> bytes:
    """Write the versions of one object (TAXII 2.1 §5.8)."""
    if not versions:
        return _head(following)[:-1] + b"}"
    return _head(following) + b'"versions":' + write_json(list(versions)) + b"}"


def _head(following: str | None) -> bytes:
    if following is None:
        return b'{"more":false,'
    return b'{"more":true,"next":' + write_json(following) + b","


def write_discovery(title: str, contact: str | None, api_roots: Sequence[str]) -> bytes:
    """Write the discovery resource; the first API root is the default (TAXII 2.1 §4.1)."""
    body: dict[str, Any] = {"title": title}
    if contact:
        body["contact"] = contact
    if api_roots:
        body |= {"default": api_roots[0], "api_roots": list(api_roots)}
    return write_json(body)


def write_api_root(title: str, description: str, max_content_length: int) -> bytes:
    """Write an API root; the full media type, which some importers insist on (TAXII 2.1 §4.2)."""
    return write_json(
        {
            "title": title,
            "description": description,
            "versions": [TAXII],
            "max_content_length": max_content_length,
        }
    )


def write_collection(view: CollectionView) -> bytes:
    """Write a collection (TAXII 2.1 §5.2)."""
    return write_json(_collection(view))


def write_collections(views: Iterable[CollectionView]) -> bytes:
    """Write the collections that a reader sees (TAXII 2.1 §5.1)."""
    listed = [_collection(view) for view in views]
    return write_json({"collections": listed} if listed else {})


def _collection(view: CollectionView) -> dict[str, Any]:
    body: dict[str, Any] = {"id": view.collection_id, "title": view.title}
    if view.description:
        body["description"] = view.description
    if view.alias:
        body["alias"] = view.alias
    return body | {
        "can_read": view.can_read,
        "can_write": view.can_write,
        "media_types": [STIX],
    }


def write_status(
    status_id: str,
    requested_at: datetime,
    successes: Sequence[ObjectStatus],
    failures: Sequence[ObjectStatus],
) -> bytes:
    """Write a complete status; nothing is ever pending here (TAXII 2.1 §4.3)."""
    body: dict[str, Any] = {
        "id": status_id,
        "status": "complete",
        "request_timestamp": write_taxii_time(requested_at),
        "total_count": len(successes) + len(failures),
        "success_count": len(successes),
    }
    if successes:
        body["successes"] = [status.to_json() for status in successes]
    body["failure_count"] = len(failures)
    if failures:
        body["failures"] = [status.to_json() for status in failures]
    return write_json(body | {"pending_count": 0})


def write_error(
    title: str,
    http_status: int,
    error_code: str,
    *,
    description: str = "",
    error_id: str = "",
    details: Mapping[str, object] | None = None,
) -> bytes:
    """Write a TAXII error (PROTOCOL 2.9, TAXII 2.1 §3.6.1); a 404 is always the same bytes."""
    if http_status == 404:  # noqa: PLR2004 - the one status whose body is fixed
        return NOT_FOUND
    body: dict[str, Any] = {"title": title}
    if description:
        body["description"] = description
    if error_id:
        body["error_id"] = error_id
    body |= {"http_status": str(http_status), "error_code": error_code}
    if details:
        body["details"] = dict(details)
    return write_json(body)


def read_posted_envelope(data: bytes, *, max_bytes: int) -> dict[str, Any]:
    """Read a posted envelope with at least one object (TAXII 2.1 §5.5).

    Raises:
        WireFormatError: ``E_JSON_*`` and ``E_TOO_BIG`` of ``strict_loads``; ``E_ENVELOPE`` when
            it is JSON but no envelope, such as a STIX bundle.
    """
    body = strict_loads(data, max_bytes=max_bytes)
    if not isinstance(body, dict) or body.get("type") == "bundle":
        raise WireFormatError(
            "E_ENVELOPE", "the body is no TAXII envelope", 'Send {"objects":[…]}, not a bundle.'
        )
    objects = body.get("objects")
    if not isinstance(objects, list) or not objects:
        raise WireFormatError(
            "E_ENVELOPE", "the envelope holds no list of objects", 'Send {"objects":[…]}.'
        )
    return body
