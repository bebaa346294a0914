"""What an origin says of its group: the document in entries of kind ``group`` (PROTOCOL 2.4).

Invariants:
* a group is its origin's word: a roster names no reader here and opens nothing; it is told to the
  operator, and it says by which name a feed's objects are selected;
* the name comes from outside: it is kept as it is shown, without control characters, and cut.

What it does not do: seal rosters of our own (``peers.groups``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.observability.printable import printable
from hub.storage.queries.groups import (
    find_group,
    find_group_of_gid,
    find_newest_roster,
    roster_records,
    set_group_of_gid,
    store_group,
    update_group,
)
from hub.storage.transaction import Transaction
from schemas.identifiers import FeedName, NodeId, read_b64
from schemas.strict_json import strict_loads

MEMBERS: Final = "members"
HIDDEN: Final = "hidden"
HISTORY_ALL: Final = "all"
HISTORY_JOIN: Final = "join"
LONGEST_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class Roster:
    """A group document.

    Args:
        gid: the audience of the feed.
        name: as its origin calls it, fit to be shown.
        members: None where the origin hides them.
        history: whether who joins later reads from the start.
    """

    gid: str
    name: str
    members: tuple[NodeId, ...] | None
    history: str

    @property
    def roster(self) -> str:
        """The word that the document has for this: ``members`` or ``hidden``."""
        return HIDDEN if self.members is None else MEMBERS


def roster_members(
    gid: str, name: str, *, roster: str, history: str, members: Sequence[NodeId]
) -> dict[str, object]:
    """Build a group document; a hidden roster tells nobody's name."""
    document: dict[str, object] = {"gid": gid, "name": name, "roster": roster}
    if roster == MEMBERS:
        document["members"] = sorted(set(members))
    return document | {"history": history}


def read_roster(group: Mapping[str, Any]) -> Roster:
    """Take in a group document whose form was checked (``feeds.content``)."""
    members = group.get("members")
    return Roster(
        gid=str(group["gid"]),
        name=printable(str(group["name"])[:LONGEST_SHOWN]),
        members=None if members is None else tuple(members),
        history=str(group["history"]),
    )


def note_roster(tx: Transaction, feed: FeedName, group: Mapping[str, Any], now: datetime) -> None:
    """Note by which name its origin calls the group of a feed."""
    said = read_roster(group)
    before = find_group_of_gid(tx, feed.node_id, feed.audience)
    held = find_group(tx, feed.node_id, said.name)
    if held is None:
        held = store_group(
            tx, feed.node_id, said.name, roster=said.roster, history=said.history, at=now
        )
    elif (held.roster, held.history) != (said.roster, said.history):
        update_group(tx, held.group_row, roster=said.roster, history=said.history)
    if before is None or before.group_row != held.group_row:
        set_group_of_gid(tx, held, feed.audience)


def find_roster(tx: Transaction, feed_row: int) -> Roster | None:
    """Find the newest group document that a feed holds; None where none is left."""
    record = find_newest_roster(tx, feed_row)
    return None if record is None else _roster_in(record)


def rosters_of(tx: Transaction, feed_row: int) -> list[tuple[int, Roster]]:
    """List the group documents that a feed holds, each with its seq, oldest first."""
    return [(seq, _roster_in(record)) for seq, record in roster_records(tx, feed_row)]


def _roster_in(record: bytes) -> Roster:
    payload = strict_loads(read_b64(strict_loads(record)["dsse"]["payload"]))
    return read_roster(payload["group"])
