"""CEF: what a reader takes a line for, whatever is in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.exports.cef import LONGEST_VALUE, CefEvent, write_cef
from tests.support.cef_reader import read_cef

HOSTILE = st.text(st.sampled_from("ab=|\\ \n\r\t\u202e\u2028\x00é\x85"), max_size=40)


def test_an_event_is_a_head_of_seven_and_pairs() -> None:
    event = CefEvent(
        "0.2", "HEAD_STALE", "Head stale opened", 7, {"rt": 1, "msg": "a b", "cs1": ""}
    )
    assert write_cef(event) == "CEF:0|Tocsin|Tocsin|0.2|HEAD_STALE|Head stale opened|7|rt=1 msg=a b"


def test_pipes_equals_signs_backslashes_and_line_ends_are_escaped() -> None:
    event = CefEvent("0.2", "X", "a|b\\c", 5, {"msg": "k=v \\ x\r\ny", "reason": "z"})
    line = write_cef(event)
    assert r"|a\|b\\c|5|" in line
    assert r"msg=k\=v \\ x\ny reason=z" in line
    read = read_cef(line)
    assert read.head == ("CEF:0", "Tocsin", "Tocsin", "0.2", "X", "a|b\\c", "5")
    assert read.extension == {"msg": "k=v \\ x\ny", "reason": "z"}


@given(HOSTILE, HOSTILE, HOSTILE)
def test_t43_no_text_ends_a_line_a_field_or_a_value(name: str, first: str, second: str) -> None:
    line = write_cef(CefEvent("0.2", "X", name, 5, {"msg": first, "reason": second, "act": "end"}))
    assert line.isprintable()
    read = read_cef(line)
    assert read.head[6] == "5"
    assert set(read.extension) <= {"msg", "reason", "act"}
    assert read.extension["act"] == "end"


def test_a_value_is_bounded() -> None:
    line = write_cef(CefEvent("0.2", "X", "n" * 9_999, 5, {"msg": "=" * 99_999}))
    assert len(line) < 2 * LONGEST_VALUE + 400
