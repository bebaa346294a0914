"""A peer lies at every step: nothing untrue is taken, and what was true before the lie stays.

The lies are those of ``tests.support.lies``. Each time the sender goes on by three entries, lies,
and then tells the truth: the reader has to come to all of them, whatever it was told between.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

import tests.support.lies  # noqa: F401 - puts every lie on the list
from hub.exchange.publish import PublishRequest, publish_objects
from hub.peers.pull import PullOutcome
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from tests.support.joined_nodes import view_ids
from tests.support.malicious import LIES, Liar
from tests.support.publications import drafts, indicator, stix_id
from tests.support.simulated_federation import KEPT_FROM_RELAYS, Federation, federation_of
from tests.support.stored_state import check_invariants, rows_of

SENDER, READER, ORIGIN = 0, 1, 2
"""What the origin writes in its green feed no relay may pass on."""
assert ORIGIN in KEPT_FROM_RELAYS
NUMBERS = count(1)


@pytest.fixture(scope="module")
def federation() -> Iterator[Federation]:
    """Three nodes that trust each other, and lie and make up again from test to test."""
    with federation_of(3, "trusted") as made:
        yield made


@pytest.fixture
def fresh() -> Iterator[Federation]:
    """The same for lies after which there is no making up."""
    with federation_of(3, "trusted") as made:
        yield made


def publish(federation: Federation, node: int, tlp: Tlp = Tlp.GREEN, to: int | None = None) -> str:
    """Publish an object; return its id."""
    federation.clock.advance(seconds=1)
    number = next(NUMBERS)
    named = () if to is None else (federation.peer(node, to),)
    request = PublishRequest(drafts(indicator(number)), tlp, to=named)
    assert publish_objects(federation.nodes[node], request).entries == 1
    return stix_id("indicator", number)


def pull(federation: Federation, reader: int = READER, sender: int = SENDER) -> PullOutcome:
    federation.clock.advance(seconds=1)
    return federation.pull(reader, sender)


def code_of(outcome: PullOutcome) -> str | None:
    return None if outcome.error is None else outcome.error.code


def lied_to(federation: Federation, lie: str) -> str | None:
    """Let the reader be told one lie; return what it says of the pull."""
    liar = Liar(federation.nodes[SENDER], LIES[lie])
    federation.bends[SENDER] = liar
    code = code_of(pull(federation))
    federation.bends.clear()
    assert liar.told, "it found no place for its lie"
    check_invariants(federation.nodes[READER])
    return code


def chain(federation: Federation, at: int, origin: int = SENDER, audience: str = "green") -> str:
    """The hashes that a node holds of a feed, one after the other."""
    feed = FeedName(federation.nodes[origin].node_id, audience)
    rows = rows_of(
        federation.nodes[at],
        f"SELECT hash FROM entries JOIN feeds USING (feed_row) WHERE feed = '{feed}' ORDER BY seq",
    )
    return " ".join(row["hash"] for row in rows)


def seen(federation: Federation) -> set[str]:
    """The indicators that the reader shows to its own people."""
    shown = view_ids(federation.nodes[READER], Tlp.RED)
    return {value for value in shown if value.startswith("indicator--")}


def is_found_out(federation: Federation, lie: str, *codes: str | None) -> None:
    """The reader takes nothing but what is true, says what is wrong, and goes on afterwards."""
    pull(federation)
    said = {publish(federation, SENDER) for _ in range(3)}
    shown = seen(federation)
    assert lied_to(federation, lie) in codes
    truth, believed = chain(federation, SENDER), chain(federation, READER)
    assert truth.startswith(believed)
    assert seen(federation) <= shown | said
    assert code_of(pull(federation)) is None
    assert chain(federation, READER) == truth
    assert said <= seen(federation)


def test_t01_one_byte_is_another(federation):
    is_found_out(federation, "one byte is another", "E_SIG_BAD")


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ("the signatures are taken off", "E_SIG_NONE"),
        ("the signatures are left out", "E_SIG_NONE"),
        ("plain STIX stands in the entry's place", "E_SCHEMA"),
        ("the head is taken off", "E_SCHEMA"),
    ],
)
def test_t03_what_is_not_signed_is_not_taken(federation, lie, code):
    is_found_out(federation, lie, code)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ("an entry comes twice", "E_CURSOR_STALL"),
        ("the first page comes again and again", None),
    ],
)
def test_t08_what_was_said_before_is_no_news(federation, lie, code):
    is_found_out(federation, lie, code)


@pytest.mark.parametrize(
    ("lie", "code"),
    [("the hints name another feed", "E_FEED"), ("the entry claims another origin", "E_FEED")],
)
def test_t09_an_entry_of_another_feed_is_rejected(federation, lie, code):
    is_found_out(federation, lie, code)


def test_t09_what_was_for_another_does_not_come_in_a_wider_feed(federation):
    secret = publish(federation, SENDER, Tlp.AMBER, to=ORIGIN)
    pull(federation)
    publish(federation, SENDER)
    assert lied_to(federation, "entries of a narrower feed come in a wider one") is not None
    assert secret not in seen(federation)
    assert code_of(pull(federation)) is None
    assert secret not in seen(federation)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ("the first entry is left out", "E_GAP"),
        ("an entry in the middle is left out", "E_GAP"),
        ("the last entry is left out", "E_GAP"),
        ("everything is left out", "E_GAP"),
        ("two entries are exchanged", "E_CURSOR_STALL"),
        ("the page is backwards", "E_CURSOR_STALL"),
    ],
)
def test_t10_what_is_left_out_or_out_of_order_shows(federation, lie, code):
    is_found_out(federation, lie, code)


def test_t10_what_is_not_listed_is_looked_for(federation):
    is_found_out(federation, "no feed is listed", None)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ("another entry stands in the place of the last", None),
        ("the last entry follows another one", "E_FORK"),
        ("the head names another last entry", "E_FORK"),
    ],
)
def test_t12_two_histories_freeze_the_feed(fresh, lie, code):
    """Whichever was believed first: the second one is noticed, and no winner is picked."""
    publish(fresh, SENDER)
    pull(fresh)
    publish(fresh, SENDER)
    assert lied_to(fresh, lie) == code
    pull(fresh)
    feed = FeedName(fresh.nodes[SENDER].node_id, "green")
    rows = rows_of(fresh.nodes[READER], f"SELECT state FROM feeds WHERE feed = '{feed}'")
    assert [row["state"] for row in rows] == ["frozen"]
    believed = chain(fresh, READER)
    publish_more = PublishRequest(drafts(indicator(next(NUMBERS))), Tlp.CLEAR)
    assert publish_objects(fresh.nodes[SENDER], publish_more).entries == 1
    pull(fresh)
    assert chain(fresh, READER) == believed


def test_t14_an_entry_far_ahead_is_a_gap(fresh):
    is_found_out(fresh, "an entry stands far ahead", "E_GAP")


def test_t15_an_entry_before_its_time_is_out_of_order(fresh):
    publish(fresh, SENDER)
    pull(fresh)
    publish(fresh, SENDER)
    publish(fresh, SENDER)
    assert lied_to(fresh, "an entry is older than the one before") == "E_SEQ"


def test_t17_a_label_written_lower_breaks_the_signature(federation):
    is_found_out(federation, "the label is written lower", "E_SIG_BAD")


def test_t20_an_entry_without_its_markings_shows_nothing(fresh):
    kept = publish(fresh, SENDER)
    pull(fresh)
    bare = publish(fresh, SENDER)
    lied_to(fresh, "the marking is taken off")
    assert kept in seen(fresh)
    assert bare not in seen(fresh)


def test_t24_a_relay_that_serves_what_it_must_not_is_refused_and_remembered(fresh):
    kept = publish(fresh, ORIGIN)
    pull(fresh, SENDER, ORIGIN)
    fresh.cut.add(frozenset({READER, ORIGIN}))
    assert lied_to(fresh, "every feed that it holds is served") == "E_RELAY_FORBIDDEN"
    assert kept not in seen(fresh)
    assert chain(fresh, READER, ORIGIN) == ""
    proofs = rows_of(fresh.nodes[READER], "SELECT kind, accused FROM evidence")
    assert proofs == [{"kind": "relay", "accused": fresh.nodes[SENDER].node_id}]


def test_t24_a_relay_that_does_not_sign_is_refused(fresh):
    told = publish(fresh, ORIGIN, Tlp.CLEAR)
    pull(fresh, SENDER, ORIGIN)
    assert lied_to(fresh, "the relay's own signature is taken off") == "E_RELAY_FORBIDDEN"
    assert told not in seen(fresh)
    assert code_of(pull(fresh)) is None
    assert told in seen(fresh)


def test_t28_an_entry_from_the_day_after_tomorrow_is_refused(fresh):
    is_found_out(fresh, "an entry comes from the day after tomorrow", "E_FUTURE")


@pytest.mark.parametrize(
    ("lie", "code"),
    [("a member twice", "E_JSON_DUPKEY"), ("a number beyond all numbers", "E_JSON_NUM")],
)
def test_t29_answers_are_read_strictly(federation, lie, code):
    is_found_out(federation, lie, code)


def test_t30_brackets_without_end_are_counted_and_not_read(federation):
    is_found_out(federation, "brackets without end", "E_JSON_DEPTH")


def test_t32_a_pattern_of_many_brackets_is_not_shown(fresh):
    publish(fresh, SENDER)
    pull(fresh)
    nested = publish(fresh, SENDER)
    lied_to(fresh, "a pattern of many brackets")
    assert nested not in seen(fresh)


@pytest.mark.parametrize(
    "lie", ["there is always more", "the cursor goes back", "the cursor leaps"]
)
def test_t35_a_cursor_that_does_not_get_on_is_left(federation, lie):
    is_found_out(federation, lie, "E_CURSOR_STALL")


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ("a page of a thousand entries", "E_TOO_BIG"),
        ("a thousand feeds that nobody writes", "E_NOT_FOUND"),
        ("every feed that it holds is listed", None),
        ("every head that it holds is told", None),
        ("heads that it cannot sign", None),
    ],
)
def test_t36_a_flood_is_bounded(federation, lie, code):
    before = federation.requests
    is_found_out(federation, lie, code)
    assert federation.requests - before < 200


def test_class13_who_does_not_answer_is_left_and_heard_again(federation):
    is_found_out(federation, "nothing is answered", "E_HTTP_TIMEOUT")


def test_every_step_of_the_protocol_has_a_lie():
    steps = {"omit", "reorder", "fork", "replay", "retag", "strip", "backdate", "flood"}
    assert {kind.step for kind in LIES.values()} == steps | {"stall", "loop", "bomb"}
