"""Who may have what: the decision table of PROTOCOL 3.2 as data, and the three questions to it.

Decides, for a label, whether a peer gets it directly, reads a whole feed, or a token reads it.

Invariants:
* the table is the only place where a label meets a trust level or a kind of reader;
* a stricter label never goes to more peers or readers, more trust never to fewer;
* trust above ``known`` counts only once the eight words were compared (PROTOCOL 4.5), or, up to
  ``member``, once a person took the word of two vouchers for it (4.2): decided in
  ``PeerStanding.effective_trust`` and nowhere else;
* dials and clearances only tighten; an unknown state, kind or column refuses;
* a blocked or suspended peer is a stranger (PROTOCOL 2.6);
* RED crosses no wire unsealed, and this release cannot seal: every delivery of it is refused.

What it does not do: relay (``redistribution``), compute labels (``labels``), or find out whether
a peer is named or an object touches a zone: the caller brings these facts.

>>> peer = PeerStanding(NodeId("b" * 52), "registry", TrustLevel.MEMBER, True, "active", Tlp.GREEN)
>>> decide_delivery(Tlp.GREEN, peer=peer, named=False).code
'ALLOWED_GREEN_MEMBER'
>>> decide_delivery(Tlp.AMBER, peer=peer, named=True).code
'REFUSED_TRUST_TOO_LOW'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, assert_never

from federation.policy.decision import Code, Decision
from federation.trust.presets import TrustLevel
from schemas.identifiers import FeedName, NodeId, direct_audience
from schemas.markings import Tlp

READING_STATES: Final = frozenset({"pending", "active"})
"""States of a relation in which a peer may read; in every other one it is a stranger."""


@dataclass(frozen=True, slots=True)
class PeerStanding:
    """What this node knows of a peer when it decides.

    Args:
        node_id: the peer.
        name: for the sentence.
        trust: the level that the operator gave.
        verified: whether the voice code was compared (PROTOCOL 4.5).
        state: ``pending`` or ``active`` read, anything else is a stranger.
        outbound: the dial, the strictest label that may go out to this peer.
        introduced: whether a person accepted it on the word of others (PROTOCOL 4.2).
    """

    node_id: NodeId
    name: str
    trust: TrustLevel
    verified: bool
    state: str
    outbound: Tlp
    introduced: bool = False

    @property
    def effective_trust(self) -> TrustLevel:
        """The level that counts: blocked for a stranger, at most known until verified."""
        if self.state not in READING_STATES:
            return TrustLevel.BLOCKED
        if self.verified:
            return self.trust
        # Introductions are not transitive trust: whoever was only vouched for stays below T3.
        return min(self.trust, TrustLevel.MEMBER if self.introduced else TrustLevel.KNOWN)


@dataclass(frozen=True, slots=True)
class ReaderStanding:
    """What this node knows of a token when it decides (INTERFACE "Kinds of reader").

    Args:
        name: for the sentence.
        kind: ``own``, ``constituent``, ``subscriber``, ``public``, ``writer`` or ``admin``.
        max_tlp: its clearance; it tightens every kind and widens none.
        groups: the groups whose feeds it may follow.
        zones: the registered zones of a constituent.
        prefixes: its registered prefixes.
        originals: whether it may read ``originals`` at all.
    """

    name: str
    kind: str
    max_tlp: Tlp
    groups: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    originals: bool = False


@dataclass(frozen=True, slots=True)
class PeerRule:
    """A cell of the column "direct to peer": ``T3+ and named`` is ``PeerRule(TRUSTED, named)``."""

    trust: TrustLevel
    named: bool = False
    sealed: bool = False


class SealedRelay(Enum):
    """A cell of the column "relay sealed"."""

    NOT_APPLICABLE = "n/a"
    TO_NAMED = "yes, to named"


class Reading(Enum):
    """A cell of a reader's or an export's column."""

    YES = "yes"
    SCOPE = "yes, need-to-know scope"
    TOUCHING = "only objects that touch the registered zones or prefixes"
    FOLLOWED = "only objects that a group of the reader's carries"
    MACHINE = "no, unless policy.machine is true"
    NO = "no"


RelayRule = Mapping[str, TrustLevel]
"""A cell of the column "relay in clear": the ``policy.relay`` words that permit it, each with the
lowest trust of who gets it. ``community`` on a CLEAR feed is read as members only: without that
reading it would say the same as ``public``."""


@dataclass(frozen=True, slots=True)
class Row:
    """One label's row, columns in the order of the specification.

    ``subscriber`` is no column there: it is INTERFACE's kind, an authenticated member of the
    community without a zone of its own, which this node may name in groups as it names peers. The
    export column is split by who observes the export;
    what blocks also needs ``pap`` green or clear, which is no matter of the label.
    """

    direct: PeerRule
    relay_clear: RelayRule
    relay_sealed: SealedRelay
    own: Reading
    constituent: Reading
    subscriber: Reading
    public: Reading
    export_organisation: Reading
    export_constituents: Reading
    export_public: Reading

    def reading(self, kind: str) -> Reading | None:
        """Return the cell of a kind of reader, or None for a kind that reads nothing by itself."""
        columns = {
            "own": self.own,
            "constituent": self.constituent,
            "subscriber": self.subscriber,
            "public": self.public,
        }
        return columns.get(kind)


_YES, _NEED, _NEAR, _FOLL, _MACH, _NO = list(Reading)
_NA, _NAMED = list(SealedRelay)

_T1_ALL: Final = PeerRule(TrustLevel.KNOWN)
_T2_ALL: Final = PeerRule(TrustLevel.MEMBER)
_T3_NAMED: Final = PeerRule(TrustLevel.TRUSTED, named=True)
_T4_SEAL: Final = PeerRule(TrustLevel.PARTNER, named=True, sealed=True)

_ANY: Final[RelayRule] = MappingProxyType(
    {"public": TrustLevel.KNOWN, "community": TrustLevel.MEMBER}
)
_TO_T2: Final[RelayRule] = MappingProxyType({"community": TrustLevel.MEMBER})
_NEVER: Final[RelayRule] = MappingProxyType({})

# fmt: off
SHARING_TABLE: Final[Mapping[Tlp, Row]] = MappingProxyType({
    #                     direct     relayed  relay   tokens                    exports seen by
    #                     to peer    clear    sealed  own    const  subs  publ  organ  const  public
    Tlp.CLEAR:        Row(_T1_ALL,   _ANY,    _NA,    _YES,  _YES,  _YES, _YES, _YES,  _YES,  _YES),
    Tlp.GREEN:        Row(_T2_ALL,   _TO_T2,  _NA,    _YES,  _YES,  _YES, _NO,  _YES,  _YES,  _NO),
    Tlp.AMBER:        Row(_T3_NAMED, _NEVER,  _NAMED, _NEED, _NEAR, _FOLL, _NO, _YES,  _NEAR, _NO),
    Tlp.AMBER_STRICT: Row(_T3_NAMED, _NEVER,  _NAMED, _NEED, _NO,   _FOLL, _NO, _YES,  _NO,   _NO),
    Tlp.RED:          Row(_T4_SEAL,  _NEVER,  _NAMED, _MACH, _NO,   _NO,  _NO,  _MACH, _NO,   _NO),
})
# fmt: on
"""PROTOCOL 3.2. Its last row, the sealed and opaque entry, is what no column but the sealed relay
ever gets; it comes with sealed feeds."""

_ALLOWED: Final[Mapping[Tlp, Code]] = MappingProxyType(
    {
        Tlp.CLEAR: "ALLOWED_CLEAR_KNOWN",
        Tlp.GREEN: "ALLOWED_GREEN_MEMBER",
        Tlp.AMBER: "ALLOWED_AMBER_NAMED",
        Tlp.AMBER_STRICT: "ALLOWED_AMBER_STRICT_NAMED",
    }
)
_FLOOR: Final[Mapping[str, Tlp]] = MappingProxyType(
    {"clear": Tlp.CLEAR, "green": Tlp.GREEN, "group": Tlp.GREEN, "direct": Tlp.GREEN}
)
"""The lowest label that an audience carries (PROTOCOL 2.4)."""


def tlp_words(tlp: Tlp) -> str:
    """Write a label as TLP 2.0 prints it, such as ``TLP:AMBER+STRICT``."""
    return f"TLP:{tlp.wire.upper()}"


def decide_standing(
    needed: TrustLevel, *, label: Tlp, peer: PeerStanding, rule: str
) -> Decision | None:
    """Refuse a peer whose standing does not reach ``needed`` for this label, else None.

    The one place that asks for state, trust, verification and the outbound dial, in this order.
    """
    facts: dict[str, object] = {
        "label": tlp_words(label),
        "peer": peer.name,
        "trust": peer.trust.word,
        "needed": needed.word,
        "state": peer.state,
        "outbound": tlp_words(peer.outbound),
    }
    # 1. A stranger gets nothing, whatever its trust was.
    if peer.state not in READING_STATES:
        return Decision.of("REFUSED_SUSPENDED", rule, **facts)
    if peer.trust is TrustLevel.BLOCKED:
        return Decision.of("REFUSED_BLOCKED", rule, **facts)
    # 2. Trust, and 3. whether it counts. Too little trust is said first: comparing the words
    #    would not help there.
    if peer.trust < needed:
        return Decision.of("REFUSED_TRUST_TOO_LOW", rule, **facts)
    if peer.effective_trust < needed:
        return Decision.of("REFUSED_NOT_VERIFIED", rule, **facts)
    # 4. The operator's dial only tightens.
    if label > peer.outbound:
        return Decision.of("REFUSED_OUTBOUND_DIAL", rule, **facts)
    return None


def _decide_direct(
    label: Tlp, *, peer: PeerStanding, named: bool, must_be_named: bool, rule: str
) -> Decision:
    cell = SHARING_TABLE[label].direct
    facts = {"label": tlp_words(label), "peer": peer.name, "trust": peer.trust.word}
    if cell.sealed:
        # Before everything else: no fact about the peer can change this in a release that
        # cannot seal, so no sentence may suggest one.
        return Decision.of("REFUSED_RED_NEEDS_SEALING", rule, **facts)
    refused = decide_standing(cell.trust, label=label, peer=peer, rule=rule)
    if refused is not None:
        return refused
    if (cell.named or must_be_named) and not named:
        return Decision.of("REFUSED_NOT_NAMED", rule, needed=cell.trust.word, **facts)
    return Decision.of(_ALLOWED[label], rule, needed=cell.trust.word, **facts)


def decide_delivery(tlp: Tlp, *, peer: PeerStanding, named: bool) -> Decision:
    """Decide whether what carries this label may go directly to a peer (PROTOCOL 3.2).

    Args:
        tlp: the effective label, which is at least the entry's.
        peer: its standing at this node.
        named: whether it is in the group, or the direct feed is its own.
    """
    rule = f"PROTOCOL 3.2, {tlp_words(tlp)}, direct to peer"
    return _decide_direct(tlp, peer=peer, named=named, must_be_named=False, rule=rule)


def decide_feed_read(feed: FeedName, *, highest: Tlp, peer: PeerStanding, named: bool) -> Decision:
    """Decide whether a peer reads one of this node's own feeds: whole or not at all (PROTOCOL 2.6).

    For another node's feed ask ``redistribution.decide_relay``.

    Args:
        feed: one of this node's own.
        highest: the strictest label that the feed has ever carried. A later lower one does not
            count, or a demoted peer would get back what it lost.
        peer: its standing at this node.
        named: whether it is in the group, or the direct feed is its own. A direct feed whose name
            is not derived from this peer is refused even so.
    """
    rule = f"PROTOCOL 2.6, who reads a {feed.kind} feed"
    floor = _FLOOR.get(feed.kind)
    if floor is None:
        return Decision.of("REFUSED_SEALED_FEED", rule, peer=peer.name, feed=str(feed))
    if feed.kind == "direct" and feed.audience != direct_audience(peer.node_id):
        named = False
    return _decide_direct(
        max(floor, highest),
        peer=peer,
        named=named,
        must_be_named=feed.kind in {"group", "direct"},
        rule=rule,
    )


def decide_entry_read(read: Decision, *, peer: PeerStanding, seq: int, begins: int) -> Decision:
    """Decide whether a peer that reads a feed reads one entry of it (PROTOCOL 2.6, anchors).

    Args:
        read: what ``decide_feed_read`` said.
        peer: who reads.
        seq: the entry's.
        begins: the last entry before this reader's part of the feed, 0 for all of it.
    """
    if not read.allowed or seq > begins:
        return read
    rule = "PROTOCOL 2.6, a group with history join"
    return Decision.of("REFUSED_BEFORE_JOINED", rule, peer=peer.name)


def decide_reader(
    tlp: Tlp,
    *,
    reader: ReaderStanding,
    machine: bool,
    touches: bool,
    in_group: bool = False,
    collection: str = "originals",
) -> Decision:
    """Decide whether a token reads an object of this label (PROTOCOL 3.2, INTERFACE).

    Args:
        tlp: the object's effective label.
        reader: the token.
        machine: the entry's ``policy.machine``.
        touches: whether the object touches the reader's zones or prefixes (``views.touches``).
        in_group: whether a group that the reader follows carries the object.
        collection: ``originals``, or another one, which needs no leave to read originals.
    """
    rule = f"PROTOCOL 3.2, {tlp_words(tlp)}, {reader.kind} token"
    facts = {
        "label": tlp_words(tlp),
        "reader": reader.name,
        "kind": reader.kind,
        "clearance": tlp_words(reader.max_tlp),
    }
    # 1. Writers and administrators read nothing by themselves, nor does a kind unknown here.
    cell = SHARING_TABLE[tlp].reading(reader.kind)
    if cell is None:
        return Decision.of("REFUSED_READER_KIND", rule, **facts)
    # 2. Originals are apart, because the guards against wrong blocks work on verdicts.
    if collection == "originals" and not reader.originals:
        return Decision.of("REFUSED_NO_ORIGINALS", rule, **facts)
    # 3. The clearance tightens every kind.
    if tlp > reader.max_tlp:
        return Decision.of("REFUSED_CLEARANCE", rule, **facts)
    # 4. The cell. Verdicts have no AMBER for constituents: one fused number could speak of the
    #    zones of many, so touching counts in originals alone; so do groups.
    alone = collection == "originals"
    if cell is Reading.FOLLOWED and not reader.groups:
        cell = Reading.NO
    code = _code_of(cell, machine=machine, touching=touches and alone, followed=in_group and alone)
    return Decision.of(code, rule, **facts)


def _code_of(cell: Reading, *, machine: bool, touching: bool, followed: bool) -> Code:
    """Read one cell of a reader's column."""
    match cell:
        case Reading.YES | Reading.SCOPE:
            # The need-to-know scope of an own token is its clearance, asked for before.
            return "ALLOWED_READER"
        case Reading.TOUCHING:
            return "ALLOWED_READER_TOUCHES" if touching else "REFUSED_NOT_TOUCHING"
        case Reading.FOLLOWED:
            return "ALLOWED_READER_GROUP" if followed else "REFUSED_NOT_IN_GROUP"
        case Reading.MACHINE:
            return "ALLOWED_READER_MACHINE" if machine else "REFUSED_RED_NOT_FOR_MACHINES"
        case Reading.NO:
            return "REFUSED_READER_LABEL"
        case _:
            assert_never(cell)
