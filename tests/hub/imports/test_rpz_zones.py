from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.list_reading import ListReading
from hub.imports.rpz_zones import triggers_in_rpz

ZONE = """\
$TTL 300 ; five minutes
$ORIGIN rpz.example.
@ IN SOA localhost. root.localhost. (
    2026030101 ; serial
    3600 600
    86400 300 )
  IN NS localhost.
; names
evil.test        CNAME .
*.evil.test      CNAME .
exact.test       300 IN CNAME *.
*.below.test.rpz.example. IN 60 CNAME rpz-drop.
garden.test      A 192.0.2.80
                 AAAA 2001:db8::80
ok.test          CNAME rpz-passthru.
old.test         CNAME old.test.
slow.test        CNAME rpz-tcp-only.
note.test        TXT "why; (not)" ; a comment
walled.test      CNAME garden.example.
ns1.rogue.test.rpz-nsdname CNAME .
24.0.2.0.192.rpz-ip        CNAME .
32.1.2.0.192.rpz-nsip      CNAME .
48.zz.db8.2001.rpz-ip      CNAME .
32.1.2.0.192.rpz-client-ip CNAME .
8.1.2.3.999.rpz-ip         CNAME .
outside.test.            CNAME .
com              CNAME .
$INCLUDE /etc/passwd
$GENERATE 1-9 x$ CNAME .
open.test ( CNAME . )
bad..test        CNAME .
"""


def read(data):
    reading = ListReading()
    return list(triggers_in_rpz(data, reading)), reading.report()


def test_triggers_become_names_with_their_scope():
    found, report = read(ZONE.encode())
    assert [
        (e.line, e.said.match_on, e.name.a_label, e.said.match_scope) for e in found
    ] == [
        (9, None, "evil.test", "subtree"),
        (11, None, "exact.test", "exact"),
        (12, None, "below.test", "wildcard-only"),
        (13, None, "garden.test", "exact"),
        (19, None, "walled.test", "exact"),
        (20, "nsdname", "ns1.rogue.test", "exact"),
        (21, "ip", "192.0.2.0/24", None),
        (22, "nsip", "192.0.2.1/32", None),
        (23, "ip", "2001:db8::/48", None),
    ]  # fmt: skip
    assert [(line.line, line.code) for line in report.skipped] == [
        (10, "E_NAME_DUPLICATE"),
        (14, "E_NAME_DUPLICATE"),
        (15, "E_RPZ_PASSTHRU"),
        (16, "E_RPZ_PASSTHRU"),
        (17, "E_RPZ_ACTION"),
        (18, "E_RPZ_ACTION"),
        (24, "E_RPZ_TRIGGER"),
        (25, "E_PREFIX"),
        (26, "E_RPZ_OUTSIDE"),
        (27, "E_NAME_SUFFIX"),
        (28, "E_RPZ_DIRECTIVE"),
        (29, "E_RPZ_DIRECTIVE"),
        (30, "E_RPZ_LINE"),
        (31, "E_NAME_LABEL"),
    ]
    assert "makes one with line 9" in report.skipped[0].detail
    assert report.comments == 8


def test_the_order_of_a_name_and_what_is_below_it_does_not_matter():
    one, _ = read(b"evil.test CNAME .\n*.evil.test CNAME .\n")
    other, _ = read(b"*.evil.test CNAME .\nevil.test CNAME .\n")
    assert [e.said.match_scope for e in one + other] == ["subtree", "subtree"]


def test_a_zone_without_a_name_is_read_by_relative_owners():
    found, report = read(b"evil.test IN CNAME .\nabsolute.test. CNAME .\n")
    assert [e.name.a_label for e in found] == ["evil.test"]
    assert report.counts() == {"E_RPZ_OUTSIDE": 1}


def test_a_zone_transferred_whole_has_absolute_owners():
    zone = b"rpz.local. 60 IN SOA a. b. 1 2 3 4 5\nevil.test.rpz.local. 60 IN CNAME .\n"
    assert [e.name.a_label for e in read(zone)[0]] == ["evil.test"]


def test_an_origin_inside_the_zone():
    zone = b"$ORIGIN rpz.local.\n@ SOA a. b. 1 2 3 4 5\n$ORIGIN test.rpz.local.\nevil CNAME .\n"
    assert [e.name.a_label for e in read(zone)[0]] == ["evil.test"]


@pytest.mark.parametrize("passthru", ["rpz-passthru.", "RPZ-PASSTHRU.", "good.test.", "good.test"])
def test_what_lets_a_name_pass_is_never_taken_for_a_block(passthru):
    found, report = read(
        f"$ORIGIN rpz.x.\n@ SOA a. b. 1 2 3 4 5\ngood.test CNAME {passthru}".encode()
    )
    assert found == []
    assert report.counts() == {"E_RPZ_PASSTHRU": 1}


PIECES = st.sampled_from(
    ["$ORIGIN a.", "@ SOA x. y. (", ")", "1 )", "evil.test CNAME .", " CNAME .", "*.a CNAME *.",
     "x", "", ";", "(", '"', "$TTL", "a.b 1h IN CNAME .", "1.2.rpz-ip CNAME .", "\0", "\u00a0x"]
) | st.text(max_size=15)  # fmt: skip


@given(st.lists(PIECES).map("\n".join))
def test_any_text_is_counted_to_the_last_line(text):
    found, report = read(text.encode())
    parts = len(found) + sum(report.counts().values()) + report.comments + report.blanks
    assert parts == report.total_lines
