"""What is said of names' registration and name servers, and how many names each value has.

Counts go by what a label shows: of each claim the newest version that it shows, and never a claim
that it does not (PROTOCOL 3.5).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from hub.storage.dialects import to_micros
from hub.storage.queries.objects import in_chunks
from hub.storage.queries.row_inserts import insert_rows
from hub.storage.tables.incidents import NAME_FACTS, NAME_SERVERS
from hub.storage.tables.objects import COUNTERS, OBJECTS
from hub.storage.tables.verdicts import CLAIMS
from hub.storage.transaction import Transaction
from schemas.markings import Tlp

_LOOKED: Final = "concentration_looked"
_ACCEPTED: Final = "accepted"


@dataclass(frozen=True, slots=True)
class NameFacts:
    """What one version of an indicator says of its name's registration; instants in micros."""

    object_row: int
    name: str
    threat_type: str | None
    registrar_id: int | None
    registrar: str | None
    registered_in: int | None
    noted_at: int


@dataclass(frozen=True, slots=True)
class Counted:
    """How many names one value has.

    Args:
        key: the registrar's number, a top-level domain, a name server, or a Monday in micros.
        word: what it is called, where it has a name.
    """

    key: Any
    word: str | None
    names: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A name of a threat type at a registrar, and when it was first noted."""

    name: str
    threat_type: str
    registrar_id: int
    registrar: str | None
    first_at: int


def store_facts(tx: Transaction, object_rows: Collection[int], rows: Sequence[NameFacts]) -> None:
    """Store facts, in the place of what was read of these objects before."""
    for chunk in in_chunks(object_rows):
        tx.connection.execute(NAME_FACTS.delete().where(NAME_FACTS.c.object_row.in_(chunk)))
    columns = (
        "object_row", "name", "threat_type", "registrar_id", "registrar", "registered_in",
        "noted_at",
    )  # fmt: skip
    insert_rows(
        tx, NAME_FACTS, columns, [tuple(getattr(row, name) for name in columns) for row in rows]
    )


def store_name_servers(
    tx: Transaction, object_row: int, name: str, servers: Collection[str]
) -> None:
    """Store which name servers an observable says that its name has."""
    tx.connection.execute(NAME_SERVERS.delete().where(NAME_SERVERS.c.object_row == object_row))
    rows = [(name, server, object_row) for server in sorted(servers)]
    insert_rows(tx, NAME_SERVERS, ("name", "server", "object_row"), rows)


def count_registrars(
    tx: Transaction, label: int, since: datetime, threat_type: str | None
) -> list[Counted]:
    """Count names by registrar, the most first; those without a number by the name given."""
    where = _facts(label, since, threat_type)
    facts = NAME_FACTS.c
    rows = tx.connection.execute(
        sa.select(
            facts.registrar_id,
            sa.case((facts.registrar_id.is_(None), facts.registrar)).label("unnumbered"),
            sa.func.max(facts.registrar).label("word"),
            sa.func.count(facts.name.distinct()).label("names"),
        )
        .where(*where, sa.or_(facts.registrar_id.is_not(None), facts.registrar.is_not(None)))
        .group_by(facts.registrar_id, sa.text("unnumbered"))
    )
    return _sorted([Counted(row.registrar_id, row.word, row.names) for row in rows])


def count_windows(
    tx: Transaction,
    label: int,
    since: datetime,
    threat_type: str | None,
    registrar_id: int | None = None,
) -> list[Counted]:
    """Count names by the week in which they were registered, the most first."""
    facts = NAME_FACTS.c
    where = _facts(label, since, threat_type)
    if registrar_id is not None:
        where.append(facts.registrar_id == registrar_id)
    rows = tx.connection.execute(
        sa.select(
            facts.registered_in.label("key"), sa.func.count(facts.name.distinct()).label("names")
        )
        .where(*where, facts.registered_in.is_not(None))
        .group_by(facts.registered_in)
    )
    return _sorted([Counted(row.key, None, row.names) for row in rows])


def count_threats_at(
    tx: Transaction, label: int, since: datetime, registrar_id: int, threat_type: str | None
) -> list[Counted]:
    """Count one registrar's names by threat type, the most first."""
    facts = NAME_FACTS.c
    rows = tx.connection.execute(
        sa.select(
            facts.threat_type.label("key"), sa.func.count(facts.name.distinct()).label("names")
        )
        .where(*_facts(label, since, threat_type), facts.registrar_id == registrar_id)
        .group_by(facts.threat_type)
    )
    return _sorted([Counted(row.key, None, row.names) for row in rows])


def count_tlds(
    tx: Transaction, label: int, since: datetime, threat_type: str | None
) -> list[Counted]:
    """Count claimed names by their top-level domain, the most first."""
    name = CLAIMS.c.name
    # The last label: both databases strip a set of characters from the right, here all but dots.
    before = sa.func.rtrim(name, sa.func.replace(name, ".", ""))
    tld = sa.func.substr(name, sa.func.length(before) + 1).label("key")
    rows = tx.connection.execute(
        sa.select(tld, sa.func.count(name.distinct()).label("names"))
        .where(*_claims(label, since, threat_type))
        .group_by(sa.text("key"))
    )
    return _sorted([Counted(row.key, None, row.names) for row in rows])


def count_name_servers(
    tx: Transaction, label: int, since: datetime, threat_type: str | None
) -> list[Counted]:
    """Count claimed names by the name servers that observables say they have, the most first."""
    seen = OBJECTS.alias("seen")
    rows = tx.connection.execute(
        sa.select(
            NAME_SERVERS.c.server.label("key"),
            sa.func.count(CLAIMS.c.name.distinct()).label("names"),
        )
        .join(CLAIMS, CLAIMS.c.name == NAME_SERVERS.c.name)
        .join(seen, seen.c.object_row == NAME_SERVERS.c.object_row)
        .where(*_claims(label, since, threat_type), *_shown(seen, label))
        .group_by(NAME_SERVERS.c.server)
    )
    return _sorted([Counted(row.key, None, row.names) for row in rows])


def count_names(
    tx: Transaction, by: str, label: int, since: datetime, threat_type: str | None
) -> int:
    """Count the names among which shares are counted: those of which the fact is known."""
    if by in {"tld", "nameserver"}:
        name, where = CLAIMS.c.name, _claims(label, since, threat_type)
        if by == "nameserver":
            where.append(name.in_(sa.select(NAME_SERVERS.c.name)))
    else:
        name, where = NAME_FACTS.c.name, _facts(label, since, threat_type)
        facts = NAME_FACTS.c
        where.append(
            facts.registered_in.is_not(None)
            if by == "window"
            else sa.or_(facts.registrar_id.is_not(None), facts.registrar.is_not(None))
        )
    statement = sa.select(sa.func.count(name.distinct())).where(*where)
    return int(tx.connection.execute(statement).scalar_one())


def names_first_seen(tx: Transaction, label: int, since: datetime) -> list[Seen]:
    """List the names of each threat type and registrar with when they were first noted."""
    facts = NAME_FACTS.c
    rows = tx.connection.execute(
        sa.select(
            facts.name,
            facts.threat_type,
            facts.registrar_id,
            sa.func.max(facts.registrar).label("word"),
            sa.func.min(facts.noted_at, type_=sa.BigInteger).label("first_at"),
        )
        .where(
            *_facts(label, None, None),
            facts.registrar_id.is_not(None),
            facts.threat_type.is_not(None),
        )
        .group_by(facts.name, facts.threat_type, facts.registrar_id)
        .having(sa.func.min(facts.noted_at, type_=sa.BigInteger) >= to_micros(since))
    )
    return [Seen(r.name, r.threat_type, r.registrar_id, r.word, r.first_at) for r in rows]


def looked_at(tx: Transaction) -> int:
    """Tell when shares were compared last, in micros; 0 for never."""
    found = tx.connection.execute(
        sa.select(COUNTERS.c.value).where(COUNTERS.c.name == _LOOKED)
    ).scalar_one_or_none()
    return int(found or 0)


def set_looked_at(tx: Transaction, at: datetime) -> None:
    """Note that shares were compared."""
    moved = tx.connection.execute(
        COUNTERS.update().where(COUNTERS.c.name == _LOOKED).values(value=to_micros(at))
    )
    if not moved.rowcount:
        tx.connection.execute(COUNTERS.insert().values(name=_LOOKED, value=to_micros(at)))


def _facts(
    label: int, since: datetime | None, threat_type: str | None
) -> list[sa.ColumnElement[bool]]:
    facts = NAME_FACTS.c
    where: list[sa.ColumnElement[bool]] = [
        OBJECTS.c.object_row == facts.object_row,
        *_shown(OBJECTS, label),
        ~_is_overtaken(label),
    ]
    if since is not None:
        where.append(facts.noted_at >= since)
    if threat_type is not None:
        where.append(facts.threat_type == threat_type)
    return where


def _claims(label: int, since: datetime, threat_type: str | None) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = [
        OBJECTS.c.object_row == CLAIMS.c.object_row,
        *_shown(OBJECTS, label),
        sa.or_(~CLAIMS.c.several, ~_is_overtaken(label)),
        OBJECTS.c.received_at >= since,
        ~CLAIMS.c.name.contains(":"),  # a name in a query, and no other subject
    ]
    if threat_type is not None:
        where.append(CLAIMS.c.threat_type == threat_type)
    return where


def _shown(objects: Any, label: int) -> tuple[sa.ColumnElement[bool], ...]:
    """Accepted objects that a label shows; RED reaches no machine unless its policy says so."""
    shown = sa.func.coalesce(objects.c.released_tlp, objects.c.tlp)
    return (
        objects.c.state == _ACCEPTED,
        objects.c.revoked.is_(False),
        shown <= label,
        sa.or_(shown < int(Tlp.RED), objects.c.machine),
    )


def _is_overtaken(label: int) -> sa.ColumnElement[bool]:
    """Tell whether a later version of the same claim, revoked or not, is shown at the label."""
    later = OBJECTS.alias("later")
    shown = sa.func.coalesce(later.c.released_tlp, later.c.tlp)
    return sa.exists(
        sa.select(later.c.object_row).where(
            later.c.stix_id == OBJECTS.c.stix_id,
            later.c.origin == OBJECTS.c.origin,
            later.c.state == _ACCEPTED,
            shown <= label,
            later.c.version_at > OBJECTS.c.version_at,
        )
    )


def _sorted(rows: list[Counted]) -> list[Counted]:
    return sorted(rows, key=lambda row: (-row.names, str(row.key), row.word or ""))
