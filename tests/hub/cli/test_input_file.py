from __future__ import annotations

import gzip

import pytest

from hub.cli.input_file import MAX_BYTES, read_input
from schemas.errors import WireFormatError


def write(tmp_path, data):
    file = tmp_path / "file"
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("data", [b"", b"evil.example\n", b"\x1f not gzip"])
def test_a_plain_file_is_read_as_it_is(tmp_path, data):
    assert read_input(write(tmp_path, data)) == data


def test_gzip_is_told_by_its_content_and_read_whole(tmp_path):
    data = gzip.compress(b"first.example\n", mtime=0) + gzip.compress(b"second.example\n", mtime=0)
    assert read_input(write(tmp_path, data)) == b"first.example\nsecond.example\n"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"x" * 1000, mtime=0)[:-9],
        b"\x1f\x8bnonsense",
        gzip.compress(b"x", mtime=0) + b"tail",
    ],
)
def test_a_broken_gzip_file_is_rejected(tmp_path, data):
    with pytest.raises(WireFormatError) as rejected:
        read_input(write(tmp_path, data))
    assert rejected.value.code == "E_GZIP"


def test_a_bomb_is_not_unpacked(tmp_path):
    bomb = gzip.compress(b"\0" * (MAX_BYTES + 2), compresslevel=1, mtime=0)
    with pytest.raises(WireFormatError) as rejected:
        read_input(write(tmp_path, bomb))
    assert rejected.value.code == "E_TOO_BIG"


def test_a_file_beyond_the_limit_is_rejected(tmp_path):
    file = write(tmp_path, b"")
    with file.open("r+b") as sparse:
        sparse.truncate(MAX_BYTES + 1)
    with pytest.raises(WireFormatError) as rejected:
        read_input(file)
    assert rejected.value.code == "E_TOO_BIG"
