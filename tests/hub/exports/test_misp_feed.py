"""The MISP feed, as pymisp and MISP's feed layout read it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import uuid
from typing import Any

from pymisp import MISPEvent

from hub.exports.misp_feed import NAMES_AN_EVENT, write_misp
from schemas.markings import Tlp
from tests.support.listed import context, listed, texts_of

NAMES = [
    listed("evil.example"),
    listed("www.shop.example", blocked=False, confidence=60, lineages=1),
    listed("c2.example", threat_types=("malware-c2",), label=Tlp.AMBER_STRICT),
    listed("192.0.2.66/32", match_on="ip", threat_types=("malware-c2",), label=Tlp.AMBER_STRICT),
    listed("192.0.2.0/24", match_on="ip", threat_types=("malware-c2",), label=Tlp.AMBER_STRICT),
    listed("ns1.example", match_on="nsdname", threat_types=("malware-c2",), label=Tlp.CLEAR),
    listed("unknown.example", threat_types=()),
]


def feed(names: Any = NAMES, **changes: Any) -> dict[str, str]:
    return texts_of(write_misp(names, context(**changes)))


def events(files: dict[str, str]) -> list[MISPEvent]:
    """What pymisp reads, in the manifest's order."""
    found = []
    for name in json.loads(files["manifest.json"]):
        event = MISPEvent()
        event.load(json.loads(files[f"{name}.json"]))
        found.append(event)
    return found


def test_the_layout_is_a_manifest_hashes_and_an_event_for_each_type_and_label() -> None:
    files = feed()
    manifest = json.loads(files["manifest.json"])
    assert set(files) == {"manifest.json", "hashes.csv"} | {f"{name}.json" for name in manifest}
    assert [(each["info"], each["Tag"][0]["name"]) for each in manifest.values()] == [
        ("Tocsin verdicts of CERT Example: malware-c2", "tlp:clear"),
        ("Tocsin verdicts of CERT Example: listed", "tlp:green"),
        ("Tocsin verdicts of CERT Example: phishing", "tlp:green"),
        ("Tocsin verdicts of CERT Example: malware-c2", "tlp:amber+strict"),
    ]


def test_pymisp_reads_each_event_and_would_write_the_same_manifest_and_hashes() -> None:
    files = feed()
    manifest = json.loads(files["manifest.json"])
    hashes = {tuple(row) for row in csv.reader(io.StringIO(files["hashes.csv"]))}
    theirs: set[tuple[str, str]] = set()
    for event in events(files):
        made = event.to_feed(with_meta=True)["Event"]
        (entry,) = made["_manifest"].values()
        ours = manifest[event.uuid]
        assert {key: str(entry[key]) for key in entry if key != "Tag"} == {
            key: str(ours[key]) for key in ours if key != "Tag"
        }
        assert [tag["name"] for tag in entry["Tag"]] == [tag["name"] for tag in ours["Tag"]]
        theirs |= {(digest, event.uuid) for digest in made["_hashes"]}
    assert hashes == theirs
    assert len(hashes) == len(NAMES)


def test_types_marks_and_to_ids_are_those_of_the_verdict() -> None:
    found = {each.value: each for event in events(feed()) for each in event.attributes}
    assert {value: (each.type, each.to_ids) for value, each in found.items()} == {
        "evil.example": ("domain", True),
        "www.shop.example": ("hostname", False),
        "c2.example": ("domain", True),
        "192.0.2.66": ("ip-dst", True),
        "192.0.2.0/24": ("ip-dst", True),
        "ns1.example": ("hostname", True),
        "unknown.example": ("domain", True),
    }
    shop = found["www.shop.example"]
    assert shop.comment == "confidence 60, 1 source, match_on qname, match_scope exact"
    assert shop.last_seen.isoformat() == "2026-03-08T10:00:00+00:00"
    assert {each.category for each in found.values()} == {"Network activity"}


def test_uuids_stay_from_edition_to_edition_and_differ_by_audience() -> None:
    first, again = feed(), feed(serial=8)
    other = feed(audience="public")
    assert first == again
    assert set(first).isdisjoint(set(other) - {"manifest.json", "hashes.csv"})
    ids = [each.uuid for event in events(first) for each in event.attributes]
    assert len(set(ids)) == len(ids)
    assert {uuid.UUID(each).version for each in ids} == {5}


def test_a_large_event_is_split_by_the_values() -> None:
    many = [listed(f"n{number}.example") for number in range(NAMES_AN_EVENT + 1)]
    files = feed(many)
    manifest = json.loads(files["manifest.json"])
    assert [each["info"].rpartition(":")[2] for each in manifest.values()] == [
        " phishing (1 of 2)", " phishing (2 of 2)",
    ]  # fmt: skip
    held = [
        attribute["value"]
        for name in manifest
        for attribute in json.loads(files[f"{name}.json"])["Event"]["Attribute"]
    ]
    assert sorted(held) == sorted(each.value for each in many)
    digest = hashlib.md5(b"n0.example", usedforsecurity=False).hexdigest()
    assert files["hashes.csv"].count(digest) == 1


def test_t43_no_threat_type_becomes_anything_but_a_word_in_a_tag() -> None:
    (event,) = events(feed([listed(threat_types=('x"\n<script>',))]))
    assert [tag.name for tag in event.tags] == [
        "tlp:green", 'tocsin:threat-type="x---script-"',
    ]  # fmt: skip


def test_an_empty_list_is_an_empty_feed() -> None:
    assert feed([]) == {"manifest.json": "{}", "hashes.csv": ""}
