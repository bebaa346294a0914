from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.detect import Format, detect_format, refuse_archive
from schemas.errors import WireFormatError
from tests.support.shared_data import shared_path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"type":"bundle"}', "stix"),
        (b'\xef\xbb\xbf\n [ {"type":"indicator"}]', "stix"),
        (b"[]", "stix"),
        (b"[.]evil[.]example\n", "names"),
        (b"evil.example\nother.example\n", "names"),
        (b"# seen 2026, by us\nevil.example # a, b\nother.example ; c, d\n", "names"),
        (b"domain,seen\nevil.example,2026\n", "csv"),
        (b"# made by a tool\nevil.example\t2026\r\nother.example\t2026\r\n", "csv"),
        (b"", "names"),
        (b'{"Event": {"info": "x"}}', "misp"),
        (b'[{"Event": {}}]', "misp"),
        (b'{"response": [{"Event": {}}]}', "misp"),
        (b'{"type": "bundle", "spec_version": "2.0", "objects": []}', "stix20"),
        (b"# blocked\n0.0.0.0 evil.example\n127.0.0.1 bad.example\n", "hosts"),
        (b"::1 evil.example\n", "hosts"),
        (b"$TTL 60\n@ IN SOA a. b. 1 2 3 4 5\nevil.example CNAME .\n", "rpz"),
        (b"evil.example.rpz. 60 IN CNAME .\n", "rpz"),
        (b"192.0.2.1\n192.0.2.2\n", "names"),
    ],
)
def test_the_content_tells_the_format(data, expected):
    assert detect_format(data) == expected


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(data):
    assert detect_format(data) in get_args(Format)


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"BZh9", b"Rar!\x1a", b"\xfd7zXZ\x00"])
def test_archives_are_not_unpacked(head):
    with pytest.raises(WireFormatError, match="E_ARCHIVE"):
        refuse_archive(head + bytes(50))


def test_the_shared_files():
    for path in shared_path("data/maltrail").glob("*.txt"):
        assert detect_format(path.read_bytes()) == "names"
    assert detect_format(shared_path("data/attack/ics-attack.json").read_bytes()) == "stix"
