from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.observability.printable import printable


@given(st.text())
def test_t43_class12_what_is_printed_is_printable_and_one_line(text):
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_letters_of_every_script_stay(text):
    assert printable(text) == text


def test_half_a_character_is_written_as_an_escape():
    assert printable("a\ud800") == "a\\ud800"
