"""Every row of THREATS section 1 and every class of section 3 has a test that is named after it.

``test_t17_…`` shows row 17, ``test_t02_t17_…`` both, ``test_class04_…`` a class. What comes with a
later issue is listed with the reason, and comes off that list with its first test.
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from tests.house.sources import ROOT
from tests.threats.rows import CLASSES, LATER_CLASSES, LATER_ROWS, ROWS

_FUNCTION = re.compile(r"^\s*(?:async )?def test((?:_(?:t|class)\d+)+)_", re.MULTILINE)
_NUMBER = re.compile(r"_(t|class)(\d+)")


def _shown() -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for numbers in _FUNCTION.findall(path.read_text()):
            for kind, number in _NUMBER.findall(numbers):
                found[kind].add(int(number))
    return found


@pytest.mark.parametrize(
    ("kind", "every", "later"), [("t", ROWS, LATER_ROWS), ("class", CLASSES, LATER_CLASSES)]
)
def test_every_row_has_a_test_or_a_reason(kind, every, later):
    shown = _shown()[kind]
    assert not set(every) - shown - later.keys(), "write the test, or say which issue brings it"
    assert not shown & later.keys(), "this is shown now: take it off the list"
    assert shown <= set(every), "THREATS has no such row"
