"""Logs that grow, rotate and are cut: each line once, and what may be lost is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.imports.followed_file import MOST_LINE, Position, read_piece


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "rpz.log"


def add(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def read_all(
    log: Path, position: Position | None
) -> tuple[list[bytes], Position | None, list[str]]:
    lines, notes = [], []
    while True:
        piece = read_piece(log, position)
        position = piece.position
        lines += piece.lines
        notes += [piece.note] if piece.note else []
        if not piece.more:
            return lines, position, notes


def test_a_line_is_given_once_it_has_its_end(log: Path) -> None:
    assert read_all(log, None) == ([], None, [])
    add(log, "one\ntw")
    lines, position, _ = read_all(log, None)
    assert lines == [b"one"]
    add(log, "o\nthree\n")
    lines, position, _ = read_all(log, position)
    assert lines == [b"two", b"three"]
    assert read_all(log, position) == ([], position, [])


def test_a_rotated_log_is_read_to_its_end_before_the_new_one(log: Path) -> None:
    add(log, "one\n")
    _, position, _ = read_all(log, None)
    add(log, "two\n")
    rotated = log.with_name("rpz.log.1")
    log.rename(rotated)
    add(rotated, "three\n")  # its writer has it open still
    assert read_all(log, position)[0] == [b"two", b"three"]
    log.touch()
    lines, position, notes = read_all(log, position)
    assert (lines, notes) == ([b"two", b"three"], [])
    add(rotated, "four\n")
    lines, position, _ = read_all(log, position)
    assert lines == [b"four"]
    add(log, "five\n")
    lines, position, notes = read_all(log, position)
    assert (lines, notes) == ([b"five"], [])
    assert read_all(log, position) == ([], position, [])


def test_what_was_rotated_away_is_said(log: Path) -> None:
    add(log, "one\n")
    _, position, _ = read_all(log, None)
    log.rename(log.with_name("elsewhere"))
    add(log, "two\n")
    assert read_all(log, position)[::2] == ([b"two"], ["gone"])


def test_a_cut_log_is_read_anew_even_if_it_has_grown_again(log: Path) -> None:
    add(log, "one\n")
    _, position, _ = read_all(log, None)
    os.truncate(log, 0)
    lines, after, notes = read_all(log, position)
    assert (lines, notes) == ([], ["cut"])
    add(log, "two\nthree\n")
    assert read_all(log, after)[0] == [b"two", b"three"]
    assert read_all(log, position)[::2] == ([b"two", b"three"], ["cut"])


def test_t43_nothing_within_a_line_that_is_too_long_is_taken_for_a_line(log: Path) -> None:
    add(log, "one\n" + "x" * (2 * MOST_LINE) + " forged")
    lines, position, _ = read_all(log, None)
    assert lines == [b"one"]
    add(log, " line\ntwo\n")
    piece = read_piece(log, position)
    assert (piece.lines, piece.too_long) == ((b"two",), 1)
