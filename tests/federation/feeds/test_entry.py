"""PROTOCOL 2.4, receiver's order of checks, up to the entry's place in the chain."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from federation.errors import ChainBroken, SignatureRejected
from federation.feeds.content import read_content
from federation.feeds.entry import open_entry
from federation.identity.node_document import Position, RevokedKey
from federation.signing.signer import seal
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import FeedName, NodeId
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import write_wire_time
from tests.federation.feeds.feed_writer import (
    OWNER,
    FeedWriter,
    at,
    feed_of,
    indicator,
    pin,
)
from tests.support.signed_nodes import record_of, seeded

PUT = {
    "kind": "put",
    "policy": {"tlp": "green", "relay": "community"},
    "objects": [indicator(1), indicator(2)],
}


def test_an_opened_entry_tells_its_place_and_its_key() -> None:
    writer = FeedWriter()
    envelope = writer.seal(**PUT)
    entry = writer.open(envelope)
    assert entry.header.feed == feed_of()
    assert (entry.header.seq, entry.header.prev, entry.header.ts) == (1, "0" * 64, at(1))
    assert (entry.header.kind, entry.header.relay) == ("put", "community")
    assert entry.hash == envelope.hash
    assert entry.kid == OWNER.entry.kid
    assert not entry.continues_epoch


def test_an_absent_relay_is_none() -> None:
    assert FeedWriter().read(policy={"tlp": "green"}).header.relay == "none"


@pytest.mark.parametrize(
    "members",
    [
        *({name: None} for name in ("v", "feed", "seq", "prev", "ts", "nonce", "kind", "policy")),
        {"v": 2},
        {"v": True},
        {"v": 1.0},
        {"feed": "green/1"},
        {"feed": 7},
        {"seq": 0},
        {"seq": True},
        {"seq": "1"},
        {"seq": 1.5},
        {"prev": "F" * 64},
        {"prev": "0" * 63},
        {"ts": "2026-03-01T11:01:00Z"},
        {"ts": "2026-02-30T11:01:00.000Z"},
        {"nonce": "AwMD"},
        {"nonce": "AwMDAwMDAwMDAwMDAwMDAx=="},
        {"kind": 3},
        {"policy": []},
        {"policy": {"tlp": "green", "relay": None}},
        {"policy": {"tlp": "green", "relay": "everybody"}},
        {"policy": {"tlp": "green", "relay": ["community"]}},
    ],
    ids=repr,
)
def test_a_missing_or_ill_typed_chain_member_stops_the_feed(members: dict[str, Any]) -> None:
    with pytest.raises(WireFormatError) as caught:
        FeedWriter().read(**members)
    assert caught.value.code == "E_SCHEMA"


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "future"},
        {"!critical": 1},
        {"policy": {"relay": "none", "unknown": 1}},
        {"policy": {"tlp": 7}},
        {"kind": "put", "objects": 4},
    ],
    ids=repr,
)
def test_content_never_stops_the_feed(members: dict[str, Any]) -> None:
    assert FeedWriter().read(**members).header.seq == 1


def test_a_payload_that_is_no_object_stops_the_feed() -> None:
    envelope = seal(OWNER.entry, ENTRY_TYPE, b"[]")
    with pytest.raises(WireFormatError, match="E_SCHEMA"):
        FeedWriter().open(envelope)


def test_t29_a_duplicate_key_under_a_good_signature_is_rejected() -> None:
    payload = write_json(FeedWriter().payload())[:-1] + b',"se\\u0071":1}'
    with pytest.raises(WireFormatError) as caught:
        FeedWriter().open(seal(OWNER.entry, ENTRY_TYPE, payload))
    assert caught.value.code == "E_JSON_DUPKEY"


def test_t09_an_entry_of_another_feed_is_rejected() -> None:
    envelope = FeedWriter(feed_of("d-" + "a" * 26)).seal(policy={"tlp": "green"})
    with pytest.raises(ChainBroken) as caught:
        FeedWriter().open(envelope)
    assert caught.value.code == "E_FEED"


def test_a_feed_of_another_node_is_rejected_even_when_it_was_asked_for() -> None:
    foreign = FeedName(NodeId("b" * 52), "green")
    with pytest.raises(ChainBroken) as caught:
        FeedWriter(foreign).read()
    assert caught.value.code == "E_FEED"


def test_t05_entry_bytes_signed_as_a_head_are_rejected() -> None:
    envelope = seal(OWNER.entry, HEAD_TYPE, write_json(FeedWriter().payload()))
    value = envelope.to_json() | {"payloadType": ENTRY_TYPE}
    with pytest.raises(SignatureRejected) as caught:
        open_entry(value, pinned=pin(), feed=feed_of())
    assert caught.value.code == "E_SIG_BAD"


def test_t05_an_http_key_signs_no_entry() -> None:
    with pytest.raises(SignatureRejected) as caught:
        FeedWriter(signer=OWNER.http).read()
    assert caught.value.code == "E_KEY_PURPOSE"


def test_t04_a_key_that_the_pinned_document_does_not_list_is_unknown() -> None:
    with pytest.raises(SignatureRejected) as caught:
        FeedWriter(signer=seeded(77)).read()
    assert caught.value.code == "E_KEY_UNKNOWN"


@pytest.mark.parametrize("hours", [-2, 24 * 365])
def test_a_key_counts_from_nbf_to_naf(hours: int) -> None:
    ts = write_wire_time(at(0) + timedelta(hours=hours))
    with pytest.raises(SignatureRejected) as caught:
        FeedWriter().read(ts=ts)
    assert caught.value.code == "E_KEY_REVOKED"


def test_after_its_document_expired_a_node_signs_nothing_new() -> None:
    pinned = pin(OWNER.document(expires=at(30)))
    assert FeedWriter(pinned=pinned).read(ts=write_wire_time(at(30))).header.seq == 1
    with pytest.raises(SignatureRejected) as caught:
        FeedWriter(pinned=pinned).read(ts=write_wire_time(at(31)))
    assert caught.value.code == "E_NODE_EXPIRED"


def test_of_several_signatures_every_key_must_be_valid() -> None:
    second = seeded(9)
    keys = [record_of(OWNER.entry, "entry"), record_of(second, "entry", naf=at(0))]
    pinned = pin(OWNER.document(keys=keys))
    payload = write_json(FeedWriter().payload())
    both = seal([OWNER.entry, second], ENTRY_TYPE, payload)
    with pytest.raises(SignatureRejected) as caught:
        FeedWriter(pinned=pinned).open(both)
    assert caught.value.code == "E_KEY_REVOKED"


def test_of_several_signers_the_revoked_one_is_named() -> None:
    second = seeded(9)
    keys = [record_of(OWNER.entry, "entry"), record_of(second, "entry")]
    pinned = pin(OWNER.document(keys=keys, revoked=[RevokedKey(second.kid, "stolen", ())]))
    both = seal([OWNER.entry, second], ENTRY_TYPE, write_json(FeedWriter().payload()))
    assert FeedWriter(pinned=pinned).open(both).kid == second.kid


def test_an_entry_may_continue_from_a_position_that_the_owner_named() -> None:
    pinned = pin(OWNER.document(epochs=[Position(90, FeedWriter().seal().hash)]))
    writer = FeedWriter(feed_of(epoch=2), pinned=pinned)
    assert writer.read(prev=FeedWriter().seal().hash).continues_epoch
    assert not writer.read(prev="1" * 64).continues_epoch


SIGNED = FeedWriter().seal(**PUT)
BYTES = SIGNED.to_bytes()
PAYLOAD = SIGNED.payload


def _meaning(value: object) -> tuple[object, ...]:
    entry = open_entry(value, pinned=pin(), feed=feed_of())
    content = read_content(entry)
    return entry.hash, entry.header, content.policy, [o.raw for o in content.objects]


MEANING = _meaning(SIGNED.to_json())


@given(place=st.integers(0, len(BYTES) - 1), byte=st.integers(0, 255))
def test_t01_a_changed_byte_of_the_envelope_never_gives_another_entry(
    place: int, byte: int
) -> None:
    """Invariant 5: rejected, or the very same entry."""
    changed = BYTES[:place] + bytes([byte]) + BYTES[place + 1 :]
    try:
        found = _meaning(strict_loads(changed))
    except TocsinError:
        assert changed != BYTES
    else:
        assert found == MEANING


@given(
    place=st.integers(0, len(PAYLOAD)),
    cut=st.integers(0, 4),
    insert=st.sampled_from([b"", b" ", b"\n", b'"', b"red", b",", b"\\u0000", b"}", b"0"]),
)
@example(place=PAYLOAD.index(b'"tlp":"green"') + 7, cut=5, insert=b"clear")
@example(place=PAYLOAD.index(b'"seq":1') + 6, cut=0, insert=b" ")
def test_t02_t17_a_changed_payload_is_always_rejected(place: int, cut: int, insert: bytes) -> None:
    changed = PAYLOAD[:place] + insert + PAYLOAD[place + cut :]
    if changed == PAYLOAD:
        return
    value = SIGNED.to_json() | {"payload": base64.b64encode(changed).decode()}
    with pytest.raises(SignatureRejected) as caught:
        _meaning(value)
    assert caught.value.code == "E_SIG_BAD"
