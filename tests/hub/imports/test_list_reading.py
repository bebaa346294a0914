from __future__ import annotations

import subprocess
import sys

import pytest

from hub.imports.drafts import ImportReport
from hub.imports.list_reading import MOST_NAMED, ListReading, lines_of
from hub.imports.name_lists import names_in
from tests.house.sources import ROOT


def test_lines_are_numbered_as_an_editor_does_and_not_held():
    assert list(lines_of(b"\xef\xbb\xbfa\r\n\nb\x0cc\n")) == [(1, b"a\r"), (2, b""), (3, b"b\x0cc")]
    assert list(lines_of(b"")) == []
    assert list(lines_of(b"\n\nx")) == [(1, b""), (2, b""), (3, b"x")]


def test_of_very_many_broken_lines_the_first_are_named_and_all_are_counted():
    reading = ListReading()
    assert list(names_in(b"http://x.example/\n" * (MOST_NAMED + 5), reading)) == []
    report = reading.report()
    assert len(report.skipped) == MOST_NAMED
    assert report.counts() == {"E_NAME_URL": MOST_NAMED + 5}


def test_a_report_without_counts_of_its_own_counts_what_it_names():
    assert ImportReport(0, (), (), 0).counts() == {}


READ_A_MILLION = """
import resource
from hub.imports.list_reading import ListReading
from hub.imports.name_lists import names_in
from tests.house.sources import ROOT
data = b"".join(b"n%d.evil.example\\n[broken %d\\n" % (n, n) for n in range(500_000))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reading = ListReading()
taken = sum(1 for _ in names_in(data, reading))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(taken, sum(reading.report().counts().values()), grown)
"""


@pytest.mark.long
def test_a_million_lines_take_bounded_memory():
    done = subprocess.run(
        [sys.executable, "-c", READ_A_MILLION], capture_output=True, text=True, check=True, cwd=ROOT
    )
    taken, refused, kibibytes = map(int, done.stdout.split())
    assert (taken, refused) == (500_000, 500_000)
    assert kibibytes < 160 * 1024, "what is remembered is each name once"
