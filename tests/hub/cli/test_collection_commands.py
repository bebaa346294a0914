from __future__ import annotations

import pytest


def test_a_collection_is_added_and_listed(tocsin):
    added = tocsin.json("collection", "add", "Reports", "--alias", "reports")
    assert set(added) == {"id", "title", "alias"}
    rows = tocsin.json("collection", "list")
    assert [row["alias"] for row in rows] == ["originals", "verdicts", "reports"]
    assert {"id", "title", "alias"} <= set(rows[0])
    assert added["id"] in tocsin("collection", "list").stdout


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--default-tlp", "clear", "E_DEFAULT_CLEAR"),
    ],
)
def test_what_may_not_be_is_refused_by_policy(tocsin, option, value, code):
    assert tocsin.refusal("collection", "add", "Reports", option, value, code=3) == code


def test_a_selection_and_a_target_are_listed(tocsin):
    tocsin.json("collection", "add", "Phishing", "--select", "threat_type=phishing")
    tocsin.json("collection", "add", "Sensors", "--publish-to", "green")
    rows = {row["title"]: row for row in tocsin.json("collection", "list")}
    assert rows["Phishing"]["select"] == "threat_type=phishing"
    assert rows["Sensors"]["publish_to"] == "green"
    listed = tocsin("collection", "list").stdout
    assert "threat_type=phishing" in listed


def test_a_selection_without_sense_fails(tocsin):
    words = ["collection", "add", "Reports", "--select"]
    assert tocsin.refusal(*words, "colour=red", code=1) == "E_SCHEMA"
    assert tocsin.refusal(*words, "origin=nobody", code=1) == "E_PEER_UNKNOWN"


@pytest.mark.parametrize("more", [("--publish-to", "green"), ("--default-tlp", "green")])
def test_a_selection_has_no_producers(tocsin, more):
    words = ["collection", "add", "Reports", "--select", "origin=self", *more]
    assert tocsin.refusal(*words, code=2) == "E_USAGE"


def test_a_grant_says_what_the_token_may_do_now(tocsin):
    tocsin.json("collection", "add", "Reports", "--alias", "reports")
    tocsin.json("token", "add", "sensor", "--kind", "writer")
    granted = tocsin.json("collection", "grant", "reports", "sensor", "--read", "--write")
    assert granted["can_read"] is True
    assert granted["can_write"] is True
    taken_back = tocsin("collection", "grant", "reports", "sensor")
    assert "do nothing any more" in taken_back.stdout


def test_the_nodes_own_collections_are_not_granted(tocsin):
    tocsin.json("token", "add", "sensor", "--kind", "writer")
    words = ["collection", "grant", "originals", "sensor", "--read"]
    assert tocsin.refusal(*words, code=3) == "E_GRANT_KIND"
