"""Groups of real nodes: making them, publishing to them, and what a member's pull brings."""

from __future__ import annotations

from collections.abc import Sequence

from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.exchange.publish_names import NameOptions, drafts_from_names
from hub.imports.name_lists import NamedLine
from hub.node import Node
from hub.peers.group_listing import GroupState, group_state
from hub.peers.groups import OpenGroup, add_member, create_group, remove_member, require_open_group
from hub.peers.pull import PullOutcome, pull_peer
from hub.storage.queries.feeds import find_feed
from schemas.dns.names import read_name
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.nodes import peer_of
from tests.support.stored_state import rows_of


def group_of(node: Node, *members: Node, name: str = "banks", **how: str) -> OpenGroup:
    """A group of a node with these members."""
    made = create_group(node, name, **how)
    for member in members:
        made = add_member(node, name, peer_of(node, member))
    return made


def join_group(node: Node, member: Node, name: str = "banks") -> OpenGroup:
    return add_member(node, name, peer_of(node, member))


def leave_group(node: Node, member: Node, name: str = "banks") -> OpenGroup:
    return remove_member(node, name, peer_of(node, member))


def open_group(node: Node, name: str = "banks") -> OpenGroup:
    with node.database.read() as tx:
        return require_open_group(tx, node, name)


def publish_to_group(
    node: Node, names: Sequence[str], tlp: str = "amber", *groups: str, **request: object
) -> PublishOutcome:
    """Publish names as indicators to groups, by default to ``banks``."""
    label = Tlp.read(tlp)
    lines = [NamedLine(number, read_name(name)) for number, name in enumerate(names, 1)]
    drafts = drafts_from_names(node, lines, label, NameOptions())
    chosen = groups or ("banks",)
    return publish_objects(node, PublishRequest(drafts, label, groups=chosen, **request))  # type: ignore[arg-type]


def pull(node: Node, other: Node) -> PullOutcome:
    """Pull from a node that is served, and expect no error."""
    outcome = pull_peer(node, peer_of(node, other))
    assert outcome.error is None, outcome.error
    return outcome


def state_of(node: Node, name: str = "banks") -> GroupState:
    return group_state(node, name)


def feed_held(node: Node, feed: FeedName | str) -> tuple[int, str] | None:
    """How far a node holds a feed, and its state."""
    with node.database.read() as tx:
        held = find_feed(tx, feed if isinstance(feed, FeedName) else FeedName.read(feed))
    return None if held is None else (held.last_seq, held.state)


def group_feeds(node: Node) -> list[str]:
    """The group feeds that a node holds of others."""
    rows = rows_of(node, "SELECT feed FROM feeds WHERE own = false AND audience LIKE 'g-%'")
    return sorted(row["feed"] for row in rows)
