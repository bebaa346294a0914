"""The names of domain sets as claims: what waits to become some, and whose names have to be marked.

The columns of ``domain_sets`` that are written here are ``state`` and ``done``, from ``held`` on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from hub.storage.dialects import to_micros, write_column
from hub.storage.queries.blobs import note_sets_held
from hub.storage.queries.claims import CLAIM_COLUMNS, StoredClaim, UnreadObject
from hub.storage.queries.objects import in_chunks
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.tables.domain_sets import DOMAIN_SETS
from hub.storage.tables.objects import OBJECTS
from hub.storage.tables.verdicts import CLAIMS, SET_MARKS
from hub.storage.transaction import Transaction

WAITS: Final = "waits"
HELD: Final = "held"
EXPANDING: Final = "expanding"
EXPANDED: Final = "expanded"
REFUSED: Final = "refused"
DROPPING: Final = "dropping"
"""Nothing goes by its names any more: they are taken out of the claims."""
DROPPED: Final = "dropped"
_TO_EXPAND: Final = (HELD, EXPANDING)
_LABEL: Final = sa.func.coalesce(OBJECTS.c.released_tlp, OBJECTS.c.tlp)
_OF_OBJECT: Final = OBJECTS.c.object_row == DOMAIN_SETS.c.object_row
OUT_OF_NAMES: Final = "E_SET_QUOTA"
"""The code of a set that waits because its origin has had its day's worth of names."""
_IS_READY: Final = sa.and_(
    DOMAIN_SETS.c.state.in_(_TO_EXPAND),
    sa.or_(DOMAIN_SETS.c.code.is_(None), DOMAIN_SETS.c.code != OUT_OF_NAMES),
    OBJECTS.c.state == "accepted",
    OBJECTS.c.exercise.is_(False),
    OBJECTS.c.revoked.is_(False),
)
IS_WORK: Final = sa.or_(
    sa.exists(sa.select(SET_MARKS.c.object_row)),
    sa.exists(sa.select(DOMAIN_SETS.c.object_row).join(OBJECTS, _OF_OBJECT).where(_IS_READY)),
)
"""Whether names have to be read out of a list, or marked."""
IS_DROPPING: Final = sa.exists(
    sa.select(DOMAIN_SETS.c.object_row).where(DOMAIN_SETS.c.state == DROPPING)
)


@dataclass(frozen=True, slots=True)
class WaitingSet:
    """A set whose names are to become claims.

    Args:
        item: its object.
        done: how many lines of the list are claims.
        valid_from: in microseconds, as are the other times.
    """

    item: UnreadObject
    sha256: str
    dated: bool
    domain_count: int
    threat_type: str | None
    match_scope: str
    valid_from: int | None
    valid_until: int | None
    done: int


@dataclass(frozen=True, slots=True)
class SetVersion:
    """A version of an object that is a set."""

    object_row: int
    origin: str
    stix_id: str
    state: str
    label: int
    version_at: datetime | None


def next_set(tx: Transaction) -> WaitingSet | None:
    """Find the next accepted set whose list is here and whose names are not all claims."""
    row = tx.connection.execute(
        sa.select(
            OBJECTS, _LABEL.label("label"), DOMAIN_SETS.c.sha256, DOMAIN_SETS.c.dated,
            DOMAIN_SETS.c.domain_count, DOMAIN_SETS.c.threat_type, DOMAIN_SETS.c.match_scope,
            DOMAIN_SETS.c.valid_from, DOMAIN_SETS.c.valid_until, DOMAIN_SETS.c.done,
        )
        .join(DOMAIN_SETS, _OF_OBJECT)
        .where(_IS_READY)
        .order_by(DOMAIN_SETS.c.object_row)
        .limit(1)
    ).one_or_none()  # fmt: skip
    if row is None:
        return None
    item = UnreadObject(
        object_row=row.object_row,
        origin=row.origin,
        stix_id=row.stix_id,
        name=None,
        label=row.label,
        revoked=row.revoked,
        version_at=_micros(row.version_at),
        received_at=to_micros(row.received_at),
        visible_at=_micros(row.visible_at),
        accepted=True,
        content=bytes(row.content),
    )
    return WaitingSet(
        item, row.sha256, row.dated, row.domain_count, row.threat_type, row.match_scope,
        _micros(row.valid_from), _micros(row.valid_until), row.done,
    )  # fmt: skip


def _micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def is_still_at(tx: Transaction, waiting: WaitingSet) -> bool:
    """Tell whether a set stands where it was read to, and is still to be expanded."""
    found = tx.connection.execute(
        sa.select(DOMAIN_SETS.c.done)
        .join(OBJECTS, _OF_OBJECT)
        .where(_IS_READY, DOMAIN_SETS.c.object_row == waiting.item.object_row)
    ).scalar_one_or_none()
    return found == waiting.done


def move_set(
    tx: Transaction, object_row: int, state: str, done: int = 0, code: str | None = None
) -> None:
    """Note how far a set is."""
    tx.connection.execute(
        DOMAIN_SETS.update()
        .where(DOMAIN_SETS.c.object_row == object_row)
        .values(state=state, done=done, code=code)
    )


def expand_anew(tx: Transaction, object_rows: Iterable[int]) -> None:
    """Have sets read once more, as soon as their list is here."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(
            DOMAIN_SETS.update()
            .where(DOMAIN_SETS.c.object_row.in_(chunk), DOMAIN_SETS.c.state != REFUSED)
            .values(state=WAITS, done=0)
        )
    note_sets_held(tx)


def origins_out_of_names(tx: Transaction) -> list[str]:
    """List the origins of which a set waits for another day."""
    rows = tx.connection.execute(
        sa.select(OBJECTS.c.origin)
        .distinct()
        .join(DOMAIN_SETS, _OF_OBJECT)
        .where(DOMAIN_SETS.c.state.in_(_TO_EXPAND), DOMAIN_SETS.c.code == OUT_OF_NAMES)
        .order_by(OBJECTS.c.origin)
    )
    return list(rows.scalars())


def resume_sets(tx: Transaction, origins: Collection[str]) -> None:
    """Let the sets of origins go on that waited for another day."""
    of_these = sa.select(OBJECTS.c.object_row).where(_OF_OBJECT, OBJECTS.c.origin.in_(origins))
    tx.connection.execute(
        DOMAIN_SETS.update()
        .where(DOMAIN_SETS.c.code == OUT_OF_NAMES, sa.exists(of_these))
        .values(code=None)
    )


def is_any_set(tx: Transaction) -> bool:
    """Tell whether any object at all is a set."""
    found = tx.connection.execute(sa.select(DOMAIN_SETS.c.object_row).limit(1))
    return found.first() is not None


def sets_at(tx: Transaction, object_rows: Collection[int]) -> dict[int, str]:
    """Tell how far those of these objects are that are sets."""
    found: dict[int, str] = {}
    for chunk in in_chunks(object_rows):
        rows = tx.connection.execute(
            sa.select(DOMAIN_SETS.c.object_row, DOMAIN_SETS.c.state).where(
                DOMAIN_SETS.c.object_row.in_(chunk)
            )
        )
        found |= {row.object_row: row.state for row in rows}
    return found


def accepted_versions(tx: Transaction, stix_ids: Iterable[str]) -> list[SetVersion]:
    """List the accepted versions of these objects that are sets, the newest last."""
    found: list[SetVersion] = []
    for chunk in in_chunks(sorted(set(stix_ids))):
        rows = tx.connection.execute(
            sa.select(
                OBJECTS.c.object_row, OBJECTS.c.origin, OBJECTS.c.stix_id, DOMAIN_SETS.c.state,
                _LABEL.label("label"), OBJECTS.c.version_at,
            )
            .join(DOMAIN_SETS, _OF_OBJECT)
            .where(OBJECTS.c.stix_id.in_(chunk), OBJECTS.c.state == "accepted")
            .order_by(OBJECTS.c.version_at, OBJECTS.c.object_row)
        )  # fmt: skip
        found += [SetVersion(*row) for row in rows]
    return found


def versions_beside(tx: Transaction, object_row: int) -> list[SetVersion]:
    """List the accepted versions of a set's object whose names are claims, the newest last."""
    row = tx.connection.execute(
        sa.select(OBJECTS.c.origin, OBJECTS.c.stix_id).where(OBJECTS.c.object_row == object_row)
    ).one_or_none()
    if row is None:
        return []
    return [
        each
        for each in accepted_versions(tx, [row.stix_id])
        if each.origin == row.origin and each.state == EXPANDED
    ]


def sets_of_origin(tx: Transaction, origin: str) -> list[SetVersion]:
    """List an origin's accepted sets whose names are claims."""
    rows = tx.connection.execute(
        sa.select(
            OBJECTS.c.object_row, OBJECTS.c.origin, OBJECTS.c.stix_id, DOMAIN_SETS.c.state,
            _LABEL.label("label"), OBJECTS.c.version_at,
        )
        .join(DOMAIN_SETS, _OF_OBJECT)
        .where(
            OBJECTS.c.origin == origin,
            OBJECTS.c.state == "accepted",
            DOMAIN_SETS.c.state == EXPANDED,
        )
    )  # fmt: skip
    return [SetVersion(*row) for row in rows]


Window = tuple[str, int, int | None, int | None]
"""Of a set: the key of the subject, the part, and from when until when it counts."""


def store_windows(tx: Transaction, facts: StoredClaim, windows: Iterable[Window]) -> None:
    """Store the claims of a set, which differ in nothing but subject and time.

    Args:
        facts: what all of them say; its name and times are left aside.
    """
    src = write_column(facts.src) if facts.src else None
    says = facts.origin, facts.confidence, facts.threat_type, facts.match_scope, facts.claimed_at
    from_ = src, facts.pap, facts.feed_row, facts.seq, facts.several
    number = facts.object_row
    rows = [
        (number, name, *says, begins, ends, *from_, part) for name, part, begins, ends in windows
    ]
    insert_rows(tx, CLAIMS, CLAIM_COLUMNS, rows)


def windows_between(
    tx: Transaction, object_row: int, after: str, up_to: str | None
) -> dict[str, list[tuple[int | None, int | None]]]:
    """List a set's claims on the names behind one, up to another or to the last, by name."""
    rows = tx.connection.execute(
        sa.select(
            CLAIMS.c.name,
            sa.type_coerce(CLAIMS.c.valid_from, sa.BigInteger),
            sa.type_coerce(CLAIMS.c.valid_until, sa.BigInteger),
        )
        .where(*_stretch(tx, object_row, after, up_to))
        .order_by(CLAIMS.c.name, CLAIMS.c.part)
    )
    found: dict[str, list[tuple[int | None, int | None]]] = {}
    for name, begins, ends in rows:
        found.setdefault(name, []).append((begins, ends))
    return found


def drop_between(tx: Transaction, object_row: int, after: str, up_to: str | None) -> None:
    """Take out a set's claims on the names behind one, up to another or to the last."""
    tx.connection.execute(CLAIMS.delete().where(*_stretch(tx, object_row, after, up_to)))


def _stretch(
    tx: Transaction, object_row: int, after: str, up_to: str | None
) -> list[sa.ColumnElement[bool]]:
    name = _by_bytes(tx)
    where = [CLAIMS.c.object_row == object_row, name > after]
    return where if up_to is None else [*where, name <= up_to]


def _by_bytes(tx: Transaction) -> sa.ColumnElement[str]:
    """Return the name as lists sort it; a PostgreSQL may sort by the words of a language."""
    is_postgresql = tx.connection.dialect.name == "postgresql"
    return CLAIMS.c.name.collate("C") if is_postgresql else CLAIMS.c.name


def count_sets_left(tx: Transaction) -> int:
    """Count the names in lists that are here and that are to become claims."""
    left = sa.func.coalesce(sa.func.sum(DOMAIN_SETS.c.domain_count - DOMAIN_SETS.c.done), 0)
    return int(
        tx.connection.execute(
            sa.select(left).join(OBJECTS, _OF_OBJECT).where(_IS_READY)
        ).scalar_one()
    )


def first_claim(tx: Transaction, object_row: int) -> tuple[Any, ...] | None:
    """Return what a set's claims have in common; None when it has none.

    That is confidence, threat type, match scope, lineage tags, ``pap``, feed row and seq.
    """
    row = tx.connection.execute(
        sa.select(
            CLAIMS.c.confidence, CLAIMS.c.threat_type, CLAIMS.c.match_scope, CLAIMS.c.src,
            CLAIMS.c.pap, CLAIMS.c.feed_row, CLAIMS.c.seq,
        )
        .where(CLAIMS.c.object_row == object_row)
        .limit(1)
    ).one_or_none()  # fmt: skip
    return None if row is None else tuple(row)


def let_go_of_gone(tx: Transaction, object_row: int) -> None:
    """Have the names of a set taken out that is gone for good; a suspended one comes back."""
    kept = sa.exists(
        sa.select(OBJECTS.c.object_row).where(
            OBJECTS.c.object_row == DOMAIN_SETS.c.object_row,
            OBJECTS.c.state.in_(("accepted", "suspended")),
        )
    )
    tx.connection.execute(
        DOMAIN_SETS.update()
        .where(
            DOMAIN_SETS.c.object_row == object_row,
            DOMAIN_SETS.c.state.in_((EXPANDED, EXPANDING)),
            ~kept,
        )
        .values(state=DROPPING, done=0)
    )


def drop_some(tx: Transaction, limit: int) -> bool:
    """Take out claims of sets that nothing goes by any more; tell whether there were any."""
    object_row = tx.connection.execute(
        sa.select(DOMAIN_SETS.c.object_row)
        .where(DOMAIN_SETS.c.state == DROPPING)
        .order_by(DOMAIN_SETS.c.object_row)
        .limit(1)
    ).scalar_one_or_none()
    if object_row is None:
        return False
    last = tx.connection.execute(
        sa.select(CLAIMS.c.name)
        .where(CLAIMS.c.object_row == object_row)
        .order_by(_by_bytes(tx))
        .offset(limit)
        .limit(1)
    ).scalar_one_or_none()
    drop_between(tx, object_row, "", last)
    if last is None:
        move_set(tx, object_row, DROPPED)
    return True


def replace_windows(
    tx: Transaction, object_row: int, after: str, up_to: str | None
) -> frozenset[str]:
    """Take out what a set claimed in a stretch of names, and tell on which names it did."""
    known = windows_between(tx, object_row, after, up_to)
    if known:
        drop_between(tx, object_row, after, up_to)
    return frozenset(known)
