"""The decision table, cell by cell, beside the words of PROTOCOL 3.2."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from federation.policy.sharing import (
    SHARING_TABLE,
    PeerRule,
    Reading,
    RelayRule,
    Row,
    SealedRelay,
    decide_delivery,
    decide_feed_read,
    decide_reader,
)
from federation.trust.presets import TrustLevel
from schemas.markings import Tlp
from tests.federation.policy.standings import (
    DIRECT_TO_OTHER,
    DIRECT_TO_PEER,
    GROUP,
    SEALED,
    feed,
    peer,
    reader,
)
from tests.support.shared_data import shared_path

SPECIFICATION = """\
| CLEAR | T1+ | yes, any peer | n/a | yes | yes | yes | any audience (pap ≥ green) |
| GREEN | T2+ | T2+ only, if `relay:community` | n/a | yes | yes (community members, authenticated) | **no** | own org, constituents |
| AMBER | T3+ **and** named | **never** | yes, to named | yes, need-to-know scope | only objects that touch the constituent's registered zones/prefixes | no | own org; matching constituents |
| AMBER+STRICT | T3+ and named | never | yes, to named | yes, need-to-know scope | **no** | no | own org only |
| RED | T4 and named | never | yes, to named; sealed even when direct | **no**, unless `policy.machine:true` | no | no | no, unless `policy.machine:true`; read in UI by named users, each read logged |
"""  # noqa: E501 - the specification's lines as they stand there
CELLS = {
    Tlp.read(cells[0].lower()): cells[1:]
    for cells in (
        [cell.strip() for cell in line.strip("|").split("|")] for line in SPECIFICATION.splitlines()
    )
}
T1, T2, T3, T4 = TrustLevel.KNOWN, TrustLevel.MEMBER, TrustLevel.TRUSTED, TrustLevel.PARTNER

READINGS = {
    "yes": Reading.YES,
    "yes (community members, authenticated)": Reading.YES,
    "yes, need-to-know scope": Reading.SCOPE,
    "only objects that touch the constituent's registered zones/prefixes": Reading.TOUCHING,
    "no": Reading.NO,
    "**no**": Reading.NO,
    "**no**, unless `policy.machine:true`": Reading.MACHINE,
}
EXPORTS = {
    "any audience (pap ≥ green)": (Reading.YES, Reading.YES, Reading.YES),
    "own org, constituents": (Reading.YES, Reading.YES, Reading.NO),
    "own org; matching constituents": (Reading.YES, Reading.TOUCHING, Reading.NO),
    "own org only": (Reading.YES, Reading.NO, Reading.NO),
    "no, unless `policy.machine:true`; read in UI by named users, each read logged": (
        Reading.MACHINE,
        Reading.NO,
        Reading.NO,
    ),
}
RELAYS: dict[str, dict[str, TrustLevel]] = {
    "yes, any peer": {"public": T1, "community": T2},
    "T2+ only, if `relay:community`": {"community": T2},
    "**never**": {},
    "never": {},
}
SEALED_RELAYS = {
    "n/a": SealedRelay.NOT_APPLICABLE,
    "yes, to named": SealedRelay.TO_NAMED,
    "yes, to named; sealed even when direct": SealedRelay.TO_NAMED,
}


def direct_cell(label: Tlp) -> PeerRule:
    """Read ``T3+ **and** named`` from the specification's own words."""
    text = CELLS[label][0]
    level = re.search(r"T(\d)", text)
    assert level is not None
    sealed = "sealed even when direct" in CELLS[label][2]
    return PeerRule(TrustLevel(int(level[1])), "named" in text, sealed)


def test_the_quoted_table_is_the_specification() -> None:
    protocol = shared_path("design/PROTOCOL.md").read_text(encoding="utf-8")
    for line in SPECIFICATION.splitlines():
        assert line in protocol


def test_the_table_has_a_row_for_every_label() -> None:
    assert list(SHARING_TABLE) == list(Tlp) == list(CELLS)


@pytest.mark.parametrize("label", Tlp)
@pytest.mark.parametrize(
    ("column", "written", "expected"),
    [
        ("direct", lambda row: row.direct, direct_cell),
        ("relay in clear", lambda row: dict(row.relay_clear), lambda lb: RELAYS[CELLS[lb][1]]),
        ("relay sealed", lambda row: row.relay_sealed, lambda lb: SEALED_RELAYS[CELLS[lb][2]]),
        ("own", lambda row: row.own, lambda label: READINGS[CELLS[label][3]]),
        ("constituent", lambda row: row.constituent, lambda label: READINGS[CELLS[label][4]]),
        ("public", lambda row: row.public, lambda label: READINGS[CELLS[label][5]]),
        (
            "exports",
            lambda row: (row.export_organisation, row.export_constituents, row.export_public),
            lambda label: EXPORTS[CELLS[label][6]],
        ),
    ],
)
def test_every_cell_says_what_the_specification_says(
    label: Tlp,
    column: str,
    written: Callable[[Row], object],
    expected: Callable[[Tlp], object],
) -> None:
    cell = written(SHARING_TABLE[label])
    print(f"{label.name:13} {column:15} {cell}")
    assert cell == expected(label)


@pytest.mark.parametrize("label", Tlp)
def test_a_subscriber_reads_clear_and_green_and_what_its_groups_carry(label: Tlp) -> None:
    in_groups = Reading.NO if label is Tlp.RED else Reading.FOLLOWED
    assert SHARING_TABLE[label].subscriber is (Reading.YES if label <= Tlp.GREEN else in_groups)


@pytest.mark.parametrize("label", Tlp)
@pytest.mark.parametrize("groups", [(), ("banks",)])
@pytest.mark.parametrize("in_group", [False, True])
def test_following_a_group_opens_what_it_carries_up_to_amber_strict(
    label: Tlp, groups: tuple[str, ...], in_group: bool
) -> None:
    decision = decide_reader(
        label,
        reader=reader("subscriber", groups=groups),
        machine=False,
        touches=False,
        in_group=in_group,
    )
    carried = bool(groups) and in_group and label is not Tlp.RED
    assert decision.allowed is (label <= Tlp.GREEN or carried)


def test_no_other_kind_reads_more_for_a_group() -> None:
    for kind, label in product(("own", "constituent", "public", "writer", "admin"), Tlp):
        standing = reader(kind, groups=("banks",))
        facts: dict[str, Any] = {"reader": standing, "machine": False, "touches": False}
        assert decide_reader(label, in_group=True, **facts) == decide_reader(label, **facts)


def test_only_words_of_the_protocol_permit_a_relay() -> None:
    words: set[str] = set()
    for row in SHARING_TABLE.values():
        rule: RelayRule = row.relay_clear
        words |= set(rule)
    assert words == {"public", "community"}


# --- decide_delivery ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "trust", "named", "verified"),
    list(product(Tlp, TrustLevel, (False, True), (False, True))),
)
def test_delivery_follows_the_cell(
    label: Tlp, trust: TrustLevel, named: bool, verified: bool
) -> None:
    cell = direct_cell(label)
    counts_as = trust if verified else min(trust, T1)
    expected = counts_as >= cell.trust and (named or not cell.named) and not cell.sealed
    decision = decide_delivery(label, peer=peer(trust, verified=verified), named=named)
    assert decision.allowed is expected
    assert decision.code.startswith("ALLOWED_" if expected else "REFUSED_")
    assert f"TLP:{label.wire.upper()}" in decision.rule


def test_trust_above_known_counts_only_when_verified() -> None:
    unverified = peer(T4, verified=False)
    assert unverified.effective_trust is T1
    assert decide_delivery(Tlp.CLEAR, peer=unverified, named=False).allowed
    assert decide_delivery(Tlp.GREEN, peer=unverified, named=True).code == "REFUSED_NOT_VERIFIED"


def test_too_little_trust_is_said_before_a_missing_verification() -> None:
    decision = decide_delivery(Tlp.AMBER, peer=peer(T2, verified=False), named=True)
    assert decision.code == "REFUSED_TRUST_TOO_LOW"
    assert decision.params["needed"] == "trusted"


def test_amber_for_a_trusted_peer_that_is_not_named() -> None:
    assert decide_delivery(Tlp.AMBER, peer=peer(T3), named=False).code == "REFUSED_NOT_NAMED"


@pytest.mark.parametrize("state", ["suspended", "blocked", "invited", ""])
@pytest.mark.parametrize("label", [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT])
def test_outside_a_reading_state_a_partner_is_a_stranger(state: str, label: Tlp) -> None:
    stranger = peer(T4, state=state)
    assert stranger.effective_trust is TrustLevel.BLOCKED
    assert decide_delivery(label, peer=stranger, named=True).code == "REFUSED_SUSPENDED"


def test_a_blocked_peer_is_a_stranger() -> None:
    decision = decide_delivery(Tlp.CLEAR, peer=peer(TrustLevel.BLOCKED), named=True)
    assert decision.code == "REFUSED_BLOCKED"


def test_a_pending_peer_may_read_clear() -> None:
    pending = peer(T1, state="pending", verified=False)
    assert decide_delivery(Tlp.CLEAR, peer=pending, named=False).allowed


@pytest.mark.parametrize(("label", "dial"), list(product(Tlp, Tlp)))
def test_the_outbound_dial_only_tightens(label: Tlp, dial: Tlp) -> None:
    wide = decide_delivery(label, peer=peer(T4, outbound=Tlp.RED), named=True)
    dialled = decide_delivery(label, peer=peer(T4, outbound=dial), named=True)
    assert dialled.allowed is (wide.allowed and label <= dial)


@pytest.mark.parametrize(
    ("trust", "named", "verified", "state"),
    list(product(TrustLevel, (False, True), (False, True), ("active", "suspended"))),
)
def test_red_is_never_delivered_in_this_release(
    trust: TrustLevel, named: bool, verified: bool, state: str
) -> None:
    decision = decide_delivery(
        Tlp.RED, peer=peer(trust, verified=verified, state=state), named=named
    )
    assert decision.code == "REFUSED_RED_NEEDS_SEALING"


# --- decide_feed_read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("audience", "highest", "trust", "allowed"),
    [
        ("clear", Tlp.CLEAR, TrustLevel.BLOCKED, False),
        ("clear", Tlp.CLEAR, T1, True),
        ("green", Tlp.GREEN, T1, False),
        ("green", Tlp.GREEN, T2, True),
        (GROUP, Tlp.GREEN, T1, False),
        (GROUP, Tlp.GREEN, T2, True),
        (GROUP, Tlp.AMBER, T2, False),
        (GROUP, Tlp.AMBER, T3, True),
        (DIRECT_TO_PEER, Tlp.GREEN, T2, True),
        (DIRECT_TO_PEER, Tlp.AMBER_STRICT, T2, False),
        (DIRECT_TO_PEER, Tlp.AMBER_STRICT, T3, True),
    ],
)
def test_who_reads_a_feed(audience: str, highest: Tlp, trust: TrustLevel, allowed: bool) -> None:
    decision = decide_feed_read(feed(audience), highest=highest, peer=peer(trust), named=True)
    assert decision.allowed is allowed


@pytest.mark.parametrize("audience", [GROUP, DIRECT_TO_PEER])
@pytest.mark.parametrize("highest", [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT])
def test_group_and_direct_feeds_are_read_only_when_named(audience: str, highest: Tlp) -> None:
    decision = decide_feed_read(feed(audience), highest=highest, peer=peer(T4), named=False)
    assert decision.code == "REFUSED_NOT_NAMED"


def test_an_empty_group_feed_is_not_for_a_known_peer() -> None:
    # Its entries without objects carry GREEN, the lowest label of the audience.
    decision = decide_feed_read(feed(GROUP), highest=Tlp.CLEAR, peer=peer(T1), named=True)
    assert decision.code == "REFUSED_TRUST_TOO_LOW"


def test_a_demoted_peer_loses_a_feed_that_once_carried_amber() -> None:
    before = decide_feed_read(feed(DIRECT_TO_PEER), highest=Tlp.AMBER, peer=peer(T3), named=True)
    after = decide_feed_read(feed(DIRECT_TO_PEER), highest=Tlp.AMBER, peer=peer(T2), named=True)
    assert (before.allowed, after.allowed) == (True, False)


def test_a_direct_feed_of_another_peer_is_refused_even_if_the_caller_says_named() -> None:
    decision = decide_feed_read(feed(DIRECT_TO_OTHER), highest=Tlp.GREEN, peer=peer(), named=True)
    assert decision.code == "REFUSED_NOT_NAMED"


def test_sealed_feeds_are_not_served_yet() -> None:
    decision = decide_feed_read(feed(SEALED), highest=Tlp.CLEAR, peer=peer(), named=True)
    assert decision.code == "REFUSED_SEALED_FEED"


# --- decide_reader -----------------------------------------------------------------------------

KINDS = ("own", "constituent", "subscriber", "public", "writer", "admin", "unheard-of")


@pytest.mark.parametrize(
    ("kind", "machine", "touches", "labels"),
    [
        ("public", True, True, [Tlp.CLEAR]),
        ("subscriber", True, True, [Tlp.CLEAR, Tlp.GREEN]),
        ("constituent", True, False, [Tlp.CLEAR, Tlp.GREEN]),
        ("constituent", True, True, [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER]),
        ("own", False, False, [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT]),
        ("own", True, False, list(Tlp)),
        ("writer", True, True, []),
        ("admin", True, True, []),
        ("unheard-of", True, True, []),
    ],
)
def test_what_each_kind_of_reader_reads(
    kind: str, machine: bool, touches: bool, labels: list[Tlp]
) -> None:
    read = [
        label
        for label in Tlp
        if decide_reader(label, reader=reader(kind), machine=machine, touches=touches).allowed
    ]
    assert read == labels


@pytest.mark.parametrize("kind", KINDS)
def test_the_clearance_tightens_every_kind_and_widens_none(kind: str) -> None:
    for label, clearance in product(Tlp, Tlp):
        full = decide_reader(label, reader=reader(kind), machine=True, touches=True)
        cut = decide_reader(
            label, reader=reader(kind, max_tlp=clearance), machine=True, touches=True
        )
        assert cut.allowed is (full.allowed and label <= clearance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("label", Tlp)
def test_originals_only_where_the_token_has_them(kind: str, label: Tlp) -> None:
    without = reader(kind, originals=False)
    assert not decide_reader(label, reader=without, machine=True, touches=True).allowed


def test_verdicts_need_no_leave_and_give_constituents_no_amber() -> None:
    token = reader("constituent", originals=False)

    def verdict(label: Tlp) -> str:
        return decide_reader(
            label, reader=token, machine=False, touches=True, collection="verdicts"
        ).code

    assert verdict(Tlp.GREEN) == "ALLOWED_READER"
    assert verdict(Tlp.AMBER) == "REFUSED_NOT_TOUCHING"


@pytest.mark.parametrize(
    ("label", "kind", "code"),
    [
        (Tlp.GREEN, "public", "REFUSED_READER_LABEL"),
        (Tlp.AMBER, "constituent", "REFUSED_NOT_TOUCHING"),
        (Tlp.RED, "own", "REFUSED_RED_NOT_FOR_MACHINES"),
        (Tlp.CLEAR, "writer", "REFUSED_READER_KIND"),
    ],
)
def test_a_refused_reader_is_told_which_rule(label: Tlp, kind: str, code: str) -> None:
    assert decide_reader(label, reader=reader(kind), machine=False, touches=False).code == code
