from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from hub.imports.inputs import InputContext, objects_input, open_input
from schemas.errors import WireFormatError
from tests.support.publications import indicator

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
CONTEXT = InputContext("a" * 52, "identity--5bd60eb1-7f6e-4d3c-8d3e-000000000001", NOW)


@pytest.mark.parametrize(
    ("data", "kind", "names"),
    [
        (b"evil.example\n", "names", 1),
        (b"domain,x\nevil.example,1\n", "csv", 1),
        (b"0.0.0.0 evil.example\n", "hosts", 1),
        (b"evil.example CNAME .\n", "rpz", 1),
        (b'{"Event": {"Attribute": []}}', "misp", 0),
    ],
)
def test_the_content_chooses_the_reader(data, kind, names):
    found = open_input(data, "auto", CONTEXT)
    assert found.format == kind
    assert len(list(found.names)) == names
    assert found.report().taken == names


def test_stix_comes_as_drafts_with_their_positions():
    broken = indicator(2) | {"pattern": "["}
    data = json.dumps([indicator(1), broken, indicator(3)]).encode()
    found = open_input(data, "auto", CONTEXT)
    assert (found.format, found.names) == ("stix", None)
    assert [draft.line for draft in found.drafts] == [1, 3]
    assert [line.line for line in found.report().skipped] == [2]
    assert [draft.line for draft in objects_input([indicator(1), 5]).drafts] == [1]


def test_a_bundle_that_says_only_at_its_end_that_it_is_of_stix_2_0():
    filling = {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000000"}
    data = json.dumps(filling | {"objects": [" " * 70_000], "spec_version": "2.0"}).encode()
    assert open_input(data, "auto", CONTEXT).format == "stix20"
    with pytest.raises(WireFormatError, match="E_STIX_VERSION"):
        open_input(data, "stix", CONTEXT)


@pytest.mark.parametrize(
    ("data", "wanted", "code"),
    [
        (b"PK\x03\x04", "auto", "E_ARCHIVE"),
        (b"{", "auto", "E_JSON_SYNTAX"),
        (b"x", "weather", "E_SCHEMA"),
        (b" " * (64 * 1024 * 1024 + 1), "names", "E_TOO_BIG"),
    ],
)
def test_what_cannot_be_read_at_all_is_refused_as_a_whole(data, wanted, code):
    with pytest.raises(WireFormatError) as caught:
        open_input(data, wanted, CONTEXT)
    assert caught.value.code == code
