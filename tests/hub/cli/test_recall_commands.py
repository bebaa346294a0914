"""``tocsin restrict``, ``widen``, ``erase`` and ``receipts`` at the command line."""

from __future__ import annotations

import json

import pytest

from tests.support.publications import Author, indicator, stix_id

ONE, TWO = (stix_id("indicator", number) for number in (1, 2))


@pytest.fixture
def published(tocsin, tmp_path):
    """A node with a peer and three green entries."""
    node = tocsin.node()
    Author(1, at=node.now()).meets(node, name="Example Registry")
    node.database.close()
    for numbers in ((9,), (1, 2), (3,)):
        file = tmp_path / "objects.json"
        file.write_text(json.dumps([indicator(number) for number in numbers]))
        tocsin.json("publish", str(file), "--tlp", "green")
    return tocsin


def test_restricting_says_where_and_who_is_to_confirm(published):
    done = published.json("restrict", ONE, "--tlp", "amber")
    assert done["entry"]["feed"].endswith("/green/1")
    assert [(r["name"], r["state"]) for r in done["receipts"]] == [("Example Registry", "pending")]
    assert (done["left_out"], done["published"]) == ([], None)
    assert published.refusal("restrict", ONE, "--tlp", "amber", code=1) == "E_NOT_STRICTER"
    told = published("restrict", TWO, "--tlp", "amber+strict")
    assert "Example Registry" in told.stdout
    assert "cannot be called back" in told.stderr


def test_widening_again_names_the_restriction(published):
    published.json("restrict", ONE, "--tlp", "amber")
    assert published.json("widen", ONE, "--tlp", "green")["entries"] == 1
    assert published.refusal("widen", ONE, "--tlp", "green", code=1) == "E_NOT_WIDER"


def test_receipts_list_each_peer_and_each_deed(published):
    assert published.json("receipts", ONE) == []
    published.json("restrict", ONE, "--tlp", "amber")
    published.json("withdraw", ONE, "--reason", "false positive")
    rows = published.json("receipts", ONE)
    assert [(row["did"], row["state"], row["at"]) for row in rows] == [
        ("restricted", "pending", None),
        ("retracted", "pending", None),
    ]
    told = published("receipts", ONE)
    assert "Example Registry" in told.stdout
    assert published.refusal("receipts", stix_id("indicator", 7), code=1) == "E_NOT_FOUND"


def test_erasing_everywhere(published):
    done = published.json("erase", "green/2", "--everywhere", "--reason", "r", "--only", ONE)
    assert (done["objects"], done["entry"]["kind"]) == ([ONE], "erase")
    (version,) = published.json("objects", "show", ONE)
    assert (version["state"], version["object"]) == ("erased", None)
    told = published("erase", "green/1", "--everywhere", "--reason", "r")
    assert "cannot be erased" in told.stderr


def test_erasing_here_alone_is_for_what_others_wrote(published):
    words = ("erase", "green/2", "--reason", "court order 7")
    assert published.refusal(*words, code=1) == "E_OWN_ENTRY"
    assert published.refusal("erase", "green/99", "--reason", "r", code=1) == "E_ENTRY_UNKNOWN"
    assert published.refusal("erase", "x/1", "--reason", "r", code=1) == "E_FEED_UNKNOWN"
    assert published("erase", "green/2", "--reason", "r", "--only", ONE).exit_code == 2


def test_a_release_needs_its_time_and_its_label(published, tmp_path):
    file = tmp_path / "later.json"
    file.write_text(json.dumps([indicator(5)]))
    words = ("publish", str(file), "--tlp", "green")
    assert published(*words, "--release-tlp", "clear").exit_code == 2
    release = ("--release-at", "2030-01-01T00:00:00Z", "--release-tlp")
    assert published.refusal(*words, *release, "green", code=3) == "E_NOT_WIDER"
    assert published.json(*words, *release, "clear")["entries"] == 1
