from __future__ import annotations

import pytest

from tests.support.nodes import serve_in_thread
from tests.support.publications import Author, indicator, note, stix_id

ROW = {"id", "type", "origin", "tlp", "state", "code"}


@pytest.fixture
def published(tocsin, names):
    """The command line and the id of an object published GREEN."""
    stix_id = tocsin.json("publish", str(names), "--tlp", "green")["stix_ids"][0]
    return tocsin, stix_id


@pytest.fixture
def quarantined(pair, names):
    """The registry, and the ids of what it holds in quarantine from a CERT at trust member."""
    node = pair.cert.node()
    with serve_in_thread(node):
        pair.registry.json("peer", "accept", pair.cert.json("peer", "invite")["invitation"])
        for side, other in ((pair.cert, "Example Registry"), (pair.registry, "Example CERT")):
            side.json("peer", "set", other, "--verified", "--trust", "member")
        pair.cert.json("publish", str(names), "--tlp", "green")
        pair.registry.json("pull")
    node.database.close()
    rows = pair.registry.json("quarantine", "list")
    return pair.registry, [row["id"] for row in rows if row["type"] == "indicator"]


def test_objects_are_listed_with_what_the_interface_promises(published):
    tocsin, stix_id = published
    rows = tocsin.json("objects", "list", "--type", "indicator")
    assert all(set(row) >= ROW for row in rows)
    assert stix_id in {row["id"] for row in rows}
    assert {(row["tlp"], row["state"], row["code"]) for row in rows} == {
        ("green", "accepted", None)
    }
    assert stix_id in tocsin("objects", "list").stdout


def test_objects_are_listed_by_origin_state_and_number(published):
    tocsin, _ = published
    own = tocsin.json("objects", "list")[0]["origin"]
    assert len(tocsin.json("objects", "list", "--origin", own, "--limit", "1")) == 1
    assert tocsin.json("objects", "list", "--state", "rejected") == []
    words = ["objects", "list", "--origin", "nobody"]
    assert tocsin.refusal(*words, code=1) == "E_PEER_UNKNOWN"


def test_an_object_is_shown_with_its_content_and_where_it_stands(published):
    tocsin, stix_id = published
    shown = tocsin.json("objects", "show", stix_id)
    assert set(shown[0]) >= ROW | {"object", "entries"}
    assert shown[0]["object"]["id"] == stix_id
    assert shown[0]["entries"][0]["feed"].endswith("/green/1")
    assert '"pattern"' in tocsin("objects", "show", stix_id).stdout
    other = "indicator--00000000-0000-4000-8000-000000000000"
    assert tocsin.refusal("objects", "show", other, code=1) == "E_NOT_FOUND"


def test_why_explains_a_token_and_ends_with_zero_also_when_it_says_no(published):
    tocsin, stix_id = published
    tocsin.json("token", "add", "web", "--kind", "public", "--originals")
    found = tocsin.json("why", stix_id, "web")
    assert set(found) == {"decision", "code", "sentences", "rule", "version"}
    assert found["decision"] == "refused"
    told = tocsin("why", stix_id, "web")
    assert told.exit_code == 0
    assert found["sentences"][0] in told.stdout
    assert tocsin.refusal("why", stix_id, "stranger", code=1) == "E_WHO_UNKNOWN"


def test_why_explains_a_peer_also_when_the_origin_is_named(quarantined):
    registry, ids = quarantined
    words = ["why", ids[0], "Example CERT", "--origin", "Example CERT"]
    assert set(registry.json(*words)) == {"decision", "code", "sentences", "rule", "version"}


def test_quarantined_objects_are_accepted(quarantined):
    registry, ids = quarantined
    assert len(ids) == 2
    rows = registry.json("quarantine", "accept", *ids, "--origin", "Example CERT")
    assert {row["state"] for row in rows} == {"accepted"}
    assert set(rows[0]) >= ROW
    assert registry.refusal("quarantine", "accept", ids[0], code=1) == "E_NOT_QUARANTINED"


def test_quarantined_objects_are_rejected(quarantined):
    registry, ids = quarantined
    told = registry("quarantine", "reject", ids[0], "--reason", "a test")
    assert "Rejected 1 version" in told.stdout
    rows = registry.json("quarantine", "reject", ids[1], "--reason", "a test")
    assert {row["state"] for row in rows} == {"rejected"}
    assert not set(ids) & {row["id"] for row in registry.json("quarantine", "list")}


def test_many_are_decided_by_filters_after_they_were_counted(tocsin):
    node, cert = tocsin.node(), Author(1)
    cert.meets(node, "member", name="Example CERT")
    cert.put("green", indicator(1), indicator(2), note(1, stix_id("indicator", 1)))
    cert.deliver(node, "green")
    node.database.close()
    registry, ids = tocsin, [stix_id("indicator", number) for number in (1, 2)]
    assert registry.refusal("quarantine", "accept", code=1) == "E_QUARANTINE_ALL"
    words = ["--origin", "Example CERT", "--type", "indicator"]
    tried = registry.json("quarantine", "accept", *words, "--dry-run")
    assert (tried["waiting"], tried["objects"], tried["dry_run"]) == (len(ids), 0, True)
    assert [group["code"] for group in tried["groups"]] == ["QUARANTINED_CORROBORATION"]
    rows = registry.json("quarantine", "list", *words, "--since", "2020-01-01")
    assert {row["id"] for row in rows} == set(ids)
    assert "same yet" in rows[0]["why"]
    told = registry("quarantine", "accept", *words)
    assert f"Accepted {len(ids)} version" in told.stdout
    assert registry.json("quarantine", "list", *words) == []
    rest = registry.json("quarantine", "reject", "--all", "--reason", "not for us")
    assert rest["objects"] == rest["waiting"]
    assert registry("quarantine", "list", "--code", "NONE").exit_code == 2
    assert registry("quarantine", "accept", ids[0], "--all").exit_code == 2
