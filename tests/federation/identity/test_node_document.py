"""PROTOCOL 2.3: how a chain of documents begins and grows, and which keys count."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from federation.errors import SignatureRejected
from federation.identity.node_document import (
    PinnedNode,
    Position,
    RevokedKey,
    decide_conflict,
    derive_node_id,
    extend_chain,
    pin_chain,
    rootset,
)
from federation.signing.keys import KeyRecord, key_id, verify_envelope
from federation.signing.signer import SeedSigner, seal
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import ZERO_HASH, EntryHash, NodeId
from schemas.signed_envelope import ENTRY_TYPE, SignedEnvelope
from tests.support.signed_nodes import T0, T1, Owner, record_of, seeded

OWNER = Owner(1)
SECOND_ENTRY, THIRD_ENTRY, STRANGER = seeded(40), seeded(41), seeded(42)
FIRST = OWNER.document()
HOUR = timedelta(hours=1)
HASH = EntryHash("0f" * 32)
AFTER_NEXT = rootset(1, [seeded(50).public_key]).hex()


def pin(*envelopes: SignedEnvelope, expected: NodeId | None = None) -> PinnedNode:
    return pin_chain(
        [envelope.to_json() for envelope in envelopes], expected=expected, allow_demo=False
    )


def code_of(*envelopes: SignedEnvelope, expected: NodeId | None = None) -> str:
    with pytest.raises(TocsinError) as rejected:
        pin(*envelopes, expected=expected)
    return rejected.value.code


def rotated(held: SignedEnvelope = FIRST, **changes: Any) -> SignedEnvelope:
    """The owner's version 2 under the root that version 1 committed to."""
    return OWNER.after(
        held,
        OWNER.following_root,
        root_keys=[OWNER.following_root.public_key],
        next_root=AFTER_NEXT,
        **changes,
    )


def test_a_first_document_is_its_own_name():
    pinned = pin(FIRST, expected=OWNER.node_id)
    assert pinned.node_id == OWNER.node_id
    assert pinned.newest.version == 1
    assert pinned.identities == ("identity--be91c689-7e35-5356-8fc7-a7878fb4f71b",)


def test_another_node_than_expected_is_refused():
    assert code_of(FIRST, expected=Owner(20).node_id) == "E_KEY_UNKNOWN"


@pytest.mark.parametrize(
    "changes",
    [
        {"node_id": Owner(20).node_id},
        {"next_root": AFTER_NEXT},
        {"root_keys": [STRANGER.public_key]},
        {"root_keys": [OWNER.root.public_key, STRANGER.public_key]},
    ],
    ids=["id", "successor", "root", "root-added"],
)
def test_an_id_that_the_root_keys_do_not_make_is_refused(changes):
    assert code_of(OWNER.document(**changes)) == "E_KEY_UNKNOWN"


@pytest.mark.parametrize("changes", [{"version": 2}, {"prev": HASH}], ids=["version", "prev"])
def test_a_chain_begins_with_version_one(changes):
    assert code_of(OWNER.document(**changes)) == "E_NODE_VERSION"


def test_no_documents_are_no_chain():
    assert code_of() == "E_NODE_VERSION"


def test_only_the_root_signs():
    assert code_of(OWNER.document(OWNER.entry)) == "E_KEY_UNKNOWN"
    forged = replace(FIRST, payload=FIRST.payload.replace(b"security@", b"thief000@"))
    assert code_of(forged) == "E_SIG_BAD"


def with_root(threshold: int, *roots: SeedSigner) -> dict[str, Any]:
    following = rootset(1, [OWNER.following_root.public_key])
    keys = [root.public_key for root in roots]
    return {
        "root_threshold": threshold,
        "root_keys": keys,
        "node_id": derive_node_id(rootset(threshold, keys), following),
    }


def test_a_threshold_is_met_by_that_many_signers():
    three = [seeded(n) for n in (30, 31, 32)]
    members = with_root(2, *three)
    assert pin(OWNER.document(*three[:2], **members))
    assert pin(OWNER.document(three[2], three[0], STRANGER, **members))
    assert code_of(OWNER.document(three[0], **members)) == "E_SIG_NONE"
    assert code_of(OWNER.document(three[0], STRANGER, **members)) == "E_SIG_NONE"


@pytest.mark.parametrize("pub", [bytes(32), b"\x01" + bytes(31)])
@pytest.mark.parametrize(("alg", "use"), [("ed25519", "http"), ("x25519", "seal")])
def test_a_key_that_libsodium_refuses_is_never_pinned(alg, use, pub):
    record = KeyRecord(key_id(alg, pub), alg, pub, use, T0, T1)
    assert code_of(OWNER.document(keys=[record])) == "E_KEY_UNKNOWN"


def test_a_root_key_that_libsodium_refuses_is_never_pinned():
    keys = [OWNER.root.public_key, b"\x01" + bytes(31)]
    members = {
        "root_keys": keys,
        "node_id": derive_node_id(rootset(1, keys), rootset(1, [OWNER.following_root.public_key])),
    }
    assert code_of(OWNER.document(**members)) == "E_KEY_UNKNOWN"


def test_a_demonstration_is_pinned_by_demonstrations_alone():
    demo = OWNER.document(demo=True)
    assert code_of(demo) == "E_SCHEMA"
    assert pin_chain([demo.to_json()], expected=None, allow_demo=True).newest.demo
    with pytest.raises(WireFormatError):
        extend_chain(pin(FIRST), OWNER.after(FIRST, demo=True).to_json(), allow_demo=False)


def test_a_chain_grows_under_the_same_root():
    second = OWNER.after(FIRST, contact="new@registry.example")
    third = OWNER.after(second, version=3)
    pinned = pin(FIRST, second, third)
    assert [document.version for document in pinned.documents] == [1, 2, 3]
    grown = extend_chain(pin(FIRST, second), third.to_json(), allow_demo=False)
    assert grown == pinned


def test_a_chain_grows_under_the_root_that_was_committed_to():
    """Rule (b): the old root does not sign, so that its loss is survivable."""
    pinned = pin(FIRST, rotated())
    assert pinned.node_id == OWNER.node_id
    third = OWNER.document(
        OWNER.following_root,
        version=3,
        prev=rotated().hash,
        root_keys=[OWNER.following_root.public_key],
        next_root=AFTER_NEXT,
    )
    assert pin(FIRST, rotated(), third).newest.version == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 3}, "E_NODE_VERSION"),
        ({"version": 1}, "E_NODE_VERSION"),
        ({"prev": ZERO_HASH}, "E_NODE_VERSION"),
        ({"issued": T0 - HOUR}, "E_NODE_VERSION"),
        ({"node_id": Owner(20).node_id}, "E_KEY_UNKNOWN"),
        ({"root_keys": [STRANGER.public_key]}, "E_KEY_UNKNOWN"),
    ],
    ids=["skips", "repeats", "prev", "earlier", "other-node", "uncommitted-root"],
)
def test_what_does_not_follow_is_refused(changes, code):
    assert code_of(FIRST, OWNER.after(FIRST, **changes)) == code


def test_the_rotated_root_set_must_sign_itself():
    by_old = OWNER.after(FIRST, root_keys=[OWNER.following_root.public_key], next_root=AFTER_NEXT)
    assert code_of(FIRST, by_old) == "E_KEY_UNKNOWN"


def test_a_refused_document_tells_what_is_held():
    with pytest.raises(SignatureRejected) as rejected:
        pin(FIRST, FIRST)
    assert rejected.value.params["version"] == 1


# Rule (c): the thief has the current root, the owner the committed one.

THIEFS = OWNER.after(FIRST, contact="thief@registry.example", issued=T0 + HOUR)
THIEFS_NEXT = OWNER.after(THIEFS, version=3, issued=T0 + HOUR)
OWNERS = rotated()


def test_the_committed_root_wins_in_either_order():
    kept = decide_conflict(pin(FIRST, OWNERS), THIEFS.to_json(), allow_demo=False)
    came = decide_conflict(pin(FIRST, THIEFS), OWNERS.to_json(), allow_demo=False)
    assert kept is not None
    assert kept == came
    assert kept.pinned == pin(FIRST, OWNERS)
    assert kept.overruled.hash == THIEFS.hash


def test_what_the_thief_added_falls_with_his_document():
    held = pin(FIRST, THIEFS, THIEFS_NEXT)
    came = decide_conflict(held, OWNERS.to_json(), allow_demo=False)
    assert came is not None
    assert came.pinned == pin(FIRST, OWNERS)


def test_a_thief_who_commits_to_his_own_root_loses_too():
    own_next = OWNER.after(FIRST, next_root=rootset(1, [STRANGER.public_key]).hex())
    own_root = OWNER.document(
        STRANGER, version=3, prev=own_next.hash, root_keys=[STRANGER.public_key]
    )
    came = decide_conflict(pin(FIRST, own_next, own_root), OWNERS.to_json(), allow_demo=False)
    assert came is not None
    assert came.pinned == pin(FIRST, OWNERS)


def test_t16_a_root_that_was_used_since_takes_nobody_back_before_its_time():
    """The thief has a root that is current or retired now, and was committed to back then."""
    renewed = OWNER.after(FIRST, issued=T0 + HOUR)
    used = rotated(renewed, version=3, issued=T0 + HOUR)
    third = seeded(50)
    retired = OWNER.document(
        third, version=4, prev=used.hash, root_keys=[third.public_key], issued=T0 + HOUR
    )
    back = rotated(contact="thief@registry.example")
    for held in ((FIRST, renewed, used), (FIRST, renewed, used, retired)):
        assert decide_conflict(pin(*held), back.to_json(), allow_demo=False) is None
    assert decide_conflict(pin(FIRST, renewed), back.to_json(), allow_demo=False) is not None


def test_extending_never_rewrites_what_is_held():
    for held, late in ((OWNERS, THIEFS), (THIEFS, OWNERS), (OWNERS, OWNERS)):
        assert code_of(FIRST, held, late) == "E_NODE_VERSION"


@pytest.mark.parametrize(
    ("held", "late"),
    [
        ((FIRST, OWNERS), OWNERS),
        ((FIRST, OWNERS), FIRST),
        ((FIRST, THIEFS), OWNER.after(FIRST, contact="other@registry.example")),
        ((FIRST, OWNERS), rotated(contact="other@registry.example")),
        ((FIRST,), OWNERS),
    ],
    ids=["same", "older", "both-current", "both-committed", "newer"],
)
def test_there_is_no_conflict_without_both_kinds(held, late):
    assert decide_conflict(pin(*held), late.to_json(), allow_demo=False) is None


@pytest.mark.parametrize(
    "late",
    [
        replace(OWNERS, payload=OWNERS.payload.replace(b"security@", b"thief000@")),
        OWNER.after(FIRST, STRANGER, contact="thief@registry.example"),
        OWNER.after(FIRST, STRANGER, root_keys=[STRANGER.public_key]),
        rotated(prev=HASH),
    ],
    ids=["changed", "unsigned", "uncommitted", "elsewhere"],
)
def test_nobody_is_frozen_by_what_no_root_signed(late):
    for held in (THIEFS, OWNERS):
        with pytest.raises(SignatureRejected):
            decide_conflict(pin(FIRST, held), late.to_json(), allow_demo=False)


# Which keys count.

WITH_BOTH = OWNER.after(
    FIRST,
    keys=[record_of(OWNER.entry, "entry"), record_of(SECOND_ENTRY, "entry")],
    issued=T0 + HOUR,
)
WITH_SECOND = OWNER.after(
    WITH_BOTH, version=3, keys=[record_of(SECOND_ENTRY, "entry")], issued=T0 + 2 * HOUR
)
LATER = OWNER.after(
    WITH_SECOND, version=4, keys=[record_of(THIRD_ENTRY, "entry")], issued=T0 + 3 * HOUR
)


def test_entry_keys_of_all_documents_count_until_they_are_left_out():
    ring = pin(FIRST, WITH_BOTH, WITH_SECOND, LATER).entry_ring()
    assert ring.keys[OWNER.entry.kid].naf == T0 + 2 * HOUR
    assert ring.keys[SECOND_ENTRY.kid].naf == T0 + 3 * HOUR
    assert ring.keys[THIRD_ENTRY.kid].naf == T1


def test_a_key_that_ended_earlier_still_ended_earlier():
    early = record_of(OWNER.entry, "entry", naf=T0 + HOUR / 2)
    first = OWNER.document(keys=[early])
    pinned = pin(first, OWNER.after(first, keys=[], issued=T0 + HOUR))
    assert pinned.entry_ring().keys[OWNER.entry.kid].naf == T0 + HOUR / 2


def test_the_newest_record_of_a_key_wins():
    longer = record_of(OWNER.entry, "entry", naf=T1 + HOUR)
    pinned = pin(FIRST, OWNER.after(FIRST, keys=[longer]))
    assert pinned.entry_ring().keys[OWNER.entry.kid] == longer


def test_a_key_that_is_listed_again_counts_again():
    again = OWNER.after(WITH_SECOND, version=4, issued=T0 + 3 * HOUR)
    pinned = pin(FIRST, WITH_BOTH, WITH_SECOND, again)
    assert pinned.entry_ring().keys[OWNER.entry.kid].naf == T1


def test_http_and_seal_keys_count_in_the_newest_document_alone():
    pinned = pin(FIRST, WITH_BOTH)
    assert pinned.http_key(OWNER.http.kid, T0) is None
    assert OWNER.http.kid not in pinned.entry_ring().keys
    assert OWNER.http.kid not in pinned.http_ring().keys
    assert pinned.seal_keys(T0) == ()
    assert pin(FIRST).http_key(OWNER.http.kid, T0) == OWNER.http.public_key
    assert [record.use for record in pin(FIRST).seal_keys(T0)] == ["seal"]


def test_http_and_seal_keys_have_their_time():
    pinned = pin(FIRST)
    for at in (T0 - HOUR, T1 + HOUR):
        assert pinned.http_key(OWNER.http.kid, at) is None
        assert pinned.seal_keys(at) == ()


def test_no_other_key_signs_requests():
    assert pin(FIRST).http_key(OWNER.entry.kid, T0) is None
    assert pin(FIRST).http_key(STRANGER.kid, T0) is None


def test_an_entry_under_the_http_key_has_the_wrong_purpose():
    with pytest.raises(SignatureRejected) as rejected:
        verify_envelope(seal(OWNER.http, ENTRY_TYPE, b"{}"), pin(FIRST).entry_ring(), "entry")
    assert rejected.value.code == "E_KEY_PURPOSE"


def test_a_key_that_changed_its_purpose_signs_no_more_entries():
    as_http = OWNER.after(FIRST, keys=[record_of(OWNER.entry, "http")])
    without = OWNER.after(as_http, version=3, keys=[])
    assert pin(FIRST, as_http).entry_ring().keys[OWNER.entry.kid].use == "http"
    assert OWNER.entry.kid not in pin(FIRST, as_http, without).entry_ring().keys


def test_a_document_expires_after_its_last_instant():
    pinned = pin(FIRST)
    assert not pinned.is_expired(T1)
    assert pinned.is_expired(T1 + timedelta(milliseconds=1))


# Revocation.

POSITION = Position(812, HASH)
REVOKED = RevokedKey(OWNER.entry.kid, "compromise", (POSITION,))


def test_a_revoked_key_is_good_up_to_its_positions():
    pinned = pin(FIRST, OWNER.after(FIRST, revoked=[REVOKED]))
    assert pinned.last_good(OWNER.entry.kid) == (POSITION,)
    assert pinned.last_good(OWNER.http.kid) is None
    assert pinned.revocation(OWNER.entry.kid) == REVOKED


def test_a_key_without_positions_is_void_everywhere():
    pinned = pin(FIRST, OWNER.after(FIRST, revoked=[replace(REVOKED, last_good=())]))
    assert pinned.last_good(OWNER.entry.kid) == ()


def test_a_revoked_key_stays_revoked_and_the_newest_word_counts():
    more = replace(REVOKED, last_good=(POSITION, Position(3, HASH)))
    second = OWNER.after(FIRST, revoked=[REVOKED])
    third = OWNER.after(second, version=3, revoked=[more])
    fourth = OWNER.after(third, version=4)
    assert pin(FIRST, second, third, fourth).last_good(OWNER.entry.kid) == more.last_good


def test_a_new_epoch_begins_where_a_document_says():
    other = EntryHash("a1" * 32)
    second = OWNER.after(FIRST, revoked=[REVOKED], epochs=[Position(90, other)])
    third = OWNER.after(second, version=3)
    assert pin(FIRST).epoch_starts() == frozenset()
    assert pin(FIRST, second, third).epoch_starts() == {HASH, other}
