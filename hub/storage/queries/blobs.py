"""Blobs: bytes that are named by their digest, kept in parts of 256 KiB (PROTOCOL 2.6).

Invariants:
* of what is ``held`` the SHA-256 is its name: that is compared when the last byte has come, and
  nothing that differs is ever served or read as a list;
* what came before a cut stays, so that a restart of the node begins where it ended;
* every part but the last is full, so that any stretch is found without reading those before it.

What it does not do: say who may read a blob or which is wanted (``named_blobs``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from hub.storage.queries.blob_gifts import counts_for_its_origin
from hub.storage.queries.erasures import overwriting
from hub.storage.tables.domain_sets import (
    BLOB_GIFTS,
    BLOB_PARTS,
    BLOB_POSTS,
    BLOBS,
    DOMAIN_SETS,
)
from hub.storage.tables.objects import OBJECTS
from hub.storage.transaction import Transaction

PART: Final = 256 * 1024
WANTED, HELD, REFUSED = "wanted", "held", "refused"
WAITS: Final = "waits"
"""The state of a domain set whose list is not held yet."""


@dataclass(frozen=True, slots=True)
class BlobRow:
    """A blob as it is stored, without its bytes.

    Args:
        size: None as long as nobody said it.
        held: how many bytes are here.
        code: what the last attempt met.
        sender: who gave the bytes that are here; "" when several did, None when none are.
        wrong: the nodes that gave bytes which are not it, and when ("" for several together).
    """

    sha256: str
    size: int | None
    held: int
    state: str
    code: str | None
    wanted_at: datetime
    held_at: datetime | None
    sender: str | None
    wrong: Mapping[str, str] | None


_COLUMNS = [BLOBS.c[field.name] for field in fields(BlobRow)]


def _blob(row: sa.Row[tuple[object, ...]]) -> BlobRow:
    return BlobRow(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented accessor


def find_blob(tx: Transaction, sha256: str) -> BlobRow | None:
    """Find a blob by its digest."""
    row = tx.connection.execute(sa.select(*_COLUMNS).where(BLOBS.c.sha256 == sha256)).one_or_none()
    return None if row is None else _blob(row)


def list_blobs(tx: Transaction, state: str | None = None) -> tuple[BlobRow, ...]:
    """List blobs, the one that is wanted longest first."""
    statement = sa.select(*_COLUMNS).order_by(BLOBS.c.wanted_at, BLOBS.c.sha256)
    if state is not None:
        statement = statement.where(BLOBS.c.state == state)
    return tuple(map(_blob, tx.connection.execute(statement)))


def want_blob(tx: Transaction, sha256: str, at: datetime) -> bool:
    """Note that a blob is wanted; False when it is known already."""
    if find_blob(tx, sha256) is not None:
        return False
    tx.connection.execute(BLOBS.insert().values(sha256=sha256, held=0, state=WANTED, wanted_at=at))
    return True


def store_blob(tx: Transaction, sha256: str, data: bytes, now: datetime) -> None:
    """Keep a whole blob whose digest the caller has compared: an own one, or one that was built."""
    known = find_blob(tx, sha256)
    if known is not None and known.state == HELD:
        return
    want_blob(tx, sha256, now)
    _drop_parts(tx, sha256)
    _insert_parts(tx, sha256, 0, data)
    update_blob(tx, sha256, size=len(data), held=len(data), sender=None)
    _note_held(tx, sha256, now)


def add_bytes(tx: Transaction, sha256: str, start: int, data: bytes, *, sender: str) -> bool:
    """Keep the next bytes of a wanted blob; what it lacks of its last part is filled first.

    Returns:
        False, and nothing is kept, when others brought bytes of it meanwhile.
    """
    blob = find_blob(tx, sha256)
    if blob is None or blob.state != WANTED or blob.held != start:
        return False
    if not data:
        return True
    part, filled = divmod(blob.held, PART)
    room = PART - filled if filled else 0
    if room:
        where = (BLOB_PARTS.c.sha256 == sha256, BLOB_PARTS.c.part == part)
        begun = tx.connection.execute(sa.select(BLOB_PARTS.c.content).where(*where)).scalar_one()
        whole = bytes(begun) + data[:room]
        tx.connection.execute(BLOB_PARTS.update().where(*where).values(content=whole))
        part += 1
    _insert_parts(tx, sha256, part, data[room:])
    given = sender if blob.sender in (None, sender) else ""
    update_blob(tx, sha256, held=blob.held + len(data), sender=given)
    return True


def finish_blob(tx: Transaction, sha256: str, now: datetime) -> bool:
    """Compare what came with the digest; False, and nothing of it is kept, when it differs."""
    if _digest_of_parts(tx, sha256) != sha256:
        restart_blob(tx, sha256)
        return False
    update_blob(tx, sha256, size=BLOBS.c.held)
    _note_held(tx, sha256, now)
    return True


def take_posted(tx: Transaction, apart: str, sha256: str, now: datetime) -> bool:
    """Make the bytes that lie under another name a blob; False, and they go, when they differ."""
    posted, known = find_blob(tx, apart), find_blob(tx, sha256)
    is_it = posted is not None and _digest_of_parts(tx, apart) == sha256
    if posted is not None and is_it and (known is None or known.state != HELD):
        want_blob(tx, sha256, now)
        _drop_parts(tx, sha256)
        parts = BLOB_PARTS.update().where(BLOB_PARTS.c.sha256 == apart)
        tx.connection.execute(parts.values(sha256=sha256))
        update_blob(tx, sha256, size=posted.held, held=posted.held, sender=posted.sender)
        _note_held(tx, sha256, now)
    if is_it:
        drop_blob(tx, apart)
    elif posted is not None:
        restart_blob(tx, apart)  # who was wrong about it stays known
    return is_it


def restart_blob(tx: Transaction, sha256: str) -> None:
    """Forget the bytes of a blob that is not whole, and what was said of its size."""
    _drop_parts(tx, sha256)
    update_blob(tx, sha256, size=None, held=0, sender=None)


def update_blob(tx: Transaction, sha256: str, **values: object) -> None:
    """Change columns of a blob."""
    tx.connection.execute(BLOBS.update().where(BLOBS.c.sha256 == sha256).values(**values))


def note_sets_held(tx: Transaction) -> int:
    """Note which accepted sets have their list here by now; return how many there were.

    A list that another gave is not theirs: who knows a digest alone would have the names counted
    under a label of its own choice, and be served the bytes (THREATS 46).
    """
    accepted = sa.select(OBJECTS.c.object_row).where(
        OBJECTS.c.object_row == DOMAIN_SETS.c.object_row,
        OBJECTS.c.state == "accepted",
        counts_for_its_origin(DOMAIN_SETS.c.sha256),
    )
    held = sa.select(BLOBS.c.sha256).where(
        BLOBS.c.sha256 == DOMAIN_SETS.c.sha256, BLOBS.c.state == HELD
    )
    return tx.connection.execute(
        DOMAIN_SETS.update()
        .where(DOMAIN_SETS.c.state == WAITS, sa.exists(accepted), sa.exists(held))
        .values(state=HELD)
    ).rowcount


def blob_bytes(tx: Transaction, sha256: str) -> bytes:
    """Return a held blob whole."""
    rows = tx.connection.execute(
        sa.select(BLOB_PARTS.c.content)
        .where(BLOB_PARTS.c.sha256 == sha256)
        .order_by(BLOB_PARTS.c.part)
    )
    return b"".join(bytes(content) for content in rows.scalars())


def blob_range(tx: Transaction, sha256: str, start: int, length: int) -> bytes:
    """Return a stretch of a blob, as far as it is here."""
    first, last = start // PART, (start + max(length, 1) - 1) // PART
    rows = tx.connection.execute(
        sa.select(BLOB_PARTS.c.content)
        .where(BLOB_PARTS.c.sha256 == sha256, BLOB_PARTS.c.part.between(first, last))
        .order_by(BLOB_PARTS.c.part)
    )
    begin = start - first * PART
    return b"".join(bytes(content) for content in rows.scalars())[begin : begin + length]


def bytes_stored(tx: Transaction) -> int:
    """Count the bytes of all blobs that are here, whole or not."""
    return int(tx.connection.execute(sa.select(sa.func.sum(BLOBS.c.held))).scalar() or 0)


def drop_blob(tx: Transaction, sha256: str) -> None:
    """Forget a blob, its bytes, who gave it and to whom it was given."""
    _drop_parts(tx, sha256)
    tx.connection.execute(BLOB_GIFTS.delete().where(BLOB_GIFTS.c.sha256 == sha256))
    tx.connection.execute(BLOB_POSTS.delete().where(BLOB_POSTS.c.sha256 == sha256))
    tx.connection.execute(BLOBS.delete().where(BLOBS.c.sha256 == sha256))


def note_posted(
    tx: Transaction, node_id: str, sha256: str, at: datetime, code: str | None = None
) -> None:
    """Note that a peer has a blob of ours, or why it did not take it."""
    where = (BLOB_POSTS.c.node_id == node_id, BLOB_POSTS.c.sha256 == sha256)
    values = {"at": at, "code": code}
    if tx.connection.execute(BLOB_POSTS.update().where(*where).values(**values)).rowcount == 0:
        tx.connection.execute(BLOB_POSTS.insert().values(node_id=node_id, sha256=sha256, **values))


def posted_to(tx: Transaction, node_id: str, refused_since: datetime) -> Collection[str]:
    """List the blobs of ours that a peer has, or refused since an instant."""
    rows = tx.connection.execute(
        sa.select(BLOB_POSTS.c.sha256).where(
            BLOB_POSTS.c.node_id == node_id,
            sa.or_(BLOB_POSTS.c.code.is_(None), BLOB_POSTS.c.at > refused_since),
        )
    )
    return frozenset(rows.scalars())


def _note_held(tx: Transaction, sha256: str, now: datetime) -> None:
    update_blob(tx, sha256, state=HELD, code=None, held_at=now, wrong=None)
    note_sets_held(tx)


def _digest_of_parts(tx: Transaction, sha256: str) -> str:
    digest, part = hashlib.sha256(), 0
    while content := _part(tx, sha256, part):
        digest.update(content)
        part += 1
    return digest.hexdigest()


def _part(tx: Transaction, sha256: str, part: int) -> bytes:
    found = tx.connection.execute(
        sa.select(BLOB_PARTS.c.content).where(
            BLOB_PARTS.c.sha256 == sha256, BLOB_PARTS.c.part == part
        )
    ).scalar_one_or_none()
    return b"" if found is None else bytes(found)


def _insert_parts(tx: Transaction, sha256: str, first: int, data: bytes) -> None:
    for number, start in enumerate(range(0, len(data), PART), first):
        content = data[start : start + PART]
        tx.connection.execute(
            BLOB_PARTS.insert().values(sha256=sha256, part=number, content=content)
        )


def _drop_parts(tx: Transaction, sha256: str) -> None:
    # What was erased must not be found in the file either, and why a blob ended is not known here.
    with overwriting(tx):
        tx.connection.execute(BLOB_PARTS.delete().where(BLOB_PARTS.c.sha256 == sha256))
