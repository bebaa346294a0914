"""Vouching: what is said in a green feed, what it adds up to here, and a person's click."""

from __future__ import annotations

from datetime import timedelta

import pytest

from federation.identity.node_document import pin_chain
from federation.signing.signer import seal
from federation.trust.presets import TrustLevel
from federation.trust.vouching import Vouch, open_vouch, vouch_payload
from hub.errors import Conflict, NotFound, NotPermitted
from hub.peers.charged_vouchers import charge_vouchers
from hub.peers.freeze import demote_for_fork
from hub.peers.standing import standing_of
from hub.peers.suspend import suspend_peer
from hub.peers.trust import PeerChanges, set_peer
from hub.peers.vouching import introduce_peer, list_suggestions, vouch_for
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName
from schemas.signed_envelope import VOUCH_TYPE
from schemas.strict_json import strict_loads
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import Author
from tests.support.stored_state import envelope_in, rows_of


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    return make_node(tmp_path, "reader", clock)


def author(number, domain):
    made = Author(number)
    made.document = made.owner.document(identities=[made.identity], domains=[domain])
    return made


@pytest.fixture
def first(node):
    """A voucher that is trusted here."""
    made = author(1, "one.example")
    made.meets(node, "trusted", name="First")
    return made


@pytest.fixture
def second(node):
    """Another one, of another organisation."""
    made = author(2, "two.example")
    made.meets(node, "trusted", name="Second")
    return made


@pytest.fixture
def subject(node):
    """A node that is paired, and whose eight words nobody compared."""
    made = author(3, "three.example")
    made.meets(node, "known", name="Subject", verified=False)
    return made


def vouch_of(voucher, subject, **changes):
    members = {
        "voucher": voucher.node_id,
        "subject": subject.node_id,
        "document_hash": subject.document.hash,
        "max_preset": TrustLevel.MEMBER,
        "scopes": (),
        "ts": voucher.at,
        "expires": voucher.at + timedelta(days=90),
    } | changes
    return seal(voucher.owner.entry, VOUCH_TYPE, vouch_payload(Vouch(**members))).to_json()


def say(node, voucher, *vouches, audience="green"):
    """Have a voucher write a noop with these vouches, and this node receive it."""
    voucher.write(audience, kind="noop", vouches=list(vouches))
    received = voucher.deliver(node, audience)
    assert received.error is None
    return received


def trust_of(node, subject):
    return standing_of(peer_of(node, subject.node_id)).effective_trust


def test_two_trusted_vouchers_and_a_person_make_a_member(node, first, second, subject):
    say(node, first, vouch_of(first, subject))
    assert not list_suggestions(node)[0].is_ready
    say(node, second, vouch_of(second, subject))
    (suggestion,) = list_suggestions(node)
    assert suggestion.is_ready
    assert sorted(suggestion.voucher_names.values()) == ["First", "Second"]
    assert trust_of(node, subject) is TrustLevel.KNOWN  # nothing happens by itself

    change = introduce_peer(node, subject.node_id[:12])

    assert trust_of(node, subject) is TrustLevel.MEMBER
    assert (change.after.verified, change.after.introduced) == (False, True)
    assert list_suggestions(node) == ()


def test_more_than_member_needs_the_eight_words_all_the_same(node, first, second, subject):
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, subject))
    peer = introduce_peer(node, subject.node_id).after
    set_peer(node, peer, PeerChanges(trust="partner"))
    assert trust_of(node, subject) is TrustLevel.MEMBER
    set_peer(node, peer, PeerChanges(verified=True))
    assert trust_of(node, subject) is TrustLevel.PARTNER


def test_one_voucher_is_not_enough(node, first, subject):
    say(node, first, vouch_of(first, subject))
    with pytest.raises(NotPermitted) as refused:
        introduce_peer(node, subject.node_id)
    assert refused.value.code == "E_VOUCHERS_FEW"
    assert trust_of(node, subject) is TrustLevel.KNOWN


def test_a_voucher_that_is_trusted_only_later_is_heard_then(node, first, second, subject):
    set_peer(node, peer_of(node, second.node_id), PeerChanges(trust="member"))
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, subject))
    assert not list_suggestions(node)[0].is_ready
    set_peer(node, peer_of(node, second.node_id), PeerChanges(trust="trusted"))
    assert list_suggestions(node)[0].is_ready


def test_who_was_introduced_vouches_for_nobody_and_nobody_vouches_for_it(
    node, first, second, subject
):
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, subject))
    peer = introduce_peer(node, subject.node_id).after
    with pytest.raises(NotPermitted) as refused:
        vouch_for(node, peer)
    assert refused.value.code == "E_VOUCH_UNVERIFIED"
    other = author(4, "four.example")
    other.meets(node, "known", verified=False)
    say(node, subject, vouch_of(subject, other))
    assert list_suggestions(node) == ()


def test_a_vouch_that_was_taken_back_or_has_expired_counts_no_more(
    node, first, second, subject, clock
):
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, subject))
    second.at += timedelta(seconds=1)
    say(node, second, vouch_of(second, subject, expires=second.at))
    assert not list_suggestions(node)[0].is_ready
    second.at += timedelta(seconds=1)
    say(node, second, vouch_of(second, subject))
    assert list_suggestions(node)[0].is_ready
    clock.advance(days=91)
    assert list_suggestions(node) == ()


def test_an_older_vouch_does_not_come_back(node, first, second, subject):
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, subject))
    old = vouch_of(second, subject)
    second.at += timedelta(seconds=1)
    say(node, second, vouch_of(second, subject, expires=second.at), old)
    assert not list_suggestions(node)[0].is_ready


def test_what_does_not_hold_is_passed_over_and_the_feed_goes_on(node, first, second, subject):
    say(node, first, vouch_of(first, subject))
    somebody_elses = vouch_of(first, subject)
    of_other_keys = vouch_of(second, subject, document_hash="0" * 64)
    received = say(node, second, somebody_elses, {"payloadType": "x"}, {}, of_other_keys)
    assert (received.rejected, received.entries) == (0, 1)
    assert not list_suggestions(node)[0].is_ready


def test_only_the_green_feed_carries_vouches(node, first, second, subject):
    say(node, first, vouch_of(first, subject))
    say(node, second, vouch_of(second, subject), audience="clear")
    assert not list_suggestions(node)[0].is_ready


def test_a_node_that_is_no_peer_has_to_be_paired_first(node, first, second):
    stranger = author(5, "five.example")
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, stranger))
    (suggestion,) = list_suggestions(node)
    assert (suggestion.is_peer, suggestion.introduction.enough) == (False, True)
    with pytest.raises(Conflict) as refused:
        introduce_peer(node, stranger.node_id)
    assert refused.value.code == "E_NOT_PAIRED"


def test_an_introduction_lifts_no_suspension_and_no_block(node, first, second, subject):
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, subject))
    suspend_peer(node, peer_of(node, subject.node_id))
    assert list_suggestions(node) == ()
    with pytest.raises(NotFound) as refused:
        introduce_peer(node, subject.node_id)
    assert refused.value.code == "E_NOT_SUGGESTED"


def test_vouchers_are_charged_once_and_not_heard_for_half_a_year(
    node, first, second, subject, clock
):
    other = author(6, "six.example")
    other.meets(node, "known", verified=False)
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, subject), vouch_of(voucher, other))
    introduce_peer(node, subject.node_id)
    assert list_suggestions(node)[0].is_ready
    for expected in ({first.node_id, second.node_id}, set()):
        with node.database.write() as tx:
            assert set(charge_vouchers(tx, subject.node_id, "E_FORK", clock.now())) == expected
    assert list_suggestions(node) == ()
    charged = rows_of(node, "SELECT params FROM audit_events WHERE code = 'VOUCHER_CHARGED'")
    assert len(charged) == 2


def test_a_fork_of_the_subject_charges_its_vouchers(node, first, second, subject, clock):
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, subject))
    introduce_peer(node, subject.node_id)
    with node.database.write() as tx:
        demote_for_fork(tx, FeedName(subject.node_id, "clear"), clock.now())
    charged = rows_of(node, "SELECT voucher, cause FROM introductions ORDER BY voucher")
    assert [(row["voucher"], row["cause"]) for row in charged] == [
        (voucher, "E_FORK") for voucher in sorted([first.node_id, second.node_id])
    ]


def test_nobody_is_charged_for_whom_a_person_verified(node, first, second, subject, clock):
    for voucher in (first, second):
        say(node, voucher, vouch_of(voucher, subject))
    with node.database.write() as tx:
        assert charge_vouchers(tx, subject.node_id, "E_FORK", clock.now()) == ()


def test_an_own_vouch_stands_in_a_noop_of_the_green_feed(node, first):
    made = vouch_for(node, peer_of(node, first.node_id), scopes=["zone:FR", "zone:fr."], days=30)
    assert made.feed == f"{node.node_id}/green/1"
    (row,) = rows_of(
        node,
        "SELECT record FROM entries JOIN feeds USING (feed_row)"
        f" WHERE feed = '{made.feed}' AND seq = {made.seq}",
    )
    payload = strict_loads(envelope_in(row["record"]).payload)
    assert (payload["kind"], payload["policy"]["tlp"]) == ("noop", "green")
    documents = rows_of(node, f"SELECT dsse FROM node_documents WHERE node_id = '{node.node_id}'")
    own = pin_chain(
        [strict_loads(document["dsse"]) for document in documents],
        expected=node.node_id,
        allow_demo=False,
    )
    assert open_vouch(payload["vouches"][0], voucher=own) == made.vouch
    assert made.vouch.scopes == ("zone:fr.",)
    assert made.vouch.expires - made.vouch.ts == timedelta(days=30)


def test_taking_a_vouch_back_is_another_word_on_the_same_node(node, first, clock):
    peer = peer_of(node, first.node_id)
    vouch_for(node, peer)
    clock.advance(seconds=1)
    ended = vouch_for(node, peer, withdraw=True)
    assert (ended.seq, ended.vouch.expires) == (2, ended.vouch.ts)


@pytest.mark.parametrize("wrong", [{"days": 366}, {"days": 0}, {"scopes": ["fr"]}])
def test_a_vouch_that_nobody_would_take_is_not_made(node, first, wrong):
    with pytest.raises(WireFormatError):
        vouch_for(node, peer_of(node, first.node_id), **wrong)
