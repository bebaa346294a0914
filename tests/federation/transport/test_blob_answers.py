"""How much of an answer to a blob's name is read, and where it begins (PROTOCOL 2.6)."""

from __future__ import annotations

import pytest

from federation.errors import PeerUnreachable
from federation.transport.blob_answers import Stretch, bounded, read_stretch
from schemas.dns.domain_sets import MAX_BYTES
from schemas.errors import WireFormatError


def partial(first: int, last: int, total: int) -> dict[str, str]:
    return {"content-range": f"bytes {first}-{last}/{total}"}


def test_a_part_says_where_it_stands() -> None:
    assert read_stretch(partial(5, 9, 20), status=206, start=5) == Stretch(20, 0, 5)


def test_a_whole_answer_is_read_from_the_place_that_was_asked_for() -> None:
    stretch = read_stretch({"content-length": "10"}, status=200, start=4)
    assert b"".join(bounded([b"012", b"345678", b"9"], stretch)) == b"456789"


def test_without_a_length_it_may_have_what_a_list_may_have() -> None:
    assert read_stretch({}, status=200, start=6) == Stretch(None, 6, MAX_BYTES - 6)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 206),
        (partial(4, 9, 10), 206),
        (partial(5, 4, 10), 206),
        (partial(5, 10, 10), 206),
        ({"content-range": "bytes 5-9/*"}, 206),
        ({"content-range": "bytes ٥-٩/١٠"}, 206),
        ({"content-length": "5"}, 200),
        ({"content-length": "0"}, 200),
        (partial(5, 9, MAX_BYTES + 1), 206),
        ({"content-length": str(MAX_BYTES + 1)}, 200),
    ],
)
def test_t31_what_contradicts_itself_or_is_too_big_is_not_read(
    headers: dict[str, str], status: int
) -> None:
    with pytest.raises(WireFormatError) as refused:
        read_stretch(headers, status=status, start=5)
    assert refused.value.code in {"E_SCHEMA", "E_TOO_BIG"}


def test_t31_no_byte_more_than_was_said_is_given_on() -> None:
    given = bounded(iter([b"abc", b"defg", b"h"]), Stretch(5, 0, 5))
    assert next(given) == b"abc"
    with pytest.raises(PeerUnreachable) as refused:
        next(given)
    assert refused.value.code == "E_HTTP_TOO_BIG"
