"""THREATS section 2, invariant 1: the lattice; and the table's monotony (PROTOCOL 3.1, 3.2)."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from federation.policy.labels import EMBARGO_EXTENSION, effective_label
from federation.policy.redistribution import decide_relay
from federation.policy.sharing import (
    PeerStanding,
    ReaderStanding,
    decide_delivery,
    decide_feed_read,
    decide_reader,
)
from federation.trust.presets import TrustLevel
from schemas.identifiers import FeedName, NodeId, direct_audience
from schemas.markings import TLP_BY_MARKING_ID, EffectiveLabel, Tlp

NAMES = st.frozensets(st.sampled_from("ABCD"))
TLPS = st.sampled_from(Tlp)
LEVELS = st.sampled_from(TrustLevel)
LABELS = st.builds(EffectiveLabel, TLPS, st.none() | NAMES)

STATEMENT, EMBARGO, UNKNOWN = (
    f"marking-definition--{n:08}-0000-4000-8000-0000000000aa" for n in range(3)
)
KNOWN_MARKINGS: dict[str, dict[str, Any]] = {
    STATEMENT: {"definition_type": "statement", "object_marking_refs": [Tlp.GREEN.marking_id]},
    EMBARGO: {"extensions": {EMBARGO_EXTENSION: {"on_expiry_tlp": "clear"}}},
}
MARKINGS = st.sampled_from([*TLP_BY_MARKING_ID, STATEMENT, EMBARGO, UNKNOWN])


def readers_of(label: EffectiveLabel) -> frozenset[str]:
    """List which of four named nodes a label and audience leave; below AMBER open means all."""
    return frozenset("ABCD") if label.audience is None else label.audience


@given(LABELS, LABELS, LABELS)
def test_join_is_associative_commutative_and_idempotent(
    a: EffectiveLabel, b: EffectiveLabel, c: EffectiveLabel
) -> None:
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(b) == b.join(a)
    assert a.join(a) == a


@given(LABELS, LABELS)
def test_t23_join_never_widens(a: EffectiveLabel, b: EffectiveLabel) -> None:
    joined = a.join(b)
    assert joined.tlp >= a.tlp
    assert readers_of(joined) <= readers_of(a)
    assert a.covers(joined)


@given(LABELS)
def test_t23_an_unspecified_audience_at_amber_and_above_is_nobody(label: EffectiveLabel) -> None:
    if label.tlp >= Tlp.AMBER:
        assert label.audience is not None


@given(
    entry=TLPS,
    refs=st.lists(MARKINGS, max_size=3),
    granular=st.lists(MARKINGS, max_size=3),
    added=MARKINGS,
    whole=st.booleans(),
    audience=st.none() | NAMES,
)
def test_adding_a_marking_never_widens_delivery(
    *,
    entry: Tlp,
    refs: list[str],
    granular: list[str],
    added: str,
    whole: bool,
    audience: frozenset[str] | None,
) -> None:
    def marked(of_object: list[str], of_parts: list[str]) -> dict[str, Any]:
        return {
            "type": "indicator",
            "object_marking_refs": of_object,
            "granular_markings": [{"marking_ref": ref, "selectors": ["name"]} for ref in of_parts],
        }

    before = effective_label(marked(refs, granular), entry, KNOWN_MARKINGS, audience=audience)
    more = marked([*refs, added], granular) if whole else marked(refs, [*granular, added])
    after = effective_label(more, entry, KNOWN_MARKINGS, audience=audience)

    assert after.label.tlp >= before.label.tlp >= entry
    assert readers_of(after.label) <= readers_of(before.label)
    assert set(after.unknown_markings) >= set(before.unknown_markings)


@given(TLPS, st.permutations([Tlp.GREEN.marking_id, Tlp.RED.marking_id, STATEMENT, UNKNOWN]))
def test_the_order_of_markings_does_not_matter(entry: Tlp, refs: list[str]) -> None:
    finding = effective_label({"object_marking_refs": refs}, entry, KNOWN_MARKINGS)
    sorted_one = effective_label({"object_marking_refs": sorted(refs)}, entry, KNOWN_MARKINGS)
    assert (finding.label, finding.printed) == (sorted_one.label, sorted_one.printed)


PEER = NodeId("b" * 52)
STATES = st.sampled_from(["active", "pending", "suspended"])
AUDIENCES = st.sampled_from(["clear", "green", "g-" + "q" * 26, direct_audience(PEER)])


@given(
    label=TLPS,
    other=TLPS,
    trust=LEVELS,
    more=LEVELS,
    named=st.booleans(),
    verified=st.booleans(),
    state=STATES,
    outbound=TLPS,
)
def test_the_table_is_monotone_in_label_and_trust(
    *,
    label: Tlp,
    other: Tlp,
    trust: TrustLevel,
    more: TrustLevel,
    named: bool,
    verified: bool,
    state: str,
    outbound: Tlp,
) -> None:
    strict, loose = max(label, other), min(label, other)
    low = PeerStanding(PEER, "p", min(trust, more), verified, state, outbound)
    high = PeerStanding(PEER, "p", max(trust, more), verified, state, outbound)
    if decide_delivery(strict, peer=low, named=named).allowed:
        assert decide_delivery(loose, peer=low, named=named).allowed
        assert decide_delivery(strict, peer=high, named=named).allowed
        assert decide_delivery(strict, peer=low, named=True).allowed


@given(
    audience=AUDIENCES,
    highest=TLPS,
    trust=LEVELS,
    named=st.booleans(),
    verified=st.booleans(),
    state=STATES,
    outbound=TLPS,
)
def test_whoever_reads_a_feed_may_be_given_every_label_in_it(
    *,
    audience: str,
    highest: Tlp,
    trust: TrustLevel,
    named: bool,
    verified: bool,
    state: str,
    outbound: Tlp,
) -> None:
    peer = PeerStanding(PEER, "p", trust, verified, state, outbound)
    feed = FeedName(NodeId("a" * 52), audience)
    if decide_feed_read(feed, highest=highest, peer=peer, named=named).allowed:
        for label in Tlp:
            if label <= highest:
                assert decide_delivery(label, peer=peer, named=named).allowed


@given(AUDIENCES, st.sampled_from(["public", "community", "none"]), LEVELS, st.booleans(), STATES)
def test_a_relay_gives_nobody_what_the_origin_would_not(
    audience: str, relay: str, trust: TrustLevel, verified: bool, state: str
) -> None:
    peer = PeerStanding(PEER, "p", trust, verified, state, Tlp.RED)
    feed = FeedName(NodeId("a" * 52), audience)
    if decide_relay(feed, relay=relay, peer=peer, relay_on=True).allowed:
        highest = Tlp.CLEAR if audience == "clear" else Tlp.GREEN
        assert audience in {"clear", "green"}
        assert decide_feed_read(feed, highest=highest, peer=peer, named=False).allowed


@given(
    label=TLPS,
    other=TLPS,
    kind=st.sampled_from(["own", "constituent", "subscriber", "public", "writer", "admin"]),
    clearance=TLPS,
    machine=st.booleans(),
    touches=st.booleans(),
)
def test_a_reader_of_a_strict_label_reads_every_looser_one(
    *, label: Tlp, other: Tlp, kind: str, clearance: Tlp, machine: bool, touches: bool
) -> None:
    reader = ReaderStanding("r", kind, clearance, originals=True)
    strict, loose = max(label, other), min(label, other)
    if decide_reader(strict, reader=reader, machine=machine, touches=touches).allowed:
        assert decide_reader(loose, reader=reader, machine=machine, touches=touches).allowed
        assert strict <= clearance
