"""``tocsin vouch``, ``peer verify``, ``peer suggestions`` and ``peer introduce``."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.timestamps import read_wire_time, write_wire_time
from tests.hub.peers.test_vouching import say, vouch_of
from tests.support.publications import Author
from tests.support.signed_nodes import record_of


def living(number, domain, now):
    """An author whose keys are good now, by the machine's clock that the command reads."""
    author = Author(number, at=read_wire_time(write_wire_time(now)))
    times = {"nbf": now - timedelta(hours=1), "naf": now + timedelta(days=300)}
    author.document = author.owner.document(
        identities=[author.identity],
        domains=[domain],
        issued=times["nbf"],
        expires=times["naf"],
        keys=[
            record_of(author.owner.entry, "entry", **times),
            record_of(author.owner.http, "http", **times),
        ],
    )
    return author


@pytest.fixture
def known(tocsin):
    """Two trusted vouchers, and one that is paired and waits for its eight words."""
    node = tocsin.node()
    first, second, subject = (
        living(number, f"{number}.example", node.now()) for number in (1, 2, 3)
    )
    first.meets(node, "trusted", name="First")
    second.meets(node, "trusted", name="Second")
    subject.meets(node, "member", name="Subject", verified=False)
    yield node, first, second, subject
    node.database.close()


@pytest.mark.usefixtures("known")
def test_the_words_are_typed_as_they_are_heard(tocsin):
    listed = tocsin("peer", "list")
    assert "Subject waits for the eight words" in listed.stderr
    row = tocsin.json("peer", "show", "Subject")
    assert row["pairing"] == "pending"
    wrong = ["zoo"] * 8
    assert tocsin.refusal("peer", "verify", "Subject", *wrong, code=3) == "E_WORDS_DIFFER"
    assert tocsin.refusal("peer", "verify", "Subject", code=2) == "E_USAGE"
    told = tocsin("peer", "verify", "Subject", *row["voice_code"].upper().split())
    assert told.exit_code == 0
    assert "verified" in told.stdout
    assert tocsin.json("peer", "show", "Subject")["effective_trust"] == "member"
    assert "waits for" not in tocsin("peer", "list").stderr


def test_two_vouchers_are_listed_and_a_person_introduces(tocsin, known):
    node, first, second, subject = known
    assert tocsin.json("peer", "suggestions") == []
    assert "No trusted peer" in tocsin("peer", "suggestions").stderr
    say(node, first, vouch_of(first, subject))
    assert "another organisation" in tocsin("peer", "suggestions").stdout
    assert tocsin.refusal("peer", "introduce", "Subject", code=3) == "E_VOUCHERS_FEW"
    say(node, second, vouch_of(second, subject))
    (row,) = tocsin.json("peer", "suggestions")
    assert (row["ready"], row["trust"], row["organisations"]) == (True, "member", 2)
    assert {one["name"] for one in row["vouchers"]} == {"First", "Second"}
    assert f"tocsin peer introduce {subject.node_id[:12]}" in tocsin("peer", "suggestions").stdout
    done = tocsin.json("peer", "introduce", subject.node_id[:12])
    assert done["peer"] == subject.node_id
    after = tocsin.json("peer", "show", "Subject")
    assert (after["pairing"], after["effective_trust"]) == ("introduced", "member")
    assert tocsin.refusal("peer", "introduce", "Subject", code=1) == "E_NOT_SUGGESTED"


@pytest.mark.usefixtures("known")
def test_an_own_vouch_is_made_and_taken_back(tocsin):
    made = tocsin.json("vouch", "First", "--scope", "zone:fr.", "--days", "30")
    assert set(made) == {"peer", "name", "expires", "entry"}
    assert made["entry"]["seq"] == 1
    told = tocsin("vouch", "First", "--withdraw")
    assert "taken back in entry 2" in told.stdout
    told = tocsin("vouch", "First", "--max-preset", "known")
    assert "All who read that feed" in told.stderr
    assert tocsin.refusal("vouch", "Subject", code=3) == "E_VOUCH_UNVERIFIED"
    assert tocsin.refusal("vouch", "First", "--days", "0", code=2) == "E_USAGE"
