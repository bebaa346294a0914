"""PROTOCOL 2.4: the kinds, their members, and that no content stops a feed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import ContentRejected
from federation.feeds.content import (
    EntryContent,
    check_modified,
    read_content,
    read_inner_content,
)
from schemas.markings import Tlp
from schemas.strict_json import write_json
from tests.federation.feeds.feed_writer import OWNER, FeedWriter, at, feed_of, indicator

GROUP = "g-" + "a" * 26
SEALED = "s-" + "a" * 26
POLICIES = {
    "green": {"tlp": "green", "relay": "community"},
    GROUP: {"tlp": "green"},
    SEALED: {"tlp": "sealed", "relay": "community"},
}
INDICATOR = indicator(1)
ID = INDICATOR["id"]


def read(audience: str = "green", *, seq: int = 5, **members: Any) -> EntryContent:
    stated = {"policy": POLICIES[audience]} | members
    return read_content(FeedWriter(feed_of(audience)).read(seq=seq, **stated))


def refusal(audience: str = "green", *, seq: int = 5, **members: Any) -> str:
    with pytest.raises(ContentRejected) as caught:
        read(audience, seq=seq, **members)
    return caught.value.code


def test_put() -> None:
    content = read(
        kind="put",
        objects=[INDICATOR, indicator(2)],
        idn={ID: "n4k2vqzc6m7e"},
        src=["own-sensor", "feed:maltrail"],
        supersedes="a" * 64,
    )
    assert [carried.stix_id for carried in content.objects] == [ID, indicator(2)["id"]]
    assert content.objects[0].value == INDICATOR
    assert content.objects[0].raw == write_json(INDICATOR)
    assert content.idn == {ID: "n4k2vqzc6m7e"}
    assert content.src == ("own-sensor", "feed:maltrail")
    assert content.supersedes == "a" * 64
    assert content.policy.tlp is Tlp.GREEN


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"objects": {}},
        {"objects": []},
        {"objects": [indicator(n) for n in range(65)]},
        {"objects": [INDICATOR, INDICATOR | {"modified": "2026-03-02T10:00:00.000Z"}]},
        {"objects": ["indicator"]},
        {"objects": [{"type": "indicator"}]},
        {"objects": [INDICATOR | {"id": "indicator--1"}]},
        {"objects": [INDICATOR], "idn": []},
        {"objects": [INDICATOR], "idn": {ID: 1}},
        {"objects": [INDICATOR], "src": "analyst"},
        {"objects": [INDICATOR], "supersedes": 1},
    ],
    ids=[
        "none", "no array", "empty", "too many", "one id twice", "no object", "no id", "bad id",
        "idn no object", "idn no names", "src no array", "supersedes no hash",
    ],
)  # fmt: skip
def test_put_is_malformed(members: dict[str, Any]) -> None:
    assert refusal(kind="put", **members) == "E_SCHEMA"


def test_sixty_four_objects_are_taken() -> None:
    assert len(read(kind="put", objects=[indicator(n) for n in range(64)]).objects) == 64


def test_restrict() -> None:
    content = read(kind="restrict", ids=[ID], tlp="amber", stop_relay=True, seqs=[1, 4])
    assert (content.ids, content.tlp) == ((ID,), Tlp.AMBER)
    assert (content.stop_relay, content.seqs) == (True, (1, 4))
    assert read(kind="restrict", ids=[ID], tlp="amber").stop_relay is False


@pytest.mark.parametrize(
    "members",
    [
        {"tlp": "amber"},
        {"ids": [], "tlp": "amber"},
        {"ids": ["x"], "tlp": "amber"},
        {"ids": [ID]},
        {"ids": [ID], "tlp": "white"},
        {"ids": [ID], "tlp": "amber", "stop_relay": True},
        {"ids": [ID], "tlp": "amber", "stop_relay": True, "seqs": []},
        {"ids": [ID], "tlp": "amber", "stop_relay": 1},
        {"ids": [ID], "tlp": "amber", "seqs": [5]},
        {"ids": [ID], "tlp": "amber", "seqs": [0]},
    ],
    ids=repr,
)
def test_restrict_is_malformed(members: dict[str, Any]) -> None:
    assert refusal(kind="restrict", **members) == "E_SCHEMA"


def test_retract() -> None:
    last = INDICATOR | {"revoked": True, "modified": "2026-03-01T11:00:00.000Z"}
    content = read(kind="retract", ids=[ID], reason="false positive", objects=[last])
    assert (content.ids, content.reason) == ((ID,), "false positive")
    assert content.objects[0].value["revoked"] is True
    assert read(kind="retract", ids=[ID]).reason is None


def test_a_reason_has_at_most_1024_characters() -> None:
    assert read(kind="retract", ids=[ID], reason="é" * 1024).reason == "é" * 1024
    assert refusal(kind="retract", ids=[ID], reason="é" * 1025) == "E_SCHEMA"


def test_a_group_is_closed_by_its_own_id_alone() -> None:
    assert read(GROUP, kind="retract", ids=[GROUP]).ids == (GROUP,)
    assert refusal(GROUP, kind="retract", ids=[GROUP, ID]) == "E_SCHEMA"
    assert refusal(kind="retract", ids=["green"]) == "E_SCHEMA"


def test_erase() -> None:
    content = read(kind="erase", seqs=[2, 4], reason="personal data")
    assert (content.seqs, content.reason) == ((2, 4), "personal data")


@pytest.mark.parametrize("seqs", [None, [], [1], [5], [9], ["2"], [True]])
def test_erase_is_malformed(seqs: object) -> None:
    assert refusal(kind="erase", seqs=seqs) == "E_SCHEMA"


ROSTER = {
    "gid": GROUP,
    "name": "Example group",
    "roster": "members",
    "members": [OWNER.node_id],
    "history": "all",
}


def test_group() -> None:
    assert read(GROUP, seq=1, kind="group", group=ROSTER).group == ROSTER
    hidden = {name: value for name, value in ROSTER.items() if name != "members"}
    hidden |= {"roster": "hidden", "history": "join"}
    assert read(GROUP, kind="group", group=hidden).group == hidden


@pytest.mark.parametrize(
    "changes",
    [
        {"gid": "g-" + "b" * 26},
        {"name": 1},
        {"roster": "secret"},
        {"roster": "hidden"},
        {"members": ["me"]},
        {"members": None},
        {"history": "none"},
    ],
    ids=repr,
)
def test_group_is_malformed(changes: dict[str, Any]) -> None:
    assert refusal(GROUP, kind="group", group=ROSTER | changes) == "E_SCHEMA"


def test_a_groups_feed_begins_with_its_roster() -> None:
    put = {"kind": "put", "objects": [INDICATOR]}
    assert refusal(GROUP, seq=1, **put) == "E_SCHEMA"
    assert read(GROUP, seq=2, **put).kind == "put"


def test_sealed() -> None:
    assert read(SEALED, kind="sealed", sealed={"alg": "x"}).sealed == {"alg": "x"}
    assert refusal(SEALED, kind="sealed") == "E_SCHEMA"
    assert refusal(SEALED, kind="sealed", sealed={}, objects=[INDICATOR]) == "E_SCHEMA"


def test_release() -> None:
    release = {"seq": 4, "hash": "a" * 64, "cek": "DWuhm2JTHMsN64gEMT7KKDxpVg9m8be4osFZKujDXGs="}
    content = read(SEALED, kind="release", release=release)
    assert content.release is not None
    assert (content.release.seq, content.release.hash) == (4, "a" * 64)
    assert len(content.release.cek) == 32
    for wrong in ({"seq": 5}, {"hash": "a"}, {"cek": "AAAA"}):
        assert refusal(SEALED, kind="release", release=release | wrong) == "E_SCHEMA"


def test_noop() -> None:
    assert read(kind="noop").vouches == ()
    assert read(kind="noop", vouches=[{"payload": ""}]).vouches == ({"payload": ""},)
    assert refusal(kind="noop", vouches=["x"]) == "E_SCHEMA"


@pytest.mark.parametrize(
    ("audience", "kind"),
    [
        ("green", "future"),
        ("green", "sealed"),
        ("green", "release"),
        ("green", "group"),
        (GROUP, "sealed"),
        (SEALED, "put"),
        (SEALED, "restrict"),
        (SEALED, "group"),
    ],
)
def test_a_kind_that_is_unknown_in_this_feed_is_content(audience: str, kind: str) -> None:
    assert refusal(audience, kind=kind) == "E_SCHEMA"


CRITICAL: dict[str, Any] = {"!rule": 1}


def test_critical_members_are_rejected_and_others_ignored() -> None:
    assert refusal(kind="noop", **CRITICAL) == "E_SCHEMA"
    assert read(note="x", objects="not read in a noop").objects == ()


def test_the_policy_comes_before_the_objects() -> None:
    policy = {"tlp": "amber", "relay": "community"}
    assert refusal(kind="put", policy=policy, objects=[]) == "E_POLICY"


def test_without_objects_the_label_is_the_lowest() -> None:
    amber: dict[str, Any] = {"policy": {"tlp": "amber"}, "ids": [ID], "kind": "retract"}
    assert refusal(GROUP, **amber) == "E_POLICY"
    assert read(GROUP, **amber, objects=[INDICATOR]).policy.tlp is Tlp.AMBER


def test_the_inner_entry_of_a_seal_has_kinds_and_labels_of_its_own() -> None:
    feed = feed_of(SEALED)
    body = {"kind": "put", "policy": {"tlp": "red"}, "objects": [INDICATOR]}
    content = read_inner_content(body, write_json(body), feed=feed, seq=1)
    assert content.policy.tlp is Tlp.RED
    assert content.objects[0].raw == write_json(INDICATOR)
    for kind in ("sealed", "erase", "release"):
        with pytest.raises(ContentRejected, match="E_SCHEMA"):
            read_inner_content(body | {"kind": kind}, write_json(body), feed=feed, seq=1)


def test_t27_a_version_from_the_future_is_rejected() -> None:
    check_modified({"modified": "2026-03-01T12:00:00Z"}, at(0))
    check_modified({"type": "domain-name"}, at(0))
    for modified in ("2026-03-01T12:00:00.000001Z", "2099-01-01T00:00:00.000Z"):
        with pytest.raises(ContentRejected) as caught:
            check_modified({"modified": modified}, at(0))
        assert caught.value.code == "E_STALE_MODIFIED"
    with pytest.raises(ContentRejected, match="E_SCHEMA"):
        check_modified({"modified": "yesterday"}, at(0))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | st.just(ID),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
MEMBERS = [
    "objects", "idn", "src", "supersedes", "ids", "tlp", "stop_relay", "seqs", "reason", "group",
    "sealed", "release", "vouches",
]  # fmt: skip


@given(
    audience=st.sampled_from(list(POLICIES)),
    kind=st.sampled_from(
        ["put", "restrict", "retract", "erase", "group", "sealed", "release", "noop", "?"]
    ),
    policy=st.dictionaries(
        st.sampled_from(["tlp", "pap", "release", "iep", "ack", "named", "x"]), JSON, max_size=2
    ),
    members=st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=4),
)
def test_t55_content_is_read_or_rejected_and_never_fails(
    audience: str, kind: str, policy: dict[str, Any], members: dict[str, Any]
) -> None:
    stated = {"kind": kind, "policy": POLICIES[audience] | policy} | members
    entry = FeedWriter(feed_of(audience)).read(seq=5, **stated)
    try:
        outcome = read_content(entry).kind
    except ContentRejected as rejected:
        outcome = rejected.code
    assert outcome in {kind, "E_SCHEMA", "E_POLICY"}
