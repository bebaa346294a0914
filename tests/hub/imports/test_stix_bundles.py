from __future__ import annotations

import json
from typing import Any

import pytest

from hub.imports.stix_bundles import read_bundle
from schemas.errors import WireFormatError
from tests.schemas.stix.examples import domain_name, indicator
from tests.support.shared_data import shared_path


def bundle(*objects: object, **members: Any) -> bytes:
    value = {"type": "bundle", "id": "bundle--b23a303b-2d58-59b9-af74-02f586881b74"}
    return json.dumps({**value, "objects": objects, **members}).encode()


@pytest.mark.parametrize(
    "data",
    [
        bundle(indicator()),
        json.dumps([indicator()]).encode(),
        json.dumps(indicator()).encode(),
    ],
    ids=["bundle", "list", "object"],
)
def test_a_bundle_a_list_or_one_object_is_read(data):
    objects, report = read_bundle(data)
    assert objects == [indicator()]
    assert (report.taken, report.total_lines, report.skipped) == (1, 1, ())


def test_broken_objects_are_named_and_the_others_kept():
    objects, report = read_bundle(
        bundle(indicator(confidence=True), domain_name(), "text", {"type": "indicator"})
    )
    assert objects == [domain_name()]
    assert [(line.line, line.text, line.code) for line in report.skipped] == [
        (1, indicator()["id"], "E_SCHEMA"),
        (3, "", "E_SCHEMA"),
        (4, "", "E_SCHEMA"),
    ]
    assert "$.confidence" in report.skipped[0].detail
    assert report.total_lines == report.taken + len(report.skipped)


def test_a_duplicate_is_reported_and_another_version_is_kept():
    newer = indicator(modified="2026-03-02T10:00:00.000Z")
    objects, report = read_bundle(bundle(indicator(), newer, indicator(name="other")))
    assert objects == [indicator(), newer]
    assert report.counts() == {"E_STIX_DUPLICATE": 1}
    assert "position 1" in report.skipped[0].detail


def test_an_empty_bundle_is_no_error():
    assert read_bundle(b'{"type":"bundle","id":"x"}')[1].total_lines == 0


def test_stix_2_0_is_refused_with_a_remedy():
    with pytest.raises(WireFormatError) as caught:
        read_bundle(bundle(indicator(), spec_version="2.0"))
    assert caught.value.code == "E_STIX_VERSION"
    assert "2.1" in caught.value.remedy


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"5", "E_SCHEMA"),
        (b"{}", "E_SCHEMA"),
        (b'{"type":"bundle","objects":{}}', "E_SCHEMA"),
        (b'{"type":"indicator","type":"malware"}', "E_JSON_DUPKEY"),
        (b"[" * 100 + b"]" * 100, "E_JSON_DEPTH"),
        (b"not json", "E_JSON_SYNTAX"),
        (b'{"type":"bundle"}' + b" " * 100, "E_TOO_BIG"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(data, code):
    with pytest.raises(WireFormatError) as caught:
        read_bundle(data, max_bytes=100 if code == "E_TOO_BIG" else 2**20)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["conficker", "kaminsky", "cctld_hijack", "avalanche"])
def test_the_four_cases_are_taken_whole(name):
    _, report = read_bundle(shared_path(f"stix/{name}.json").read_bytes())
    assert report.taken == report.total_lines > 10


def test_attack_is_taken_whole():
    _, report = read_bundle(shared_path("data/attack/ics-attack.json").read_bytes())
    assert report.taken == report.total_lines > 1800


def test_the_examples_of_oasis_are_taken_but_for_one_object():
    skipped = []
    for path in sorted(shared_path("data/oasis-examples").glob("*.json")):
        skipped += read_bundle(path.read_bytes())[1].skipped
    assert [line.text for line in skipped] == ["relationship--81f12913-1372-4c96-85ec-E9034ac98aba"]
