"""Peers, invitations, request nonces and daily counts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from hub.storage.tables.peers import INVITATIONS, NONCES, PEER_DAYS, PEERS
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId


@dataclass(frozen=True, slots=True)
class PeerRow:
    """A peer as it is stored; a dial of None means what its preset says."""

    node_id: NodeId
    name: str
    base: str
    trust: int
    verified: bool
    state: str
    added_at: datetime
    inbound: str | None = None
    cap: int | None = None
    outbound: int | None = None
    daily_limit: int | None = None
    authority: tuple[str, ...] = ()
    relay_on: bool = True
    last_pull_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error_code: str | None = None
    last_error_detail: str | None = None
    last_error_at: datetime | None = None
    failures: int = 0
    push_on: bool = False
    pushed_at: datetime | None = None
    own_heads_at: datetime | None = None
    introduced: bool = False
    page_limit: int | None = None
    types: tuple[str, ...] | None = None
    suspended_at: datetime | None = None
    suspended_row: int | None = None
    sightings_since: datetime | None = None


# Built once: nearly every use-case asks it, and building it takes longer than the look-up.
_FIND_PEER = sa.select(PEERS).where(PEERS.c.node_id == sa.bindparam("of"))


def _peer(row: sa.Row[tuple[object, ...]]) -> PeerRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor
    values["authority"] = tuple(values["authority"])
    values["types"] = None if values["types"] is None else tuple(values["types"])
    return PeerRow(**values)


def list_peers(tx: Transaction) -> tuple[PeerRow, ...]:
    """List all peers by name."""
    rows = tx.connection.execute(sa.select(PEERS).order_by(PEERS.c.name, PEERS.c.node_id))
    return tuple(_peer(row) for row in rows)


def peers_among(tx: Transaction, node_ids: Collection[str]) -> dict[str, PeerRow]:
    """Find those of some nodes that are peers."""
    rows = tx.connection.execute(sa.select(PEERS).where(PEERS.c.node_id.in_(node_ids)))
    return {row.node_id: _peer(row) for row in rows}


def suspended_origins(tx: Transaction) -> frozenset[NodeId]:
    """List the peers that are suspended: what they wrote is shown to nobody."""
    rows = tx.connection.execute(sa.select(PEERS.c.node_id).where(PEERS.c.state == "suspended"))
    return frozenset(rows.scalars())


def find_peer(tx: Transaction, node_id: str) -> PeerRow | None:
    """Find a peer by its full node id."""
    row = tx.connection.execute(_FIND_PEER, {"of": node_id}).one_or_none()
    return None if row is None else _peer(row)


def store_peer(tx: Transaction, peer: PeerRow) -> None:
    """Store a new peer."""
    values = {field.name: getattr(peer, field.name) for field in fields(peer)}
    values["authority"] = list(peer.authority)
    values["types"] = None if peer.types is None else list(peer.types)
    tx.connection.execute(PEERS.insert().values(**values))


def update_peer(tx: Transaction, node_id: NodeId, **values: object) -> None:
    """Change columns of a peer."""
    tx.connection.execute(PEERS.update().where(PEERS.c.node_id == node_id).values(**values))


def store_invitation(
    tx: Transaction, token_digest: str, created_at: datetime, expires_at: datetime
) -> None:
    """Store an invitation by the digest of its token."""
    tx.connection.execute(
        INVITATIONS.insert().values(
            token_digest=token_digest, created_at=created_at, expires_at=expires_at
        )
    )


def claim_invitation(tx: Transaction, token_digest: str, now: datetime, by: NodeId) -> bool:
    """Spend an invitation; False when it is unknown, used or expired, all alike."""
    result = tx.connection.execute(
        INVITATIONS.update()
        .where(
            INVITATIONS.c.token_digest == token_digest,
            INVITATIONS.c.used_at.is_(None),
            INVITATIONS.c.expires_at > now,
        )
        .values(used_at=now, used_by=by)
    )
    return result.rowcount == 1


def remember_nonce(tx: Transaction, keyid: str, nonce: str, now: datetime, keep: timedelta) -> bool:
    """Remember a request's nonce; False when the key has used it before (PROTOCOL 2.7)."""
    tx.connection.execute(NONCES.delete().where(NONCES.c.seen_at < now - keep))
    try:
        with tx.connection.begin_nested():
            tx.connection.execute(NONCES.insert().values(keyid=keyid, nonce=nonce, seen_at=now))
    except IntegrityError:
        return False
    return True


def objects_today(tx: Transaction, node_id: NodeId, day: str) -> int:
    """Count what a peer has delivered on a day (``YYYY-MM-DD``, UTC)."""
    found = tx.connection.execute(
        sa.select(PEER_DAYS.c.objects).where(PEER_DAYS.c.node_id == node_id, PEER_DAYS.c.day == day)
    ).scalar_one_or_none()
    return int(found or 0)


def count_objects_today(tx: Transaction, node_id: NodeId, day: str, more: int) -> None:
    """Add to what a peer has delivered on a day."""
    where = (PEER_DAYS.c.node_id == node_id, PEER_DAYS.c.day == day)
    result = tx.connection.execute(
        PEER_DAYS.update().where(*where).values(objects=PEER_DAYS.c.objects + more)
    )
    if result.rowcount == 0:
        tx.connection.execute(PEER_DAYS.insert().values(node_id=node_id, day=day, objects=more))
