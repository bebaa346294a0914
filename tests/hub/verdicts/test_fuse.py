"""Verdicts from claims: what is published, when it is issued again, and when it is revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.exchange.collection_kinds import VERDICTS_ID
from hub.exchange.collections import add_collection
from hub.exchange.reading import read_objects
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.peers.trust import PeerChanges, set_peer
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.positions import note_position
from hub.storage.tables.feeds import ENTRIES
from hub.workers.jobs import run_due_jobs
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from schemas.stix.validation import check_object
from schemas.strict_json import strict_loads
from schemas.taxii.paging import Matches, PageRequest
from schemas.timestamps import read_stix_time, write_wire_time
from tests.support.nodes import make_node, peer_of
from tests.support.stored_state import rows_of
from tests.support.told_claims import (
    EVIL,
    authors,
    claim,
    clock_of,
    confidences,
    indicators,
    make_verdicts,
    tell,
    verdicts_seen,
)


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "hub")
    yield made
    made.database.close()


def read_verdicts(node, name):
    reader = next(Reader.of(token) for token in list_tokens(node) if token.name == name)
    request = PageRequest(limit=100, added_after=None, matches=Matches(), following=None)
    return strict_loads(read_objects(node, reader, "verdicts", request).body).get("objects", [])


def test_two_origins_make_one_verdict_that_readers_find(node):
    a, b = authors(node, 2)
    tell(node, a, "green", claim())
    tell(node, b, "green", claim(number=2))
    done = make_verdicts(node)
    assert (done.read, done.done, done.changed) == (2, 1, 1)
    add_token(node, "member", "subscriber")
    add_token(node, "web", "public")
    found = read_verdicts(node, "member")
    assert [value["type"] for value in found] == [
        "identity",
        *["marking-definition"] * 2,
        "indicator",
    ]
    (verdict,) = indicators(found)
    for value in found:
        check_object(value)
    assert verdict["pattern"] == "[domain-name:value = 'evil.example']"
    assert verdict["created_by_ref"] == node.identity
    assert verdict["object_marking_refs"] == [Tlp.GREEN.marking_id]
    assert verdict["labels"] == ["phishing"]
    assert verdict["confidence"] > 75
    assert read_stix_time(verdict["valid_until"]) == node.now() + timedelta(days=7)
    assert {verdict["created_by_ref"], *verdict["object_marking_refs"]} <= {v["id"] for v in found}
    assert read_verdicts(node, "web") == []


def test_nothing_new_costs_nothing_and_changes_nothing(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim())
    make_verdicts(node)
    seen = verdicts_seen(node, Tlp.GREEN)
    assert make_verdicts(node).done == 0
    assert verdicts_seen(node, Tlp.GREEN) == seen


def test_each_origin_keeps_its_own_claim(node):
    for number, author in enumerate(authors(node, 3), 1):
        tell(node, author, "green", claim(number=number))
    make_verdicts(node)
    assert len(rows_of(node, "SELECT * FROM claims")) == 3
    assert rows_of(node, "SELECT lineages FROM verdicts")[0]["lineages"] == 3


def test_results_below_three_tenths_are_not_published(node):
    (a,) = authors(node, 1, "known")
    tell(node, a, "clear", claim())  # it waits in quarantine
    make_verdicts(node)
    (b,) = authors(node, 1, "trusted", first=2)
    tell(node, b, "green", claim("weak.example", 2, confidence=30))
    tell(node, b, "green", claim("strong.example", 3, confidence=40))
    make_verdicts(node)
    assert confidences(node, Tlp.RED) == {"strong.example": 36}
    assert len(rows_of(node, "SELECT * FROM verdicts")) == 1


def test_a_stricter_claim_shows_in_the_stricter_views_alone(node):
    a, b = authors(node, 2)
    tell(node, a, "green", claim(confidence=60))
    make_verdicts(node)
    before = verdicts_seen(node, Tlp.GREEN)
    clock_of(node).advance(hours=1)
    tell(node, b, "amber", claim(number=2))
    make_verdicts(node)
    assert verdicts_seen(node, Tlp.GREEN) == before
    (green,) = indicators(before)
    (amber,) = indicators(verdicts_seen(node, Tlp.AMBER))
    assert amber["confidence"] > green["confidence"]
    assert amber["id"] != green["id"]
    assert amber["object_marking_refs"] == [Tlp.AMBER.marking_id]
    assert confidences(node, Tlp.RED) == {EVIL: amber["confidence"]}


def test_when_the_stricter_claim_goes_its_views_go_back_to_the_wider_verdict(node):
    a, b = authors(node, 2)
    tell(node, a, "green", claim(confidence=60))
    tell(node, b, "amber", claim(number=2))
    make_verdicts(node)
    clock_of(node).advance(hours=1)
    b.write(f"d-{node.node_id[:26]}", kind="retract", ids=[claim(number=2)["id"]])
    b.deliver(node, f"d-{node.node_id[:26]}")
    make_verdicts(node)
    seen = indicators(verdicts_seen(node, Tlp.AMBER))
    assert {value["object_marking_refs"][0]: value.get("revoked", False) for value in seen} == {
        Tlp.AMBER.marking_id: True,
        Tlp.GREEN.marking_id: False,
    }


def test_t54_a_withdrawn_claim_is_revoked_once_and_an_old_copy_brings_nothing_back(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim())
    make_verdicts(node)
    clock_of(node).advance(hours=1)
    a.at = node.now()
    a.write("green", kind="retract", ids=[claim()["id"]])
    a.deliver(node, "green")
    make_verdicts(node)
    (revoked,) = indicators(verdicts_seen(node, Tlp.GREEN))
    assert revoked["revoked"] is True
    assert read_stix_time(revoked["modified"]) == node.now()
    a.deliver(node, "green", after=0)  # the relay of an old copy
    make_verdicts(node)
    assert confidences(node, Tlp.RED) == {}


def test_a_name_that_is_supported_again_gets_another_id_because_revoking_is_for_ever(node):
    a, b = authors(node, 2)
    tell(node, a, "green", claim())
    make_verdicts(node)
    (first,) = indicators(verdicts_seen(node, Tlp.GREEN))
    a.write("green", kind="retract", ids=[claim()["id"]])
    a.deliver(node, "green")
    make_verdicts(node)
    clock_of(node).advance(hours=1)
    tell(node, b, "green", claim(number=2))
    make_verdicts(node)
    (second,) = indicators(verdicts_seen(node, Tlp.GREEN))
    assert second["id"] != first["id"]
    assert "revoked" not in second


def test_a_verdict_is_issued_again_in_its_last_48_hours_while_it_is_supported(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim(threat="sinkhole"))
    make_verdicts(node)
    (first,) = indicators(verdicts_seen(node, Tlp.GREEN))
    clock_of(node).advance(days=4, hours=23)
    make_verdicts(node)
    assert indicators(verdicts_seen(node, Tlp.GREEN)) == [first]
    clock_of(node).advance(hours=2)
    make_verdicts(node)
    (again,) = indicators(verdicts_seen(node, Tlp.GREEN))
    assert again["id"] == first["id"]
    assert read_stix_time(again["valid_until"]) == node.now() + timedelta(days=7)


def test_a_claim_that_fades_is_issued_again_weaker_and_then_revoked(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim())
    make_verdicts(node)
    seen = [confidences(node, Tlp.GREEN)[EVIL]]
    for _ in range(30):
        clock_of(node).advance(days=1)
        make_verdicts(node)
        seen.append(confidences(node, Tlp.GREEN).get(EVIL, 0))
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 0
    assert min(value for value in seen if value) >= 30


def test_a_verdict_ends_with_its_last_claim(node):
    a, b = authors(node, 2)
    until = node.now() + timedelta(days=2)
    tell(node, a, "green", claim(valid_until=write_wire_time(until)))
    make_verdicts(node)
    (found,) = indicators(verdicts_seen(node, Tlp.GREEN))
    assert read_stix_time(found["valid_until"]) == until
    clock_of(node).advance(days=2)
    make_verdicts(node)
    (found,) = indicators(verdicts_seen(node, Tlp.GREEN))
    assert found["revoked"] is True
    del b


def test_a_claim_counts_from_its_valid_from(node):
    (a,) = authors(node, 1)
    begins = node.now() + timedelta(days=3)
    tell(node, a, "green", claim(threat="dga") | {"valid_from": write_wire_time(begins)})
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN) == {}
    clock_of(node).advance(days=3)
    make_verdicts(node)
    assert EVIL in confidences(node, Tlp.GREEN)


def test_a_newer_version_counts_and_the_name_that_it_left_is_revoked(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim())
    make_verdicts(node)
    clock_of(node).advance(hours=1)
    tell(node, a, "green", claim("other.example"))
    make_verdicts(node)
    assert list(confidences(node, Tlp.GREEN)) == ["other.example"]


def test_revoked_verdicts_are_kept_for_thirty_days(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim())
    make_verdicts(node)
    a.write("green", kind="retract", ids=[claim()["id"]])
    a.deliver(node, "green")
    make_verdicts(node)
    clock_of(node).advance(days=29)
    make_verdicts(node)
    assert len(indicators(verdicts_seen(node, Tlp.GREEN))) == 1
    clock_of(node).advance(days=2)
    make_verdicts(node)
    assert indicators(verdicts_seen(node, Tlp.GREEN)) == []


def test_an_exercise_makes_no_verdict(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim(), policy={"exercise": True})
    make_verdicts(node)
    assert verdicts_seen(node, Tlp.RED) == []


def test_a_verdict_stands_in_verdicts_alone_and_in_no_feed(node):
    a, b = authors(node, 2)
    add_collection(node, "Mine", alias="mine")
    tell(node, a, "clear", claim())
    tell(node, b, "green", claim(number=2))
    make_verdicts(node)
    add_collection(node, "Phishing", alias="phishing", select="threat_type=phishing")
    made = rows_of(node, "SELECT object_row, stix_id FROM objects WHERE state = 'verdict'")
    assert made
    numbers = ", ".join(str(row["object_row"]) for row in made)
    places = rows_of(
        node,
        "SELECT DISTINCT collection_id FROM view_rows JOIN views USING (view_id)"
        f" WHERE object_row IN ({numbers})",
    )
    assert [row["collection_id"] for row in places] == [VERDICTS_ID]
    assert rows_of(node, f"SELECT * FROM carried WHERE object_row IN ({numbers})") == []
    records = rows_of(node, "SELECT record FROM entries")
    found = indicators(verdicts_seen(node, Tlp.RED))
    assert found
    for verdict in found:
        assert not any(verdict["id"].encode() in bytes(row["record"]) for row in records)


def test_a_changed_dial_changes_what_it_touches(node):
    a, b = authors(node, 2)
    tell(node, a, "green", claim())
    tell(node, b, "green", claim("other.example", 2))
    make_verdicts(node)
    before = confidences(node, Tlp.GREEN)
    set_peer(node, peer_of(node, a.node_id), PeerChanges(cap=40))
    assert make_verdicts(node).done == 1
    after = confidences(node, Tlp.GREEN)
    assert after[EVIL] == round(40 * 8 / 9)
    assert after["other.example"] == before["other.example"]
    set_peer(node, peer_of(node, a.node_id), PeerChanges(trust="blocked"))
    make_verdicts(node)
    assert list(confidences(node, Tlp.GREEN)) == ["other.example"]


def test_the_worker_makes_verdicts_when_something_came(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim())
    run_due_jobs(node)
    assert EVIL in confidences(node, Tlp.GREEN)
    clock_of(node).advance(days=6)
    run_due_jobs(node)  # its next turn was planned by the clock
    (found,) = indicators(verdicts_seen(node, Tlp.GREEN))
    assert read_stix_time(found["valid_until"]) > node.now()


def test_two_peers_who_name_one_list_are_one_lineage(node):
    for number, author in enumerate(authors(node, 2), 1):
        tell(node, author, "green", claim(number=number), src=["feed:abuse.example"])
    make_verdicts(node)
    assert rows_of(node, "SELECT lineages FROM verdicts")[0]["lineages"] == 1


def test_a_copy_within_a_week_of_receiving_it_counts_with_the_original(node):
    a, b = authors(node, 2)
    tell(node, a, "green", claim())
    with node.database.write() as tx:
        feed = find_feed(tx, FeedName(a.node_id, "green"))
        note_position(tx, feed.feed_row, b.node_id, 1, "ack", node.now())
    clock_of(node).advance(days=2)
    tell(node, b, "green", claim(number=2))
    make_verdicts(node)
    assert rows_of(node, "SELECT lineages FROM verdicts")[0]["lineages"] == 1


def test_lineage_of_what_an_earlier_release_stored_is_read_from_the_envelope(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim(), src=["feed:abuse.example"], policy={"pap": "amber"})
    with node.database.write() as tx:
        tx.connection.execute(ENTRIES.update().values(src=None, pap=None))
    make_verdicts(node)
    (read,) = rows_of(node, "SELECT src, pap FROM claims")
    assert (strict_loads(bytes(read["src"])), read["pap"]) == (["feed:abuse.example"], 2)
    noted = rows_of(node, "SELECT pap FROM entries JOIN feeds USING (feed_row) WHERE NOT own")
    assert [row["pap"] for row in noted] == [2]  # once, for all claims of the entry
