"""What a person is warned of: scripts that no language mixes, and names that read like others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dns.lookalikes import (
    EMBEDDED,
    HIDDEN,
    LOOKALIKE,
    MIXED_SCRIPT,
    WHOLE_SCRIPT,
    LookalikeIndex,
    scripts_in,
    skeleton,
    warnings_of,
)
from schemas.dns.names import read_name
from schemas.errors import WireFormatError

KNOWN = LookalikeIndex(["paypal.com", "www.apple.com", "microsoft.com", "cert.fr", "dell.com"])


def kinds(text: str) -> list[str]:
    return [warning.kind for warning in warnings_of(read_name(text).a_label, KNOWN)]


@pytest.mark.parametrize(
    "text",
    [
        "paypal.com", "login.paypal.com", "paypal.org", "innocent.example", "mañana.example",
        "北京google.example", "東京タワーxyz.example", "한국test.example", "россия.рф", "сор.рф",
        "παράδειγμα.gr", "bücher.example", "cert.org", "xn--zz--.example", "dell.de",
    ],
)  # fmt: skip
def test_names_as_people_write_them_warn_of_nothing(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pаypal.com", [MIXED_SCRIPT, LOOKALIKE]),  # one Cyrillic letter
        ("аррӏе.com", [WHOLE_SCRIPT, LOOKALIKE]),  # Cyrillic throughout
        ("сор.com", [WHOLE_SCRIPT]),
        ("paypa1.com", [LOOKALIKE]),
        ("paypa1.example", [LOOKALIKE]),
        ("rnicrosoft.com", [LOOKALIKE]),
        ("páypal.com", [LOOKALIKE]),
        ("login.paypa1.com", [LOOKALIKE]),
        ("paypal.com.evil.example", [EMBEDDED]),
        ("نامه\u200cای.example", [HIDDEN]),
        ("αβγд.example", [MIXED_SCRIPT]),
    ],
)
def test_what_may_be_taken_for_something_else_is_said(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


def test_it_is_said_for_what(  # and of which scripts
) -> None:
    mixed, like = warnings_of(read_name("pаypal.com").a_label, KNOWN)
    assert mixed.scripts == ("CYRILLIC", "LATIN")
    assert like.looks_like == "paypal.com"
    assert scripts_in("xn--bcher-kva.example") == ("LATIN",)


def _taken(text: str) -> str | None:
    try:
        return read_name(text).a_label
    except WireFormatError:
        return None


_LETTERS = st.sampled_from("aeiоаеi0o1l-.жщßüé東京ー한글\u200d\u202e\u0301\x00\x1b \u2066ｇ。xn")
_TEXTS = st.text(_LETTERS, max_size=12).map(lambda text: f"{text}.example") | st.text(max_size=12)


@given(_TEXTS)
def test_normalising_twice_is_normalising_once_and_hides_nothing(text: str) -> None:
    name = _taken(text)
    if name is None:
        return
    read = read_name(name)
    assert (read.a_label, read.subtree) == (name, False)
    assert name.isascii()
    # What is shown reads as the very same name, and has no control or bidi character: printable
    # are all but those and the two joiners, which Persian and Indic names need where IDNA allows.
    assert read_name(read.u_label).a_label == name
    assert read.u_label.replace("\u200c", "").replace("\u200d", "").isprintable()


@given(_TEXTS)
def test_whatever_the_name_what_is_odd_about_it_can_be_said(text: str) -> None:
    name = _taken(text)
    if name is not None:
        for warning in warnings_of(name, KNOWN):
            assert warning.label


@given(_TEXTS)
def test_a_skeleton_has_one_skeleton(text: str) -> None:
    once = skeleton(text.lower())
    assert skeleton(once) in {once, skeleton(skeleton(once))}
