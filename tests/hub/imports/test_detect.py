from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.detect import detect_format
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
    ],
)
def test_the_content_tells_the_format(data, expected):
    assert detect_format(data) == expected


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(data):
    assert detect_format(data) in {"stix", "names", "csv"}


def test_the_shared_files():
    for path in shared_path("data/maltrail").glob("*.txt"):
        assert detect_format(path.read_bytes()) == "names"
    assert detect_format(shared_path("data/attack/ics-attack.json").read_bytes()) == "stix"
