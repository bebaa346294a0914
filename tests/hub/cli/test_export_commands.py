"""``tocsin export`` and ``tocsin export target``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub.cli.conftest import Tocsin
from tests.support.asked_blocks import ask_for_blocks


def test_an_export_is_the_names_alone_and_its_counts_go_beside(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    node = tocsin.node()
    ask_for_blocks(node, ["evil.example", "google.com"])
    node.database.close()
    result = tocsin("export", "names", "--audience", "constituents")
    assert result.stdout == "evil.example\n"
    assert result.stderr == (
        "1 names for constituents, at most TLP:GREEN (the first export); 0 wait for their hour.\n"
    )
    file = tmp_path / "names.txt"
    assert tocsin("export", "names", "-o", str(file)).stdout == ""
    assert file.read_text() == "evil.example\n"
    assert tocsin.json("export", "names")["lines"] == ["evil.example"]
    stopped = tocsin.json("guard", "waiting")["stopped"]
    assert [(each["name"], each["codes"][0]) for each in stopped] == [
        ("google.com", "NOT_BLOCKED_GUARD_REFUSES")
    ]
    assert tocsin.json("guard", "release", "--reason", "All.")["released"] == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("names", "--feed", "warez"), "E_EXPORT_FEED"),
        (("doc",), "E_FORMAT"),
        (("names", "--constituent", "x"), "E_AUDIENCE"),
    ],
)
def test_what_cannot_be_exported_is_said_so(
    tocsin: Tocsin, words: tuple[str, ...], code: str
) -> None:
    assert tocsin.refusal("export", *words, code=1) == code


def test_a_jump_is_refused_and_leaves_the_file_alone(tocsin: Tocsin, tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    node = tocsin.node()
    ask_for_blocks(node, [f"n{number}.example" for number in range(150)])
    tocsin("export", "names", "-o", str(file))
    before = file.read_bytes()
    ask_for_blocks(node, [f"m{number}.example" for number in range(150)])
    node.database.close()
    assert tocsin("export", "names", "-o", str(file)).exit_code == 3
    assert file.read_bytes() == before
    assert "150 names to 300" in tocsin("alarms").stdout
    done = tocsin.json("export", "names", "-o", str(file), "--accept-jump", "A new botnet.")
    assert (done["names"], done["before"]) == (300, 150)


def ask(tocsin: Tocsin, *names: str, **members: object) -> None:
    node = tocsin.node()
    ask_for_blocks(node, names, **members)
    node.database.close()


def test_a_zone_is_written_and_split_by_feed(tocsin: Tocsin, tmp_path: Path) -> None:
    ask(tocsin, "evil.example", match_scope="subtree")
    ask(tocsin, "x.rpz-ip", "dga.example", threat_types=("dga",))
    zone = tocsin("export", "rpz")
    assert "evil.example CNAME .\n*.evil.example CNAME .\n" in zone.stdout
    assert "1 left out (RESERVED): x.rpz-ip" in zone.stderr
    feed = tmp_path / "dga.zone"
    found = tocsin.json("export", "rpz", "--feed", "dga", "-o", str(feed))
    assert (found["names"], found["left_out"][0]["first"]) == (1, ["x.rpz-ip"])
    assert feed.read_text().startswith("$ORIGIN dga.organisation.rpz.\n")
    assert tocsin("export", "--audience", "public", "rpz").stdout.splitlines()[4:] == []
    passthru = tocsin("export", "rpz", "--passthru").stdout
    assert "root-servers.net CNAME rpz-passthru." in passthru


def test_a_dry_run_tells_what_would_change_and_keeps_nothing(
    tocsin: Tocsin, tmp_path: Path
) -> None:
    file = tmp_path / "names.txt"
    ask(tocsin, *(f"n{number}.example" for number in range(150)))
    tocsin("export", "names", "-o", str(file))
    ask(tocsin, *(f"m{number}.example" for number in range(150)))
    told = tocsin("export", "names", "-o", str(file), "--dry-run")
    assert told.exit_code == 0
    assert "150 would come: m0.example" in told.stderr
    assert "It would be stopped" in told.stderr
    assert "m0.example" not in file.read_text()


def test_a_directory_goes_with_formats_of_several_files(tocsin: Tocsin, tmp_path: Path) -> None:
    ask(tocsin, "evil.example")
    assert tocsin("export", "misp").exit_code == 2
    assert tocsin("export", "names", "-o", str(tmp_path)).exit_code == 2
    assert tocsin("export", "misp", "-o", str(tmp_path / "misp")).exit_code == 0
    assert (tmp_path / "misp" / "manifest.json").is_file()


def test_targets_are_listed_written_and_let_go(tocsin: Tocsin, tmp_path: Path) -> None:
    ask(tocsin, "evil.example")
    file = tmp_path / "rpz.zone"
    added = tocsin.json("export", "target", "add", "rpz", str(file))
    assert (added["name"], added["export"]) == ("rpz-organisation", "rpz/organisation")
    again = ("export", "target", "add", "rpz", str(file))
    assert tocsin.refusal(*again, code=1) == "E_TARGET_EXISTS"
    (written,) = tocsin.json("export", "target", "run")
    assert (written["changed"], written["names"]) == (True, 1)
    assert "evil.example CNAME ." in file.read_text()
    (row,) = tocsin.json("export", "target", "list")
    assert (row["path"], row["serial"], row["error"]) == (str(file), written["serial"], None)
    assert "rpz-organisation" in tocsin("export", "target", "list").stdout
    tocsin("export", "target", "remove", "rpz-organisation")
    assert tocsin.json("export", "target", "list") == []
    gone = ("export", "target", "remove", "rpz-organisation")
    assert tocsin.refusal(*gone, code=1) == "E_TARGET_UNKNOWN"
    assert file.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("rpz", "/nowhere/at/all/x.zone"),
        ("rpz", "{tmp}/x.zone", "--knot", "knot.sock"),
        ("rpz", "{tmp}/x.zone", "--knot", "/run/knot.sock/other.rpz"),
        ("rpz", "{tmp}/x.zone", "--probe", "resolver.example"),
        ("rpz", "{tmp}/x.zone", "--probe", "127.0.0.1@53"),
        ("names", "{tmp}/x.txt", "--knot", "/run/knot.sock/organisation.rpz"),
        ("names", "{tmp}"),
        ("names", "{tmp}/x.txt", "--name", "../x"),
    ],
)
def test_what_cannot_be_a_target_is_said_so(
    tocsin: Tocsin, tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = [word.format(tmp=tmp_path) for word in words]
    assert tocsin.refusal("export", "target", "add", *said, code=1) == "E_TARGET"
