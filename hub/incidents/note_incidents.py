"""Note hijack claims and their answers when they become visible, and alarm whom they concern.

Invariants:
* a claim that waits in quarantine, belongs to an exercise or was never signed is not noted: only
  accepted ones come here, in the write that shows them; answers are noted in quarantine too;
* one alarm an origin and zone is open; when none of that origin's claims on the zone is live any
  more it ends by itself, except that of a claim that came when all was over: a person reads it;
* of one origin no more than ``MOST_ALARMS`` are open; what comes beyond is told in one;
* what hangs on a claim is judged anew: its rogue servers, and what an authority held in its zone.

What it does not do: decide how a claim stands (``claim_state``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from hub.incidents.claim_state import CLOSED, LIVE, WORDS, Standing, standings_of
from hub.incidents.concern import OwnPart, read_own_part
from hub.incidents.note_facts import RECORDS_MARK, note_records
from hub.monitoring.alarms import HIJACK_CLAIMED, end_alarm, raise_alarm
from hub.storage.queries import incidents as stored
from hub.storage.queries.alarms import list_alarms
from hub.storage.queries.disputes import names_disputed
from hub.storage.queries.incidents import StoredAnswer, StoredHijack
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import find_peer
from hub.storage.transaction import Transaction
from hub.verdicts.marks import ask_again
from schemas.dns.delegations import read_delegation_change
from schemas.dns.subjects import NSDNAME, Subject
from schemas.identifiers import NodeId, is_node_id, is_stix_id
from schemas.markings import Tlp
from schemas.strict_json import strict_loads

ANSWER_LABEL: Final = "hijack-answer"
REFERENCE: Final = "tocsin-incident"
"""The ``source_name`` of the external reference by which an answer tells its incident: a whole id
would be a reference, and has to resolve among the author's own objects (PROTOCOL 3.4)."""
MOST_ALARMS: Final = 50
_MORE: Final = "more"
_SHOWN: Final = 5
_MARK: Final = ANSWER_LABEL.encode()


def note_incidents(
    tx: Transaction, rows: Sequence[ObjectRow], contents: Mapping[int, bytes], now: datetime
) -> None:
    """Note what of accepted objects are hijack claims and answers to them.

    Args:
        rows: as they enter the views.
        contents: their bytes by object row.
    """
    hijacks: list[StoredHijack] = []
    answered: set[str] = set()
    for row in rows:
        if row.stix_type == "incident":
            hijacks += _hijack_of(row, contents[row.object_row], now)
        elif row.stix_type == "note" and _MARK in contents[row.object_row]:
            answered |= _note_answer(tx, row, contents[row.object_row], now)
        elif row.stix_type == "domain-name" and RECORDS_MARK in contents[row.object_row]:
            note_records(tx, row, contents[row.object_row])
    new_claims = stored.store_hijacks(tx, hijacks) if hijacks else set()
    if new_claims or answered:
        _settle(tx, new_claims | answered, now, new_claims)


def note_waiting_answers(
    tx: Transaction, objects: Iterable[tuple[ObjectRow, bytes]], now: datetime
) -> None:
    """Note answers that wait in quarantine: an authority's word counts there too.

    As its ``benign`` does (``verdicts.evidence``): its trust may be no more than ``member``, and a
    registry that says "not ours" must not wait for somebody to say the same. Of anybody else an
    answer changes nothing in either place.
    """
    answered = set()
    for row, content in objects:
        if row.state == "quarantined" and row.stix_type == "note" and _MARK in content:
            answered |= _note_answer(tx, row, content, now)
    if answered:
        _settle(tx, answered, now, ())


def alarms_that_are_over(tx: Transaction, now: datetime) -> list[str]:
    """List the subjects of open alarms of which no claim is live any more, for whatever reason.

    Not those of claims that came when all was over: they are for a person to close.
    """
    over = []
    for alarm in list_alarms(tx, closed=False):
        if alarm.code == HIJACK_CLAIMED and alarm.params.get("state") in LIVE:
            versions = stored.versions_of_zones(tx, [str(alarm.params.get("zone"))])
            mine = [each for each in versions if each.origin == alarm.params.get("origin")]
            if not any(each.is_live for each in standings_of(tx, mine, now)):
                over.append(alarm.subject)
    return over


def _hijack_of(row: ObjectRow, content: bytes, now: datetime) -> list[StoredHijack]:
    change = read_delegation_change(strict_loads(content))
    at = now if row.visible_at is None else row.visible_at
    if change is None:
        return []
    return [StoredHijack(row.object_row, row.origin, row.stix_id, at, change)]


def _note_answer(tx: Transaction, row: ObjectRow, content: bytes, now: datetime) -> set[str]:
    read = read_answer(strict_loads(content))
    if read is None:
        return set()
    incident_id, origin, version, word = read
    said_at = row.received_at if row.version_at is None else min(row.version_at, row.received_at)
    at = now if row.visible_at is None else row.visible_at
    answer = StoredAnswer(
        row.object_row, incident_id, origin, version, row.origin, word, said_at, at
    )
    return {incident_id} if stored.store_answer(tx, answer) else set()


def read_answer(value: Mapping[str, Any]) -> tuple[str, str | None, str | None, str] | None:
    """Read a note that answers an incident: its id, its origin and version, and the word.

    None for what is no answer. Origin and version are None where the note does not tell them.
    """
    references = value.get("external_references")
    if not is_hijack_answer(value) or not isinstance(references, list):
        return None
    words = [word for word in WORDS if word in value["labels"]]
    if len(words) != 1:
        return None
    for reference in references:
        if isinstance(reference, dict) and reference.get("source_name") == REFERENCE:
            stix_id = f"incident--{reference.get('external_id')}"
            if not is_stix_id(stix_id):
                return None
            said = reference.get("description")
            origin, _, version = (said if isinstance(said, str) else "").partition(" ")
            known = origin if is_node_id(origin) else None
            said_version = version[:64] if version and version.isprintable() else None
            return stix_id, known, said_version, words[0]
    return None


def is_hijack_answer(value: Mapping[str, Any]) -> bool:
    """Tell whether a note or opinion answers a hijack claim."""
    labels = value.get("labels")
    return isinstance(labels, list) and ANSWER_LABEL in labels


def subject_of(standing: Standing) -> str:
    """Return the subject of a claim's alarm."""
    return f"{standing.claim.origin}/{standing.claim.facts.zone}"


def _settle(
    tx: Transaction, stix_ids: Collection[str], now: datetime, new_claims: Collection[str]
) -> None:
    """Raise and end alarms, and ask for the verdicts that hang on the incidents."""
    versions = stored.versions_of_ids(tx, stix_ids)
    numbers = Counter((each.origin, each.stix_id) for each in versions)
    standings = standings_of(tx, versions, now)
    part = read_own_part(tx, now) if standings else OwnPart(())
    concerned: dict[str, list[tuple[Standing, tuple[str, ...]]]] = {}
    living = _living(tx, standings, now)
    for each in standings:
        claim = each.claim
        over = not each.is_live and (claim.origin, claim.facts.zone) not in living
        ended = over and end_alarm(tx, HIJACK_CLAIMED, subject_of(each), now)
        # What came when all was over was never told: it stays for a person.
        is_late = each.state == CLOSED and numbers[claim.origin, claim.stix_id] == 1
        if each.is_live or (is_late and not ended and claim.stix_id in new_claims):
            why = part.concerns(claim.facts)
            if why:
                concerned.setdefault(claim.origin, []).append((each, why))
    for found in concerned.values():
        raise_hijacks(tx, found, now)
    _ask_again(tx, standings, now)


def _living(
    tx: Transaction, standings: Sequence[Standing], now: datetime
) -> frozenset[tuple[str, str]]:
    """Find the origins and zones of claims that are over on which another of theirs is not.

    All at once: an origin may have any number of claims on one zone, and end many in one entry.
    """
    over = {(e.claim.origin, e.claim.facts.zone) for e in standings if not e.is_live}
    if not over:
        return frozenset()
    versions = stored.versions_of_zones(tx, sorted({zone for _, zone in over}))
    mine = [each for each in versions if (each.origin, each.facts.zone) in over]
    return frozenset(
        (each.claim.origin, each.claim.facts.zone)
        for each in standings_of(tx, mine, now)
        if each.is_live
    )


def raise_hijacks(
    tx: Transaction, claims: Sequence[tuple[Standing, Sequence[str]]], now: datetime
) -> None:
    """Raise the alarms of one origin's claims, up to a number; one more tells of the rest.

    Args:
        claims: each with why it concerns this node.
    """
    origin = claims[0][0].claim.origin
    held = {
        alarm.subject
        for alarm in list_alarms(tx, closed=False)
        if alarm.code == HIJACK_CLAIMED and alarm.subject.startswith(f"{origin}/")
    }
    peer = find_peer(tx, NodeId(origin))
    name = None if peer is None else peer.name
    left: tuple[Standing, Sequence[str]] | None = None
    for standing, why in claims:
        subject = subject_of(standing)
        if subject in held or len(held) < MOST_ALARMS:
            held.add(subject)
            _raise(tx, subject, standing, why, name, now)
        else:
            left = standing, why
    if left is not None:
        _raise(tx, f"{origin}/{_MORE}", *left, name, now)


def _raise(
    tx: Transaction,
    subject: str,
    standing: Standing,
    why: Sequence[str],
    name: str | None,
    now: datetime,
) -> None:
    claim = standing.claim
    raise_alarm(
        tx,
        HIJACK_CLAIMED,
        subject,
        now,
        incident=claim.stix_id,
        origin=claim.origin,
        name=name,
        zone=claim.facts.zone,
        concern=list(why),
        new_ns=list(claim.facts.rogue_ns[:_SHOWN]),
        state=standing.state,
        tlp=Tlp(claim.label).wire,
    )


def _ask_again(tx: Transaction, standings: Sequence[Standing], now: datetime) -> None:
    """Ask for the verdicts of rogue servers, and of what an authority held in the zones."""
    disputed = names_disputed(tx) if standings else []
    names: dict[int, set[str]] = {}
    zones: dict[str, int] = {}
    for each in standings:
        label = min([each.claim.label, *(a.answer.label for a in each.answers)])
        servers = each.claim.facts.rogue_ns
        asked = names.setdefault(label, set())
        asked.update((*servers, *(Subject(name, NSDNAME).key for name in servers)))
        zone = each.claim.facts.zone
        zones[zone] = min(label, zones.get(zone, label))
    for name in disputed:
        labels = name.split(".")
        above = (".".join(labels[begin:]) for begin in range(len(labels)))
        found = [zones[zone] for zone in above if zone in zones]
        if found:
            names.setdefault(min(found), set()).add(name)
    for label, asked in names.items():
        if asked:
            ask_again(tx, sorted(asked), label, now)
