"""What the vectors have, the product's own writers write byte for byte (PROTOCOL 2.10)."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from federation.delivery.carried_file import (
    Carriage,
    begin_line,
    document_line,
    end_line,
    end_payload,
    page_line,
    read_line,
)
from federation.feeds.acks import ack_payload, open_ack
from federation.feeds.entry import open_entry
from federation.feeds.heads import HEAD_LIFETIME, head_payload, open_head, open_relay_head
from federation.feeds.heads import relay_head_payload as written_relay_head
from federation.feeds.records import entry_record
from federation.feeds.stubs import is_stub, read_stub, stub_record
from federation.feeds.writing import entry_payload
from federation.identity.node_document import document_payload, read_node_document
from federation.signing.signer import SeedSigner, seal
from federation.trust.vouching import open_vouch, vouch_payload
from schemas.identifiers import FeedName, read_b64
from schemas.signed_envelope import (
    CARRIED_TYPE,
    ENTRY_TYPE,
    HEAD_TYPE,
    NODE_TYPE,
    SignedEnvelope,
    read_envelope,
)
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import read_wire_time
from tests.conformance.test_wire_vectors import FILES, ORGANISATIONS, pinned

SIGNERS = {
    signer.kid: signer
    for organisation in ORGANISATIONS.values()
    for use, seed in organisation["seeds_hex"].items()
    if use != "seal"
    for signer in [SeedSigner(bytes.fromhex(seed))]
}
LATER = {"later"}
"""Members of a later release, which this one's writers do not write."""


def good(reads: str) -> Iterator[tuple[Any, Any]]:
    """Input and expectation of the vectors that hold."""
    for subject in FILES.values():
        for vector in subject["vectors"]:
            if vector["reads"] == reads and "code" not in vector["expect"]:
                yield vector["input"], vector["expect"]


def good_records() -> Iterator[dict[str, Any]]:
    """The TAXII objects of entries that came to be stored, and stubs that have their right."""
    for given, expect in good("steps"):
        pages = [p for s in given["steps"] for p in s.get("pull", {"pages": {}})["pages"].values()]
        for record in (record for page in pages for record in page.get("objects", ())):
            state = expect.get("holds", {}).get(record["feed"], {}).get(str(record["seq"]))
            if state == ("stub" if is_stub(record) else "stored") and "x_later" not in record:
                yield record


def opened(dsse: dict[str, Any], payload_type: str) -> tuple[SignedEnvelope, dict[str, Any]]:
    envelope = read_envelope(dsse, payload_type)
    return envelope, strict_loads(envelope.payload)


def assert_signed(payload_type: str, payload: bytes, dsse: dict[str, Any]) -> None:
    """The product's seal over its own payload is the vector's envelope."""
    assert base64.b64encode(payload).decode() == dsse["payload"]
    kids = [signature["keyid"] for signature in dsse["signatures"]]
    if all(kid in SIGNERS for kid in kids):
        signers = [SIGNERS[kid] for kid in kids]
        both = [seal(signer, payload_type, payload).to_json() for signer in signers]
        assert [one["signatures"][0] for one in both] == dsse["signatures"]


def test_entries_and_their_taxii_objects() -> None:
    count = 0
    for record in good_records():
        feed = FeedName.read(record["feed"])
        if is_stub(record):
            stub = read_stub(record, feed)
            ts = read_wire_time(stub.created)
            assert stub_record(feed, stub.seq, stub.hash, by=stub.by, ts=ts) == write_json(record)
            continue
        envelope, stated = opened(record["dsse"], ENTRY_TYPE)
        ts = read_wire_time(stated["ts"])
        assert entry_record(feed, stated["seq"], ts, envelope) == write_json(record)
        del stated["v"]
        stated |= {"feed": feed, "ts": ts, "nonce": read_b64(stated["nonce"])}
        stated["objects"] = [write_json(value) for value in stated.get("objects", ())]
        assert_signed(ENTRY_TYPE, entry_payload(**stated), record["dsse"])
        count += 1
    assert count > 100


def test_node_documents() -> None:
    documents = [d for known in ORGANISATIONS.values() for d in known["documents"]]
    documents += [d for given, _ in good("documents") for d in given["offered"]]
    for dsse in documents:
        document = read_node_document(dsse)
        if LATER & opened(dsse, NODE_TYPE)[1].keys() or not document.wire:
            continue
        payload = document_payload(
            **{
                name: getattr(document, name)
                for name in (
                    "node_id", "version", "prev", "issued", "expires", "name", "domains", "contact",
                    "root_threshold", "root_keys", "next_root", "keys", "identities", "base",
                    "revoked", "epochs", "terms", "demo", "wire",
                )
            },
            required_algs=sorted(document.required_algs),
        )  # fmt: skip
        assert_signed(NODE_TYPE, write_json(payload), dsse)


def test_heads_and_relay_heads() -> None:
    heads = relay_heads = 0
    by_id = {known["node_id"]: name for name, known in ORGANISATIONS.items()}
    for given, expect in good("steps"):
        for step in given["steps"]:
            pull = step.get("pull")
            if pull is None or set(expect["steps"]) != {None}:
                continue
            origin = pinned(by_id[pull["feed"].split("/")[0]])
            for page in pull["pages"].values():
                if page["x_tocsin_head"]["signatures"][0]["keyid"] in origin.entry_ring().keys:
                    head = open_head(page["x_tocsin_head"], pinned=origin, feed=None)
                    assert head.expires == head.ts + timedelta(hours=48) == head.ts + HEAD_LIFETIME
                    written = head_payload(head.feed, head.seq, head.hash, head.ts)
                    assert_signed(HEAD_TYPE, written, page["x_tocsin_head"])
                    heads += 1
                relayed = page.get("x_tocsin_relay_head")
                if (
                    relayed is not None
                    and not LATER & strict_loads(read_b64(relayed["payload"])).keys()
                ):
                    found = open_relay_head(relayed, relay=pinned(pull["sender"]), feed=None)
                    assert found.envelope.payload == written_relay_head(
                        found.relay, found.feed, found.seq, found.hash, found.ts
                    )
                    relay_heads += 1
    assert heads > 50
    assert relay_heads > 5


def test_acks_and_vouches() -> None:
    for given, _ in good("ack"):
        ack = open_ack(given["dsse"], acker=pinned(given["by"]))
        if LATER & strict_loads(ack.envelope.payload).keys():
            continue
        assert ack.envelope.payload == ack_payload(
            ack.node, ack.feed, ack.seq, ack.hash,
            did=ack.did, ts=ack.ts, terms=ack.terms, passed_on=ack.passed_on,
        )  # fmt: skip
    for given, _ in good("vouch"):
        payload = read_b64(given["dsse"]["payload"])
        if not LATER & strict_loads(payload).keys():
            assert payload == vouch_payload(open_vouch(given["dsse"], voucher=pinned(given["by"])))


def test_the_lines_of_a_carried_file() -> None:
    given, expect = next(good("file"))
    lines = _unpacked(base64.b64decode(given["file"]))
    made = Carriage(expect["from"], expect["to"], read_wire_time(expect["made_at"]))
    node, carried = json.loads(lines[1])["node"], json.loads(lines[2])
    feed = FeedName.read(carried["feed"])
    written = [
        begin_line(made),
        document_line(write_json(node)),
        page_line(feed, write_json(carried["page"])),
    ]
    assert written == lines[:3]
    for record in carried["page"]["objects"]:
        assert open_entry(record["dsse"], pinned=pinned(given["by"]), feed=feed)
    end = read_line(lines[3])
    assert end is not None
    dsse = json.loads(lines[3])["end"]
    stated = strict_loads(read_b64(dsse["payload"]))
    payload = end_payload(made, lines=3, digest=stated["digest"])
    assert_signed(CARRIED_TYPE, payload, dsse)
    assert end_line(read_envelope(dsse, CARRIED_TYPE)) == lines[3]


def _unpacked(raw: bytes) -> list[bytes]:
    lines = []
    while raw:
        unpacking = zlib.decompressobj(wbits=31)
        lines.append(unpacking.decompress(raw).rstrip(b"\n"))
        raw = unpacking.unused_data
    return lines
