"""PROTOCOL 2.1: what a node reads as JSON, every node reads alike, or nobody reads it."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import strict_json
from schemas.errors import WireFormatError
from schemas.strict_json import MAX_DEPTH, MAX_INTEGER, strict_loads, write_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
# Split at spaces; a space and line ends are added, as they are JSON's own white space.
PIECES = (
    '{ } [ ] , : " \\ a \\u0061 \\ud800 \\ude00 1 -0 9007199254740992 1e400 1.5 1E5 NaN null true '
    'é "a":1 {"a":1} [1] Infinity 0.1 01 1. \\x \ufeff e \x7f \x00'
)
FRAGMENTS = st.lists(st.sampled_from([*PIECES.split(" "), " ", "\n"]), max_size=12).map("".join)


def dump(value: object) -> bytes:
    """Write as another program would: with escapes, and whatever it is."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def code_of(data: bytes, **limits: int) -> str:
    with pytest.raises(WireFormatError) as rejected:
        strict_loads(data, **limits)
    return rejected.value.code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":2}', "E_JSON_DUPKEY"),
        (b'{"a":1,"\\u0061":2}', "E_JSON_DUPKEY"),
        (b'{"b":{"a":1,"a":1}}', "E_JSON_DUPKEY"),
        (b'[{"":1,"":1}]', "E_JSON_DUPKEY"),
        (b"NaN", "E_JSON_NUM"),
        (b"[-Infinity]", "E_JSON_NUM"),
        (b"[Infinity]", "E_JSON_NUM"),
        (b"1e400", "E_JSON_NUM"),
        (b"[-1e400]", "E_JSON_NUM"),
        (b"9007199254740992", "E_JSON_INT"),
        (b"-9007199254740992", "E_JSON_INT"),
        (b"[" + b"9" * 5000 + b"]", "E_JSON_INT"),
        (b'"\\ud800"', "E_JSON_SURROGATE"),
        (b'{"\\udfff":1}', "E_JSON_SURROGATE"),
        (b'"\\ude00\\ud83d"', "E_JSON_SURROGATE"),
        (b"\xef\xbb\xbf{}", "E_JSON_BOM"),
        ("{}".encode("utf-16"), "E_JSON_UTF8"),
        (b'"\xed\xa0\x80"', "E_JSON_UTF8"),
        (b'"\xc0\x80"', "E_JSON_UTF8"),
        (b"", "E_JSON_SYNTAX"),
        (b"{'a':1}", "E_JSON_SYNTAX"),
        (b'{"a":1,}', "E_JSON_SYNTAX"),
        (b"[1] [2]", "E_JSON_SYNTAX"),
        (b"01", "E_JSON_SYNTAX"),
        (b'"\x01"', "E_JSON_SYNTAX"),
        (b'"\\x41"', "E_JSON_SYNTAX"),
        (b"// c\n1", "E_JSON_SYNTAX"),
        ("\u00a01".encode(), "E_JSON_SYNTAX"),
        ("١".encode(), "E_JSON_SYNTAX"),
    ],
)
def test_t29_what_parsers_disagree_on_is_rejected(data, code):
    assert code_of(data) == code


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"9007199254740991", MAX_INTEGER),
        (b"-9007199254740991", -MAX_INTEGER),
        (b"1e5", 100_000.0),
        (b"0.1000000000000000055511151231257827", 0.1),
        (b"1e-400", 0.0),
        (b"-0", 0),
        (b'"\\ud83d\\ude00"', "😀"),
        (b' {"a" : [ ] }\r\n', {"a": []}),
        (b'{"hash":"0123456789012345678901234567890123456789"}', {"hash": "0123456789" * 4}),
        (b'{"a":{"b":1},"b":{"b":2}}', {"a": {"b": 1}, "b": {"b": 2}}),
        (b'"[[[[[[[[[[[[[[[[[[[[[[\\"[["', "[" * 22 + '"[['),
    ],
)
def test_what_all_read_alike_is_read(data, value):
    assert strict_loads(data) == value


def test_the_size_is_judged_before_anything_else():
    assert code_of(b"\xef\xbb\xbf" + b"[" * 50, max_bytes=52) == "E_TOO_BIG"
    assert strict_loads(b"[1]", max_bytes=3) == [1]


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_sixteen_levels_are_read_and_seventeen_rejected(pair):
    opening, closing = pair
    inner = b"1" if opening != b"[" else b""
    assert strict_loads(opening * MAX_DEPTH + inner + closing * MAX_DEPTH)
    deeper = MAX_DEPTH + 1
    assert code_of(opening * deeper + inner + closing * deeper) == "E_JSON_DEPTH"


@pytest.mark.parametrize(
    "data",
    [b"[" * 1_000_000, b'[{"a":' * 500_000, b"[[]," * 400_000, b'["\\\\",' * 400_000],
    ids=["arrays", "objects", "pairs", "strings"],
)
def test_t30_depth_is_judged_before_a_recursive_parser(data):
    assert code_of(data) == "E_JSON_DEPTH"


@pytest.mark.parametrize(
    "data", [b"[]" * 16, b"]" * 40 + b"[" * 40, b"[}" * 40, b'"' + b"\\" * 100_001, b'"[' * 9]
)
def test_unbalanced_brackets_are_no_json(data):
    assert code_of(data) in {"E_JSON_SYNTAX", "E_JSON_DEPTH"}


@given(VALUES)
def test_what_we_write_is_read_back(value):
    try:
        written = write_json(value)
    except orjson.JSONEncodeError:
        return  # a lone surrogate, or deeper than any JSON
    if strict_json_depth(value) <= MAX_DEPTH:
        assert strict_loads(written) == value


def strict_json_depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(strict_json_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(strict_json_depth, value), default=0)
    return 0


@given(FRAGMENTS.map(str.encode) | st.binary(max_size=30) | VALUES.map(dump))
@example(b'{"a":1,"\\u0061":2}')
@example(b"[1E400]")
def test_what_is_accepted_both_other_parsers_accept_with_the_same_value(data):
    try:
        value = strict_loads(data)
    except WireFormatError:
        return
    assert json.loads(data) == value
    assert orjson.loads(data) == value


def depth_by_walking(text: str) -> int:
    """Count open brackets letter by letter; strings with their escapes hold none."""
    depth = deepest = at = 0
    while at < len(text):
        if text[at] == '"':
            at += 1
            while at < len(text) and text[at] != '"':
                at += 2 if text[at] == "\\" else 1
        depth += (text[at : at + 1] in ("[", "{")) - (text[at : at + 1] in ("]", "}"))
        deepest = max(deepest, depth)
        at += 1
    return deepest


@pytest.mark.parametrize("letters", ['[]{}"a', '[[{{""a', '[[{{""\\a'])
def test_the_depth_is_that_of_the_brackets_outside_of_strings(letters):
    @given(st.text(letters, max_size=80))
    def check(text):
        try:
            strict_json._check_depth(text.encode())
        except WireFormatError:
            assert depth_by_walking(text) > MAX_DEPTH
        else:
            assert depth_by_walking(text) <= MAX_DEPTH

    check()


@given(FRAGMENTS.map(str.encode) | VALUES.map(dump))
def test_the_fast_way_gives_what_the_slow_way_gives(data):
    try:
        text = data.decode()
        strict_json._check_depth(data)
    except (UnicodeDecodeError, WireFormatError):
        return
    if data.startswith(b"\xef\xbb\xbf"):
        return
    try:
        slow: object = strict_json._load_slowly(text)
    except WireFormatError as error:
        slow = error.code
    try:
        whole: object = strict_loads(data)
    except WireFormatError as error:
        whole = error.code
    assert whole == slow


@pytest.mark.parametrize("value", [MAX_INTEGER + 1, object(), {1: 2}, b"bytes"])
def test_the_writer_writes_nothing_that_the_reader_would_reject(value):
    with pytest.raises(TypeError):
        write_json(value)


def test_the_writer_leaves_times_to_their_own_form(now):
    with pytest.raises(TypeError):
        write_json({"ts": now})


def test_the_writer_is_compact_and_keeps_the_order_and_unicode():
    assert write_json({"b": 1, "a": ["é"]}) == '{"b":1,"a":["é"]}'.encode()
