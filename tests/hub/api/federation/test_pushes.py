"""Add Objects on the fed root: who may post what, and what is answered (PROTOCOL 2.6 "Push")."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.peers.trust import PeerChanges, set_peer
from schemas.identifiers import FeedName, direct_audience
from schemas.strict_json import strict_loads, write_json
from tests.support.nodes import FixedClock, make_node, peer_of, serving
from tests.support.publications import indicator, policy_of
from tests.support.signed_requests import NOT_FOUND, code_of, send
from tests.support.speaking_author import Speaker
from tests.support.stored_state import rows_of

TAXII = "application/taxii+json;version=2.1"
ROOT = "/taxii2/fed/collections/"


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def hub(tmp_path, clock):
    return make_node(tmp_path, "hub", clock)


@pytest.fixture
def a(hub):
    """A node that nobody can reach, and that the test speaks for."""
    speaker = Speaker(1)
    speaker.meets(hub)
    with serving(hub):
        yield speaker


def post(a, hub, audience, objects, **changes):
    return a.post(hub, FeedName(a.node_id, audience), objects, **changes)


def status(answer):
    assert answer.status == 202, answer.body
    return strict_loads(answer.body)


def test_entries_are_taken_in_order_and_the_status_is_complete(a, hub):
    value, idn = a.proven(1)
    a.put("green", value, idn=idn)
    a.write("green")
    said = status(post(a, hub, "green", a.feed("green").entries))
    assert said["status"] == "complete"
    assert (said["total_count"], said["success_count"], said["failure_count"]) == (2, 2, 0)
    assert [one["message"] for one in said["successes"]] == ["stored", "stored"]
    first = a.feed("green").entries[0]
    assert (said["successes"][0]["id"], said["successes"][0]["version"]) == (
        first["id"], first["created"],
    )  # fmt: skip
    again = a.ask(hub, f"/taxii2/fed/status/{said['id']}/")
    assert (again.status, strict_loads(again.body)) == (200, said)


def test_t8_a_repeated_entry_is_dup_and_one_row(a, hub):
    a.write("clear")
    entries = a.feed("clear").entries
    status(post(a, hub, "clear", entries))
    said = status(post(a, hub, "clear", entries))
    assert [one["message"] for one in said["successes"]] == ["dup"]
    assert (
        len(
            rows_of(
                hub,
                f"SELECT 1 FROM entries JOIN feeds USING (feed_row) WHERE node_id = '{a.node_id}'",
            )
        )
        == 1
    )


def test_a_rejected_entry_is_a_success_that_says_so_and_the_chain_goes_on(a, hub):
    a.write("green", kind="put", policy=policy_of("green") | {"surprise": 1})
    a.write("green")
    said = status(post(a, hub, "green", a.feed("green").entries))
    assert [one["message"] for one in said["successes"]] == ["rejected E_POLICY", "stored"]


def test_the_first_failure_of_the_chain_ends_it(a, hub):
    for _ in range(4):
        a.write("green")
    one, two, three, four = a.feed("green").entries
    said = status(post(a, hub, "green", [one, two, four, three]))
    assert [each["message"] for each in said["successes"]] == ["stored", "stored"]
    assert [each["message"] for each in said["failures"]] == ["E_GAP", "E_GAP"]
    assert said["total_count"] == 4


def test_t14_a_gap_says_what_is_expected(a, hub):
    a.write("green")
    a.write("green")
    answer = post(a, hub, "green", a.feed("green").entries[1:])
    assert (answer.status, code_of(answer)) == (409, "E_GAP")
    assert strict_loads(answer.body)["details"]["expected"] == 1


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda entry: entry["dsse"].update(signatures=[]), "E_SIG_NONE"),
        (lambda entry: entry["dsse"].pop("signatures"), "E_SIG_NONE"),
        (lambda entry: entry.pop("dsse"), "E_TYPE"),
        (
            lambda entry: entry["dsse"].update(payload=entry["dsse"]["payload"][:-4] + "AAAA"),
            "E_SIG_BAD",
        ),
    ],
)
def test_t3_the_whole_body_is_checked_before_anything_is_taken(a, hub, damage, code):
    a.write("green")
    a.write("green")
    entries = a.feed("green").entries
    damage(entries[1])
    answer = post(a, hub, "green", entries)
    assert (answer.status, code_of(answer)) == (422, code)
    assert not rows_of(hub, f"SELECT 1 FROM feeds WHERE node_id = '{a.node_id}'")


def test_t3_plain_stix_is_not_taken(a, hub):
    answer = post(a, hub, "clear", [indicator()])
    assert (answer.status, code_of(answer)) == (422, "E_TYPE")
    bundle = a.post(
        hub,
        FeedName(a.node_id, "clear"),
        None,
        body=write_json({"type": "bundle", "objects": [indicator()]}),
    )
    assert (bundle.status, code_of(bundle)) == (400, "E_SCHEMA")


def test_the_address_comes_before_the_body_and_a_body_without_objects_is_ill_typed(a, hub):
    """Peers get the codes of PROTOCOL 2.9; what is not theirs is the one 404 in any case."""
    own, other = FeedName(a.node_id, "green"), FeedName(hub.node_id, "green")
    for body in (b"{}", b"[]", b'{"objects":[]}', b'{"objects":{}}'):
        answer = a.post(hub, own, None, body=body)
        assert (answer.status, code_of(answer)) == (400, "E_SCHEMA")
        assert a.post(hub, other, None, body=body).status == 404


def test_t9_an_entry_of_another_feed_is_refused(a, hub):
    a.write("green")
    answer = post(a, hub, "clear", a.feed("green").entries)
    assert (answer.status, code_of(answer)) == (422, "E_FEED")


def test_nobody_waits_until_a_pushed_entry_is_due(a, hub, clock):
    a.at = clock.now() + timedelta(minutes=6)
    a.write("green")
    answer = post(a, hub, "green", a.feed("green").entries)
    assert (answer.status, code_of(answer)) == (422, "E_FUTURE")


def test_t36_over_the_daily_limit_it_is_told_when_to_come_again(a, hub, clock):
    set_peer(hub, peer_of(hub, a.node_id), PeerChanges(limit=2))
    for _ in range(3):
        a.write("green")
    said = status(post(a, hub, "green", a.feed("green").entries))
    assert [one["message"] for one in said["failures"]] == ["E_QUOTA"]
    answer = post(a, hub, "green", a.feed("green").entries[2:])
    assert (answer.status, code_of(answer)) == (429, "E_QUOTA")
    assert int(answer.headers["retry-after"]) == 14 * 3600  # it is ten o'clock
    clock.advance(days=1)
    a.at = clock.now()
    status(post(a, hub, "green", a.feed("green").entries[2:]))


class TestWhoseFeed:
    @pytest.mark.parametrize("audience", ["clear", "green", "d-", "g-" + "a" * 26])
    def test_its_own_listed_or_not(self, a, hub, audience):
        audience = direct_audience(hub.node_id) if audience == "d-" else audience
        members = {"policy": {"tlp": "green"}} if audience[1] == "-" else {}
        a.write(audience, **members)
        assert status(post(a, hub, audience, a.feed(audience).entries))["success_count"] == 1

    def test_none_but_its_own(self, a, hub):
        other = Speaker(2)
        other.meets(hub)
        other.write("green")
        feeds = [
            (FeedName(hub.node_id, "clear"), a.feed("x").entries),
            (FeedName(other.node_id, "green"), other.feed("green").entries),
            (FeedName(a.node_id, "d-" + "q" * 26), []),
        ]
        for feed, entries in feeds:
            answer = a.post(hub, feed, entries)
            assert (answer.status, answer.body) == (404, NOT_FOUND)
        broken = a.post(hub, FeedName(other.node_id, "green"), None, body=b"{")
        assert (broken.status, broken.body) == (404, NOT_FOUND)

    def test_a_stranger_is_nobody(self, a, hub):
        stranger = Speaker(3)
        stranger.write("clear")
        answer = stranger.post(
            hub, FeedName(stranger.node_id, "clear"), stranger.feed("clear").entries
        )
        assert answer.status == 401
        target = f"{ROOT}{FeedName(a.node_id, 'clear').collection_id}/objects/"
        unsigned = send(hub, target, method="POST", body=b"{}", headers={"Content-Type": TAXII})
        assert unsigned.status == 401

    def test_a_status_is_its_posters_alone(self, a, hub):
        a.write("clear")
        said = status(post(a, hub, "clear", a.feed("clear").entries))
        other = Speaker(2)
        other.meets(hub)
        for target in (f"/taxii2/fed/status/{said['id']}/", "/taxii2/fed/status/nonsense/"):
            answer = other.ask(hub, target)
            assert (answer.status, answer.body) == (404, NOT_FOUND)

    def test_its_listing_says_where_it_can_write(self, a, hub):
        a.write("clear")
        status(post(a, hub, "clear", a.feed("clear").entries))
        a.wake(hub, "clear")
        listed = strict_loads(a.ask(hub, ROOT).body)["collections"]
        assert {one["x_tocsin_feed"].split("/")[0]: one["can_write"] for one in listed} == {
            hub.node_id: False, a.node_id: True,
        }  # fmt: skip


def test_bodies_come_as_taxii(a, hub):
    a.write("clear")
    answer = post(
        a, hub, "clear", a.feed("clear").entries, headers={"Content-Type": "application/json"}
    )
    assert (answer.status, code_of(answer)) == (415, "E_CONTENT_TYPE")
