"""What a reader gets of the intel root: collections, pages, manifests, versions, statuses.

Invariants:
* every page comes from one view, which follows from the reader (``operators.readers``); nothing is
  filtered out of a wider answer afterwards, so nothing wider was ever read;
* what a reader may not see does not exist for it: an unknown collection, one that it may not read
  and an unknown object are one ``E_NOT_FOUND`` after the same statements (PROTOCOL 2.9, 3.5);
* a page is one snapshot and a join of stored bytes;
* dates are the view's own clock's, so they tell nothing of other views;
* cursors have a key of their own (``OwnNode.cursor_key``) that all processes share, so that a walk
  outlives the rotation of every other key.

What it does not do: HTTP. The doors map what is raised here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from hub.errors import NotFound
from hub.exchange.collection_kinds import OPERATOR
from hub.node import Node
from hub.operators.readers import NO_KEY, Reader, view_key
from hub.peers.known_nodes import pinned
from hub.storage.dialects import from_micros, to_micros
from hub.storage.queries.collections import GrantedCollection, find_status, granted_collections
from hub.storage.queries.pages import (
    NO_VIEW,
    PageQuery,
    page_of_manifest,
    page_of_objects,
    stands_in_view,
)
from hub.storage.queries.views import find_view
from hub.storage.transaction import Transaction
from schemas.identifiers import is_stix_id
from schemas.taxii.paging import Cursor, Matches, PageRequest, open_cursor, resume, seal_cursor
from schemas.taxii.resources import (
    CollectionView,
    write_discovery,
    write_envelope,
    write_manifest,
    write_versions,
)

_REFERENCE: Final = re.compile(r"[a-z0-9_-]{1,64}")
_NOTHING: Final = "?"
"""Stands for a name that cannot be one: asked for all the same, and found nowhere."""
_ALL_VERSIONS: Final = Matches(versions=("all",))


@dataclass(frozen=True, slots=True)
class Page:
    """One page, ready to be sent, with the dates of its first and last object."""

    body: bytes
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Sight:
    """What a reader has before it in one collection: its view and what it was granted."""

    granted: GrantedCollection | None
    view_id: int

    @property
    def may_write(self) -> bool:
        """Whether the reader may add objects here: never to the node's own or to a filtered one."""
        granted = self.granted
        return granted is not None and granted.collection.kind == OPERATOR and granted.can_write


def open_collection(tx: Transaction, reader: Reader, reference: str) -> Sight:
    """Look up a collection by id or alias as this reader sees it; always the same statements."""
    known = reference if _REFERENCE.fullmatch(reference) else _NOTHING
    found = granted_collections(tx, reader.name, known)
    granted = found[0] if found else None
    view = find_view(tx, *(view_key(reader, granted) or NO_KEY))
    return Sight(granted, NO_VIEW if view is None else view.view_id)


def not_found() -> NotFound:
    """Make the one refusal for what does not exist, for this reader or at all."""
    return NotFound("E_NOT_FOUND")


def known_id(text: str) -> str:
    """Return a STIX id, or for anything else a text that is found nowhere."""
    return text if is_stix_id(text) else _NOTHING


def list_collections_of(node: Node, reader: Reader) -> tuple[CollectionView, ...]:
    """List the collections that a reader may read or write (TAXII 2.1 §5.1)."""
    with node.database.read() as tx:
        every = granted_collections(tx, reader.name)
    seen = (_view_of(reader, granted) for granted in every)
    return tuple(view for view in seen if view is not None)


def read_collection(node: Node, reader: Reader, reference: str) -> CollectionView:
    """Read one collection (TAXII 2.1 §5.2).

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    with node.database.read() as tx:
        sight = open_collection(tx, reader, reference)
    view = None if sight.granted is None else _view_of(reader, sight.granted)
    if view is None:
        raise not_found()
    return view


def read_objects(node: Node, reader: Reader, reference: str, request: PageRequest) -> Page:
    """Read a page of objects (TAXII 2.1 §5.4).

    Raises:
        NotFound: ``E_NOT_FOUND``.
        WireFormatError: ``E_CURSOR``.
    """
    with node.database.read() as tx:
        sight = open_collection(tx, reader, reference)
        context = _context("objects", sight, reader)
        request, after = _position(node, request, sight, context)
        page = page_of_objects(tx, PageQuery(sight.view_id, after, request.matches, request.limit))
    if sight.view_id == NO_VIEW:
        raise not_found()
    following = _following(node, request, context, page.last) if page.more else None
    return _page(write_envelope(page.contents, following), page.first, page.last)


def read_object(
    node: Node, reader: Reader, reference: str, stix_id: str, request: PageRequest
) -> Page:
    """Read the versions of one object, the latest by default (TAXII 2.1 §5.6).

    Raises:
        NotFound: ``E_NOT_FOUND``.
        WireFormatError: ``E_CURSOR``.
    """
    stix_id = known_id(stix_id)
    with node.database.read() as tx:
        sight = open_collection(tx, reader, reference)
        context = _context("object", sight, reader, stix_id)
        request, after = _position(node, request, sight, context)
        matches = replace(request.matches, ids=(stix_id,))
        page = page_of_objects(tx, PageQuery(sight.view_id, after, matches, request.limit))
        exists = stands_in_view(tx, sight.view_id, stix_id)
    if not exists:
        raise not_found()
    following = _following(node, request, context, page.last) if page.more else None
    return _page(write_envelope(page.contents, following), page.first, page.last)


def read_manifest(node: Node, reader: Reader, reference: str, request: PageRequest) -> Page:
    """Read a page of the manifest (TAXII 2.1 §5.3).

    Raises:
        NotFound: ``E_NOT_FOUND``.
        WireFormatError: ``E_CURSOR``.
    """
    with node.database.read() as tx:
        sight = open_collection(tx, reader, reference)
        context = _context("manifest", sight, reader)
        request, after = _position(node, request, sight, context)
        page = page_of_manifest(tx, PageQuery(sight.view_id, after, request.matches, request.limit))
    if sight.view_id == NO_VIEW:
        raise not_found()
    following = _following(node, request, context, page.last) if page.more else None
    return _page(write_manifest(page.records, following), page.first, page.last)


def read_versions(
    node: Node, reader: Reader, reference: str, stix_id: str, request: PageRequest
) -> Page:
    """Read which versions of an object there are (TAXII 2.1 §5.8).

    Raises:
        NotFound: ``E_NOT_FOUND``.
        WireFormatError: ``E_CURSOR``.
    """
    stix_id = known_id(stix_id)
    with node.database.read() as tx:
        sight = open_collection(tx, reader, reference)
        context = _context("versions", sight, reader, stix_id)
        request, after = _position(node, request, sight, context)
        matches = replace(
            _ALL_VERSIONS, ids=(stix_id,), spec_versions=request.matches.spec_versions
        )
        page = page_of_manifest(tx, PageQuery(sight.view_id, after, matches, request.limit))
        exists = stands_in_view(tx, sight.view_id, stix_id)
    if not exists:
        raise not_found()
    following = _following(node, request, context, page.last) if page.more else None
    versions = [record.version for record in page.records]
    return _page(write_versions(versions, following), page.first, page.last)


def read_status(node: Node, reader: Reader, status_id: str) -> bytes:
    """Read the status of an Add Objects request, for its submitter alone (TAXII 2.1 §4.3).

    Raises:
        NotFound: ``E_NOT_FOUND``.
    """
    known = status_id if _REFERENCE.fullmatch(status_id) else _NOTHING
    with node.database.read() as tx:
        body = find_status(tx, known, reader.name)
    if body is None:
        raise not_found()
    return body


def read_discovery(node: Node, api_root: str) -> bytes:
    """Write the discovery resource with the one API root of who asks (PROTOCOL 2.6).

    Args:
        node: this node.
        api_root: ``intel`` for a token holder, ``fed`` for a peer.
    """
    with node.database.read() as tx:
        document = pinned(tx, node.node_id).newest
    roots = [f"{document.base}taxii2/{api_root}/"]
    return write_discovery(document.name, document.contact, roots)


def _view_of(reader: Reader, granted: GrantedCollection) -> CollectionView | None:
    """Show a collection to a reader; None when it may neither read nor write it."""
    can_read = view_key(reader, granted) is not None
    can_write = Sight(granted, NO_VIEW).may_write
    if not can_read and not can_write:
        return None
    row = granted.collection
    return CollectionView(
        row.collection_id, row.title, row.description, row.alias, can_read, can_write
    )


def _context(resource: str, sight: Sight, reader: Reader, stix_id: str = "") -> str:
    """Name what a cursor is bound to; a view is of one collection."""
    return "\n".join((resource, str(sight.view_id), reader.name, stix_id))


def _position(
    node: Node, request: PageRequest, sight: Sight, context: str
) -> tuple[PageRequest, int]:
    """Find where the page begins, and with which filters."""
    # Without a view the page is empty wherever it begins, and a cursor is not worth a look: the
    # answer is 404, and 400 would tell that there is something.
    if request.following is None or sight.view_id == NO_VIEW:
        return request, 0 if request.added_after is None else to_micros(request.added_after)
    cursor = open_cursor(request.following, key=node.own.cursor_key, context=context)
    return resume(request, cursor), cursor.date_added


def _following(node: Node, request: PageRequest, context: str, last: int) -> str:
    return seal_cursor(Cursor(last, request.matches), key=node.own.cursor_key, context=context)


def _page(body: bytes, first: int, last: int) -> Page:
    if not last:
        return Page(body, None, None)
    return Page(body, from_micros(first), from_micros(last))
