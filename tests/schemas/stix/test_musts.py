from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import WireFormatError
from schemas.markings import Tlp, tlp2_marking_definition
from schemas.stix.validation import check_object
from tests.schemas.stix.examples import GREEN, IDENTITY, domain_name, indicator, sdo

INDICATOR = "indicator--b23a303b-2d58-59b9-af74-02f586881b74"
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
DNS_THREAT = "extension-definition--1cac9197-2746-5cc7-98e0-6262a0d35142"


def threat(**members: Any) -> dict[str, Any]:
    return indicator(extensions={DNS_THREAT: {"extension_type": "property-extension", **members}})


def marks(*selectors: str) -> dict[str, Any]:
    return {"marking_ref": GREEN, "selectors": list(selectors)}


def relationship(**members: Any) -> dict[str, Any]:
    return sdo(
        "relationship",
        **{
            "relationship_type": "indicates",
            "source_ref": INDICATOR,
            "target_ref": "malware--b23a303b-2d58-59b9-af74-02f586881b74",
            **members,
        },
    )


def sighting(**members: Any) -> dict[str, Any]:
    return sdo("sighting", **{"sighting_of_ref": INDICATOR, **members})


def observed(**members: Any) -> dict[str, Any]:
    refs = [domain_name()["id"]]
    return sdo(
        "observed-data",
        **{
            "first_observed": EARLY,
            "last_observed": LATE,
            "number_observed": 1,
            "object_refs": refs,
            **members,
        },
    )


def traffic(**members: Any) -> dict[str, Any]:
    return {
        "type": "network-traffic",
        "id": "network-traffic--b23a303b-2d58-59b9-af74-02f586881b74",
        "src_ref": "ipv4-addr--b23a303b-2d58-59b9-af74-02f586881b74",
        "protocols": ["udp", "dns"],
        **members,
    }


RIGHT = [
    indicator(),
    indicator(object_marking_refs=[GREEN]),
    indicator(granular_markings=[marks("labels.[0]", "name")]),
    relationship(start_time=EARLY, stop_time=LATE),
    sighting(first_seen=EARLY, last_seen=EARLY, count=0),
    observed(),
    traffic(start=EARLY, end=LATE, is_active=False),
    domain_name(spec_version="2.1"),
    indicator(lang="de-CH", granular_markings=[{"lang": "fr", "selectors": ["name"]}]),
    domain_name(resolves_to_refs=["ipv6-addr--b23a303b-2d58-59b9-af74-02f586881b74"]),
    observed(object_refs=["x-own--b23a303b-2d58-59b9-af74-02f586881b74"]),
    sdo("malware", is_family=False),
    sdo("campaign", name="x", first_seen=EARLY, last_seen=LATE),
]
WRONG = [
    ("$.id", indicator(id="malware--b23a303b-2d58-59b9-af74-02f586881b74")),
    ("$.id", indicator(id="indicator--B23A303B-2D58-59B9-AF74-02F586881B74")),
    ("$.id", indicator(id="indicator--b23a303b")),
    ("$.id", indicator(id=None)),
    ("$.type", indicator(type=None)),
    ("$.spec_version", indicator(spec_version="2.0")),
    ("$.spec_version", indicator(spec_version=2.1)),
    ("$.spec_version", domain_name(spec_version="2.0")),
    ("$.spec_version", domain_name(spec_version=None)),
    ("$.modified", indicator(modified="2026-02-28T10:00:00.000Z")),
    ("$.valid_until", indicator(valid_until=indicator()["valid_from"])),
    ("$.valid_until", indicator(valid_until="2025-01-01T00:00:00Z")),
    ("$.valid_from", indicator(valid_from="2026-02-31T00:00:00Z")),
    ("$.created", indicator(created="2026-02-31T00:00:00.000Z")),
    ("$.published", sdo("report", name="x", published="2025-02-29T00:00:00Z", object_refs=[GREEN])),
    ("$.pattern", indicator(pattern="anything")),
    ("$.pattern", indicator(pattern="")),
    ("$.pattern", indicator(pattern_type="STIX")),
    ("$.pattern", indicator(pattern_type="any string")),
    ("$.confidence", indicator(confidence=80.0)),
    ("$.created_by_ref", indicator(created_by_ref=INDICATOR)),
    ("$.object_marking_refs[1]", indicator(object_marking_refs=[GREEN, IDENTITY])),
    ("$.granular_markings[0]", indicator(granular_markings=[marks("description")])),
    ("$.granular_markings[0]", indicator(granular_markings=[marks("labels.[1]")])),
    ("$.external_references", indicator(external_references=[{"source_name": "x", "hashes": []}])),
    ("$.extensions", threat(threat_type="dga", match_scope="exact", dga={"seeds": []})),
    (f"$.extensions.{DNS_THREAT}.match_scope", threat(threat_type="dga")),
    ("$.stop_time", relationship(start_time=EARLY, stop_time=EARLY)),
    ("$.target_ref", relationship(target_ref=DNS_THREAT)),
    ("$.target_ref", relationship(target_ref=GREEN)),
    ("$.relationship_type", relationship(relationship_type="Some Text")),
    ("$.last_seen", sighting(first_seen=LATE, last_seen=EARLY)),
    ("$.sighting_of_ref", sighting(sighting_of_ref=domain_name()["id"])),
    ("$.sighting_of_ref", sighting(sighting_of_ref=DNS_THREAT)),
    ("$.count", sighting(count=True)),
    ("$.count", sighting(count=1.0)),
    ("$.last_observed", observed(first_observed=LATE, last_observed=EARLY)),
    ("$.number_observed", observed(number_observed=True)),
    ("$.last_seen", sdo("campaign", name="x", first_seen=LATE, last_seen=EARLY)),
    ("$", sdo("malware", is_family=True)),
    ("$", sdo("malware-analysis", product="x")),
    ("$", sdo("location", name="nowhere")),
    ("$.lang", indicator(lang="no such")),
    ("$.object_marking_refs[0]", tlp2_marking_definition(Tlp.RED) | {
        "object_marking_refs": [Tlp.RED.marking_id]
    }),
    ("$.granular_markings[0]", indicator(granular_markings=[marks("name") | {"lang": "fr"}])),
    ("$.granular_markings[0]", indicator(granular_markings=[{"selectors": ["name"]}])),
    ("$.object_refs[0]", observed(object_refs=[INDICATOR])),
    ("$.object_refs", observed(object_refs=["relationship--b23a303b-2d58-59b9-af74-02f586881b74"])),
    ("$.src_ref", traffic(src_ref=DNS_THREAT)),
    ("$.src_ref", traffic(src_ref="nothing")),
    ("$.resolves_to_refs[0]", domain_name(resolves_to_refs=[INDICATOR])),
    ("$.where_sighted_refs[0]", sighting(where_sighted_refs=[INDICATOR])),
    ("$.revoked", domain_name(revoked="true")),
    ("$.labels", domain_name(labels="phishing")),
    ("$.external_references[0]", domain_name(external_references=[{"url": "x"}])),
    ("$.external_references", sdo("x-own", external_references=[])),
    ("$.extensions", sdo("x-own", extensions={DNS_THREAT: {"extension_type": "other"}})),
    ("$.end", traffic(start=LATE, end=EARLY)),
    ("$", traffic(end=LATE, is_active=True)),
    ("$.modified", domain_name(created=EARLY, modified=["x"])),
]  # fmt: skip


@pytest.mark.parametrize("value", RIGHT, ids=lambda value: value["type"])
def test_what_the_specification_allows_passes(value):
    check_object(value)


@pytest.mark.parametrize(
    ("path", "value"), WRONG, ids=[f"{n}{path}" for n, (path, _) in enumerate(WRONG)]
)
def test_what_it_forbids_is_rejected_at_its_path(path, value):
    with pytest.raises(WireFormatError) as caught:
        check_object(value)
    assert caught.value.code == "E_SCHEMA"
    assert caught.value.detail.startswith(path)


def test_an_sdo_needs_its_spec_version_and_an_sco_does_not():
    value = indicator()
    del value["spec_version"]
    with pytest.raises(WireFormatError, match=r"spec_version"):
        check_object(value)
    check_object(domain_name())


def test_fractions_of_a_second_count_when_times_are_compared():
    check_object(
        indicator(valid_from="2026-03-01T10:00:00Z", valid_until="2026-03-01T10:00:00.001Z")
    )
    with pytest.raises(WireFormatError, match="valid_until"):
        check_object(
            indicator(valid_from="2026-03-01T10:00:00Z", valid_until="2026-03-01T10:00:00.000Z")
        )


def test_a_threat_type_that_a_newer_peer_knows_passes():
    check_object(threat(threat_type="something-new", match_scope="another", new_property={"a": 1}))
