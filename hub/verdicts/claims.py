"""Read claims out of accepted objects: who says what of which subject, in which lineage.

A claim is what one version of one origin's indicator says of one subject: a name, a name server or
an address (``schemas.dns.subjects``). Several origins' claims on a subject stay apart for ever, and
so do the versions of one: which of them counts in a view follows from what that view shows
(``name_verdict``).

Invariants:
* each object is read once, in the order of arrival; what is shown anew behind the watermark is
  read once more;
* every version is read, revoked ones and those that wait in quarantine too: whether it counts is
  its state's matter when verdicts are made, so that no change of state needs another reading;
* the mark that a claim leaves bears its own label and the time at which it became visible;
* what a pattern says that is more than alternatives, or matches on a thing that this release does
  not know, is nobody's claim: never is it taken for a claim on the name in it.

What it does not do: weigh anything, or read the lists of sets (``expand_sets``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hub.exchange.entry_source import EntrySource, source_of_record
from hub.incidents.note_facts import note_facts
from hub.storage.dialects import to_micros
from hub.storage.queries import claims as stored
from hub.storage.queries.claims import Carrier, StoredClaim, UnreadObject
from hub.storage.queries.feeds import find_entry, update_entry
from hub.storage.queries.verdict_work import Mark, WorkState, put_marks
from hub.storage.transaction import Transaction
from schemas.dns.extensions import DNS_THREAT, MATCH_SCOPES, THREAT_TYPES
from schemas.dns.names import read_name
from schemas.dns.pattern_subjects import subjects_of
from schemas.dns.subjects import OF_ADDRESSES, QNAME, Subject
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads
from schemas.timestamps import read_stix_time

UNSTATED_CONFIDENCE: Final = 50
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class ReadClaims:
    """What one reading brought.

    Args:
        objects: how many objects were looked at.
        new: the claims that were read for the first time.
        finished: whether nothing is left to read.
        names: of all claims that were read, waiting ones included.
        to: up to which object row has been read now.
    """

    objects: int
    new: tuple[StoredClaim, ...]
    finished: bool
    names: frozenset[str] = frozenset()
    to: int = 0
    again: tuple[int, ...] = ()


def read_claims(tx: Transaction, state: WorkState, limit: int) -> ReadClaims:
    """Read what was accepted since, and what was shown anew; mark the names that it is about.

    Args:
        state: how far has been read, as this write sees it.
    """
    again: list[UnreadObject] = []
    before: Mapping[int, tuple[str, ...]] = {}
    if state.reads_again:
        again = stored.objects_to_read_again(tx, limit)
        numbers = [unread.object_row for unread in again]
        before = stored.names_claimed(tx, numbers)
        stored.drop_claims(tx, numbers)
        stored.drop_asked(tx, numbers)
        if not again:
            stored.drop_gone(tx)
    to = state.newest
    fresh: list[UnreadObject] = []
    if to > state.read:
        fresh = stored.unread_objects(tx, state.read, limit)
        if len(fresh) == limit:
            to = fresh[-1].object_row
        stored.move_watermark(tx, to)
    claims = _read_all(tx, [*again, *fresh], before)
    first = {unread.object_row for unread in fresh}
    return ReadClaims(
        objects=len(again) + len(fresh),
        new=tuple(claim for claim in claims if claim.object_row in first),
        finished=len(fresh) < limit and len(again) < limit,
        names=frozenset(claim.name for claim in claims),
        to=max(to, state.read),
        again=tuple(unread.object_row for unread in again),
    )


def _read_all(
    tx: Transaction, unread: Sequence[UnreadObject], before: Mapping[int, Iterable[str]]
) -> list[StoredClaim]:
    if not unread:
        return []
    values = {item.object_row: _read_content(item) for item in unread}
    carriers = stored.carriers_of(tx, [number for number, value in values.items() if value])
    sources = sources_of(tx, carriers)
    several, elsewhere = _other_versions(tx, unread)
    claims = [
        replace(claim, several=claim.object_row in several)
        for item in unread
        for claim in _claims(item, values[item.object_row], carriers, sources)
    ]
    stored.mark_several(tx, several)
    stored.store_claims(tx, claims)
    note_facts(tx, unread, values, claims)
    names: dict[int, set[str]] = {number: set(found) for number, found in before.items()}
    for claim in claims:
        names.setdefault(claim.object_row, set()).add(claim.name)
    for number, others in elsewhere.items():
        names.setdefault(number, set()).update(others)
    marks: list[Mark] = [
        (name, item.label, _asked_at(item), False)
        for item in unread
        if item.accepted
        for name in sorted(names.get(item.object_row, ()))
    ]
    put_marks(tx, marks)
    return claims


def _asked_at(item: UnreadObject) -> int:
    if item.asked_at is not None:
        return item.asked_at
    return item.received_at if item.visible_at is None else item.visible_at


def _other_versions(
    tx: Transaction, unread: Sequence[UnreadObject]
) -> tuple[set[int], dict[int, set[str]]]:
    """Find objects whose id has several versions, and the names that the others are on.

    A newer version may be about another name, or about none that is simple: the name that it left
    has to be looked at too.
    """
    versions = stored.versions_of(tx, {item.stix_id for item in unread})
    groups = {key: found for key, found in versions.items() if len(found) > 1}
    several = {number for found in groups.values() for number, *_ in found}
    if not several:
        return several, {}
    claimed = stored.names_claimed(tx, several)
    elsewhere = {
        item.object_row: {
            name
            for number, *_ in groups.get((item.origin, item.stix_id), ())
            for name in claimed.get(number, ())
        }
        for item in unread
    }
    return several, elsewhere


def sources_of(
    tx: Transaction, carriers: Mapping[int, Carrier]
) -> dict[tuple[int, int], EntrySource]:
    """Tell what the entries say of their source; of an earlier release's from the bytes, once."""
    found: dict[tuple[int, int], EntrySource] = {}
    for carrier in carriers.values():
        place = (carrier.feed_row, carrier.seq)
        if place in found:
            continue
        if carrier.pap is not None:
            found[place] = {"src": list(carrier.src or ()), "pap": carrier.pap}
            continue
        entry = find_entry(tx, *place)
        if entry is not None:
            found[place] = source_of_record(entry.record)
            update_entry(tx, *place, **found[place])
    return found


def _read_content(item: UnreadObject) -> Mapping[str, Any]:
    """Read an indicator that may be a claim; nothing where its pattern is of another language."""
    value = strict_loads(item.content) if item.content else {}
    is_stix = isinstance(value, dict) and value.get("pattern_type") == "stix"
    return value if is_stix else {}


def _claims(
    item: UnreadObject,
    value: Mapping[str, Any],
    carriers: Mapping[int, Carrier],
    sources: Mapping[tuple[int, int], EntrySource],
) -> list[StoredClaim]:
    if not value:
        return []
    threat_type, match_scope, match_on = _threat_of(value)
    subjects = _subjects(item, value, match_on)
    # Only the extension says what else than a name is meant, so that without its words that are
    # known here a verdict could not say it either, and would read as one on the name.
    if not subjects or (match_on != QNAME and threat_type is None):
        return []
    carrier = carriers.get(item.object_row)
    return [
        claim_of(item, value, carrier, sources, (subject.key, threat_type, scope))
        for subject, below in subjects.items()
        for scope in [_reach(subject, match_scope, below=below)]
    ]


def _reach(subject: Subject, match_scope: str, *, below: bool) -> str:
    if subject.match_on in OF_ADDRESSES:
        return "exact"
    return "subtree" if below else match_scope


def _subjects(
    item: UnreadObject, value: Mapping[str, Any], match_on: str
) -> Mapping[Subject, bool]:
    """List what an indicator is about; what is no name is nobody's verdict."""
    if item.name and match_on == QNAME:
        try:
            name = read_name(item.name)
        except WireFormatError:
            return {}  # a pattern may say any text
        return {Subject(name.a_label): name.subtree}
    pattern = value.get("pattern")
    return subjects_of(pattern, match_on) if isinstance(pattern, str) else {}


def claim_of(
    item: UnreadObject,
    value: Mapping[str, Any],
    carrier: Carrier | None,
    sources: Mapping[tuple[int, int], EntrySource],
    about: tuple[str, str | None, str],
) -> StoredClaim:
    """Make a claim of an object.

    Args:
        carrier: the widest entry that carried it.
        sources: what entries say of their sources.
        about: the key of the subject, the threat type, and the reach.
    """
    place = None if carrier is None else (carrier.feed_row, carrier.seq)
    source: EntrySource = {} if place is None else sources.get(place, {})
    version_at = item.received_at if item.version_at is None else item.version_at
    return StoredClaim(
        object_row=item.object_row,
        name=about[0],
        origin=item.origin,
        confidence=_confidence_of(value),
        threat_type=about[1],
        match_scope=about[2],
        # A clock that is ahead makes no claim younger than its arrival.
        claimed_at=min(version_at, item.received_at),
        valid_from=_instant(value.get("valid_from")),
        valid_until=_instant(value.get("valid_until")),
        src=tuple(source.get("src", ())),
        pap=source.get("pap"),
        feed_row=None if carrier is None else carrier.feed_row,
        seq=None if carrier is None else carrier.seq,
    )


def _confidence_of(value: Mapping[str, Any]) -> int:
    said = value.get("confidence")
    if said.__class__ is not int:
        return UNSTATED_CONFIDENCE
    return max(0, min(_MOST, int(str(said))))


def _threat_of(value: Mapping[str, Any]) -> tuple[str | None, str, str]:
    """Read the threat type, the reach and what it matches on.

    Words of a newer peer say nothing, but for the last: that it is another thing than a name.
    """
    extensions = value.get("extensions")
    facts = extensions.get(DNS_THREAT) if isinstance(extensions, dict) else None
    if isinstance(facts, dict):
        threat, scope = facts.get("threat_type"), facts.get("match_scope")
        return (
            threat if threat in THREAT_TYPES else None,
            scope if isinstance(scope, str) and scope in MATCH_SCOPES else "exact",
            str(facts.get("match_on", QNAME)),
        )
    labels = value.get("labels")
    known = [word for word in labels if word in THREAT_TYPES] if isinstance(labels, list) else []
    return (known[0] if known else None), "exact", QNAME


def _instant(text: object) -> int | None:
    try:
        return None if text is None else to_micros(read_stix_time(text))
    except WireFormatError:
        return None  # it was checked on arrival; a claim without an end ages all the same
