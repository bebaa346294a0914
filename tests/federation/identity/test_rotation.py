"""PROTOCOL 2.3, 4.5: what the next document says, and what becomes of those handed over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from federation.errors import SignatureRejected
from federation.identity.expiry import WARNED_AHEAD, expiry_warnings
from federation.identity.node_document import Position, RevokedKey, pin_chain, rootset
from federation.identity.rotation import (
    CLOCK_TOLERANCE,
    DOCUMENT_LIFE,
    HANDOVER_AFTER,
    OVERLAP,
    REPEATED_BYTES,
    NextDocument,
    RootSet,
    decide_handover,
    decide_update,
    find_threshold,
    keys_beside,
    keys_renewed,
    keys_without,
    new_record,
    next_issued,
    next_payload,
    positions_that_fit,
    revocations,
)
from federation.signing.signer import seal
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash
from schemas.signed_envelope import NODE_TYPE
from schemas.strict_json import MAX_NODE_DOCUMENT_BYTES, strict_loads
from tests.support.shared_data import shared_path
from tests.support.signed_nodes import T0, T1, Owner, record_of, seeded

OWNER = Owner(1)
FIRST = OWNER.document()
NEW = seeded(40)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HASH = EntryHash("0f" * 32)


def pin(*envelopes):
    values = [envelope.to_json() for envelope in envelopes]
    return pin_chain(values, expected=None, allow_demo=False)


HELD = pin(FIRST)


def follow(change, *signers, issued=T0 + HOUR, held=HELD):
    """The chain with the next document, as a peer reads it."""
    payload = next_payload(held.newest, change, issued)
    envelope = seal(signers or (OWNER.root,), NODE_TYPE, payload)
    return decide_update(held, [envelope.to_json()], allow_demo=False).pinned


def fresh(use="entry", issued=T0 + HOUR):
    return new_record(HELD.newest, NEW.kid, NEW.alg, NEW.public_key, use, issued)


def _place(key, number):
    return Position(number + 1, EntryHash(f"{key:032x}{number:032x}"))


class TestTheNextDocument:
    def test_it_follows_the_held_one_and_says_the_same(self):
        grown = follow(NextDocument())
        assert grown.newest.version == 2
        same = ("name", "domains", "contact", "base", "identities", "next_root", "required_algs")
        assert all(getattr(grown.newest, n) == getattr(HELD.newest, n) for n in same)

    def test_it_is_good_for_a_year_and_never_for_less_than_before(self):
        assert follow(NextDocument(), issued=T0 + HOUR).newest.expires == T0 + HOUR + DOCUMENT_LIFE
        assert follow(NextDocument(), issued=T0).newest.expires == max(T1, T0 + DOCUMENT_LIFE)

    def test_it_is_never_issued_before_what_was_signed(self):
        assert next_issued(HELD.newest, T0 - DAY) == T0
        assert next_issued(HELD.newest, T0, [T0 + HOUR]) == T0 + HOUR
        odd = T0 + timedelta(microseconds=1_234)
        assert next_issued(HELD.newest, odd) == T0 + timedelta(milliseconds=1)

    def test_a_new_key_stands_beside_the_old_for_the_overlap(self):
        issued = T0 + HOUR
        grown = follow(NextDocument(keys=keys_beside(HELD.newest, fresh(), issued)))
        keys = {record.kid: record for record in grown.newest.keys}
        assert keys[OWNER.entry.kid].naf == issued + OVERLAP
        assert keys[OWNER.http.kid].naf == T1
        assert keys[NEW.kid].nbf == issued - CLOCK_TOLERANCE
        assert keys[NEW.kid].naf == grown.newest.expires

    def test_keys_that_have_ended_are_left_out(self):
        first = follow(NextDocument(keys=keys_beside(HELD.newest, fresh(), T0 + HOUR)))
        later = follow(NextDocument(), issued=T0 + 20 * DAY, held=first)
        assert OWNER.entry.kid not in {record.kid for record in later.newest.keys}
        assert later.entry_ring().keys[OWNER.entry.kid].naf == T0 + HOUR + OVERLAP

    def test_a_revoked_key_stays_revoked_and_unlisted(self):
        gone = RevokedKey(OWNER.entry.kid, "stolen", (Position(3, HASH),))
        keys = keys_without(HELD.newest, {OWNER.entry.kid}, fresh())
        grown = follow(NextDocument(keys=keys, revoked=(gone,)))
        again = follow(NextDocument(), issued=T0 + DAY, held=grown)
        assert again.newest.revoked == (gone,)
        assert OWNER.entry.kid not in {record.kid for record in again.newest.keys}
        assert revocations(again) == {OWNER.entry.kid: frozenset({Position(3, HASH)})}

    def test_epochs_are_kept_and_added_once(self):
        place = Position(90, HASH)
        grown = follow(NextDocument(epochs=(place,)))
        again = follow(NextDocument(epochs=(place,)), issued=T0 + DAY, held=grown)
        assert again.newest.epochs == (place,)
        assert again.epoch_starts() == {HASH}

    def test_t15_what_was_revoked_long_ago_is_said_no_more_and_holds(self):
        """Places would fill the 64 KiB of a document, and the 1 MiB of a chain."""
        grown, said = HELD, {}
        for number in range(40):
            kid, places = seeded(number + 100).kid, [_place(number, n) for n in range(9)]
            said[kid] = frozenset(places)
            gone = RevokedKey(kid, "stolen", tuple(places))
            grown = follow(
                NextDocument(revoked=(gone,), epochs=(_place(number, 50),)),
                issued=T0 + number * DAY,
                held=grown,
            )
        assert len(grown.newest.envelope.payload) < REPEATED_BYTES + 4_096
        assert revocations(grown) == said
        assert all(grown.last_good(kid) for kid in said)
        starts = {place.hash for places in said.values() for place in places}
        assert grown.epoch_starts() == starts | {_place(n, 50).hash for n in range(40)}
        # Of one key all positions are said again or none: with some it would be revoked anew.
        assert all(said[key.kid] == {*key.last_good} for key in grown.newest.revoked)
        assert [key.kid for key in grown.newest.revoked] == list(said)[-len(grown.newest.revoked) :]
        # A newcomer that reads the chain from its beginning reads the same.
        values = [document.envelope.to_json() for document in grown.documents]
        assert revocations(pin_chain(values, expected=None, allow_demo=False)) == said

    def test_there_is_always_room_for_the_next_revocation(self):
        many = tuple(_place(1, number) for number in range(2_000))
        grown = follow(NextDocument(epochs=many[:40]))
        change = NextDocument(revoked=(RevokedKey(NEW.kid, "stolen", ()),))
        count = positions_that_fit(grown.newest, change, T0 + DAY, many)
        assert count > 500
        gone = RevokedKey(NEW.kid, "stolen", many[:count])
        full = follow(NextDocument(revoked=(gone,)), issued=T0 + DAY, held=grown)
        size = len(full.newest.envelope.payload)
        assert MAX_NODE_DOCUMENT_BYTES - 150 < size <= MAX_NODE_DOCUMENT_BYTES
        # What follows a full one is small again.
        after = follow(NextDocument(), issued=T0 + 2 * DAY, held=full)
        assert len(after.newest.envelope.payload) < REPEATED_BYTES + 4_096
        assert after.last_good(NEW.kid) == many[:count]

    def test_renewing_lets_the_keys_in_use_last_as_long(self):
        issued = T0 + DAY
        keys = keys_renewed(HELD.newest, {OWNER.entry.kid}, issued)
        by_kid = {record.kid: record.naf for record in keys}
        assert by_kid[OWNER.entry.kid] == issued + DOCUMENT_LIFE
        assert by_kid[OWNER.http.kid] == T1

    def test_the_committed_root_signs_alone(self):
        root = RootSet(1, (OWNER.following_root.public_key,))
        after = rootset(1, [seeded(50).public_key]).hex()
        grown = follow(NextDocument(root=root, next_root=after), OWNER.following_root)
        assert grown.newest.root_keys == root.keys
        assert grown.newest.next_root == after
        with pytest.raises(SignatureRejected):
            follow(NextDocument(root=root, next_root=after), OWNER.root)

    def test_more_keys_than_a_document_lists_are_refused(self):
        many = tuple(record_of(seeded(n), "entry") for n in range(100, 165))
        with pytest.raises(WireFormatError, match="E_SCHEMA"):
            next_payload(HELD.newest, NextDocument(keys=many), T0)


def test_a_committed_set_is_known_by_its_keys_and_threshold():
    pubs = [seeded(n).public_key for n in (1, 2, 3)]
    assert find_threshold(rootset(2, pubs).hex(), pubs[::-1]) == 2
    assert find_threshold(rootset(2, pubs).hex(), pubs[:2]) is None
    assert find_threshold("00" * 32, []) is None


def test_a_new_key_is_used_when_everybody_knows_it_or_half_of_the_overlap_is_over():
    assert decide_handover(T0, T0, everybody_told=True)
    assert not decide_handover(T0, T0 + HANDOVER_AFTER - HOUR, everybody_told=False)
    assert decide_handover(T0, T0 + HANDOVER_AFTER, everybody_told=False)
    assert HANDOVER_AFTER < OVERLAP


SECOND = OWNER.after(FIRST, issued=T0 + HOUR)
THIRD = OWNER.after(SECOND, version=3, issued=T0 + HOUR)
OWNERS = OWNER.after(
    FIRST,
    OWNER.following_root,
    root_keys=[OWNER.following_root.public_key],
    next_root=rootset(1, [seeded(50).public_key]).hex(),
)


def update(held, *envelopes):
    values = [envelope.to_json() for envelope in envelopes]
    return decide_update(held, values, allow_demo=False)


class TestDocumentsHandedOver:
    def test_those_held_pass_and_the_next_ones_are_added(self):
        found = update(pin(FIRST, SECOND), FIRST, SECOND, THIRD)
        assert (found.pinned.newest.version, found.kept, found.conflict) == (3, 2, None)
        assert update(found.pinned, SECOND).pinned == found.pinned

    @pytest.mark.parametrize("posted", [[THIRD], [OWNER.after(FIRST, contact="x@y.example")]])
    def test_t14_what_does_not_follow_is_refused_with_the_version_held(self, posted):
        held = HELD if posted == [THIRD] else pin(FIRST, SECOND)
        with pytest.raises(SignatureRejected, match="E_NODE_VERSION") as refused:
            update(held, *posted)
        assert refused.value.params["version"] == held.newest.version

    def test_t16_the_committed_root_wins_in_both_orders(self):
        came = update(pin(FIRST, SECOND, THIRD), OWNERS)
        stood = update(pin(FIRST, OWNERS), SECOND, THIRD)
        assert came.pinned == stood.pinned == pin(FIRST, OWNERS)
        assert came.conflict.overruled.hash == stood.conflict.overruled.hash == SECOND.hash
        assert (came.kept, stood.kept) == (1, 2)

    def test_t16_what_follows_the_winner_is_taken_and_what_follows_the_loser_falls(self):
        next_one = OWNER.after(
            OWNERS,
            OWNER.following_root,
            version=3,
            root_keys=[OWNER.following_root.public_key],
            next_root=rootset(1, [seeded(50).public_key]).hex(),
        )
        assert update(pin(FIRST, SECOND), OWNERS, next_one).pinned == pin(FIRST, OWNERS, next_one)

    def test_t16_the_shared_vectors_end_alike(self):
        vectors = strict_loads(shared_path("vectors/protocol.json").read_bytes())
        rotation = vectors["more"]["root_rotation"]
        first = [vectors["node_document"]["envelope"]]
        held = pin_chain(first, expected=None, allow_demo=False)
        ends = []
        for order in (("envelope", "thief"), ("thief", "envelope")):
            chain = held
            for name in order:
                chain = decide_update(chain, [rotation[name]], allow_demo=False).pinned
            ends.append(chain)
        assert ends[0] == ends[1]
        assert ends[0].newest.hash == rotation["hash"]

    @pytest.mark.parametrize("posted", [[], [{}], [1]])
    def test_what_is_no_document_is_refused(self, posted):
        with pytest.raises(WireFormatError):
            decide_update(HELD, posted, allow_demo=False)


class TestExpiry:
    def test_a_month_ahead_and_no_sooner(self):
        assert expiry_warnings(HELD, T1 - WARNED_AHEAD) == ()
        (warning,) = expiry_warnings(HELD, T1 - WARNED_AHEAD + HOUR)
        assert (warning.what, warning.ends_at, warning.ended) == ("document", T1, False)
        assert expiry_warnings(HELD, T1 + HOUR)[0].ended

    def test_a_key_that_another_outlives_is_on_its_way_out(self):
        rotated = follow(NextDocument(keys=keys_beside(HELD.newest, fresh(), T0 + HOUR)))
        assert expiry_warnings(rotated, T0 + DAY) == ()

    def test_the_last_key_of_a_use_is_told(self):
        short = replace(record_of(OWNER.entry, "entry"), naf=T0 + 10 * DAY)
        chain = pin(OWNER.document(keys=[short, record_of(OWNER.http, "http")]))
        (warning,) = expiry_warnings(chain, T0)
        assert (warning.what, warning.kid) == ("entry", OWNER.entry.kid)
