"""``tocsin dispute``, ``outcome``, ``correction`` and ``sighting``."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.verdicts.corrections import ask_for_correction
from hub.verdicts.fuse import refresh_all
from tests.hub.cli.conftest import Tocsin
from tests.support.publications import Author, stix_id
from tests.support.told_claims import EVIL, claim, tell


@pytest.fixture
def told(tocsin: Tocsin) -> Tocsin:
    """A node whose peer claims a name, and that was asked to correct it."""
    node = tocsin.node()
    peer = Author(3)
    peer.meets(node, name="feeder")
    tell(node, peer, "green", claim(EVIL))
    ask_for_correction(node, b'{"name":"evil.example","contact":"o@x.example","reason":"Ours."}')
    refresh_all(node)
    node.database.close()
    return tocsin


def refreshed(tocsin: Tocsin) -> None:
    node = tocsin.node()
    refresh_all(node)
    node.database.close()


def test_a_dispute_is_said_listed_and_decided(told: Tocsin) -> None:
    said = told.json("dispute", "say", EVIL, "--reason", "Our bank.", "--opinion", "disagree")
    assert (said["tlp"], said["opinion"], len(said["ids"])) == ("green", "disagree", 2)
    refreshed(told)
    (row,) = told.json("dispute", "list", EVIL)
    assert (row["origin_name"], row["opinion"], row["decision"]) == ("this node", "disagree", None)
    assert told("dispute", "decide", EVIL, "--reason", "R").exit_code == 2
    decided = told.json("dispute", "decide", EVIL, "--release", "--reason", "Seen with them.")
    assert (decided["decision"], decided["outcomes"]) == ("release", 1)
    assert "is not blocked by itself, from TLP:GREEN on" in (
        told("dispute", "decide", EVIL, "--release", "--reason", "Still.").stdout
    )
    assert "release" in told("dispute", "list").stdout


def test_the_words_of_a_dispute_are_checked(told: Tocsin) -> None:
    words = ("dispute", "say", EVIL, "--reason", "R")
    assert told(*words, "--to", "feeder", "--everybody").exit_code == 2
    assert told.refusal(*words, "--to", "nobody", code=1) == "E_PEER_UNKNOWN"
    assert told("dispute", EVIL, "--reason", "R", "--everybody").exit_code == 0


def test_an_outcome_shows_in_the_peer_s_reliability(told: Tocsin) -> None:
    recorded = told.json(
        "outcome", "add", stix_id("indicator", 1), "false-positive", "--reason", "Parked."
    )
    assert (recorded["kind"], recorded["demoted"]) == ("false-positive", False)
    (reliable,) = told.json("peer", "show", "feeder")["reliability"]
    assert (reliable["type"], reliable["false_positives"]) == ("indicator", 1)
    said = told("peer", "show", "feeder").stdout
    assert "Reliability for indicator: 0.67 (0 confirmed, 1 false; prior 8 to 1)." in said
    assert told.refusal(
        "outcome", "add", stix_id("indicator", 9), "confirmed", "--reason", "R", code=1
    ) == ("E_NOT_FOUND")


def test_a_request_is_shown_decided_and_erased(told: Tocsin) -> None:
    (row,) = told.json("correction", "list")
    assert (row["name"], row["contact"]) == (EVIL, "o@x.example")
    assert "o@x.example" not in told("correction", "list").stdout
    assert "o@x.example" in told("correction", "show", "1").stdout
    decided = told.json("correction", "decide", "1", "--accept", "--reason", "Cleaned.")
    assert (decided["state"], decided["tlp"], len(decided["stix_ids"])) == ("accepted", "green", 2)
    told.json("correction", "erase", "1", "--reason", "The law.")
    assert told.json("correction", "list") == []
    assert told.json("correction", "list", "--all")[0]["contact"] is None
    assert told.refusal("correction", "show", "2", code=1) == "E_CORRECTION_UNKNOWN"


def test_sightings_are_added_by_name_by_id_and_by_table(told: Tocsin, tmp_path: Path) -> None:
    assert told.json("sighting", "add", EVIL, "--count", "4")["kept"] == 1
    assert told.json("sighting", "add", stix_id("indicator", 1))["names"] == [EVIL]
    table = tmp_path / "seen.csv"
    table.write_text("client,name,count\n192.0.2.7,evil.example,2\n192.0.2.7,x.example,1\n,-,1\n")
    added = told.json("sighting", "add", "--csv", str(table))
    assert (added["taken"], added["kept"], added["dropped"]) == (3, 1, ["client"])
    assert "Not read, for whom it hit is not kept: client." in (
        told("sighting", "add", "--csv", str(table)).stderr
    )
    assert sum(row["count"] for row in told.json("sighting", "list", EVIL)) == 9
    assert told("sighting", "add").exit_code == 2


def test_an_operator_opts_in_for_a_peer(told: Tocsin) -> None:
    changed = told.json("peer", "set", "feeder", "--sightings", "on")
    assert any("is told at TLP:AMBER+STRICT" in said for said in changed["sentences"])
