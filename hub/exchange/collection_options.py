"""What an operator wrote after ``--select`` and ``--publish-to``, made of ids that do not change.

Invariant: what is stored names nodes by their ids, so a peer that takes another's name afterwards
gets nothing by it.

What it does not do: ask whether a peer may have what is published to it. Standing changes, so that
is asked whenever something is published (``publishing_collections``).
"""

from __future__ import annotations

from typing import Final

from federation.errors import SharingRefused
from hub.errors import NotFound
from hub.exchange.selecting import GROUP, ORIGIN, THREAT_TYPE, Selection, read_pairs
from hub.node import Node
from hub.peers.directory import resolve_peer
from schemas.errors import WireFormatError
from schemas.identifiers import is_node_id
from schemas.markings import Tlp

CLEAR_FEED: Final = "clear"
GREEN_FEED: Final = "green"
OWN: Final = "self"
"""Stands for this node among the origins."""
_LONGEST: Final = 2000


def read_selection(node: Node, text: str) -> Selection:
    """Read what an operator wrote after ``--select``.

    Args:
        node: this node.
        text: such as ``origin=registry-x,origin=self,threat_type=phishing``; an origin is a peer,
            ``self``, or any node by its full id, for relayed objects have origins that are no
            peers.

    Raises:
        WireFormatError: ``E_SCHEMA`` when it is no selection.
        SharingRefused: ``E_LATER_RELEASE`` for groups.
        NotFound: ``E_PEER_UNKNOWN``.
        Conflict: ``E_PEER_AMBIGUOUS``.
    """
    if len(text) > _LONGEST or not text.isprintable():
        raise WireFormatError("E_SCHEMA", f"a selection has 1 to {_LONGEST} printable characters")
    pairs = read_pairs(text)
    if any(key == GROUP for key, _ in pairs):
        raise SharingRefused(
            "E_LATER_RELEASE",
            "groups come with a later release",
            "Select by origin and threat_type.",
        )
    origins = {_origin_of(node, value) for key, value in pairs if key == ORIGIN}
    words = {value for key, value in pairs if key == THREAT_TYPE}
    return Selection(tuple(sorted(origins)), tuple(sorted(words)))


def read_target(node: Node, text: str) -> str:
    """Read what an operator wrote after ``--publish-to``: ``clear``, ``green`` or a peer.

    Returns:
        The word of the feed, or the peer's node id.

    Raises:
        SharingRefused: ``E_LATER_RELEASE`` for what is no peer; it may be a group's name.
        Conflict: ``E_PEER_AMBIGUOUS``.
    """
    if text in {CLEAR_FEED, GREEN_FEED}:
        return text
    try:
        return resolve_peer(node, text).node_id
    except NotFound:
        raise SharingRefused(
            "E_LATER_RELEASE",
            f"{text!r} is neither clear, green nor a peer; groups come with a later release",
            "Run `tocsin peer list`; give a node id, a unique prefix of it, or the peer's name.",
        ) from None


def strictest_of(publish_to: str) -> Tlp:
    """Return the strictest label that a collection with this target publishes."""
    if publish_to == CLEAR_FEED:
        return Tlp.CLEAR
    return Tlp.GREEN if publish_to == GREEN_FEED else Tlp.AMBER_STRICT


def _origin_of(node: Node, text: str) -> str:
    if text == OWN:
        return node.node_id
    return text if is_node_id(text) else resolve_peer(node, text).node_id
