"""``tocsin sighting follow``: what it says of the lines it read, and what it cannot read."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "rpz.log"
    hit = (
        "client @0x7f 192.0.2.77#5 (evil.example): rpz QNAME NXDOMAIN rewrite evil.example/A/IN "
        "via evil.example.rpz.test\n"
    )
    file.write_text(f"{hit}general: info: running\nclient rpz \x1b[2J rewrite it\n")
    return file


def test_every_line_is_counted_and_none_is_shown(tocsin, log):
    done = tocsin("sighting", "follow", str(log), "--format", "bind", "--once")
    assert done.exit_code == 0
    assert "Read 3 lines with 1 hits; kept 0 of names that are claimed here." in done.stdout
    assert "1: lines about something else" in done.stderr
    assert "1: lines that look like hits and cannot be read" in done.stderr
    assert "192.0.2.77" not in done.output
    assert "\x1b" not in done.output
    again = tocsin.json("sighting", "follow", str(log), "--format", "bind", "--once")
    assert again == {"lines": 0, "hits": 0, "kept": 0, "missed": {}, "lost": {}}


def test_a_log_that_was_cut_is_said(tocsin, log):
    tocsin("sighting", "follow", str(log), "--format", "bind", "--once")
    log.write_text("other: info: running\n")
    done = tocsin("sighting", "follow", str(log), "--format", "bind", "--once")
    assert "1 times the log was cut: lines may be missing." in done.stderr


def test_what_cannot_be_followed_is_said(tocsin, tmp_path):
    follow = ("sighting", "follow")
    assert tocsin(*follow, str(tmp_path / "none"), "--format", "bind", "--once").exit_code == 2
    assert tocsin(*follow, str(tmp_path), "--format", "bind", "--once").exit_code in {1, 2}
    wrong = tocsin(*follow, str(tmp_path / "none"), "--format", "bind", "--dns-events")
    assert wrong.exit_code == 2


def test_nobody_is_listed_who_was_not_asked_for(tocsin, log):
    tocsin("sighting", "follow", str(log), "--format", "bind", "--once", "--keep-clients")
    assert tocsin.json("sighting", "clients") == []


def test_who_listened_to_signals_before_does_so_again_after(tocsin, log):
    """Else a process that goes on, or is forked later, could not be ended any more."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    tocsin("sighting", "follow", str(log), "--format", "bind", "--once")
    assert [signal.getsignal(number) for number in numbers] == before
