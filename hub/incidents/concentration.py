"""Where claims cluster: by registrar, top-level domain, name server and week of registration.

Invariants:
* counts at a label come from what that label shows and from nothing else (PROTOCOL 3.5);
* a name counts once however many origins claim it; a share is of the names of which the fact is
  known;
* a departure is decided by ``share_rule`` alone, from the names' first arrival here, which no
  origin can choose; the operator, who sees every label, is told of it and nobody else.

What it does not do: ask a registrar to do anything. A person writes to the contact that is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hub.incidents.operators import AbuseContact, abuse_contacts
from hub.incidents.share_rule import (
    MOST_WEEKS,
    Departure,
    Week,
    find_departure,
    has_past,
    level_for,
)
from hub.monitoring.alarms import CONCENTRATION, end_alarm, raise_alarm
from hub.node import Node
from hub.storage.dialects import from_micros, to_micros
from hub.storage.queries import name_facts as stored
from hub.storage.queries.alarms import list_alarms
from hub.storage.queries.name_facts import Counted, Seen
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.markings import Tlp

REGISTRAR: Final = "registrar"
TLD: Final = "tld"
NAMESERVER: Final = "nameserver"
WINDOW: Final = "window"
GROUPINGS: Final = (REGISTRAR, TLD, NAMESERVER, WINDOW)
DAYS: Final = 90
SHOWN: Final = 100
LOOK_EVERY: Final = timedelta(days=1)
_WEEK: Final = timedelta(weeks=1)
_Share = tuple[str, int]
"""A threat type, and a registrar's number."""


@dataclass(frozen=True, slots=True)
class ConcentrationRow:
    """One value with its names.

    Args:
        key: the registrar's number at IANA, a top-level domain, a name server, or a Monday.
        share: of the names of which the fact is known, 0 to 1.
    """

    key: str | None
    name: str | None
    names: int
    share: float


@dataclass(frozen=True, slots=True)
class Concentration:
    """Where claims cluster.

    Args:
        names: of how many names the fact is known.
    """

    by: str
    threat_type: str | None
    days: int
    tlp: str
    names: int
    rows: tuple[ConcentrationRow, ...]


@dataclass(frozen=True, slots=True)
class RegistrarView:
    """One registrar: what is claimed of its names, and whom to tell.

    Args:
        names: of its names that are claimed.
        share: of all names with a known registrar.
        windows: by the week in which they were registered.
    """

    iana_id: int
    name: str | None
    days: int
    tlp: str
    names: int
    share: float
    threats: tuple[ConcentrationRow, ...]
    windows: tuple[ConcentrationRow, ...]
    contacts: tuple[AbuseContact, ...]


def show_concentration(
    node: Node,
    by: str = REGISTRAR,
    *,
    threat_type: str | None = None,
    days: int = DAYS,
    tlp: Tlp = Tlp.AMBER_STRICT,
) -> Concentration:
    """Count claimed names by one fact.

    Args:
        days: since when they were received.
        tlp: up to which label.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a grouping that is none.
    """
    if by not in GROUPINGS:
        raise WireFormatError("E_SCHEMA", f"{by!r} is no grouping", f"Use {', '.join(GROUPINGS)}.")
    since = node.now() - timedelta(days=days)
    count = {
        REGISTRAR: stored.count_registrars,
        TLD: stored.count_tlds,
        NAMESERVER: stored.count_name_servers,
        WINDOW: stored.count_windows,
    }[by]
    with node.database.read() as tx:
        counted = count(tx, int(tlp), since, threat_type)
        names = stored.count_names(tx, by, int(tlp), since, threat_type)
    rows = _rows(counted[:SHOWN], names, dated=by == WINDOW)
    return Concentration(by, threat_type, days, tlp.wire, names, rows)


def show_registrar(
    node: Node,
    iana_id: int,
    *,
    threat_type: str | None = None,
    days: int = DAYS,
    tlp: Tlp = Tlp.AMBER_STRICT,
) -> RegistrarView:
    """Show what is claimed of one registrar's names, and whom to tell."""
    since, label = node.now() - timedelta(days=days), int(tlp)
    with node.database.read() as tx:
        threats = stored.count_threats_at(tx, label, since, iana_id, threat_type)
        windows = stored.count_windows(tx, label, since, threat_type, iana_id)
        everybody = stored.count_registrars(tx, label, since, threat_type)
        known = stored.count_names(tx, REGISTRAR, label, since, threat_type)
        contacts = abuse_contacts(tx, node, iana_id)
    mine = [row for row in everybody if row.key == iana_id]
    names = sum(row.names for row in mine)
    return RegistrarView(
        iana_id=iana_id,
        name=mine[0].word if mine else next((c.registrar for c in contacts), None),
        days=days,
        tlp=tlp.wire,
        names=names,
        share=names / known if known else 0.0,
        threats=_rows(threats, names),
        windows=_rows(windows[:SHOWN], names, dated=True),
        contacts=contacts,
    )


def _rows(
    counted: Iterable[Counted], of: int, *, dated: bool = False
) -> tuple[ConcentrationRow, ...]:
    return tuple(
        ConcentrationRow(_key(row.key, dated=dated), row.word, row.names, row.names / max(of, 1))
        for row in counted
    )


def _key(key: Any, *, dated: bool) -> str | None:
    if key is None:
        return None
    return f"{key:%Y-%m-%d}" if dated and isinstance(key, datetime) else str(key)


def watch_concentration(node: Node) -> tuple[Departure, ...]:
    """Compare the shares of the week that ends now with those before it, once a day.

    Every alarm of a share that does not depart any more ends by itself.
    """
    with node.database.read() as tx:
        now = node.now()
        if now - from_micros(stored.looked_at(tx)) < LOOK_EVERY:
            return ()
        since = now - (MOST_WEEKS + 1) * _WEEK
        seen = stored.names_first_seen(tx, int(max(Tlp)), since)
    found = find_departures(seen, now)
    words = {(each.threat_type, each.registrar_id): each.registrar for each in seen}
    with node.database.write(durable=False) as tx:
        stored.set_looked_at(tx, now)
        _tell(tx, found, words, now)
    return tuple(found.values())


def find_departures(seen: Iterable[Seen], now: datetime) -> dict[_Share, Departure]:
    """Find the shares that depart from their own past.

    Args:
        seen: names with their first arrival, in any order.
    """
    at = to_micros(now)
    span = _WEEK // timedelta(microseconds=1)
    by_share: dict[_Share, Counter[int]] = {}
    by_type: dict[str, Counter[int]] = {}
    for each in seen:
        week = (at - each.first_at) // span
        if 0 <= week <= MOST_WEEKS:
            share = (each.threat_type, each.registrar_id)
            by_share.setdefault(share, Counter())[week] += 1
            by_type.setdefault(each.threat_type, Counter())[week] += 1
    past = {
        share: [Week(mine[n], by_type[share[0]][n]) for n in range(1, MOST_WEEKS + 1)]
        for share, mine in by_share.items()
    }
    # Counted by what they were before this week alone: this week must not choose its own level.
    level = level_for(sum(has_past(weeks) for weeks in past.values()))
    found = {}
    for share, mine in by_share.items():
        departure = find_departure(Week(mine[0], by_type[share[0]][0]), past[share], level=level)
        if departure is not None:
            found[share] = departure
    return found


def _tell(
    tx: Transaction,
    found: Mapping[_Share, Departure],
    words: Mapping[_Share, str | None],
    now: datetime,
) -> None:
    subjects = {f"{number}/{threat}" for threat, number in found}
    for alarm in list_alarms(tx, closed=False):
        if alarm.code == CONCENTRATION and alarm.subject not in subjects:
            end_alarm(tx, CONCENTRATION, alarm.subject, now)
    for (threat, number), departure in sorted(found.items()):
        raise_alarm(
            tx,
            CONCENTRATION,
            f"{number}/{threat}",
            now,
            iana_id=number,
            registrar=words.get((threat, number)) or "a registrar",
            threat_type=threat,
            names=departure.now.names,
            of=departure.now.of,
            names_before=departure.before.names,
            of_before=departure.before.of,
            weeks=departure.weeks,
        )
