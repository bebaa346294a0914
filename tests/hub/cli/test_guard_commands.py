"""``tocsin guard``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.hub.cli.conftest import Tocsin


def test_names_go_on_a_list_and_off_it(tocsin: Tocsin, tmp_path: Path) -> None:
    added = tocsin.json("guard", "add", "*.Bank[.]example", "--grade", "hold")
    assert (added["name"], added["grade"], added["below"]) == ("bank.example", "hold", True)
    file = tmp_path / "customers.txt"
    file.write_text("one.example\nhttp://x.example/y\n")
    imported = tocsin.json("guard", "import", str(file), "--list", "customers", "--exact")
    assert (imported["taken"], len(imported["skipped"])) == (1, 1)
    lists = tocsin.json("guard", "list")["lists"]
    assert [(each["list_name"], each["names"]) for each in lists] == [("customers", 1), ("own", 1)]
    (row,) = tocsin.json("guard", "list", "customers")
    assert (row["name"], row["below"], row["added_by"]) == ("one.example", False, "operator")
    tocsin.json("guard", "remove", "bank.example")
    assert tocsin.refusal("guard", "remove", "bank.example", code=1) == "E_GUARD_UNKNOWN"
    assert tocsin.json("guard", "drop", "customers")["names"] == 1
    assert tocsin.refusal("guard", "drop", "customers", code=1) == "E_GUARD_UNKNOWN"
    assert tocsin.refusal("guard", "add", "x.example", "--list", "critical", code=1) == (
        "E_GUARD_LIST"
    )


def test_a_check_says_in_sentences_what_a_block_would_hit(tocsin: Tocsin) -> None:
    said = tocsin("guard", "check", "*.co.uk").stdout
    assert "co.uk is a public suffix, under which others register: never blocked" in said
    found = tocsin.json("guard", "check", "login.kit.github.io")
    assert not found["stopped"]
    assert found["radius"]["shared_suffix"] == "github.io"
    assert "It is one of many under github.io, which strangers share." in found["sentences"]


def test_an_override_has_a_last_day(tocsin: Tocsin) -> None:
    day = (datetime.now(UTC) + timedelta(days=5)).strftime("%Y-%m-%d")
    words = ("guard", "override", "kit.google.com", "--reason", "A kit.", "--until", day)
    made = tocsin.json(*words)
    assert made["until"] > f"{day}T23"
    assert tocsin.json("guard", "list")["overrides"] == [made]
    found = tocsin.json("guard", "check", "kit.google.com")
    assert not found["stopped"]
    assert made["override_id"] in found["sentences"][0]
    tocsin.json("guard", "restore", "kit.google.com")
    assert tocsin.json("guard", "check", "kit.google.com")["stopped"]
    firm = ("guard", "override", "co.uk", "--reason", "I say so.", "--until", day)
    assert tocsin.refusal(*firm, code=3) == "E_GUARD_FIRM"
