"""``tocsin evidence``, ``feed`` and ``alarms``, on a home whose peer signed two histories."""

from __future__ import annotations

import json

import pytest

from tests.support.nodes import NOW
from tests.support.publications import Author, indicator

FORK_ROW = {"evidence", "kind", "accused", "feed", "seq", "sender", "holds", "told"}
FEED_ROW = {"feed", "origin", "own", "state", "last_seq", "behind", "head_expires_at", "stale"}
ALARM_ROW = {"alarm", "code", "subject", "opened_at", "closed_at", "sentence", "remedy"}


@pytest.fixture
def origin(tocsin):
    """A peer of the home that signed two first entries, of which the home holds one."""
    author = Author(1)
    node = tocsin.node()
    author.meets(node, name="Example Registry")
    author.put("clear", indicator(1))
    author.deliver(node, "clear")
    twin = Author(1)
    twin.put("clear", indicator(2))
    twin.deliver(node, "clear", after=0, sender=author)
    node.database.close()
    return author


def test_a_fork_is_listed_shown_and_checked_from_a_file(tocsin, origin, tmp_path):
    (row,) = tocsin.json("evidence", "list")
    assert set(row) >= FORK_ROW
    assert (row["kind"], row["accused"], row["name"], row["seq"], row["holds"]) == (
        "fork", origin.node_id, "Example Registry", 1, True,
    )  # fmt: skip
    shown = tocsin.json("evidence", "show", "1")
    assert shown["proofs"][0]["type"] == "fork"
    assert shown["other_entries"] == 1
    assert "Example Registry" in tocsin("evidence", "list").stdout
    assert "told to nobody yet" in tocsin("evidence", "show", "1").stdout

    file = tmp_path / "proof.json"
    assert tocsin.json("evidence", "export", str(file))["proofs"] == 1
    assert tocsin.refusal("evidence", "export", str(file), code=1) == "E_FILE_EXISTS"
    (checked,) = tocsin.json("evidence", "check", str(file))
    assert (checked["accused"], checked["kind"]) == (origin.node_id, "fork")
    assert "signed two histories" in tocsin("evidence", "check", str(file)).stdout


def test_a_file_that_was_altered_does_not_hold(tocsin, origin, tmp_path):
    del origin
    file = tmp_path / "proof.json"
    tocsin("evidence", "export", str(file), "--number", "1")
    (body,) = json.loads(file.read_text())
    body["proofs"][0]["b"] = body["proofs"][0]["a"]
    file.write_text(json.dumps(body))
    assert tocsin.refusal("evidence", "check", str(file), code=1) == "E_PROOF"
    file.write_text("nonsense")
    assert tocsin.refusal("evidence", "check", str(file), code=1) == "E_JSON_SYNTAX"


def test_evidence_that_is_not_there(tocsin):
    assert tocsin.json("evidence", "list") == []
    assert tocsin.refusal("evidence", "show", "7", code=1) == "E_EVIDENCE_UNKNOWN"


def test_a_frozen_feed_is_listed_and_thawed_by_a_person(tocsin, origin):
    name = str(origin.feed("clear").name)
    rows = {row["feed"]: row for row in tocsin.json("feed", "list")}
    assert all(set(row) >= FEED_ROW for row in rows.values())
    assert rows[name]["state"] == "frozen"
    assert [row["own"] for row in rows.values()] == [True, False]
    assert tocsin.json("peer", "show", "Example Registry")["diverged_feeds"] == [name]
    assert "two histories" in tocsin("peer", "list").stdout

    words = ["feed", "thaw", "Example Registry/clear"]
    assert tocsin.refusal(*words, "--reason", "", code=1) == "E_REASON"
    thawed = tocsin.json(*words, "--reason", "restored a backup, telephoned")
    assert (thawed["feed"], thawed["state"]) == (name, "open")
    assert tocsin.refusal(*words, "--reason", "again", code=1) == "E_NOT_FROZEN"
    assert tocsin.refusal("feed", "thaw", "amber", "--reason", "x", code=1) == "E_FEED_UNKNOWN"


def test_alarms_are_in_words_and_closed_by_number(tocsin, origin):
    (alarm,) = tocsin.json("alarms")
    assert set(alarm) >= ALARM_ROW
    assert (alarm["code"], alarm["closed_at"]) == ("FEED_FROZEN", None)
    assert "signed two histories" in alarm["sentence"]
    assert "FEED_FROZEN" in tocsin("alarms").stdout
    assert tocsin.json("alarms", "--close", str(alarm["alarm"])) == []
    (closed,) = tocsin.json("alarms", "--all")
    assert closed["closed_by"] == "operator"
    assert tocsin.refusal("alarms", "--close", "9", code=1) == "E_ALARM_UNKNOWN"
    assert origin.at == NOW


def test_the_doctor_tells_of_frozen_feeds(tocsin, origin):
    rows = tocsin.json("doctor", code=1)
    (feeds,) = [row for row in rows if row["check"] == "feeds"]
    assert feeds["state"] == "fail"
    assert str(origin.feed("clear").name) in feeds["detail"]
    assert "thaw" in feeds["remedy"]
