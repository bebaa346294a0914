from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.hosts_files import names_in_hosts
from hub.imports.list_reading import ListReading

HOSTS = """\
# a blocklist
127.0.0.1 localhost localhost.localdomain
::1 ip6-localhost ip6-loopback
0.0.0.0 0.0.0.0

0.0.0.0 evil.example bad.example # two of them
127.0.0.1\tBad.Example
:: b\u00fccher.example
192.0.2.7 printer.example
0.0.0.0
evil.example other.example
0.0.0.0 com 192.0.2.1 *.wild.example
"""


def read(data):
    reading = ListReading()
    return list(names_in_hosts(data, reading)), reading.report()


def test_each_name_of_a_line_is_taken_or_named_with_its_reason():
    names, report = read(HOSTS.encode())
    assert [(e.line, e.name.a_label, e.name.subtree) for e in names] == [
        (6, "evil.example", False),
        (6, "bad.example", False),
        (8, "xn--bcher-kva.example", False),
        (12, "wild.example", True),
    ]
    assert report.counts() == {
        "E_HOSTS_LOCAL": 5, "E_HOSTS_LINE": 2, "E_NAME_DUPLICATE": 1, "E_HOSTS_ADDRESS": 1,
        "E_NAME_SUFFIX": 1, "E_NAME_ADDRESS": 1,
    }  # fmt: skip
    assert (report.comments, report.blanks) == (1, 1)


@given(st.lists(st.binary(max_size=30) | st.text(max_size=30).map(str.encode)).map(b"\n".join))
def test_any_bytes_are_counted_to_the_last_item(data):
    names, report = read(data)
    parts = len(names) + sum(report.counts().values()) + report.comments + report.blanks
    assert parts == report.total_lines


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "127.8.8.8", "::", "::1", "::1%lo"])
def test_addresses_at_which_nobody_answers_block(address):
    assert len(read(f"{address} evil.example".encode())[0]) == 1
