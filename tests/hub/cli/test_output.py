from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

import federation.errors
import hub.errors
import schemas.errors
from hub.cli.output import (
    EXIT_CODES,
    count,
    exit_code_of,
    plain,
    reported,
    say,
    show_facts,
    show_table,
    write_document,
)
from schemas.errors import TocsinError

NASTY = "[red]evil[/red]\x1b[2J\u202egnp.exe\nsecond line"


def test_every_class_of_error_has_its_exit_code():
    classes = {
        value
        for module in (schemas.errors, federation.errors, hub.errors)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, TocsinError)
    }
    assert classes == set(EXIT_CODES)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (federation.errors.SharingRefused("E_NOBODY"), 3),
        (hub.errors.NotPermitted("E_GRANT_KIND"), 3),
        (hub.errors.NotFound("E_NOT_FOUND"), 1),
        (federation.errors.PeerUnreachable("E_HTTP_CONNECT"), 1),
        (TocsinError("E_ANY"), 1),
    ],
)
def test_policy_ends_with_three_and_all_else_with_one(error, code):
    assert exit_code_of(error) == code
    with pytest.raises(typer.Exit) as ended, reported(as_json=False):
        raise error
    assert ended.value.exit_code == code


def test_a_subclass_ends_like_its_parent():
    class Stricter(federation.errors.SharingRefused):
        pass

    assert exit_code_of(Stricter("E_X")) == 3


def test_an_error_for_people_names_code_and_remedy_on_standard_error(capsys):
    with pytest.raises(typer.Exit), reported(as_json=False):
        raise hub.errors.Conflict("E_X", NASTY, "Do this.")
    out, err = capsys.readouterr()
    assert out == ""
    assert "(E_X)" in err
    assert "  Do this." in err
    assert "\x1b" not in err
    assert "\u202e" not in err
    assert len(err.splitlines()) == 2


def test_an_error_for_machines_is_one_document_on_standard_output(capsys):
    with pytest.raises(typer.Exit), reported(as_json=True):
        raise hub.errors.Conflict("E_X", NASTY, "Do this.")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": {"code": "E_X", "detail": NASTY, "remedy": "Do this."}}
    assert out.isascii()
    assert err == ""


def test_a_file_that_cannot_be_read_is_an_error_and_no_traceback(tmp_path, capsys):
    with pytest.raises(typer.Exit) as ended, reported(as_json=True):
        (tmp_path / "absent").read_bytes()
    assert ended.value.exit_code == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "E_FILE"


def test_a_reader_that_has_gone_is_left_to_typer():
    with pytest.raises(BrokenPipeError), reported(as_json=True):
        raise BrokenPipeError(32, "Broken pipe")


def test_a_defect_of_ours_is_not_dressed_up_as_an_error():
    with pytest.raises(ZeroDivisionError), reported(as_json=True):
        raise ZeroDivisionError


def test_text_from_outside_never_reaches_the_terminal_raw(capsys):
    say(NASTY)
    show_facts({"name": NASTY})
    show_table([NASTY], [[NASTY], [None], [True]])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\nsecond" not in out
    assert out.count("[red]evil[/red]") == 4, "no markup of rich is obeyed"


def test_long_tables_are_cut_and_say_so(capsys):
    show_table(["n"], [[number] for number in range(250)])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 202
    assert "50 more rows" in err


def test_values_become_what_json_has(capsys):
    at = datetime(2026, 3, 1, 10, 0, 0, 5000, tzinfo=UTC)
    assert plain({"a": (at, Path("x"), None, frozenset({1}))}) == {
        "a": ["2026-03-01T10:00:00.005Z", "x", None, [1]]
    }
    write_document({"a": "ü"})
    assert json.loads(capsys.readouterr().out) == {"a": "ü"}


def test_a_count_has_its_noun():
    assert [count(1, "entry", "entries"), count(2_000, "object")] == ["1 entry", "2,000 objects"]
