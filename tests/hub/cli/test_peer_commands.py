"""Pairing, trust and pulling, between two homes over real HTTP."""

from __future__ import annotations

import pytest

from tests.support.nodes import serve_in_thread

PEER_ROW = {"node_id", "name", "trust", "verified", "state", "lag_seconds", "last_error"}
PULL_ROW = {"peer", "entries", "accepted", "quarantined", "rejected", "seconds", "error"}


@pytest.fixture
def paired(pair):
    """The CERT serves; the registry has accepted its invitation."""
    node = pair.cert.node()
    with serve_in_thread(node):
        pair.registry.json("peer", "accept", pair.cert.json("peer", "invite")["invitation"])
        yield pair
    node.database.close()


def test_an_invitation_stands_alone_on_standard_output(pair):
    assert set(pair.cert.json("peer", "invite")) == {"invitation"}
    invited = pair.cert("peer", "invite")
    assert invited.stdout.startswith("tocsin1:")
    assert len(invited.stdout.split()) == 1
    assert "secret" in invited.stderr


def test_accepting_gives_both_sides_the_same_eight_words(pair):
    node = pair.cert.node()
    with serve_in_thread(node):
        invitation = pair.cert("peer", "invite").stdout.strip()
        accepted = pair.registry("peer", "accept", invitation)
    node.database.close()
    assert accepted.exit_code == 0
    assert "peer verify" in accepted.stderr
    words = pair.cert.json("peer", "show", "Example Registry")["voice_code"]
    assert len(words.split()) == 8
    assert words in accepted.stdout


def test_accept_prints_what_the_interface_promises(pair):
    node = pair.cert.node()
    with serve_in_thread(node):
        invitation = pair.cert.json("peer", "invite")["invitation"]
        accepted = pair.registry.json("peer", "accept", invitation)
    node.database.close()
    assert {"peer", "voice_code"} <= set(accepted)
    assert accepted["peer"] == node.node_id


def test_an_invitation_of_nobody_who_answers_fails(pair):
    invitation = pair.cert.json("peer", "invite")["invitation"]
    words = ["peer", "accept", invitation]
    assert pair.registry.refusal(*words, code=1) == "E_HTTP_CONNECT"
    assert pair.registry.refusal("peer", "accept", "nonsense", code=1) == "E_SCHEMA"


def test_peers_are_listed_and_found_by_id_prefix_and_name(paired):
    row = paired.registry.json("peer", "list")[0]
    assert set(row) >= PEER_ROW
    assert (row["trust"], row["verified"], row["state"]) == ("known", False, "active")
    for text in (row["node_id"], row["node_id"][:8], row["name"]):
        assert paired.registry.json("peer", "show", text)["node_id"] == row["node_id"]
    assert paired.registry.refusal("peer", "show", "nobody", code=1) == "E_PEER_UNKNOWN"
    assert row["node_id"][:12] in paired.registry("peer", "list").stdout


def test_setting_trust_says_what_changed(paired):
    said = paired.registry("peer", "set", "Example CERT", "--verified", "--trust", "trusted")
    assert "is at trust 'trusted' now" in said.stdout
    after = paired.registry.json(
        "peer", "set", "Example CERT", "--cap", "10", "--inbound", "quarantine", "--limit", "5",
        "--outbound", "GREEN", "--relay", "off", "--authority", "zone:fr.",
    )  # fmt: skip
    assert set(after) >= PEER_ROW | {"sentences"}
    assert (after["trust"], after["verified"]) == ("trusted", True)
    assert (after["cap"], after["inbound"], after["limit"]) == (10, "quarantine", 5)
    assert (after["outbound"], after["relay"], after["authority"]) == ("green", False, ["zone:fr."])
    without = paired.registry.json("peer", "set", "Example CERT", "--authority", "none")
    assert without["authority"] == []


def test_trust_before_the_words_were_compared_counts_as_known(paired):
    after = paired.registry.json("peer", "set", "Example CERT", "--trust", "member")
    assert (after["trust"], after["effective_trust"]) == ("member", "known")
    assert "counts as 'known'" in paired.registry("peer", "show", "Example CERT").stdout


def test_setting_nothing_is_wrong_usage(paired):
    assert paired.registry.refusal("peer", "set", "Example CERT", code=2) == "E_USAGE"


def test_a_suspended_peer_is_not_pulled_until_it_is_resumed(paired):
    assert paired.registry.json("peer", "suspend", "Example CERT")["state"] == "suspended"
    assert paired.registry.json("pull") == []
    words = ["pull", "Example CERT"]
    assert paired.registry.refusal(*words, code=1) == "E_PEER_BLOCKED"
    assert paired.registry.json("peer", "resume", "Example CERT")["state"] == "active"
    assert len(paired.registry.json("pull")) == 1


def test_pull_brings_what_the_peer_published(paired, names):
    for side, other in ((paired.cert, "Example Registry"), (paired.registry, "Example CERT")):
        side.json("peer", "set", other, "--verified", "--trust", "trusted")
    paired.cert.json("publish", str(names), "--tlp", "green")
    row = paired.registry.json("pull", "Example CERT")[0]
    assert set(row) >= PULL_ROW
    assert row["error"] is None
    assert row["entries"] >= 1
    assert row["accepted"] >= 2
    held = paired.registry.json(
        "objects", "list", "--origin", "Example CERT", "--type", "indicator"
    )
    assert {(r["state"], r["tlp"]) for r in held} == {("accepted", "green")}
    assert paired.registry.json("pull")[0]["entries"] == 0


def test_pull_from_a_peer_that_does_not_answer_fails_and_says_so(pair):
    node = pair.cert.node()
    with serve_in_thread(node):
        pair.registry.json("peer", "accept", pair.cert.json("peer", "invite")["invitation"])
    node.database.close()
    row = pair.registry.json("pull", code=1)[0]
    assert row["error"] == "E_HTTP_CONNECT"
    assert row["remedy"]
    assert "Example CERT" in pair.registry("pull").stderr
    assert pair.registry.json("peer", "list")[0]["last_error"] == "E_HTTP_CONNECT"


def test_pull_without_a_peer_has_nothing_to_do(pair):
    assert pair.cert.json("pull") == []
    assert "no peer" in pair.cert("pull").stderr
