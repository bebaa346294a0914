"""``tocsin group`` and ``tocsin publish --group`` as a person types them."""

from __future__ import annotations

import pytest

from tests.support.nodes import serve_in_thread

STATE = {
    "name", "own", "origin", "origin_name", "roster", "history", "gid", "feed", "state", "entries",
    "members", "subscribers",
}  # fmt: skip
MEMBER = {
    "peer", "name", "reads", "code", "why", "since", "holds", "lag", "confirmed_at",
}  # fmt: skip


@pytest.fixture
def befriended(pair):
    """The CERT with the registry as a verified peer at trust trusted."""
    node = pair.registry.node()
    with serve_in_thread(node):
        invitation = pair.registry.json("peer", "invite")["invitation"]
        pair.cert.json("peer", "accept", invitation)
    node.database.close()
    for one, other in ((pair.cert, "Example Registry"), (pair.registry, "Example CERT")):
        one.json("peer", "set", other, "--verified", "--trust", "trusted")
    return pair


def test_a_group_is_made_filled_published_to_and_listed_on_both_sides(befriended, names):
    cert, registry = befriended.cert, befriended.registry
    made = cert.json("group", "create", "bank-sector", "--history", "join")
    assert set(made) == STATE
    assert (made["roster"], made["history"], made["members"]) == ("members", "join", [])
    words = ["publish", str(names), "--tlp", "amber", "--group", "bank-sector"]
    assert cert.refusal(*words, code=3) == "E_GROUP_EMPTY"

    added = cert.json("group", "add", "bank-sector", "Example Registry")
    (member,) = added["members"]
    assert set(member) == MEMBER
    assert (member["name"], member["reads"], member["since"]) == ("Example Registry", True, 1)
    published = cert.json(*words)
    assert published["feeds"] == [added["feed"]]
    assert [line["code"] for line in published["audience"]] == ["ALLOWED_AMBER_NAMED"]

    node = cert.node()
    with serve_in_thread(node):
        assert registry.json("pull")[0]["error"] is None
    node.database.close()
    (theirs,) = registry.json("group", "list")
    assert (theirs["name"], theirs["origin_name"], theirs["own"]) == (
        "bank-sector", "Example CERT", False,
    )  # fmt: skip
    assert {line["name"] for line in theirs["members"]} == {"self", "Example CERT"}
    assert "bank-sector" in registry("group", "list").stdout

    removed = cert.json("group", "remove", "bank-sector", "Example Registry")
    assert (removed["members"], removed["gid"] != added["gid"]) == ([], True)
    assert "so it is nobody" in cert("group", "list").stderr
    assert cert.refusal(*words, code=3) == "E_GROUP_EMPTY"


def test_a_member_that_cannot_read_is_told_at_once(befriended):
    cert = befriended.cert
    cert.json("peer", "set", "Example Registry", "--trust", "known")
    cert.json("group", "create", "banks", "--roster", "hidden")
    told = cert("group", "add", "banks", "Example Registry")
    assert "It cannot read yet" in told.stderr
    (state,) = cert.json("group", "list")
    assert state["members"][0]["code"] == "REFUSED_TRUST_TOO_LOW"
    assert "REFUSED" not in cert("group", "list").stdout
    assert "'member'" in cert("group", "list").stdout


def test_what_cannot_be_fails(befriended):
    befriended.cert.json("group", "create", "banks")
    for words, code in (
        ("group create a/b", "E_SCHEMA"),
        ("group create banks", "E_GROUP_EXISTS"),
        ("group add nobody Example_Registry", "E_GROUP_UNKNOWN"),
        ("group add banks nobody", "E_PEER_UNKNOWN"),
        ("group remove banks Example_Registry", "E_GROUP_MEMBER"),
        ("token add t --kind subscriber --groups x", "E_GROUP_UNKNOWN"),
        ("collection add C --select group=x", "E_GROUP_UNKNOWN"),
    ):
        said = [word.replace("_", " ") for word in words.split()]
        assert befriended.cert.refusal(*said, code=1) == code, words


def test_a_group_that_nobody_made_fails(tocsin, names):
    words = ["publish", str(names), "--tlp", "green", "--group", "nobody"]
    assert tocsin.refusal(*words, code=1) == "E_GROUP_UNKNOWN"
    assert tocsin.json("group", "list") == []
