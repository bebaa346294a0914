"""The team's vectors of feeds, entries, heads, relay heads and acks (PROTOCOL 2.10).

``vectors/protocol.json`` was built from the specification by an independent program.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from federation.errors import ChainBroken, ContentRejected
from federation.feeds.acks import ack_payload, open_ack
from federation.feeds.chain import ChainState, Step, advance, decide_next
from federation.feeds.content import (
    EntryContent,
    check_modified,
    read_content,
    read_inner_content,
)
from federation.feeds.entry import OpenedEntry, open_entry
from federation.feeds.forks import read_fork_proof
from federation.feeds.heads import (
    decide_end,
    decide_relay_page,
    head_payload,
    open_head,
    open_relay_head,
    relay_head_payload,
)
from federation.feeds.ownership import PROVEN, claim_strength
from federation.feeds.printed_labels import check_printed
from federation.feeds.relay_proofs import read_relay_proof
from federation.feeds.writing import entry_payload
from federation.identity.node_document import PinnedNode, pin_chain
from federation.signing.signer import SeedSigner, seal
from schemas.errors import TocsinError
from schemas.identifiers import FeedName, entry_object_id, read_b64
from schemas.markings import Tlp
from schemas.signed_envelope import ENTRY_TYPE
from schemas.strict_json import write_json
from schemas.timestamps import read_wire_time
from tests.support.shared_data import shared_path

NOW = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
CHAIN_CODES = {"E_FEED", "E_GAP", "E_FORK"}


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    text = shared_path("vectors/protocol.json").read_bytes()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@pytest.fixture(scope="module")
def origin(vectors: dict[str, Any]) -> PinnedNode:
    return _pin(vectors["node_document"]["envelope"])


@pytest.fixture(scope="module")
def reader(vectors: dict[str, Any]) -> PinnedNode:
    return _pin(vectors["more"]["reader"]["node_document"])


def _pin(value: Any) -> PinnedNode:
    document = value if "payloadType" in value else value["envelope"]
    return pin_chain([document], expected=None, allow_demo=False)


def _step(state: ChainState, entry: OpenedEntry) -> Step:
    return decide_next(state, entry, now=NOW, known_hash=None, via_relay=False)


def _judge(entry: OpenedEntry, origin: PinnedNode) -> EntryContent:
    """The pure part of the content level, in the order of PROTOCOL 2.4."""
    content = read_content(entry)
    _check_objects(content, entry.header.ts, origin)
    return content


def _check_objects(content: EntryContent, ts: datetime, origin: PinnedNode) -> None:
    for carried in content.objects:
        assert content.policy.tlp is not None
        check_printed(carried.value, content.policy.tlp)
        assert claim_strength(carried.stix_id, carried.value, content.idn, origin) == PROVEN
        check_modified(carried.value, ts)


def _rebuilt(members: dict[str, Any]) -> bytes:
    """Build a vector's payload again from its members, by our own writer."""
    stated = dict(members)
    assert stated.pop("v") == 1
    stated["feed"] = FeedName.read(stated["feed"])
    stated["ts"] = read_wire_time(stated["ts"])
    stated["nonce"] = read_b64(stated["nonce"])
    stated["objects"] = [write_json(value) for value in stated.get("objects", ())]
    return entry_payload(**stated)


def test_the_entries_form_a_chain_with_the_given_hashes(
    vectors: dict[str, Any], origin: PinnedNode
) -> None:
    feed = FeedName.read(vectors["feed"])
    state = ChainState(feed)
    for vector in vectors["entries"]:
        entry = open_entry(vector["envelope"], pinned=origin, feed=feed)
        assert entry.envelope.payload == vector["payload_utf8"].encode()
        assert entry.hash == vector["pae_sha256"]
        assert entry_object_id(feed, entry.header.seq, entry.hash) == vector["taxii_object_id"]
        assert _step(state, entry) is Step.NEXT
        _judge(entry, origin)
        state = advance(state, entry)
        assert _step(state, entry) is Step.DUPLICATE
    assert state.seq == 2


def test_our_writer_builds_the_very_bytes(vectors: dict[str, Any]) -> None:
    signer = SeedSigner(bytes.fromhex(vectors["seeds_hex"]["entry"]))
    more = [entry for feed in vectors["more"]["feeds"] for entry in feed["entries"]]
    for vector in [*vectors["entries"], *more]:
        payload = _rebuilt(json.loads(vector["payload_utf8"]))
        assert payload == vector["payload_utf8"].encode()
        assert seal(signer, ENTRY_TYPE, payload).to_json() == vector["envelope"]


def test_the_fork_is_a_fork(vectors: dict[str, Any], origin: PinnedNode) -> None:
    feed = FeedName.read(vectors["feed"])
    state = ChainState(feed)
    for vector in vectors["entries"]:
        state = advance(state, open_entry(vector["envelope"], pinned=origin, feed=feed))
    fork = open_entry(vectors["fork_of_seq_2"], pinned=origin, feed=feed)
    with pytest.raises(ChainBroken) as caught:
        _step(state, fork)
    assert caught.value.code == "E_FORK"
    assert caught.value.params["contradicts"] == 2


def test_the_fork_is_a_proof_for_anybody(vectors: dict[str, Any], origin: PinnedNode) -> None:
    other = vectors["fork_of_seq_2"]
    for held in (vectors["entries"][1]["envelope"], vectors["head"]["envelope"]):
        value = {"type": "fork", "a": held, "b": other}
        proof = read_fork_proof(value, origin)
        assert (str(proof.feed), proof.seq) == (vectors["feed"], 2)
        assert proof.to_json() == value


def test_the_relay_proof(vectors: dict[str, Any], origin: PinnedNode, reader: PinnedNode) -> None:
    value = vectors["more"]["relay_proof"]
    proof = read_relay_proof(value, relay=reader, origin=origin)
    assert proof.relay == reader.node_id
    assert proof.to_json() == value


def test_the_head_closes_the_chain(vectors: dict[str, Any], origin: PinnedNode) -> None:
    feed = FeedName.read(vectors["feed"])
    entries = [
        open_entry(vector["envelope"], pinned=origin, feed=feed) for vector in vectors["entries"]
    ]
    state = advance(advance(ChainState(feed), entries[0]), entries[1])
    head = open_head(vectors["head"]["envelope"], pinned=origin, feed=feed)
    decide_end(state, head, lambda _: None)
    assert head.expires == head.ts + timedelta(hours=48)
    assert head_payload(head.feed, head.seq, head.hash, head.ts) == head.envelope.payload
    with pytest.raises(ChainBroken, match="E_GAP"):
        decide_end(advance(ChainState(feed), entries[0]), head, lambda _: None)


def test_every_must_reject_is_rejected_with_its_code(
    vectors: dict[str, Any], origin: PinnedNode
) -> None:
    feed = FeedName.read(vectors["feed"])
    decided_here = set()
    for vector in vectors["must_reject"]:
        with pytest.raises(TocsinError) as caught:
            _step(ChainState(feed), open_entry(vector["envelope"], pinned=origin, feed=feed))
        assert caught.value.code == vector["error"], vector["what"]
        decided_here |= {caught.value.code} & CHAIN_CODES
    assert decided_here == {"E_FEED", "E_GAP"}


def _read_feed(
    vector: dict[str, Any], origin: PinnedNode
) -> Iterator[tuple[dict[str, Any], OpenedEntry, str]]:
    feed = FeedName.read(vector["feed"])
    assert feed.collection_id == vector["collection_id"]
    state = ChainState(feed)
    for expected in vector["entries"]:
        entry = open_entry(expected["envelope"], pinned=origin, feed=feed)
        assert _step(state, entry) is Step.NEXT
        state = advance(state, entry)
        try:
            _judge(entry, origin)
        except ContentRejected as rejected:
            result = f"rejected {rejected.code}"
        else:
            result = "stored"
        yield expected, entry, result


def test_the_further_feeds_are_stored_or_rejected_as_given(
    vectors: dict[str, Any], origin: PinnedNode
) -> None:
    kinds = set()
    for vector in vectors["more"]["feeds"]:
        for expected, entry, result in _read_feed(vector, origin):
            assert entry.hash == expected["hash"]
            assert result == expected["result"], expected["what"]
            kinds.add(entry.header.kind)
    assert kinds >= {"group", "put", "restrict", "erase", "sealed", "release", "noop", "future"}


def test_the_members_of_the_further_kinds(vectors: dict[str, Any], origin: PinnedNode) -> None:
    contents = {}
    for vector in vectors["more"]["feeds"]:
        for expected, entry, result in _read_feed(vector, origin):
            if result == "stored":
                contents[expected["what"]] = read_content(entry)
    restrict = contents["group: restrict to AMBER+STRICT"]
    assert (restrict.tlp, restrict.stop_relay, restrict.seqs) == (Tlp.AMBER_STRICT, True, (2,))
    assert contents["clear: erase of seq 2"].seqs == (2,)
    group = contents["group: roster of a named group"].group
    assert group is not None
    assert vectors["more"]["reader"]["node_id"] in group["members"]  # type: ignore[operator]
    release = contents["sealed: release of the embargoed entry"].release
    assert release is not None
    assert release.seq == 2
    assert contents["sealed: noop"].policy.tlp is None


def test_the_inner_entry_of_the_seal(vectors: dict[str, Any], origin: PinnedNode) -> None:
    sealed = vectors["more"]["sealed"]
    vector = sealed if isinstance(sealed, dict) else sealed[0]
    body = vector["inner_payload"]
    content = read_inner_content(
        body, write_json(body), feed=FeedName.read(body["feed"]), seq=body["seq"]
    )
    assert content.policy.tlp is Tlp.RED
    _check_objects(content, NOW, origin)


def test_the_relay_head(vectors: dict[str, Any], reader: PinnedNode) -> None:
    vector = vectors["more"]["relay_head"]
    stated = vector["payload"]
    feed = FeedName.read(stated["feed"])
    head = open_relay_head(vector["envelope"], relay=reader, feed=feed)
    assert (head.relay, head.seq, head.hash) == (stated["relay"], stated["seq"], stated["hash"])
    written = relay_head_payload(head.relay, head.feed, head.seq, head.hash, head.ts)
    assert written == head.envelope.payload
    decide_relay_page(
        head, last_seq=head.seq, last_hash=head.hash, chain_hash_at=lambda _: head.hash, now=NOW
    )


def test_the_acks(vectors: dict[str, Any], origin: PinnedNode, reader: PinnedNode) -> None:
    deeds = []
    for vector in vectors["more"]["acks"]:
        ack = open_ack(vector["envelope"], acker=reader, origin=origin.node_id)
        written = ack_payload(
            ack.node, ack.feed, ack.seq, ack.hash, did=ack.did, ts=ack.ts, terms=ack.terms
        )
        assert written == ack.envelope.payload
        deeds.append((ack.did, ack.terms is not None))
    assert deeds == [("restricted", False), ("accepted", True)]
