"""What vouches are and what they add up to (PROTOCOL 4.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from federation.errors import SignatureRejected
from federation.identity.node_document import pin_chain
from federation.signing.signer import seal
from federation.trust.presets import TrustLevel
from federation.trust.vouching import (
    Vouch,
    Voucher,
    count_voices,
    decide_introduction,
    open_vouch,
    vouch_payload,
    vouchable_documents,
)
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash
from schemas.signed_envelope import HEAD_TYPE, VOUCH_TYPE
from schemas.strict_json import strict_loads, write_json
from tests.support.signed_nodes import Owner

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FIRST, SECOND, SUBJECT = Owner(1), Owner(11), Owner(21)
DOCUMENT = SUBJECT.document().hash


def vouch(by: Owner = FIRST, **changes: object) -> Vouch:
    members: dict[str, object] = {
        "voucher": by.node_id,
        "subject": SUBJECT.node_id,
        "document_hash": DOCUMENT,
        "max_preset": TrustLevel.MEMBER,
        "scopes": ("zone:fr.",),
        "ts": NOW - timedelta(days=1),
        "expires": NOW + timedelta(days=100),
    }
    return Vouch(**(members | changes))  # type: ignore[arg-type]


def voucher(owner: Owner, domain: str, trust: str = "trusted", *, charged: bool = False) -> Voucher:
    return Voucher(owner.node_id, TrustLevel.read(trust), frozenset({domain}), charged)


BOTH = {
    FIRST.node_id: voucher(FIRST, "one.example"),
    SECOND.node_id: voucher(SECOND, "two.example"),
}


def decide(*vouches: Vouch, vouchers=BOTH, documents=frozenset({DOCUMENT})):
    return decide_introduction(vouches, vouchers, documents, NOW)


def pinned(owner: Owner):
    return pin_chain([owner.document().to_json()], expected=owner.node_id, allow_demo=False)


def signed(owner: Owner, payload_type: str = VOUCH_TYPE, **changes: object):
    body = strict_loads(vouch_payload(vouch(owner)))
    return seal(owner.entry, payload_type, write_json(body | changes)).to_json()


def test_what_is_signed_reads_back():
    made = vouch()
    envelope = seal(FIRST.entry, VOUCH_TYPE, vouch_payload(made)).to_json()
    assert open_vouch(envelope, voucher=pinned(FIRST)) == made


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"!new": 1},
        {"subject": "nobody"},
        {"subject": FIRST.node_id},
        {"node_doc_hash": "x"},
        {"max_preset": "friend"},
        {"scopes": "zone:fr."},
        {"scopes": ["zone:fr."] * 65},
        {"expires": "2027-06-03T00:00:00.000Z"},
        {"expires": "2026-05-30T00:00:00.000Z"},
    ],
)
def test_what_is_malformed_is_no_vouch(changes):
    with pytest.raises(WireFormatError) as rejected:
        open_vouch(signed(FIRST, **changes), voucher=pinned(FIRST))
    assert rejected.value.code == "E_SCHEMA"


def test_nobody_vouches_in_anothers_name():
    with pytest.raises(SignatureRejected) as rejected:
        open_vouch(signed(FIRST, voucher=SECOND.node_id), voucher=pinned(FIRST))
    assert rejected.value.code == "E_KEY_UNKNOWN"
    with pytest.raises(SignatureRejected):
        open_vouch(signed(SECOND), voucher=pinned(FIRST))
    with pytest.raises(WireFormatError) as mistaken:
        open_vouch(signed(FIRST, HEAD_TYPE), voucher=pinned(FIRST))
    assert mistaken.value.code == "E_TYPE"


def test_two_trusted_organisations_are_enough_for_a_member():
    found = decide(vouch(FIRST), vouch(SECOND, scopes=("zone:fr.", "zone:de.")))
    assert (found.enough, found.trust, found.voices) == (True, TrustLevel.MEMBER, 2)
    assert found.scopes == ("zone:fr.",)


def test_one_voucher_is_not_enough():
    assert not decide(vouch(FIRST)).enough


def test_two_nodes_of_one_domain_are_one_voice():
    same = {FIRST.node_id: BOTH[FIRST.node_id], SECOND.node_id: voucher(SECOND, "one.example")}
    found = decide(vouch(FIRST), vouch(SECOND), vouchers=same)
    assert (found.enough, found.voices, len(found.vouches)) == (False, 1, 2)


def test_a_third_node_between_two_domains_joins_them():
    bridge = Voucher(
        Owner(31).node_id, TrustLevel.TRUSTED, frozenset({"one.example", "two.example"})
    )
    assert count_voices(list(BOTH.values())) == 2
    assert count_voices([*BOTH.values(), bridge]) == 1
    assert count_voices([bridge, *BOTH.values()]) == 1


def test_the_most_careful_voucher_sets_the_level_and_member_is_the_most():
    assert decide(vouch(FIRST), vouch(SECOND, max_preset=TrustLevel.PARTNER)).trust is (
        TrustLevel.MEMBER
    )
    careful = decide(vouch(FIRST), vouch(SECOND, max_preset=TrustLevel.KNOWN))
    assert (careful.enough, careful.trust) == (False, TrustLevel.KNOWN)


@pytest.mark.parametrize("trust", ["blocked", "known", "member"])
def test_whoever_is_not_trusted_is_not_heard_so_the_path_is_one_step_long(trust):
    vouchers = BOTH | {SECOND.node_id: voucher(SECOND, "two.example", trust)}
    found = decide(vouch(FIRST), vouch(SECOND), vouchers=vouchers)
    assert not found.enough
    assert [one.voucher for one, _ in found.unheard] == [SECOND.node_id]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expires": NOW}, "expired"),
        ({"expires": NOW - timedelta(days=1)}, "taken back"),
        ({"ts": NOW + timedelta(seconds=301), "expires": NOW + timedelta(days=9)}, "ahead"),
        ({"document_hash": EntryHash("0" * 64)}, "other keys"),
    ],
)
def test_what_has_ended_or_is_about_other_keys_does_not_count(changes, reason):
    found = decide(vouch(FIRST), vouch(SECOND, **changes))
    assert not found.enough
    assert reason in found.unheard[0][1]


def test_a_charged_voucher_is_not_heard():
    charged = {**BOTH, SECOND.node_id: replace(BOTH[SECOND.node_id], charged=True)}
    assert not decide(vouch(FIRST), vouch(SECOND), vouchers=charged).enough


def test_a_vouch_holds_for_later_documents_of_the_same_root_and_for_no_other_root():
    first = SUBJECT.document()
    second = SUBJECT.after(first, name="Renamed")
    renewed = pin_chain(
        [first.to_json(), second.to_json()], expected=SUBJECT.node_id, allow_demo=False
    )
    assert vouchable_documents(renewed) == {first.hash, second.hash}
    rotated_document = SUBJECT.after(
        first, SUBJECT.following_root, root_keys=[SUBJECT.following_root.public_key]
    )
    rotated = pin_chain(
        [first.to_json(), rotated_document.to_json()], expected=SUBJECT.node_id, allow_demo=False
    )
    assert vouchable_documents(rotated) == {rotated_document.hash}
