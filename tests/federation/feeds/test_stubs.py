"""Stubs: what stands in the place of an entry that its origin took back (PROTOCOL 2.4)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from federation.errors import ChainBroken
from federation.feeds.chain import ChainState, place_stub
from federation.feeds.stubs import Stub, is_stub, read_stub, stub_record
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, NodeId, entry_object_id

FEED = FeedName(NodeId("a" * 52), "green")
HASH = EntryHash("5" * 64)
AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


def stub(**changes):
    return json.loads(stub_record(FEED, 7, HASH, by=9, ts=AT)) | changes


def test_it_is_the_taxii_object_of_the_entry_without_its_envelope():
    value = stub()
    assert (value["dsse"], value["stub"]) == (None, 9)
    assert value["id"] == entry_object_id(FEED, 7, HASH)
    assert (value["seq"], value["hash"], value["created"]) == (7, HASH, "2026-03-01T10:00:00.000Z")


def test_what_is_written_is_read():
    assert is_stub(stub())
    assert read_stub(stub(), FEED) == Stub(7, HASH, 9, "2026-03-01T10:00:00.000Z")


@pytest.mark.parametrize("value", [{}, {"dsse": {}}, {"dsse": "null"}, {"stub": 9}])
def test_what_has_no_empty_envelope_is_none(value):
    assert not is_stub(value)


@pytest.mark.parametrize("by", [None, 7, 6, True, "9"])
def test_it_names_a_later_entry(by):
    with pytest.raises(WireFormatError, match="E_SCHEMA"):
        read_stub(stub(stub=by), FEED)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": entry_object_id(FEED, 7, EntryHash("6" * 64))},
        {"modified": "2026-03-01T10:00:00.001Z"},
        {"type": "indicator"},
        {"feed": "other"},
    ],
)
def test_a_wrong_hint_is_named(wrong):
    with pytest.raises(ChainBroken, match="E_FEED"):
        read_stub(stub(**wrong), FEED)


def test_it_stands_at_the_next_place_alone():
    state = ChainState(FEED, seq=6, relay="community")
    after = place_stub(state, read_stub(stub(), FEED))
    assert (after.seq, after.hash, after.relay) == (7, HASH, "community")
    for wrong, code in (
        (ChainState(FEED, seq=5), "E_GAP"),
        (ChainState(FEED, seq=6, closed=True), "E_FEED"),
        (ChainState(FEED, seq=6, frozen=True), "E_FROZEN"),
    ):
        with pytest.raises(ChainBroken, match=code):
            place_stub(wrong, read_stub(stub(), FEED))
