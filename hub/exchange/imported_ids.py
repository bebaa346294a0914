"""Whose an imported STIX object is: nobody's word is changed by what a feed says.

Decides, for each object that comes with an id, whether this node may publish it under that id.

Invariants:
* what another origin has proven to be its own is not published here (PROTOCOL 2.4 "Ownership");
* what this node published by itself, or another feed brought, gets no new version from this feed;
* an object that names this node as its author, and is not this node's, does not say so any more;
* an author whom nobody here knows is left out: the reference would tell of what readers lack.

What is left out makes the object count as changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from federation.feeds.ownership import PROVISIONAL
from hub.exchange.rival_claims import SHARED_TYPES
from hub.imports.drafts import Draft
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.storage.queries import imports as stored
from hub.storage.queries.objects import ObjectRow, claims_of
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId, is_stix_id
from schemas.stix.objects import version_of
from schemas.timestamps import read_stix_time

_CONTESTING: Final = frozenset({"accepted", "withdrawn", "withheld", "suspended"})
Refuse = Callable[[Draft, str, str], None]
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def settle_ids(
    node: Node,
    drafts: Sequence[Draft],
    feed: str,
    change: Callable[[Draft], None],
    refuse: Refuse,
) -> list[Draft]:
    """Choose the drafts that this node may publish, with authors that readers know.

    Args:
        feed: whose word they are.
        change: told of each draft that is taken in another form.
        refuse: told of each that is not taken, with its code and why.
    """
    newest = _newest_versions(drafts, refuse)
    ids = {stix_id for stix_id in newest if is_stix_id(stix_id)}
    authors = {a for draft in newest.values() if (a := _author(draft)) is not None}
    with node.database.read() as tx:
        claims = claims_of(tx, ids)
        whose = stored.feed_of_each(tx, ids)
        known = _known_authors(tx, node, authors) | newest.keys()
        own = frozenset(pinned(tx, node.node_id).identities)
    found = []
    for stix_id, draft in newest.items():
        held = claims.get(stix_id, ())
        why = _why_taken(draft, held, node.node_id, of_feed=whose.get(stix_id) == feed)
        if why is not None:
            refuse(draft, "E_ID_CONFLICT", why)
            continue
        author = _author(draft)
        # An id of ours comes with the name that proves it; anything else did not come from us.
        foreign = draft.idn_name is None and author in own
        if author is not None and (foreign or (author not in known and author not in own)):
            change(draft)
            kept = {name: m for name, m in draft.value.items() if name != "created_by_ref"}
            draft = replace(draft, value=kept)  # noqa: PLW2901 - the same draft without its author
        found.append(draft)
    return found


def _newest_versions(drafts: Sequence[Draft], refuse: Refuse) -> dict[str, Draft]:
    """Keep the newest version of each id: one publication carries one version of an object."""
    newest: dict[str, Draft] = {}
    for draft in drafts:
        stix_id = str(draft.value.get("id"))
        held = newest.get(stix_id)
        older = draft
        if held is None or _version(draft) > _version(held):
            newest[stix_id], older = draft, held or draft
        if held is not None:
            refuse(older, "E_STALE_MODIFIED", "the input has a newer version of it")
    return newest


def _version(draft: Draft) -> datetime:
    version = version_of(draft.value)
    return read_stix_time(version) if version else _NEVER


def _author(draft: Draft) -> str | None:
    author = draft.value.get("created_by_ref")
    return author if isinstance(author, str) and is_stix_id(author) else None


def _known_authors(tx: Transaction, node: Node, authors: Collection[str]) -> set[str]:
    return {
        stix_id
        for stix_id, claims in claims_of(tx, authors).items()
        if any(row.origin == node.node_id and row.state == "accepted" for row in claims)
    }


def _why_taken(
    draft: Draft, claims: Sequence[ObjectRow], own: NodeId, *, of_feed: bool
) -> str | None:
    if draft.value.get("type") in SHARED_TYPES:
        return None  # facts and definitions without an owner
    mine = [row for row in claims if row.origin == own]
    if mine:
        # The same version is a duplicate; with other content publishing refuses it.
        is_same = mine[-1].version_at == _version(draft)
        return None if of_feed or is_same else "this node published it, or another feed brought it"
    proven = any(
        row.strength < PROVISIONAL and row.state in _CONTESTING and row.origin != own
        for row in claims
    )
    return "another origin has proven that it is its own" if proven else None
