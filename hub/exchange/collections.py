"""The collections of the intel root: two of the node's own, and those that the operator adds.

Invariants:
* ``originals`` and ``verdicts`` have the same ids at every node, so a SIEM's settings survive a
  move; one collection id serves every reader, and what a reader sees in it is its clearance's
  matter (PROTOCOL 2.6);
* every collection has one view for each label from the moment that it exists, so nothing is ever
  readable before its policy is attached (THREATS 3.7);
* a default label is never CLEAR (PROTOCOL 3.1 "Unmarked"), and who set it is in the audit;
* an alias never looks like an id, so one name never means two collections;
* a collection is filled by producers or by a selection of originals, never by both.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Final

from federation.errors import SharingRefused
from federation.policy.views import CEILINGS
from hub.errors import Conflict, NotFound, NotPermitted
from hub.exchange import visible
from hub.exchange.collection_kinds import OPERATOR, ORIGINALS_ID, SELECTION, VERDICTS_ID
from hub.exchange.collection_options import read_selection, read_target
from hub.node import Node
from hub.storage.queries import collections as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.collections import CollectionRow
from hub.storage.queries.tokens import find_token
from hub.storage.queries.views import create_views
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.markings import Tlp

LOCAL_STATE: Final = "local"
"""The state of objects that local producers added: not ``accepted``, so that nothing that works on
what peers and we ourselves published ever takes them for originals."""

QUEUED_STATE: Final = "queued"
"""The state of such objects while they wait to be published; afterwards they are ``local``."""

_ALIAS: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ID_FORM: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST_TITLE: Final = 200
_WRITERS: Final = frozenset({"own", "constituent", "subscriber", "writer"})
_READERS: Final = frozenset({"own", "constituent", "subscriber", "public", "writer"})
_SELECTION_READERS: Final = _READERS - {"writer"}
"""A producer may read back what producers added; what peers signed is not theirs."""

_BUILTIN: Final = (
    (
        ORIGINALS_ID,
        "originals",
        "Originals",
        "STIX objects as their authors signed them, by your clearance.",
    ),
    (VERDICTS_ID, "verdicts", "Verdicts", "Indicators that this hub fused from several origins."),
)


def local_origin(collection_id: str) -> str:
    """Name the pseudo origin of what local producers add to a collection."""
    return f"local/{collection_id}"


def ensure_builtin_collections(tx: Transaction, now: datetime) -> None:
    """Create ``originals`` and ``verdicts`` with their views unless they are there."""
    for collection_id, alias, title, description in _BUILTIN:
        if stored.find_collection(tx, collection_id) is None:
            _store(
                tx,
                CollectionRow(
                    collection_id=collection_id,
                    alias=alias,
                    title=title,
                    description=description,
                    kind=alias,
                    default_tlp=None,
                    selection=None,
                    publish_to=None,
                    created_by="node",
                    created_at=now,
                ),
            )


def add_collection(
    node: Node,
    title: str,
    *,
    alias: str | None = None,
    default_tlp: Tlp | None = None,
    select: str | None = None,
    publish_to: str | None = None,
    actor: str = "operator",
) -> CollectionRow:
    """Add a collection for local producers, or a filtered view of ``originals``.

    Args:
        node: this node.
        title: for people.
        alias: a short name that addresses may use in place of the id.
        default_tlp: the label of what is added without one; else AMBER+STRICT.
        select: which originals it shows, see ``collection_options.read_selection``.
        publish_to: where what is added is published: ``clear``, ``green``, a group or a peer.
        actor: who does it, for the audit.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a title, an alias or a selection that is none;
            ``E_SELECTED`` for a selection with what is for producers.
        SharingRefused: ``E_DEFAULT_CLEAR``.
        NotFound: ``E_PEER_UNKNOWN`` for an origin or target, ``E_GROUP_UNKNOWN``.
        Conflict: ``E_COLLECTION_EXISTS``, ``E_PEER_AMBIGUOUS``.
    """
    _check_names(title, alias)
    if default_tlp is Tlp.CLEAR:
        raise SharingRefused(
            "E_DEFAULT_CLEAR",
            "a collection's default label is never CLEAR",
            "Let the producer mark each CLEAR object, or choose green or stricter.",
        )
    if select is not None and (publish_to is not None or default_tlp is not None):
        raise WireFormatError(
            "E_SELECTED",
            "a collection with a selection has no producers",
            "Leave out --select, or --publish-to and --default-tlp.",
        )
    selection = None if select is None else read_selection(node, select)
    row = CollectionRow(
        collection_id=str(uuid.UUID(bytes=node.entropy(16), version=4)),
        alias=alias,
        title=title,
        description=None,
        kind=OPERATOR if selection is None else SELECTION,
        default_tlp=None if default_tlp is None else int(default_tlp),
        selection=None if selection is None else selection.write(),
        publish_to=None if publish_to is None else read_target(node, publish_to),
        created_by=actor,
        created_at=node.now(),
    )
    with node.database.write() as tx:
        if alias is not None and stored.find_collection(tx, alias) is not None:
            raise Conflict(
                "E_COLLECTION_EXISTS", f"the alias {alias} is taken", "Choose another alias."
            )
        _store(tx, row)
        if selection is not None:
            visible.backfill_selection(tx, row.collection_id, selection, row.created_at)
        default = None if default_tlp is None else default_tlp.wire
        store_event(
            tx,
            row.created_at,
            actor,
            "COLLECTION_ADDED",
            collection_id=row.collection_id,
            title=title,
            default_tlp=default,
            selection=row.selection,
            publish_to=row.publish_to,
        )
    return row


def grant_collection(
    node: Node,
    reference: str,
    token_name: str,
    *,
    can_read: bool = False,
    can_write: bool = False,
    actor: str = "operator",
) -> CollectionRow:
    """Set what a token may do in a collection; without any right the grant is taken back.

    Raises:
        NotFound: ``E_COLLECTION_UNKNOWN``, ``E_TOKEN_UNKNOWN``.
        NotPermitted: ``E_GRANT_KIND`` for the node's own collections, or a right that a token of
            this kind cannot have.
    """
    now = node.now()
    with node.database.write() as tx:
        row = stored.find_collection(tx, reference)
        if row is None:
            raise NotFound(
                "E_COLLECTION_UNKNOWN",
                f"there is no collection {reference}",
                "See `tocsin collection list`.",
            )
        token = find_token(tx, token_name)
        if token is None:
            raise NotFound(
                "E_TOKEN_UNKNOWN", f"there is no token {token_name}", "See `tocsin token list`."
            )
        _check_grant(row, token.kind, can_read=can_read, can_write=can_write)
        stored.store_grant(
            tx, row.collection_id, token_name, can_read=can_read, can_write=can_write, at=now
        )
        store_event(
            tx,
            now,
            actor,
            "COLLECTION_GRANTED",
            collection_id=row.collection_id,
            token=token_name,
            can_read=can_read,
            can_write=can_write,
        )
    return row


def list_collections(node: Node) -> tuple[CollectionRow, ...]:
    """List every collection in the order of its making."""
    with node.database.read() as tx:
        return stored.list_collection_rows(tx)


def _store(tx: Transaction, row: CollectionRow) -> None:
    stored.store_collection(tx, row)
    create_views(tx, row.collection_id, [int(ceiling) for ceiling in CEILINGS])


def _check_names(title: str, alias: str | None) -> None:
    if not title.strip() or len(title) > _LONGEST_TITLE or not title.isprintable():
        raise WireFormatError("E_SCHEMA", f"a title has 1 to {_LONGEST_TITLE} printable characters")
    if alias is not None and (not _ALIAS.fullmatch(alias) or _ID_FORM.fullmatch(alias)):
        raise WireFormatError(
            "E_SCHEMA",
            "an alias has 1 to 64 of a-z, 0-9, _ and -, and is no UUID",
            "Choose a word such as `producers`.",
        )


def _check_grant(row: CollectionRow, kind: str, *, can_read: bool, can_write: bool) -> None:
    if row.kind not in {OPERATOR, SELECTION}:
        raise NotPermitted(
            "E_GRANT_KIND",
            f"{row.alias} is the node's own collection",
            "Every reader reads `verdicts`; `token add --originals` opens `originals`.",
        )
    if can_write and row.kind == SELECTION:
        raise NotPermitted(
            "E_GRANT_KIND",
            "what a selection shows comes from originals alone",
            "Let producers write into a collection of their own.",
        )
    readers = _SELECTION_READERS if row.kind == SELECTION else _READERS
    if (can_read and kind not in readers) or (can_write and kind not in _WRITERS):
        raise NotPermitted(
            "E_GRANT_KIND",
            f"a token of kind {kind} cannot have this right",
            "Give producers a token of kind `writer`.",
        )
