"""Note what claims say of their names' registration and name servers, as they are read.

Invariants:
* only what the origin said is noted, and with its object: what becomes of the object becomes of
  the fact, at each label by itself (PROTOCOL 3.5);
* a registrar is told by its number at IANA, of which there is one, and by its name only where no
  number was given.

What it does not do: ask anybody who the registrar is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from hub.storage.dialects import to_micros
from hub.storage.queries.claims import StoredClaim, UnreadObject
from hub.storage.queries.name_facts import NameFacts, store_facts, store_name_servers
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.dns.delegations import read_iana_id
from schemas.dns.extensions import DNS_RECORDS, DNS_THREAT
from schemas.dns.names import read_name
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads
from schemas.timestamps import read_stix_time

_MOST_SERVERS: Final = 32
_LONGEST: Final = 255
RECORDS_MARK: Final = DNS_RECORDS.encode()


def note_facts(
    tx: Transaction,
    unread: Sequence[UnreadObject],
    values: Mapping[int, Mapping[str, Any]],
    claims: Sequence[StoredClaim],
) -> None:
    """Note the facts of claims that are read.

    Args:
        unread: the objects, in whose place something may have been noted before.
        values: what they parse to, by object row.
        claims: what was read of them.
    """
    names = {claim.object_row: claim for claim in claims if ":" not in claim.name}
    rows = []
    for item in unread:
        claim = names.get(item.object_row)
        facts = None if claim is None else _facts_of(item, values[item.object_row], claim)
        if facts is not None:
            rows.append(facts)
    store_facts(tx, [item.object_row for item in unread if item.asked_at is not None], rows)


def _facts_of(item: UnreadObject, value: Mapping[str, Any], claim: StoredClaim) -> NameFacts | None:
    extensions = value.get("extensions")
    said = extensions.get(DNS_THREAT) if isinstance(extensions, Mapping) else None
    if not isinstance(said, Mapping):
        return None
    registrar, registration = said.get("registrar"), said.get("registration")
    if not isinstance(registrar, Mapping) and not isinstance(registration, Mapping):
        return None
    named = registrar if isinstance(registrar, Mapping) else {}
    number, word = read_iana_id(named.get("iana_id")), _word(named.get("name"))
    week = _week(registration.get("created") if isinstance(registration, Mapping) else None)
    if number is None and word is None and week is None:
        return None
    return NameFacts(
        item.object_row, claim.name, claim.threat_type, number, word, week, item.received_at
    )


def _word(text: object) -> str | None:
    said = "".join(filter(str.isprintable, text[:_LONGEST])) if isinstance(text, str) else ""
    return " ".join(said.split()) or None


def _week(created: object) -> int | None:
    """Return the Monday of the week of an instant, in micros; None for what is none."""
    if not isinstance(created, str):
        return None
    try:
        at = read_stix_time(created)
    except WireFormatError:
        return None
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return to_micros(day - timedelta(days=day.weekday()))
    except OverflowError:
        return None  # before the first Monday that Python knows


def note_records(tx: Transaction, row: ObjectRow, content: bytes) -> None:
    """Note which name servers an observable says that its name has (DNS 1, dns-records)."""
    value = strict_loads(content)
    extensions = value.get("extensions")
    found = extensions.get(DNS_RECORDS) if isinstance(extensions, Mapping) else None
    records = found.get("records") if isinstance(found, Mapping) else None
    name = _name(value.get("value"))
    if name is None or not isinstance(records, list):
        return
    servers = {
        server
        for record in records[:_MOST_SERVERS]
        if isinstance(record, Mapping) and record.get("rrtype") == "NS"
        for text in _texts(record.get("rdata"))
        if (server := _name(text)) is not None
    }
    store_name_servers(tx, row.object_row, name, sorted(servers)[:_MOST_SERVERS])


def _texts(value: object) -> list[object]:
    return value[:_MOST_SERVERS] if isinstance(value, list) else []


def _name(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    try:
        return read_name(text).a_label
    except WireFormatError:
        return None
