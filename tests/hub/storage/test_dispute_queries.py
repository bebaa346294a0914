"""What disputes, outcomes, corrections and sightings ask of the store, on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.storage.dialects import to_micros
from hub.storage.queries import claims, conduct, corrections, disputes, objects, outcomes, sightings
from hub.storage.queries.claims import StoredClaim
from hub.storage.queries.disputes import DecisionRow, StoredDispute
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.outcomes import OutcomeRow
from hub.storage.queries.sightings import SightingRow
from hub.storage.queries.verdict_work import put_marks_of_origin, take_due
from schemas.identifiers import NodeId

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
A, B = NodeId("a" * 52), NodeId("b" * 52)
NAME = "evil.example"


@pytest.fixture
def tx(database):
    with database.write() as opened:
        yield opened


def an_object(number, stix_type, **changes):
    values = {
        "object_row": number, "origin": A, "stix_type": stix_type,
        "stix_id": f"{stix_type}--00000000-0000-4000-8000-{number:012x}", "spec_version": "2.1",
        "version": "2026-03-01T09:00:00Z", "version_at": NOW - HOUR, "tlp": 1, "machine": False,
        "exercise": False, "strength": 1, "state": "accepted", "code": None, "revoked": False,
        "idn": None, "name_key": None, "published_at": NOW, "received_at": NOW, "visible_at": NOW,
    } | changes  # fmt: skip
    return ObjectRow(**values)


def store(tx, *rows):
    objects.store_objects(tx, [(row, b'{"value":"evil.example"}') for row in rows])


def test_opinions_between_two_places_are_found_with_what_they_are_on(tx):
    store(
        tx,
        an_object(1, "opinion"),
        an_object(2, "opinion", tlp=2),
        an_object(3, "note"),
        an_object(4, "opinion", exercise=True),
        an_object(5, "domain-name", version_at=None),
    )
    found = disputes.unread_opinions(tx, 1, 5)
    assert [(each.object_row, each.label) for each in found] == [(2, 2)]
    assert [each.object_row for each in disputes.opinions_to_read_again(tx, [1, 3])] == [1]
    about = an_object(5, "domain-name").stix_id
    assert disputes.contents_by_origin(tx, {about})[A, about][1] == b'{"value":"evil.example"}'


def test_what_was_said_of_a_name_comes_with_state_and_label_as_they_are_now(tx):
    assert not disputes.is_anything_disputed(tx)
    store(tx, an_object(1, "opinion"), an_object(2, "opinion", tlp=4))
    rows = [StoredDispute(number, NAME, A, False, "disagree", 50, NOW, NOW) for number in (1, 2)]
    disputes.store_disputes(tx, rows)
    (live,) = disputes.disputes_about(tx, [NAME, "other.example"])[NAME]
    assert (live.object_row, live.label, live.state, live.said_at) == (1, 1, "accepted", NOW)
    assert disputes.disputes_of_objects(tx, [1, 9]) == [(1, NAME)]
    objects.update_objects(tx, [1], state="withdrawn")
    assert disputes.disputes_about(tx, [NAME]) == {}
    for decision in ("block", "release"):
        disputes.put_decision(tx, DecisionRow(NAME, 1, decision, "R", "operator", NOW))
    assert disputes.decisions_on(tx, [NAME])[NAME].decision == "release"


def test_outcomes_are_the_last_word_up_to_a_label(tx):
    for kind in ("confirmed", "false-positive"):
        outcomes.put_outcome(tx, OutcomeRow(A, "x--1", "indicator", 2, kind, "R", "o", NOW))
    outcomes.put_outcome(tx, OutcomeRow(A, "x--2", "indicator", 1, "confirmed", "R", "o", NOW))
    assert [row.kind for row in outcomes.outcomes_of(tx, [A])] == ["false-positive", "confirmed"]
    assert [row.stix_id for row in outcomes.outcomes_of(tx, [A], 1)] == ["x--2"]
    outcomes.count_outcomes(tx, A, "indicator", NOW)
    assert {row.counted_at for row in outcomes.outcomes_of(tx, [A])} == {NOW}


def test_requests_for_correction_are_numbered_and_decided(tx):
    for name in (NAME, "other.example"):
        corrections.store_correction(tx, name, "a@b.example", "R", NOW)
    corrections.update_correction(tx, 1, state="accepted", stix_ids=["note--1"], contact=None)
    assert [row.correction_id for row in corrections.list_corrections(tx)] == [2]
    assert corrections.count_open(tx) == 1
    found = corrections.find_correction(tx, 1)
    assert (found.stix_ids, found.contact, found.reason) == (("note--1",), None, "R")


def test_sightings_of_whole_hours_are_told_once(tx):
    store(tx, an_object(1, "indicator", name_key=NAME))
    claim = StoredClaim(
        1, NAME, A, 80, "phishing", "subtree", to_micros(NOW), None, None, (), None, None, None
    )
    claims.store_claims(tx, [claim])
    assert sightings.scopes_claimed(tx, [NAME, "example"]) == {NAME: {"subtree"}}
    for hour, count in ((NOW - HOUR, 2), (NOW - HOUR, 3), (NOW, 7)):
        sightings.add_to_hours(tx, [SightingRow(NAME, hour, "siem", count, hour, hour + HOUR / 2)])
    (untold,) = sightings.untold_sightings(tx, A, NOW - HOUR, NOW, 10)
    assert (untold.count, untold.hour, untold.first_at) == (5, NOW - HOUR, NOW - HOUR)
    assert sightings.untold_sightings(tx, B, NOW - HOUR, NOW, 10) == []
    sightings.note_told(tx, A, [untold])
    assert sightings.untold_sightings(tx, A, NOW - HOUR, NOW, 10) == []
    assert [row.count for row in sightings.untold_sightings(tx, A, NOW, NOW + HOUR, 10)] == [7]
    sightings.drop_hours_before(tx, NOW)
    assert [row.count for row in sightings.list_sightings(tx, None, 10)] == [7]
    # And what an origin is measured by marks its names no lower than where it shows.
    assert put_marks_of_origin(tx, A, NOW, 3) == 1
    assert [(item.name, item.label) for item in take_due(tx, NOW, 10)] == [(NAME, 3)]


def test_what_was_not_signed_is_counted_for_an_hour(tx):
    for minutes in (0, 30, 30, 65):
        at = NOW + timedelta(minutes=minutes)
        conduct.note_signature_failures(tx, A, 2, at, at - HOUR)
    assert conduct.count_signature_failures(tx, A) == 6
    conduct.drop_signature_failures(tx, A)
    assert conduct.count_signature_failures(tx, A) == 0
