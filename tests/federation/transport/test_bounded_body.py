"""How much of an answer is read (PROTOCOL 4.7, THREATS 31)."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import PeerUnreachable
from federation.transport.bounded_body import BodyLimits, read_bounded
from tests.support.http_server import gzip_of_zeros

LIMITS = BodyLimits(max_bytes=4 * 1024 * 1024, max_ratio=20)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def refused_code(data: bytes, *, encoding: str, limits: BodyLimits = LIMITS) -> str:
    with pytest.raises(PeerUnreachable) as failure:
        read_bounded(cut(data, 1_000), encoding=encoding, limits=limits)
    return failure.value.code


@given(st.binary(max_size=5_000), st.integers(1, 700))
def test_what_was_packed_comes_back_whole_however_it_was_cut(data: bytes, size: int) -> None:
    # Random bytes do not pack, so the ratio stays small.
    assert read_bounded(cut(gzip.compress(data), size), encoding="gzip", limits=LIMITS) == data
    assert read_bounded(cut(data, size), encoding="", limits=LIMITS) == data
    assert read_bounded(cut(data, size), encoding="identity", limits=LIMITS) == data


@given(
    st.lists(st.tuples(st.sampled_from([b"\0", b"ab", b"x9-"]), st.integers(1, 9_000))),
    st.integers(1, 50_000),
)
def test_neither_cap_nor_ratio_is_ever_exceeded(parts: list[tuple[bytes, int]], cap: int) -> None:
    data = b"".join(text * times for text, times in parts)
    packed = gzip.compress(data)
    limits = BodyLimits(max_bytes=cap, max_ratio=20)
    fits = len(packed) <= cap and len(data) <= cap and len(data) <= 20 * len(packed)
    if fits:
        assert read_bounded(cut(packed, 97), encoding="gzip", limits=limits) == data
    else:
        assert refused_code(packed, encoding="gzip", limits=limits) == "E_HTTP_TOO_BIG"


def test_t31_a_gigabyte_of_zeros_costs_next_to_nothing() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PeerUnreachable, match="E_HTTP_TOO_BIG"):
            read_bounded(gzip_of_zeros(1024), encoding="gzip", limits=LIMITS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * 1024 * 1024


def test_the_ratio_holds_for_small_bodies_too() -> None:
    assert refused_code(gzip.compress(bytes(20_000)), encoding="gzip") == "E_HTTP_TOO_BIG"


def test_a_body_may_pack_better_at_its_start_than_as_a_whole() -> None:
    data = bytes(30_000) + random.Random(1).randbytes(10_000)
    packed = gzip.compress(data)
    assert read_bounded(cut(packed, 100), encoding="gzip", limits=LIMITS) == data


def test_the_cap_counts_plain_bytes_as_they_arrive() -> None:
    limits = BodyLimits(max_bytes=1_500, max_ratio=20)
    taken = 0

    def chunks() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(1_000)

    with pytest.raises(PeerUnreachable, match="E_HTTP_TOO_BIG"):
        read_bounded(chunks(), encoding="", limits=limits)
    assert taken == 2


def test_broken_cut_off_and_continued_gzip_is_refused() -> None:
    packed = gzip.compress(b"an honest text")
    assert refused_code(packed[:-1], encoding="gzip") == "E_HTTP_ENCODING"
    assert refused_code(packed[:5] + b"\xff" * 20, encoding="gzip") == "E_HTTP_ENCODING"
    assert refused_code(packed + packed, encoding="gzip") == "E_HTTP_ENCODING"
    assert refused_code(packed + b"x" * 3_000, encoding="gzip") == "E_HTTP_ENCODING"
    assert refused_code(zlib.compress(b"not gzip"), encoding="gzip") == "E_HTTP_ENCODING"


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "x-gzip"])
def test_only_gzip_and_identity_are_known(encoding: str) -> None:
    assert refused_code(b"anything", encoding=encoding) == "E_HTTP_ENCODING"


def test_an_empty_body_needs_no_gzip_frame() -> None:
    assert read_bounded([], encoding="gzip", limits=LIMITS) == b""
