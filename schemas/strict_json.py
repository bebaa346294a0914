"""The one reader of JSON that another party wrote, and the one writer (PROTOCOL 2.1).

``json``, ``orjson`` and ``pydantic_core`` all silently take the last of two equal keys, and they
differ on NaN, 1e400, a BOM and lone surrogates. Two nodes that read the same signed bytes
differently would disagree on what was said, so everything from a peer goes through here.

Invariants:
* what is accepted, two independent parsers (``json`` and ``orjson``) accept, with equal values;
* the nesting depth is known, by a linear scan, before any recursive parser sees the bytes;
* the fast and the slow way below give the same answer on every input.

What it does not do: check members and their types; that is each reader's own schema.

>>> strict_loads(b'{"seq":1}')
{'seq': 1}
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import orjson

from schemas.errors import WireFormatError

MAX_PAYLOAD_BYTES = 262_144
"""A signed payload (PROTOCOL 2.1)."""
MAX_NODE_DOCUMENT_BYTES = 65_536
MAX_BODY_BYTES = 4 * 1024 * 1024
"""Any other body."""
MAX_DEPTH = 16
MAX_INTEGER = 2**53 - 1

_BOM = b"\xef\xbb\xbf"
# Possessive, so that a string of backslashes cannot make the scan quadratic. An unterminated
# string swallows the rest, as it does for a parser.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?+', re.DOTALL)
_PLAIN_STRING = re.compile(rb'"[^"]*+"?+')
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_OPEN = ord("[")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_NEITHER_BRACKETS_NOR_QUOTES = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST_INTEGER = len(str(-MAX_INTEGER))
_WRITER_OPTIONS = (
    orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
)


def strict_loads(data: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Any:
    """Read JSON that another party wrote (PROTOCOL 2.1).

    Args:
        data: the bytes as received.
        max_bytes: the limit for this kind of body.

    Raises:
        WireFormatError: ``E_TOO_BIG``, ``E_JSON_BOM``, ``E_JSON_UTF8``, ``E_JSON_DEPTH``,
            ``E_JSON_DUPKEY``, ``E_JSON_INT``, ``E_JSON_NUM``, ``E_JSON_SURROGATE`` or
            ``E_JSON_SYNTAX``.
    """
    # 1. Size, before any work that grows with it.
    if len(data) > max_bytes:
        raise WireFormatError("E_TOO_BIG", f"{len(data)} bytes, at most {max_bytes} are taken")
    # 2. Encoding.
    if data.startswith(_BOM):
        raise WireFormatError("E_JSON_BOM", "JSON begins with a byte order mark")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise WireFormatError("E_JSON_UTF8", "JSON is not UTF-8") from None
    # 3. Depth, before a recursive parser.
    _check_depth(data)
    # 4. Fast way: bytes that our own writer would have written hold no duplicate key, no escape
    #    of a surrogate and no number that overflows, since writing them again changes nothing.
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        readable_by_both = False
    else:
        readable_by_both = True
        if _is_written_so(value, data):
            return value
    # 5. Slow way: every rule by itself; its parser then names what is wrong.
    value = _load_slowly(text)
    if not readable_by_both:
        raise WireFormatError("E_JSON_SYNTAX", "JSON that parsers read differently")
    return value


def write_json(value: object) -> bytes:
    """Write compact JSON. Times and dataclasses are refused: their wire form is the caller's.

    Raises:
        TypeError: for a value without a JSON form, or an integer beyond ±(2^53−1).
    """
    return orjson.dumps(value, option=_WRITER_OPTIONS)


def _check_depth(data: bytes) -> None:
    """Count open brackets outside strings.

    Up to the first error of syntax this is a parser's own depth, and behind it none goes on.
    """
    if b"\\" in data:
        brackets = _STRING.sub(b"", data).translate(_BRACKETS, _NOT_BRACKETS)
    else:
        # No quote is escaped. Two that stand together hold nothing, and what follows them is as
        # much inside or outside of a string without them: an eighth of the time of the other way.
        quoted = data.translate(_BRACKETS, _NEITHER_BRACKETS_NOR_QUOTES).replace(b'""', b"")
        brackets = _PLAIN_STRING.sub(b"", quoted)
    # Each round takes the innermost pairs away: linear and without a loop in Python. What is
    # left is too deep or unbalanced; the counter tells which.
    rest = brackets
    for _ in range(MAX_DEPTH):
        if not rest:
            return
        rest = rest.replace(b"[]", b"")
    depth = 0
    for bracket in brackets if rest else b"":
        depth += 1 if bracket == _OPEN else -1
        if depth > MAX_DEPTH:
            raise WireFormatError("E_JSON_DEPTH", f"JSON is nested deeper than {MAX_DEPTH}")


def _is_written_so(value: object, data: bytes) -> bool:
    try:
        # It refuses an integer that a double cannot hold, so that the slow way names it.
        return orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) == data
    except orjson.JSONEncodeError:
        return False


def _load_slowly(text: str) -> Any:
    try:
        value = json.loads(
            text,
            object_pairs_hook=_read_object,
            parse_int=_read_integer,
            parse_float=_read_float,
            parse_constant=_reject_constant,
        )
    except json.JSONDecodeError as error:
        raise WireFormatError("E_JSON_SYNTAX", f"not JSON: {error.msg}", pos=error.pos) from None
    if _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


def _read_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise WireFormatError("E_JSON_DUPKEY", "a JSON object names a key twice")
    return members


def _read_integer(digits: str) -> int:
    # The length first: int() of four million digits is not linear.
    if len(digits) > _LONGEST_INTEGER or abs(int(digits)) > MAX_INTEGER:
        raise WireFormatError("E_JSON_INT", "an integer beyond ±(2^53−1)")
    return int(digits)


def _read_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise WireFormatError("E_JSON_NUM", "a number that overflows to infinity")
    return number


def _reject_constant(word: str) -> NoReturn:
    raise WireFormatError("E_JSON_NUM", f"{word} is no JSON number")


def _check_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise WireFormatError("E_JSON_SURROGATE", "a lone surrogate in a string") from None
