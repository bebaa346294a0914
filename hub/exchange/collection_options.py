"""What an operator wrote after ``--select`` and ``--publish-to``, made of ids that do not change.

Invariant: what is stored names nodes by their ids, so a peer that takes another's name afterwards
gets nothing by it; groups by the node and the name that no other group of it has.

What it does not do: ask whether a peer may have what is published to it. Standing changes, so that
is asked whenever something is published (``publishing_collections``).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from hub.errors import NotFound
from hub.exchange.selecting import (
    GROUP,
    ORIGIN,
    REGISTRAR,
    THREAT_TYPE,
    Selection,
    read_pairs,
)
from hub.node import Node
from hub.peers.directory import resolve_peer
from hub.storage.queries.groups import find_group
from hub.storage.queries.scopes import GroupKey
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, is_node_id
from schemas.markings import Tlp

CLEAR_FEED: Final = "clear"
GREEN_FEED: Final = "green"
OWN: Final = "self"
"""Stands for this node among the origins."""
_TO_GROUP: Final = "group="
_LONGEST: Final = 2000


def read_selection(node: Node, text: str) -> Selection:
    """Read what an operator wrote after ``--select``.

    Args:
        node: this node.
        text: such as ``origin=registry-x,origin=self,threat_type=phishing``; an origin is a peer,
            ``self``, or any node by its full id, for relayed objects have origins that are no
            peers. A registrar is named by its number at IANA. A group is one of this node, or
            ``ORIGIN/NAME`` for one of another.

    Raises:
        WireFormatError: ``E_SCHEMA`` when it is no selection.
        NotFound: ``E_PEER_UNKNOWN``, ``E_GROUP_UNKNOWN``.
        Conflict: ``E_PEER_AMBIGUOUS``.
    """
    if len(text) > _LONGEST or not text.isprintable():
        raise WireFormatError("E_SCHEMA", f"a selection has 1 to {_LONGEST} printable characters")
    pairs = read_pairs(text)
    origins = {_origin_of(node, value) for key, value in pairs if key == ORIGIN}
    words = {value for key, value in pairs if key == THREAT_TYPE}
    groups = {_group_of(node, value) for key, value in pairs if key == GROUP}
    registrars = {int(value) for key, value in pairs if key == REGISTRAR}
    return Selection(
        tuple(sorted(origins)),
        tuple(sorted(words)),
        tuple(sorted(groups)),
        tuple(sorted(registrars)),
    )


def read_target(node: Node, text: str) -> str:
    """Read what an operator wrote after ``--publish-to``: ``clear``, ``green``, a group or a peer.

    A group's name counts before a peer's: a peer chooses its name, and could choose the group's.

    Returns:
        The word of the feed, the peer's node id, or the group as ``group_in`` reads it.

    Raises:
        NotFound: ``E_PEER_UNKNOWN`` for what is neither.
        Conflict: ``E_PEER_AMBIGUOUS``.
    """
    if text in {CLEAR_FEED, GREEN_FEED}:
        return text
    with node.database.read() as tx:
        if find_group(tx, node.node_id, text) is not None:
            return f"{_TO_GROUP}{text}"
    try:
        return resolve_peer(node, text).node_id
    except NotFound:
        raise NotFound(
            "E_PEER_UNKNOWN",
            f"{text!r} is neither clear, green, a group of this node nor a peer",
            "Run `tocsin group list` and `tocsin peer list`.",
        ) from None


def group_in(publish_to: str) -> str | None:
    """Return the group that a collection publishes to; None where it is no group."""
    return publish_to.removeprefix(_TO_GROUP) if publish_to.startswith(_TO_GROUP) else None


def strictest_of(publish_to: str) -> Tlp:
    """Return the strictest label that a collection with this target publishes."""
    if publish_to == CLEAR_FEED:
        return Tlp.CLEAR
    return Tlp.GREEN if publish_to == GREEN_FEED else Tlp.AMBER_STRICT


def _group_of(node: Node, text: str) -> GroupKey:
    origin, _, name = text.rpartition("/")
    whose = NodeId(_origin_of(node, origin or OWN))
    with node.database.read() as tx:
        if find_group(tx, whose, unquote(name)) is None:
            raise NotFound(
                "E_GROUP_UNKNOWN",
                f"there is no group {text}",
                "Run `tocsin group list`; another node's group is written as ORIGIN/NAME.",
            )
    return whose, unquote(name)


def _origin_of(node: Node, text: str) -> str:
    if text == OWN:
        return node.node_id
    return text if is_node_id(text) else resolve_peer(node, text).node_id
