"""What is built is what peers read (PROTOCOL 2.4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import ContentRejected
from federation.feeds.content import read_content
from federation.feeds.sharing_policy import policy_members
from federation.feeds.writing import entry_payload
from federation.signing.signer import seal
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import ZERO_HASH
from schemas.markings import Tlp
from schemas.signed_envelope import ENTRY_TYPE
from schemas.strict_json import MAX_PAYLOAD_BYTES, strict_loads, write_json
from tests.federation.feeds.feed_writer import OWNER, FeedWriter, at, feed_of, indicator


def build(*objects: bytes, **members: Any) -> bytes:
    stated: dict[str, Any] = {
        "feed": feed_of(),
        "seq": 1,
        "prev": ZERO_HASH,
        "ts": at(1),
        "nonce": bytes(16),
        "kind": "put" if objects else "noop",
        "policy": policy_members(Tlp.GREEN, relay="community"),
        "objects": objects,
    }
    return entry_payload(**(stated | members))


def test_an_entry_is_written_sealed_opened_and_read() -> None:
    raws = (write_json(indicator(1)), b'{ "id":"%b" , "x":1.50}' % indicator(2)["id"].encode())
    payload = build(*raws, idn={indicator(1)["id"]: "n4k2vqzc6m7e"}, src=["analyst"], reason=None)
    entry = FeedWriter().open(seal(OWNER.entry, ENTRY_TYPE, payload))
    content = read_content(entry)
    assert tuple(carried.raw for carried in content.objects) == raws
    assert content.src == ("analyst",)
    assert (entry.header.seq, entry.header.ts) == (1, at(1))
    assert "reason" not in entry.body


def test_objects_without_any_are_left_out() -> None:
    assert "objects" not in strict_loads(build())


def test_too_many_or_too_large_objects_are_refused() -> None:
    raw = [write_json(indicator(number)) for number in range(65)]
    with pytest.raises(ContentRejected, match="E_SCHEMA"):
        build(*raw)
    assert build(*raw[:64])
    with pytest.raises(WireFormatError) as caught:
        build(write_json(indicator(1, description="x" * MAX_PAYLOAD_BYTES)))
    assert caught.value.code == "E_TOO_BIG"


ONE, TWO = (f'"id":"{indicator(n)["id"]}"'.encode() for n in (1, 2))


@pytest.mark.parametrize(
    "raws",
    [
        (b'{%b}],"kind":"erase","x":[{%b}' % (ONE, TWO),),
        (b'{%b}],"z":[{%b}' % (ONE, TWO),),
        (b"{%b},{%b}" % (ONE, TWO),),
        (b'{%b,"a":[1' % ONE, b"2]},{%b}" % TWO),
        (b"{%b}\n" % ONE,),
        (b"{%b,%b}" % (ONE, ONE),),
        (b'{%b,"a":1e999}' % ONE,),
        (b"{%b," % ONE,),
        (b'{%b,"a":%b}' % (ONE, b"[" * 20 + b"]" * 20),),
        (b"{%b}" % ONE, b"{%b}" % ONE),
        (b"{}",),
        (b"7",),
        (b"",),
    ],
    ids=repr,
)
def test_bytes_that_are_not_one_object_each_are_never_signed(raws: tuple[bytes, ...]) -> None:
    with pytest.raises(TocsinError):
        build(*raws)


@pytest.mark.parametrize("members", [{"seq": 0}, {"nonce": b""}, {"prev": "x"}], ids=repr)
def test_a_place_that_peers_would_reject_is_never_signed(members: dict[str, Any]) -> None:
    with pytest.raises(WireFormatError, match="E_SCHEMA"):
        build(**members)


@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=5
    )
)
def test_invariant_13_what_is_written_reads_back(texts: list[str]) -> None:
    raws = tuple(write_json(indicator(n, name=text)) for n, text in enumerate(texts))
    entry = FeedWriter().open(seal(OWNER.entry, ENTRY_TYPE, build(*raws)))
    content = read_content(entry)
    assert tuple(carried.raw for carried in content.objects) == raws
    assert [carried.value["name"] for carried in content.objects] == texts
