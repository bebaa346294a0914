"""Groups: their names, feeds and members, the objects that they carry, and anchors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hub.storage.queries.counters import claim_numbers
from hub.storage.queries.objects import in_chunks
from hub.storage.queries.scopes import GroupKey
from hub.storage.tables.feeds import ENTRIES, FEEDS
from hub.storage.tables.groups import FEED_ANCHORS, GROUP_FEEDS, GROUP_MEMBERS, SHARING_GROUPS
from hub.storage.tables.objects import CARRIED
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, NodeId


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group of this node, or one of another node that we are in."""

    group_row: int
    node_id: NodeId
    name: str
    roster: str
    history: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member of an own group, as long as one feed of the group lived."""

    gid: str
    node_id: NodeId
    since_epoch: int
    since_seq: int
    added_at: datetime
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """Where the chain that we hold of a feed begins: after this entry (PROTOCOL 2.6)."""

    feed_row: int
    seq: int
    hash: EntryHash
    head: bytes


def find_group(tx: Transaction, node_id: str, name: str) -> GroupRow | None:
    """Find a node's group by its name."""
    row = tx.connection.execute(
        sa.select(SHARING_GROUPS).where(
            SHARING_GROUPS.c.node_id == node_id, SHARING_GROUPS.c.name == name
        )
    ).one_or_none()
    return None if row is None else GroupRow(*row)


def find_group_of_gid(tx: Transaction, node_id: str, gid: str) -> GroupRow | None:
    """Find the group that a feed's audience belongs to."""
    row = tx.connection.execute(
        sa.select(SHARING_GROUPS)
        .join(GROUP_FEEDS, GROUP_FEEDS.c.group_row == SHARING_GROUPS.c.group_row)
        .where(GROUP_FEEDS.c.node_id == node_id, GROUP_FEEDS.c.gid == gid)
    ).one_or_none()
    return None if row is None else GroupRow(*row)


def list_groups(tx: Transaction) -> tuple[GroupRow, ...]:
    """List all groups by name."""
    rows = tx.connection.execute(
        sa.select(SHARING_GROUPS).order_by(SHARING_GROUPS.c.name, SHARING_GROUPS.c.node_id)
    )
    return tuple(GroupRow(*row) for row in rows)


def store_group(
    tx: Transaction, node_id: NodeId, name: str, *, roster: str, history: str, at: datetime
) -> GroupRow:
    """Store a new group."""
    row = GroupRow(claim_numbers(tx, "group_row", 1), node_id, name, roster, history, at)
    tx.connection.execute(
        SHARING_GROUPS.insert().values(
            group_row=row.group_row,
            node_id=node_id,
            name=name,
            roster=roster,
            history=history,
            created_at=at,
        )
    )
    return row


def update_group(tx: Transaction, group_row: int, *, roster: str, history: str) -> None:
    """Change what another node says of its group."""
    tx.connection.execute(
        SHARING_GROUPS.update()
        .where(SHARING_GROUPS.c.group_row == group_row)
        .values(roster=roster, history=history)
    )


def gids_of(tx: Transaction, group_row: int) -> tuple[str, ...]:
    """List the audiences that a group has had, the present one last."""
    rows = tx.connection.execute(
        sa.select(GROUP_FEEDS.c.gid)
        .where(GROUP_FEEDS.c.group_row == group_row)
        .order_by(GROUP_FEEDS.c.place, GROUP_FEEDS.c.gid)
    )
    return tuple(rows.scalars())


def set_group_of_gid(tx: Transaction, group: GroupRow, gid: str) -> None:
    """Note that an audience is a group's newest, or move one that was another group's."""
    place = tx.connection.execute(
        sa.select(sa.func.max(GROUP_FEEDS.c.place)).where(
            GROUP_FEEDS.c.group_row == group.group_row
        )
    ).scalar_one()
    values = {"group_row": group.group_row, "place": (place or 0) + 1}
    moved = tx.connection.execute(
        GROUP_FEEDS.update()
        .where(GROUP_FEEDS.c.node_id == group.node_id, GROUP_FEEDS.c.gid == gid)
        .values(**values)
    )
    if moved.rowcount == 0:
        tx.connection.execute(GROUP_FEEDS.insert().values(node_id=group.node_id, gid=gid, **values))


def groups_of_objects(
    tx: Transaction, object_rows: Iterable[int]
) -> dict[int, frozenset[GroupKey]]:
    """Map object rows to the groups whose feeds carried them; those of none are left out."""
    found: dict[int, frozenset[GroupKey]] = {}
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(CARRIED.c.object_row, SHARING_GROUPS.c.node_id, SHARING_GROUPS.c.name)
            .join(FEEDS, FEEDS.c.feed_row == CARRIED.c.feed_row)
            .join(
                GROUP_FEEDS,
                sa.and_(
                    GROUP_FEEDS.c.node_id == FEEDS.c.node_id,
                    GROUP_FEEDS.c.gid == FEEDS.c.audience,
                ),
            )
            .join(SHARING_GROUPS, SHARING_GROUPS.c.group_row == GROUP_FEEDS.c.group_row)
            .where(CARRIED.c.object_row.in_(chunk))
            .distinct()
        )
        for object_row, node_id, name in rows:
            found[object_row] = found.get(object_row, frozenset()) | {(node_id, name)}
    return found


def members_of(tx: Transaction, gid: str) -> tuple[MemberRow, ...]:
    """List who was ever named in an own group feed, by node id; ``removed_at`` tells who left."""
    rows = tx.connection.execute(
        sa.select(GROUP_MEMBERS).where(GROUP_MEMBERS.c.gid == gid).order_by(GROUP_MEMBERS.c.node_id)
    )
    return tuple(MemberRow(*row) for row in rows)


def memberships_of(tx: Transaction, node_id: str) -> tuple[MemberRow, ...]:
    """List the own group feeds in which a node is named now."""
    rows = tx.connection.execute(
        sa.select(GROUP_MEMBERS).where(
            GROUP_MEMBERS.c.node_id == node_id, GROUP_MEMBERS.c.removed_at.is_(None)
        )
    )
    return tuple(MemberRow(*row) for row in rows)


def store_member(tx: Transaction, member: MemberRow) -> None:
    """Store a member of an own group feed."""
    tx.connection.execute(
        GROUP_MEMBERS.insert().values(
            gid=member.gid,
            node_id=member.node_id,
            since_epoch=member.since_epoch,
            since_seq=member.since_seq,
            added_at=member.added_at,
            removed_at=member.removed_at,
        )
    )


def end_memberships(tx: Transaction, gids: Iterable[str], node_id: str, at: datetime) -> None:
    """Note that a node has left a group: every feed that the group has had."""
    for chunk in in_chunks(gids):
        tx.connection.execute(
            GROUP_MEMBERS.update()
            .where(
                GROUP_MEMBERS.c.gid.in_(chunk),
                GROUP_MEMBERS.c.node_id == node_id,
                GROUP_MEMBERS.c.removed_at.is_(None),
            )
            .values(removed_at=at)
        )


def roster_records(tx: Transaction, feed_row: int) -> list[tuple[int, bytes]]:
    """List the seqs and records of the rosters that a feed holds, oldest first."""
    rows = tx.connection.execute(
        sa.select(ENTRIES.c.seq, ENTRIES.c.record)
        .where(
            ENTRIES.c.feed_row == feed_row,
            ENTRIES.c.kind == "group",
            ENTRIES.c.state == "stored",
            sa.func.length(ENTRIES.c.record) > 0,
        )
        .order_by(ENTRIES.c.seq)
    )
    return [(seq, bytes(record)) for seq, record in rows]


def find_newest_roster(tx: Transaction, feed_row: int) -> bytes | None:
    """Find the record of the newest roster that a feed holds."""
    found = tx.connection.execute(
        sa.select(ENTRIES.c.record)
        .where(
            ENTRIES.c.feed_row == feed_row,
            ENTRIES.c.kind == "group",
            ENTRIES.c.state == "stored",
            sa.func.length(ENTRIES.c.record) > 0,  # one that was erased tells nothing
        )
        .order_by(ENTRIES.c.seq.desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if found is None else bytes(found)


def find_anchor(tx: Transaction, feed_row: int) -> AnchorRow | None:
    """Find where the chain of a feed begins, unless at seq 1."""
    row = tx.connection.execute(
        sa.select(FEED_ANCHORS).where(FEED_ANCHORS.c.feed_row == feed_row)
    ).one_or_none()
    return None if row is None else AnchorRow(row.feed_row, row.seq, row.hash, bytes(row.head))


def store_anchor(tx: Transaction, anchor: AnchorRow) -> None:
    """Store where the chain of a feed begins."""
    tx.connection.execute(
        FEED_ANCHORS.insert().values(
            feed_row=anchor.feed_row, seq=anchor.seq, hash=anchor.hash, head=anchor.head
        )
    )
