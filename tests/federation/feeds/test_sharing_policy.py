"""PROTOCOL 2.4 ``policy``: exactly these members, and only what the audience allows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from federation.errors import ContentRejected
from federation.feeds.sharing_policy import (
    Iep,
    Release,
    SharingPolicy,
    lowest_label,
    policy_members,
    read_policy,
)
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from schemas.strict_json import strict_loads, write_json
from tests.federation.feeds.feed_writer import OWNER, feed_of

AUDIENCES = {
    "clear": "clear",
    "green": "green",
    "group": "g-" + "a" * 26,
    "direct": "d-" + "a" * 26,
    "sealed": "s-" + "a" * 26,
}
LATER = datetime(2026, 4, 1, tzinfo=UTC)


def read(audience: str = "green", *, inside: bool = False, **members: Any) -> SharingPolicy:
    feed = feed_of(AUDIENCES[audience])
    policy = {"tlp": "green", **members}
    return read_policy(policy, feed, carries_objects=True, inside_seal=inside)


def refusal(audience: str = "green", *, inside: bool = False, **members: Any) -> str:
    with pytest.raises((ContentRejected, WireFormatError)) as caught:
        read(audience, inside=inside, **members)
    return caught.value.code


ALLOWED = {
    "clear": "clear",
    "green": "green",
    "group": "green amber amber+strict",
    "direct": "green amber amber+strict",
}


@pytest.mark.parametrize("audience", list(ALLOWED))
@pytest.mark.parametrize("word", ["clear", "green", "amber", "amber+strict", "red", "sealed"])
def test_the_label_is_one_that_the_audience_allows(audience: str, word: str) -> None:
    if word in ALLOWED[audience].split():
        assert read(audience, tlp=word).tlp is Tlp.read(word)
    else:
        assert refusal(audience, tlp=word) == "E_POLICY"


@pytest.mark.parametrize("tlp", Tlp)
def test_any_label_may_be_inside_a_seal_and_none_outside(tlp: Tlp) -> None:
    assert read("sealed", inside=True, tlp=tlp.wire).tlp is tlp
    assert refusal("sealed", tlp=tlp.wire) == "E_POLICY"


def test_outside_a_seal_the_label_is_sealed() -> None:
    assert read("sealed", tlp="sealed", relay="community").tlp is None
    assert read("sealed", tlp="sealed").relay == "none"
    assert refusal("sealed", tlp="sealed", relay="public") == "E_POLICY"
    assert refusal("sealed", inside=True, tlp="sealed") == "E_POLICY"


@pytest.mark.parametrize("tlp", Tlp)
@pytest.mark.parametrize("relay", ["public", "community", "none"])
def test_the_relay_rule_fits_the_label(tlp: Tlp, relay: str) -> None:
    fits = {
        "public": tlp is Tlp.CLEAR,
        "community": tlp <= Tlp.GREEN,
        "none": True,
    }[relay]
    if fits:
        assert read("sealed", inside=True, tlp=tlp.wire, relay=relay).relay == relay
    else:
        assert refusal("sealed", inside=True, tlp=tlp.wire, relay=relay) == "E_POLICY"


@pytest.mark.parametrize(
    ("tlp", "pap"),
    list(zip(Tlp, ["green", "green", "amber", "amber", "amber"], strict=True)),
)
def test_unstated_permissible_actions_follow_the_label(tlp: Tlp, pap: str) -> None:
    assert read("sealed", inside=True, tlp=tlp.wire).pap == pap
    assert read("sealed", inside=True, tlp=tlp.wire, pap="red").pap == "red"


def test_unstated_permissible_actions_of_a_sealed_entry_block_nothing() -> None:
    assert read("sealed", tlp="sealed").pap == "amber"


def test_every_member_is_read_and_kept() -> None:
    stated: dict[str, Any] = {
        "tlp": "green",
        "relay": "community",
        "pap": "clear",
        "release": {"at": "2026-04-01T00:00:00.000Z", "tlp": "clear"},
        "iep": {
            "attribution": "may",
            "notify_affected": "must-not",
            "end_date": "2026-04-01T00:00:00.000Z",
        },
        "ack": [OWNER.node_id],
        "machine": True,
        "named": ["Ada"],
        "urgency": "priority",
        "exercise": True,
        "data_class": "personal",
        "legal_basis": "NIS2 art. 29",
        "retain_until": "2026-04-01T00:00:00.000Z",
        "on_behalf_of": "Example University",
    }
    assert read(**stated) == SharingPolicy(
        tlp=Tlp.GREEN,
        relay="community",
        pap="clear",
        release=Release(LATER, Tlp.CLEAR),
        iep=Iep("may", "must-not", LATER),
        ack=(OWNER.node_id,),
        machine=True,
        named=("Ada",),
        urgency="priority",
        exercise=True,
        data_class="personal",
        legal_basis="NIS2 art. 29",
        retain_until=LATER,
        on_behalf_of="Example University",
        raw=stated,
    )


def test_unstated_members_say_nothing() -> None:
    policy = read()
    assert (policy.machine, policy.exercise, policy.release) == (None, False, None)
    assert (policy.ack, policy.named, policy.iep) == ((), (), Iep())


@pytest.mark.parametrize(
    "members",
    [
        {"colour": "blue"},
        {"!tlp": "red"},
        {"iep": {"unknown": 1}},
        {"release": {"at": "2026-04-01T00:00:00.000Z", "tlp": "clear", "to": "all"}},
        {"release": {"at": "2026-04-01T00:00:00.000Z", "tlp": "green"}},
        {"release": {"at": "2026-04-01T00:00:00.000Z", "tlp": "red"}},
        {"release": {"at": "2026-04-01T00:00:00.000Z", "tlp": "white"}},
        {"pap": "white"},
        {"urgency": "tomorrow"},
        {"iep": {"attribution": "perhaps"}},
        {"tlp": "white"},
    ],
    ids=repr,
)
def test_what_we_do_not_know_we_cannot_keep(members: dict[str, Any]) -> None:
    assert refusal(**members) == "E_POLICY"


@pytest.mark.parametrize(
    "members",
    [
        {"tlp": None},
        {"tlp": 1},
        {"relay": None},
        {"pap": 1},
        {"release": "2026-04-01T00:00:00.000Z"},
        {"release": {"tlp": "clear"}},
        {"release": {"at": "tomorrow", "tlp": "clear"}},
        {"iep": None},
        {"iep": {"end_date": 1}},
        {"ack": OWNER.node_id},
        {"ack": ["me"]},
        {"machine": 1},
        {"named": "Ada"},
        {"named": [1]},
        {"urgency": False},
        {"exercise": "true"},
        {"exercise": None},
        {"data_class": []},
        {"legal_basis": 1},
        {"retain_until": "2026-04-01"},
        {"on_behalf_of": {}},
    ],
    ids=repr,
)
def test_an_ill_typed_member_is_malformed(members: dict[str, Any]) -> None:
    assert refusal(**members) == "E_SCHEMA"


def test_a_missing_label_is_malformed() -> None:
    with pytest.raises(WireFormatError):
        read_policy({}, feed_of(), carries_objects=True)


@pytest.mark.parametrize(
    ("audience", "lowest"),
    [
        ("clear", Tlp.CLEAR),
        ("green", Tlp.GREEN),
        ("group", Tlp.GREEN),
        ("direct", Tlp.GREEN),
        ("sealed", Tlp.CLEAR),
    ],
)
def test_without_objects_the_label_is_the_lowest(audience: str, lowest: Tlp) -> None:
    feed = feed_of(AUDIENCES[audience])
    assert lowest_label(feed) is lowest
    inside = audience == "sealed"
    policy = {"tlp": lowest.wire}
    assert read_policy(policy, feed, carries_objects=False, inside_seal=inside).tlp is lowest
    if audience in {"group", "direct", "sealed"}:
        with pytest.raises(ContentRejected, match="E_POLICY"):
            read_policy({"tlp": "amber"}, feed, carries_objects=False, inside_seal=inside)


def test_what_is_built_reads_back() -> None:
    built: dict[str, Any] = policy_members(
        Tlp.GREEN,
        relay="community",
        release={"at": LATER, "tlp": Tlp.CLEAR},
        iep={"end_date": LATER},
        named=("Ada", "Grace"),
        exercise=True,
        urgency=None,
    )
    assert "urgency" not in built
    assert "pap" not in built
    assert strict_loads(write_json(built)) == built
    policy = read(**built)
    assert policy.release == Release(LATER, Tlp.CLEAR)
    assert (policy.named, policy.exercise) == (("Ada", "Grace"), True)


@pytest.mark.parametrize(
    ("tlp", "relay", "more"),
    [
        (Tlp.AMBER, "community", {}),
        (Tlp.GREEN, "public", {}),
        (Tlp.GREEN, "everybody", {}),
        (Tlp.GREEN, "none", {"colour": "blue"}),
    ],
)
def test_what_peers_would_reject_is_not_built(tlp: Tlp, relay: str, more: dict[str, str]) -> None:
    with pytest.raises(ContentRejected) as caught:
        policy_members(tlp, relay=relay, **more)
    assert caught.value.code == "E_POLICY"
