"""``tocsin peer set|suspend|resume`` and ``tocsin policy``: effects first, then the change."""

from __future__ import annotations

import pytest

from tests.support.publications import Author, indicator


@pytest.fixture
def registry(tocsin):
    """A home with what a CERT that it trusts said."""
    node, cert = tocsin.node(), Author(1)
    cert.meets(node, "trusted", name="Example CERT")
    cert.put("green", indicator(1), indicator(2))
    assert cert.deliver(node, "green").accepted == 2
    node.database.close()
    return tocsin


def accepted(registry):
    rows = registry.json("objects", "list", "--origin", "Example CERT", "--state", "accepted")
    return {row["id"] for row in rows}


def test_a_suspension_is_tried_done_and_undone(registry):
    before = accepted(registry)
    tried = registry.json("peer", "suspend", "Example CERT", "--dry-run")
    assert tried["effects"]["hidden"] == len(before)
    assert (tried["dry_run"], tried["state"]) == (True, "active")
    assert accepted(registry) == before
    told = registry("peer", "suspend", "Example CERT", "--reason", "its key was stolen")
    assert "leave every view" in told.stdout
    assert accepted(registry) == set()
    rows = registry.json("objects", "list", "--state", "suspended")
    assert {row["id"] for row in rows} == before
    assert registry.json("peer", "resume", "Example CERT")["state"] == "active"
    assert accepted(registry) == before


def test_a_dial_is_tried_before_it_is_turned(registry):
    words = ["peer", "set", "Example CERT", "--types", "indicator,file", "--reason", "agreed"]
    tried = registry.json(*words, "--dry-run")
    assert (tried["dry_run"], tried["types"]) == (True, None)
    assert registry.json(*words)["types"] == ["file", "indicator"]
    assert registry.json("peer", "set", "Example CERT", "--types", "default")["types"] is None
    lowered = registry.json("peer", "set", "Example CERT", "--inbound", "quarantine")
    assert any("stays accepted" in sentence for sentence in lowered["sentences"])


def test_the_policy_is_shown_checked_and_applied(registry, tmp_path):
    file = tmp_path / "policy.toml"
    file.write_text(registry("policy", "show").stdout)
    assert registry.json("policy", "check", str(file))["effects"] == []
    assert registry.json("policy", "apply", str(file))["changed"] == []
    file.write_text(file.read_text().replace('"trusted"', '"member"'))
    (effect,) = registry.json("policy", "check", str(file))["effects"]
    assert effect["changed"] == ["trust"]
    assert "would change" in registry("policy", "apply", str(file), "--reason", "review").stdout
    assert registry.json("peer", "show", "Example CERT")["trust"] == "member"
    file.write_text("version = 2")
    assert registry.refusal("policy", "check", str(file), code=1) == "E_POLICY_FILE"
