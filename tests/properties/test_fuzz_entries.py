"""Whatever a peer signs: an entry is opened and judged, or refused by name; nothing else happens.

The entries are signed by the very keys that the receiver pinned: a hostile peer has those. What is
mutated is what it says with them (THREATS 3 to 5, 29 to 32, 55).
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation.errors import ChainBroken, ContentRejected, SignatureRejected
from federation.feeds.content import read_content
from federation.feeds.entry import open_entry
from federation.feeds.heads import open_head, open_relay_head
from federation.identity.node_document import pin_chain
from federation.signing.signer import seal
from hub.exchange.received_content import judge_content
from hub.storage.queries.feeds import find_feed
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE, RELAY_HEAD_TYPE
from schemas.strict_json import strict_loads, write_json
from tests.support.joined_nodes import entry_states
from tests.support.nodes import make_node
from tests.support.publications import (
    AT,
    Author,
    domain,
    hand_over,
    indicator,
    marked,
    note,
    page_of,
    record,
    relationship,
    statement,
    stix_id,
)

AUTHOR = Author(1)
PINNED = pin_chain([AUTHOR.document.to_json()], expected=AUTHOR.node_id, allow_demo=False)
FEED = FeedName(AUTHOR.node_id, "green")
REFUSED = (WireFormatError, SignatureRejected, ChainBroken)

_OBJECTS = [
    indicator(1),
    domain("one.example"),
    note(2, stix_id("indicator", 1)),
    relationship(3, stix_id("indicator", 1), domain("one.example")["id"]),
    {
        "type": "sighting", "spec_version": "2.1", "id": stix_id("sighting", 4),
        "created": AT, "modified": AT, "sighting_of_ref": stix_id("indicator", 1),
        "first_seen": AT, "count": 3,
    },
    {
        "type": "file", "spec_version": "2.1", "id": stix_id("file", 5),
        "name": "a", "size": 1, "extensions": {"ntfs-ext": {"sid": "1"}},
    },
]  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "put": {
        "kind": "put", "src": ["analyst"], "idn": {},
        "objects": [statement(), *(marked(value, Tlp.GREEN) for value in _OBJECTS)],
    },
    "retract": {
        "kind": "retract", "ids": [stix_id("indicator", 1)], "reason": "wrong",
        "objects": [marked(indicator(1, revoked=True), Tlp.GREEN)],
    },
    "restrict": {
        "kind": "restrict", "ids": [stix_id("indicator", 1)], "tlp": "amber",
        "stop_relay": True, "seqs": [1],
    },
    "erase": {"kind": "erase", "seqs": [2], "reason": "personal data"},
    "noop": {"kind": "noop", "vouches": []},
}  # fmt: skip
POLICY = {
    "tlp": "green", "relay": "community", "pap": "green", "machine": False, "exercise": False,
    "release": {"at": "2026-04-01T00:00:00.000Z", "tlp": "clear"}, "named": ["A"], "ack": [],
    "iep": {"attribution": "may", "end_date": "2027-01-01T00:00:00.000Z"}, "urgency": "routine",
}  # fmt: skip

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        [
            "", "\0", "x\0y", "!", "--", "\u202e", "ſ", "é" * 300, "a" * 5000, "'" * 50, "\\" * 99,
            "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z", "2026-03-01T24:00:00.000Z",
            "9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z", "2026-03-01T10:00:60Z",
            "clear", "green", "amber", "amber+strict", "red", "sealed", "none", "public",
            "put", "sealed", "release", "group", "noop", "erase", "restrict", "retract",
            "indicator--" + "0" * 36, stix_id("indicator", 1), Tlp.RED.marking_id,
            "[domain-name:value = 'a']", "[" * 200, "(" * 2000, "[a:b MATCHES '(a+)+$']",
            "xn--", "xn--a", "*.example", "http://[::1", "1.2.3.4/99", "::ffff:1.2.3.4",
        ]
    ),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=6,
)
NAMES = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            "!new", "id", "type", "created", "modified", "revoked", "object_marking_refs",
            "granular_markings", "extensions", "pattern", "value", "created_by_ref", "x_custom",
            "seq", "ts", "prev", "policy", "objects", "ids", "supersedes", "sealed", "spec_version",
            "definition", "lang", "hashes", "external_references", "labels", "confidence",
        ]
    ),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path] if path else []
    items = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list)
        else ()
    )  # fmt: skip
    for key, below in items:
        found += places(below, (*path, key))
    return found


@st.composite
def mutated(draw: st.DrawFn, whole: dict[str, Any], most: int = 3) -> dict[str, Any]:
    """A value with some of its places replaced, dropped, doubled or added to."""
    value = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, most))):
        every = places(value)
        if not every:
            break
        path = draw(st.sampled_from(every))
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        act = draw(st.sampled_from(["replace", "drop", "double", "add", "nest"]))
        if act == "replace":
            holder[path[-1]] = draw(VALUES)
        elif act == "drop":
            del holder[path[-1]]
        elif act == "double" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[path[-1]]))
        elif act == "nest":
            holder[path[-1]] = [holder[path[-1]]]
        elif isinstance(holder, dict):
            holder[draw(NAMES)] = draw(VALUES)
    return value


@st.composite
def entries(draw: st.DrawFn, seq: int = 7) -> dict[str, Any]:
    """The members of an entry, mutated."""
    kind = draw(st.sampled_from(sorted(BODIES)))
    policy = POLICY if kind in {"put", "retract"} else {"tlp": "green", "relay": "community"}
    members = {
        "v": 1, "feed": str(FEED), "seq": seq, "prev": "0" * 64, "ts": "2026-03-01T10:00:00.000Z",
        "nonce": "AwMDAwMDAwMDAwMDAwMDAw==", "policy": policy, **BODIES[kind],
    }  # fmt: skip
    return draw(mutated(members))


@settings(max_examples=150, deadline=None)
@given(entries())
def test_t55_a_signed_entry_is_judged_or_refused_by_name(members):
    envelope = seal(AUTHOR.owner.entry, ENTRY_TYPE, write_json(members))
    try:
        entry = open_entry(envelope.to_json(), pinned=PINNED, feed=FEED)
    except REFUSED:
        return
    try:
        judged = judge_content(entry, PINNED)
    except ContentRejected:
        return
    assert judged.content == read_content(entry)
    payload = envelope.payload
    for item in judged.objects:
        assert item.raw in payload
        assert strict_loads(item.raw) == item.value
        assert item.tlp >= Tlp.GREEN


@settings(max_examples=100, deadline=None)
@given(
    mutated(
        {
            "v": 1, "feed": str(FEED), "relay": AUTHOR.node_id, "seq": 3, "hash": "0" * 64,
            "ts": "2026-03-01T10:00:00.000Z", "expires": "2026-03-03T10:00:00.000Z",
        }
    )
)  # fmt: skip
def test_a_signed_head_is_opened_or_refused_by_name(members):
    payload = write_json(members)
    head = seal(AUTHOR.owner.entry, HEAD_TYPE, payload).to_json()
    relay_head = seal(AUTHOR.owner.entry, RELAY_HEAD_TYPE, payload).to_json()
    for read in (
        lambda: open_head(head, pinned=PINNED, feed=None),
        lambda: open_relay_head(relay_head, relay=PINNED, feed=None),
    ):
        try:
            opened = read()
        except REFUSED:
            continue
        assert opened.feed == FEED


@settings(max_examples=150, deadline=None)
@given(mutated(strict_loads(AUTHOR.document.payload)), st.booleans())
def test_a_signed_document_is_pinned_or_refused_by_name(members, is_second):
    signed = seal(AUTHOR.owner.root, AUTHOR.document.payload_type, write_json(members)).to_json()
    documents = [AUTHOR.document.to_json(), signed] if is_second else [signed]
    try:
        chain = pin_chain(documents, expected=AUTHOR.node_id, allow_demo=False)
    except REFUSED:
        return
    assert chain.node_id == AUTHOR.node_id


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    made = make_node(tmp_path_factory.mktemp("fuzz"), "receiver")
    AUTHOR.meets(made, "partner")
    yield made
    made.database.close()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_t55_a_page_is_stored_in_part_or_whole_and_never_breaks(node, data):
    with node.database.read() as tx:
        held = find_feed(tx, FEED)
    seq, prev = (0, "0" * 64) if held is None else (held.last_seq, held.last_hash)
    objects = []
    for place in range(1, data.draw(st.integers(1, 4)) + 1):
        members = data.draw(entries(seq + place)) | {"seq": seq + place, "prev": prev}
        envelope = seal(AUTHOR.owner.entry, ENTRY_TYPE, write_json(members))
        try:
            objects.append(record(FEED, seq + place, envelope))
        except (ValueError, KeyError, TypeError):
            objects.append({"seq": seq + place, "dsse": envelope.to_json()})
        prev = envelope.hash
    objects = data.draw(st.one_of(st.just(objects), st.permutations(objects)))
    received = hand_over(node, FEED, page_of(objects), AUTHOR)
    assert received.last_seq >= seq
    kept = [number for number, _, _ in entry_states(node, FEED)]
    assert kept == list(range(1, received.last_seq + 1))
