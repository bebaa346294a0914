from __future__ import annotations

import json

import pytest
import typer.main
from typer.testing import CliRunner

from hub.cli.app import app


def leaves(command, path=()):
    for name, child in command.commands.items():
        if hasattr(child, "commands"):
            yield from leaves(child, (*path, name))
        else:
            yield (*path, name), child


COMMANDS = dict(leaves(typer.main.get_command(app)))
SAYS_NOTHING = {("serve",), ("worker",)}


def run(*words):
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_a_home_and_json(path):
    result = run(*path, "--help")
    assert result.exit_code == 0
    options = {option for parameter in COMMANDS[path].params for option in parameter.opts}
    assert "--home" in options
    assert ("--json" in options) == (path not in SAYS_NOTHING)


def test_the_commands_of_the_interface_are_there_and_those_of_later_releases_are_not():
    names = {" ".join(path) for path in COMMANDS}
    assert names == {
        "init", "serve", "worker", "doctor", "demo", "pull", "publish", "withdraw", "why",
        "token add", "token list", "token revoke",
        "collection add", "collection grant", "collection list",
        "peer invite", "peer accept", "peer list", "peer show", "peer set", "peer suspend",
        "peer resume", "peer names", "peer verify", "peer thaw", "peer suggestions",
        "peer introduce", "vouch", "objects list", "objects show",
        "quarantine list", "quarantine accept", "quarantine reject", "policy show",
        "policy check", "policy apply",
        "keys show", "keys rotate-entry", "keys rotate-http", "keys revoke", "keys rotate-root",
        "keys new-epoch", "keys renew", "db upgrade", "db backup", "db restore", "db recover",
        "bundle export", "bundle import", "restrict", "widen", "erase", "receipts",
        "group create", "group add", "group remove", "group list",
        "feed list", "feed heartbeat", "feed thaw", "alarms",
        "evidence list", "evidence show", "evidence export", "evidence check",
        "audit erase", "audit head", "audit list", "audit verify", "correction decide",
        "correction erase", "correction list", "correction show", "dispute decide", "dispute list",
        "dispute say", "export FORMAT", "export target add",
        "export target list", "export target remove", "export target run",
        "import FILE", "import list", "import show", "import undo", "import taxii add",
        "import taxii list", "import taxii remove", "import taxii run",
        "guard add", "guard check", "guard drop", "guard import", "name check",
        "guard list", "guard override", "guard release", "guard remove", "guard restore",
        "guard waiting", "set publish", "set list", "set show", "set names", "set adopt",
        "hijack report", "hijack answer", "hijack list", "hijack show", "operator set",
        "concentration",
        "set release", "outcome add", "sighting add", "sighting list", "sighting follow",
        "sighting clients", "verdict",
    }  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["bogus"],
        ["peer", "bogus"],
        ["publish"],
        ["publish", "no-such-file", "--tlp", "green"],
        ["publish", "-", "--tlp", "purple"],
        ["peer", "set", "x", "--trust", "much"],
        ["peer", "set", "x", "--cap", "101"],
        ["token", "add", "siem", "--kind", "mine"],
        ["objects", "list", "--bogus"],
        ["serve", "--port", "70000"],
    ],
)
def test_wrong_usage_ends_with_two(words):
    plain = run(*words)
    assert plain.exit_code == 2
    assert "Usage" in plain.stderr
    assert plain.stdout == ""
    as_json = run(*words, "--json")
    assert as_json.exit_code == 2
    assert json.loads(as_json.stdout)["error"]["code"] == "E_USAGE"


def test_a_home_without_a_node_says_what_to_do(tmp_path):
    result = run("objects", "list", "--home", str(tmp_path))
    assert result.exit_code == 1
    assert "E_NOT_INITIALISED" in result.stderr
    assert "tocsin init" in result.stderr
    assert not list(tmp_path.iterdir()), "looking made nothing"


def test_the_home_may_stand_before_the_command(tocsin):
    result = run("--home", str(tocsin.home), "collection", "list", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)


def test_the_home_after_the_command_wins(tocsin, tmp_path):
    words = ["--home", str(tmp_path / "other"), "collection", "list", "--home", str(tocsin.home)]
    assert run(*words).exit_code == 0


def test_the_home_comes_from_the_environment_when_nobody_says(tocsin, monkeypatch):
    monkeypatch.setenv("TOCSIN_HOME", str(tocsin.home))
    assert run("collection", "list").exit_code == 0


def test_a_wrong_setting_is_named(tocsin):
    (tocsin.home / "tocsin.toml").write_text("no_such_setting = 1\n")
    assert tocsin.refusal("objects", "list", code=1) == "E_SETTINGS"


def test_the_release_is_told():
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("tocsin")
