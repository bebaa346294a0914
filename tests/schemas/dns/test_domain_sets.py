"""Domain sets: one list has one form, and bytes are that list or refused with a code (DNS 1)."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dns.domain_sets import (
    Delta,
    SetLine,
    apply_delta,
    digest_of,
    find_delta,
    read_list,
    read_set,
    write_list,
)
from schemas.dns.extensions import DNS_BATCH, check_extension, dns_batch
from schemas.dns.names import is_plain_name, read_name
from schemas.errors import WireFormatError
from tests.support.shared_data import shared_path

FIRST = date(2009, 4, 1)
DIGEST = "67ba3e6d1090e6265f39a1e8921319748ab6a9e86d50e05596d8c60e228d28f0"

labels = st.text("abcxyz019-_", min_size=1, max_size=8)
names = st.tuples(labels, st.sampled_from(["cc", "ws", "co.example"])).map(".".join)
lines = st.lists(names.map(SetLine), min_size=1, max_size=30)


@st.composite
def windows(draw):
    first = FIRST + timedelta(days=draw(st.integers(0, 20)))
    return SetLine(draw(names), first, first + timedelta(days=draw(st.integers(0, 9))))


dated_lines = st.lists(windows(), min_size=1, max_size=30)


def code_of(data, **options):
    with pytest.raises(WireFormatError) as refused:
        list(read_list(data, **{"dated": False, **options}))
    return refused.value.code


def packed(text):
    return gzip.compress(text, mtime=0)


@given(lines, st.randoms())
def test_order_and_doubles_of_the_input_change_no_byte(given_lines, chance):
    shuffled = [*given_lines, *given_lines[:3]]
    chance.shuffle(shuffled)
    assert write_list(shuffled) == write_list(given_lines)


@given(lines)
def test_what_was_written_is_read(given_lines):
    whole = write_list(given_lines)
    assert list(read_list(whole.data, dated=False, count=whole.count)) == sorted(set(given_lines))
    assert whole.sha256 == digest_of(whole.data)


@given(dated_lines, st.randoms())
def test_windows_that_overlap_or_touch_become_one(given_lines, chance):
    whole = write_list(given_lines)
    chance.shuffle(given_lines)
    assert write_list(given_lines) == whole
    read = list(read_list(whole.data, dated=True, count=whole.count))
    assert write_list(read) == whole
    for day in (FIRST + timedelta(days=n) for n in range(32)):
        on = {line.name for line in given_lines if line.is_on(day)}
        assert {line.name for line in read if line.is_on(day)} == on


@given(lines, lines)
def test_the_base_with_its_delta_is_the_whole_list(before, after):
    base, whole = write_list(before), write_list(after)
    added, removed = find_delta(base.data, whole.data, dated=False)
    built = apply_delta(
        base.data, added=added and added.data, removed=removed and removed.data, dated=False
    )
    assert built == whole


@given(dated_lines, dated_lines)
def test_a_delta_of_dated_lists_too(before, after):
    base, whole = write_list(before), write_list(after)
    added, removed = find_delta(base.data, whole.data, dated=True)
    built = apply_delta(
        base.data, added=added and added.data, removed=removed and removed.data, dated=True
    )
    assert built == whole


@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_no_bytes_raise_anything_but_our_errors(data, dated, packs):
    try:
        list(read_list(packed(data) if packs else data, dated=dated))
    except WireFormatError as error:
        assert error.code.startswith("E_SET_")  # noqa: PT017 - either reading it or this


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "E_SET_COUNT"),
        (b"a.cc\nb.cc", "E_SET_FORM"),  # the last line is not ended
        (b"b.cc\na.cc\n", "E_SET_ORDER"),
        (b"a.cc\na.cc\n", "E_SET_ORDER"),
        (b"A.cc\nb.cc\n", "E_SET_NAME"),
        (b"a.cc\n\n", "E_SET_NAME"),
        (b"a.cc.\nb.cc\n", "E_SET_NAME"),
        (b"a.cc\r\nb.cc\r\n", "E_SET_NAME"),
        (b"192.0.2.1\nb.cc\n", "E_SET_NAME"),
        (b"a cc\nb.cc\n", "E_SET_NAME"),
        (b"*.a.cc\nb.cc\n", "E_SET_NAME"),
        (b"a.cc\x00\nb.cc\n", "E_SET_NAME"),
        ("bücher.cc\nz.cc\n".encode(), "E_SET_FORM"),
        (b"a" * 254 + b"\nb.cc\n", "E_SET_FORM"),
        (b"a" * 64 + b".cc\nb.cc\n", "E_SET_NAME"),
        (b"a.cc\nb.cc\nc.cc\n", "E_SET_COUNT"),
        (b"a.cc\n", "E_SET_COUNT"),
    ],
)
def test_what_is_not_the_canonical_form_is_refused(text, code):
    assert code_of(packed(text), count=2) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"a.cc\n", "E_SET_FORM"),
        (b"a.cc,2009-04-01\n", "E_SET_FORM"),
        (b"a.cc,2009-04-02,2009-04-01\n", "E_SET_DATES"),
        (b"a.cc,2009-4-1,2009-04-01\n", "E_SET_DATES"),
        (b"a.cc,2009-02-30,2009-04-01\n", "E_SET_DATES"),
        (b"a.cc,0001-01-01,2009-04-01\n", "E_SET_DATES"),
        (b"a.cc,2009-04-01,9999-12-31\n", "E_SET_DATES"),
        (b"a.cc,2009-04-01,2009-04-05\na.cc,2009-04-05,2009-04-06\n", "E_SET_ORDER"),
        (b"A.cc,2009-04-01,2009-04-05\n", "E_SET_NAME"),
    ],
)
def test_a_dated_list_has_windows_that_do_not_overlap(text, code):
    assert code_of(packed(text), dated=True) == code


def test_what_is_no_whole_gzip_stream_is_refused():
    whole = write_list([SetLine("a.cc"), SetLine("b.cc")]).data
    assert code_of(whole[:-5]) == "E_SET_GZIP"
    assert code_of(whole + whole) == "E_SET_GZIP"
    assert code_of(whole + b"x") == "E_SET_GZIP"
    assert code_of(b"a.cc\nb.cc\n") == "E_SET_GZIP"
    assert code_of(b"\0" * (16 * 1024 * 1024 + 1)) == "E_SET_BIG"


def test_a_bomb_is_not_unpacked():
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(b"a" * 1_000_000) for _ in range(200)) + packer.flush()
    assert code_of(bomb, count=1_000_000) == "E_SET_FORM"
    ordered = packed(b"".join(b"%06d.cc\n" % n for n in range(100_000)))
    assert code_of(ordered, count=1_000) == "E_SET_COUNT"


def test_a_list_that_nobody_could_read_is_not_written():
    for bad, code in (
        ([], "E_SET_BIG"),
        ([SetLine("A.cc")], "E_SET_NAME"),
        ([SetLine("a.cc"), SetLine("b.cc", FIRST, FIRST)], "E_SET_DATES"),
        ([SetLine("a.cc", FIRST)], "E_SET_DATES"),
        ([SetLine("a.cc", FIRST, FIRST - timedelta(days=1))], "E_SET_DATES"),
    ):
        with pytest.raises(WireFormatError) as refused:
            write_list(bad)
        assert refused.value.code == code


def test_a_window_ends_with_its_last_day():
    line = SetLine("a.cc", FIRST, FIRST)
    assert line.valid_from == datetime(2009, 4, 1, tzinfo=UTC)
    assert line.valid_until == datetime(2009, 4, 2, tzinfo=UTC)
    assert SetLine("a.cc").valid_until is None


@given(names)
def test_a_name_is_plain_where_reading_it_changes_nothing(name):
    try:
        same = read_name(name).a_label == name
    except WireFormatError:
        same = False
    assert is_plain_name(name) == same


def grouping(**facts):
    extension = {"extension_type": "property-extension"} | facts
    return {"type": "grouping", "extensions": {DNS_BATCH: extension}}


def test_the_set_of_the_story_is_read():
    bundle = json.loads(shared_path("stix/conficker.json").read_bytes())
    (found,) = [s for value in bundle["objects"] if (s := read_set(value)) is not None]
    assert (found.sha256, found.domain_count, found.tld) == (DIGEST, 11442, "cc")
    assert (found.dated, found.refused, found.match_scope) == (False, None, "subtree")
    assert found.valid_until == datetime(2021, 1, 1, tzinfo=UTC)


def test_a_form_of_a_later_release_is_told_and_not_rejected():
    said = {"hashes": {"SHA-256": DIGEST}, "domain_count": 2}
    assert read_set(grouping(**said, canonical_form="punycode-tree")).refused == "E_SET_FORM"
    assert read_set(grouping(**said, encoding="zstd")).refused == "E_SET_FORM"
    assert read_set(grouping(**said, threat_type="a-new-word")).threat_type == "a-new-word"


def test_what_names_no_list_is_no_set():
    assert read_set({"type": "grouping"}) is None
    assert read_set(grouping(domain_count=2)) is None
    assert read_set(grouping(hashes={"SHA-256": DIGEST})) is None
    assert read_set(grouping(hashes={"SHA-256": DIGEST}, domain_count=1) | {"type": "x"}) is None


@pytest.mark.parametrize(
    "facts",
    [
        {"domain_count": 0},
        {"domain_count": 1_000_001},
        {"domain_count": True},
        {"hashes": {"SHA-256": DIGEST.upper()}},
        {"hashes": {"SHA-256": 7}},
        {"delta": {"added": DIGEST}},
        {"delta": {"base_sha256": DIGEST, "removed": "x"}},
        {"delta": {"base_sha256": None}},
        {"valid_from": "yesterday"},
        {"valid_from": "2009-04-01T00:00:00Z", "valid_until": "2009-04-01T00:00:00Z"},
    ],
)
def test_a_malformed_extension_is_rejected(facts):
    with pytest.raises(WireFormatError) as refused:
        check_extension(DNS_BATCH, {"extension_type": "property-extension"} | facts)
    assert refused.value.code == "E_SCHEMA"


def test_our_own_extension_keeps_to_the_vocabulary():
    delta = {"base_sha256": DIGEST, "added": DIGEST}
    facts = dns_batch("dga", "subtree", ["registry-block"], hashes={"SHA-256": DIGEST},
                      domain_count=3, delta=delta, tld=None)  # fmt: skip
    assert "tld" not in facts
    assert read_set({"type": "grouping", "extensions": {DNS_BATCH: facts}}).delta == Delta(
        DIGEST, DIGEST, None
    )
    for words in (("worm", "subtree"), ("dga", "around"), ("dga", "exact", ["pray"])):
        with pytest.raises(WireFormatError):
            dns_batch(*words)
    with pytest.raises(WireFormatError):
        dns_batch("dga", "exact", colour="red")


@pytest.mark.long
def test_a_million_names_are_read_in_a_few_seconds():
    chance = random.Random(6)
    letters = "abcdefghijklmnopqrstuvwxyz"
    made = {"".join(chance.choices(letters, k=9)) + ".cc" for _ in range(1_000_000)}
    whole = write_list(map(SetLine, made))
    assert sum(1 for _ in read_list(whole.data, dated=False, count=len(made))) == len(made)
