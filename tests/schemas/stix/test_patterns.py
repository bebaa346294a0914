from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stix2patterns.validator import run_validator

from schemas.errors import WireFormatError
from schemas.stix.patterns import MAX_PATTERN_BYTES, Observable, check_pattern, simple_observables

RIGHT = [
    "[domain-name:value = 'evil.example']",
    "[domain-name:value='a.example' OR domain-name:value='b.example']",
    "[domain-name:value = 'a.example'] OR [ipv4-addr:value = '192.0.2.0/24']",
    "[ ipv6-addr:value = '2001:db8::1' ]",
    "[url:value = 'https://evil.example/it\\'s']",
    "[domain-name:value LIKE '%.example']",
    "[domain-name:value MATCHES '(a+)+$']",
    "[domain-name:value = 'a' AND domain-name:resolves_to_refs[*].value = '192.0.2.1']",
    "([a:b = 1] FOLLOWEDBY [a:b = 2]) WITHIN 5 SECONDS",
    "[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f']",
]
WRONG = [
    "",
    "   ",
    "domain-name:value = 'evil.example'",
    "[domain-name:value = evil.example]",
    "[domain-name:value = 'evil.example'",
    "[domain-name:value = 'evil.example'] trailing",
    "[domain-name:value == ]",
    "[domain-name:value = 'evil.example' or domain-name:value = 'b']",
    "[domain-name:value = 'it's']",
    "[a:b = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS",
]
BOMBS = [
    "(" * 2000 + "[a:b = 1]" + ")" * 2000,
    "[" + "(" * 2000 + "a:b = 1" + ")" * 2000 + "]",
    "(" * 4000,
    "[a:b" + ".c" * 2000 + " = 1]",
    "[a:b" + "[*]" * 1300 + " = 1]",
    "'" * 4001,
    "[" * 4001,
    "[domain-name:value = '" + "\\" * 4000,
    "[" + "domain-name:value = 'a' OR " * 150,
]


@pytest.mark.parametrize("pattern", RIGHT)
def test_a_pattern_of_the_grammar_passes(pattern):
    check_pattern(pattern, "stix")


@pytest.mark.parametrize("pattern", WRONG)
def test_a_pattern_outside_the_grammar_is_rejected(pattern):
    with pytest.raises(WireFormatError) as caught:
        check_pattern(pattern, "stix")
    assert caught.value.code == "E_SCHEMA"


@pytest.mark.parametrize("pattern", BOMBS, ids=range(len(BOMBS)))
def test_t32_a_bomb_is_refused(pattern):
    # Bounded work: the file's own timeout would end a run that is not.
    with pytest.raises(WireFormatError):
        check_pattern(pattern, "stix")
    assert simple_observables(pattern) == ()


def test_t32_refusing_a_nested_bomb_takes_time_in_proportion_to_its_length():
    def seconds(length: int) -> float:
        pattern = "(" * length + "[a:b = 1]"
        begin = time.perf_counter()
        for _ in range(50):
            with pytest.raises(WireFormatError):
                # Never the same text twice, so that the cache answers nothing.
                check_pattern(pattern + " " * _, "stix")
        return time.perf_counter() - begin

    seconds(100)
    # Compared with itself and generously: quadratic work would be 1,600 times more.
    assert seconds(4000 - 50) < 400 * max(seconds(100), 1e-4)


def test_brackets_inside_a_string_are_no_nesting():
    check_pattern("[file:name = '" + "(" * 200 + "']", "stix")


def test_nesting_up_to_the_limit_passes():
    check_pattern("[" + "(" * 15 + "a:b = 1" + ")" * 15 + "]", "stix")
    with pytest.raises(WireFormatError, match="nested"):
        check_pattern("[" + "(" * 16 + "a:b = 1" + ")" * 16 + "]", "stix")


def test_a_stix_pattern_is_at_most_4_kib_in_utf_8():
    def of(length: int) -> str:
        return "[domain-name:value = '" + "a" * (length - 24) + "']"

    assert len(of(MAX_PATTERN_BYTES)) == MAX_PATTERN_BYTES
    check_pattern(of(MAX_PATTERN_BYTES), "stix")
    with pytest.raises(WireFormatError, match="longer"):
        check_pattern(of(MAX_PATTERN_BYTES + 1), "stix")
    with pytest.raises(WireFormatError, match="longer"):
        check_pattern("[domain-name:value = '" + "é" * 2048 + "']", "stix")


@pytest.mark.parametrize("pattern_type", ["yara", "sigma", "suricata", "x-own-language"])
def test_other_languages_are_passed_on_unread(pattern_type):
    check_pattern("rule a { condition: true }" + " " * 8000, pattern_type)


@pytest.mark.parametrize("pattern_type", ["", "STIX", "any string", "stix\n", "-", "a" * 65])
def test_a_pattern_type_is_a_word_of_a_vocabulary(pattern_type):
    with pytest.raises(WireFormatError):
        check_pattern("[domain-name:value = 'a']", pattern_type)


def test_simple_patterns_name_their_observables():
    assert simple_observables(RIGHT[0]) == (Observable("domain-name", "evil.example"),)
    assert simple_observables(RIGHT[2]) == (
        Observable("domain-name", "a.example"),
        Observable("ipv4-addr", "192.0.2.0/24"),
    )
    assert simple_observables(RIGHT[4]) == (Observable("url", "https://evil.example/it's"),)


@pytest.mark.parametrize("pattern", RIGHT[5:] + WRONG)
def test_what_says_more_than_a_list_names_none(pattern):
    assert simple_observables(pattern) == ()


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


comparisons = st.tuples(
    st.sampled_from(["domain-name", "ipv4-addr", "ipv6-addr", "url"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20),
)


@given(st.lists(st.lists(comparisons, min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_fast_way_accepts_only_what_the_grammar_accepts(groups):
    pattern = " OR ".join(
        "[" + " OR ".join(f"{kind}:value = {quoted(text)}" for kind, text in group) + "]"
        for group in groups
    )
    check_pattern(pattern, "stix")
    assert run_validator(pattern, "2.1") == []
    assert simple_observables(pattern) == tuple(
        Observable(kind, text) for group in groups for kind, text in group
    )


@given(st.text("[]() '\\:=ORANDdomain-namevalue", max_size=60))
def test_any_text_is_accepted_or_rejected_and_never_crashes(pattern):
    with contextlib.suppress(WireFormatError):
        check_pattern(pattern, "stix")
