"""``tocsin verdict``, and ``tocsin why`` about a name."""

from __future__ import annotations

import pytest

from hub.verdicts.fuse import refresh_all
from schemas.markings import Tlp
from tests.hub.cli.conftest import Tocsin


@pytest.fixture
def judged(tocsin: Tocsin, tmp_path) -> Tocsin:
    """A node that published a name itself, and made its verdict."""
    names = tmp_path / "names.txt"
    names.write_text("evil.example\n")
    tocsin.json("publish", str(names), "--tlp", "clear", "--threat-type", "phishing")
    node = tocsin.node()
    refresh_all(node)
    node.database.close()
    return tocsin


def test_a_name_is_told_at_every_label(judged: Tocsin) -> None:
    found = judged.json("verdict", "evil.example")
    assert found["name"] == "evil.example"
    assert list(found["views"]) == [tlp.wire for tlp in Tlp]
    clear = found["views"]["clear"]
    assert {"confidence", "lineages", "evidence", "blocked", "why"} <= clear.keys()
    assert (clear["lineages"], clear["blocked"], len(clear["evidence"])) == (1, False, 1)
    said = judged("verdict", "evil.example").stdout
    assert "TLP:CLEAR  confidence" in said
    assert "TLP:GREEN" not in said  # readers there go by the same


def test_how_far_verdicts_are_is_told(judged: Tocsin) -> None:
    behind = judged.json("verdict", "--progress")
    assert (behind["claims"], behind["due"], behind["published"]) == (1, 0, 1)
    assert "published" in judged("verdict", "--progress").stdout


def test_a_name_or_progress_is_wanted_and_a_name_is_one(judged: Tocsin) -> None:
    assert judged("verdict").exit_code == 2
    assert judged.refusal("verdict", "192.0.2.1", code=1) == "E_NAME_ADDRESS"


def test_why_tells_of_a_names_verdict(judged: Tocsin) -> None:
    judged.json("token", "add", "web", "--kind", "public")
    found = judged.json("why", "evil.example", "web")
    assert found["decision"] == "allowed"
    assert any("says phishing" in said for said in found["sentences"])
    verdict = judged.json("verdict", "evil.example")["views"]["clear"]["verdict"]
    assert judged.json("why", verdict, "web") == found
    assert judged.json("why", "other.example", "web")["code"] == "NO_VERDICT"
