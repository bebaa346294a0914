"""Every error code, decision code, setting and command has its place in the documents."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from federation.policy.admission import ADMISSION_CODES
from federation.policy.decision import CODES
from hub.settings import Settings
from tests.house.sources import modules, read_text

ERROR_CODE = re.compile(r"E_[A-Z0-9]+(?:_[A-Z0-9]+)*")
DECISION_CODE = re.compile(r"(?:ALLOWED|REFUSED|QUARANTINED)(?:_[A-Z0-9]+)+")
ROW = re.compile(r"^\| `([A-Z0-9_]+)` \|.+\|.+\|", re.MULTILINE)
LATER = "## Codes of later releases"


def codes_in_the_code(form: re.Pattern[str]) -> set[str]:
    return {
        node.value
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and form.fullmatch(node.value)
    }


def commands(command: Any, path: tuple[str, ...] = ("tocsin",)) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):  # typer brings its own click, so no class to ask for
        for name, child in command.commands.items():
            if not child.hidden:
                yield from commands(child, (*path, name))
    else:
        yield " ".join(path), command


def all_commands() -> dict[str, Any]:
    app = importlib.import_module("hub.cli.app").app
    return dict(commands(typer.main.get_command(app)))


def section(document: str, heading: str) -> str | None:
    """The text below a heading, up to the next heading of any level."""
    found = re.search(
        rf"^#+ {re.escape(heading)}$(.*?)(?=^#+ |\Z)", document, re.MULTILINE | re.DOTALL
    )
    return found[1] if found else None


def test_every_error_code_has_its_row():
    documented = set(ROW.findall(read_text("docs/errors.md")))
    missing = codes_in_the_code(ERROR_CODE) - documented
    assert not missing, f"docs/errors.md: give these a meaning and a remedy: {sorted(missing)}"


def test_every_documented_error_code_is_raised_or_announced():
    present, _, later = read_text("docs/errors.md").partition(LATER)
    code = codes_in_the_code(ERROR_CODE)
    stale = set(ROW.findall(present)) - code
    arrived = set(ROW.findall(later)) & code
    assert not stale, f"docs/errors.md: no code raises these: {sorted(stale)}"
    assert not arrived, f"docs/errors.md: these are no longer for later: {sorted(arrived)}"


def test_every_decision_code_has_its_row():
    documented = set(ROW.findall(read_text("docs/policy.md")))
    decided = codes_in_the_code(DECISION_CODE) | CODES | ADMISSION_CODES
    missing = {code for code in decided if not ERROR_CODE.fullmatch(code)} - documented
    assert not missing, f"docs/policy.md: explain these: {sorted(missing)}"


def test_every_setting_has_its_heading():
    document = read_text("docs/settings.md")
    missing = [name for name in Settings.model_fields if section(document, f"`{name}`") is None]
    assert not missing, f"docs/settings.md: these settings have no heading: {missing}"


def test_every_command_has_its_heading():
    document = read_text("docs/cli.md")
    missing = [name for name in all_commands() if section(document, f"`{name}`") is None]
    assert not missing, f"docs/cli.md: these commands have no heading: {missing}"


def test_every_documented_command_exists():
    documented = re.findall(r"^#+ `(tocsin [a-z -]+)`$", read_text("docs/cli.md"), re.MULTILINE)
    stale = set(documented) - set(all_commands())
    assert not stale, f"docs/cli.md: these commands do not exist: {sorted(stale)}"


def test_every_option_is_named_below_its_command():
    document = read_text("docs/cli.md")
    everywhere = {"--help", "--home", "--json"}
    missing = []
    for name, command in all_commands().items():
        text = section(document, f"`{name}`") or ""
        for parameter in command.params:
            long = [option for option in parameter.opts if option.startswith("--")]
            if long and long[0] not in everywhere and f"{long[0]}" not in text:
                missing.append(f"{name} {long[0]}")
    assert not missing, f"docs/cli.md: these options are not described: {missing}"


@pytest.mark.parametrize("document", ["docs/errors.md", "docs/policy.md"])
def test_no_code_is_explained_twice(document):
    rows = ROW.findall(read_text(document))
    twice = sorted({code for code in rows if rows.count(code) > 1})
    assert not twice
