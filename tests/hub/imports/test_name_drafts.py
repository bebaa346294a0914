from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from hub.imports.drafts import Draft
from hub.imports.name_drafts import (
    INDICATORS_PER_ENTRY,
    entries_of,
    grouping_for,
    indicators_from_names,
)
from hub.imports.name_lists import read_name_list
from schemas.dns.extensions import DNS_THREAT
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, StixId, own_stix_id
from schemas.stix.patterns import Observable, simple_observables
from schemas.stix.validation import check_object

NODE = NodeId("a" * 52)
IDENTITY = StixId("identity--acf66caf-e4c1-56cc-9654-41163ae6420c")
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def counted() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"randomtwelve{next(numbers)}"


def drafts(text: str, **changed: object) -> list[Draft]:
    settings: dict[str, object] = {
        "node_id": NODE,
        "identity": IDENTITY,
        "now": NOW,
        "valid_days": 90,
        "threat_type": "dga",
        "confidence": 80,
        "new_idn": counted(),
        **changed,
    }
    return list(indicators_from_names(read_name_list(text.encode())[0], **settings))  # type: ignore[arg-type]


def test_the_indicator_that_every_importer_understands():
    (draft,) = drafts("*.www.evil.co.uk", family="conficker")
    assert draft.line == 1
    assert draft.value == {
        "type": "indicator",
        "spec_version": "2.1",
        "id": own_stix_id(NODE, "indicator", "randomtwelve0"),
        "created_by_ref": IDENTITY,
        "created": "2026-03-01T10:00:00.000Z",
        "modified": "2026-03-01T10:00:00.000Z",
        "name": "www.evil.co.uk",
        "description": "Domain name listed as dga.",
        "indicator_types": ["malicious-activity"],
        "pattern": "[domain-name:value = 'www.evil.co.uk']",
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": "2026-03-01T10:00:00.000Z",
        "valid_until": "2026-05-30T10:00:00.000Z",
        "confidence": 80,
        "labels": ["dga", "conficker"],
        "extensions": {
            DNS_THREAT: {
                "extension_type": "property-extension",
                "threat_type": "dga",
                "match_scope": "subtree",
                "tld": "uk",
                "registrable_domain": "evil.co.uk",
            }
        },
    }


def test_a_draft_is_valid_stix_and_still_unmarked():
    for draft in drafts("evil.example\nbücher.example\n_a.b_.example\n"):
        check_object(draft.value)
        stix2.parse(draft.value, version="2.1", allow_custom=True)
        assert "object_marking_refs" not in draft.value


def test_an_international_name_is_kept_as_a_label_and_shown_as_u_label():
    (draft,) = drafts("bücher.example")
    assert draft.value["pattern"] == "[domain-name:value = 'xn--bcher-kva.example']"
    assert draft.value["extensions"][DNS_THREAT]["u_label"] == "bücher.example"


def test_the_id_follows_from_the_name_that_the_draft_carries():
    for draft in drafts("a.example\nb.example"):
        assert draft.idn_name is not None
        assert draft.value["id"] == own_stix_id(NODE, "indicator", draft.idn_name)


def test_a_change_to_one_draft_never_shows_in_another():
    first, second = drafts("a.example\nb.example")
    first.value["labels"].append("x")
    first.value["indicator_types"].append("x")
    first.value["extensions"][DNS_THREAT]["tld"] = "x"
    assert second.value["labels"] == ["dga"]
    assert second.value["indicator_types"] == ["malicious-activity"]
    assert second.value["extensions"][DNS_THREAT]["tld"] == "example"


@pytest.mark.parametrize(
    "changed",
    [{"threat_type": "new"}, {"confidence": 101}, {"confidence": -1}, {"valid_days": 0}],
)
def test_a_parameter_out_of_range_is_refused_before_the_first_draft(changed):
    with pytest.raises(WireFormatError):
        drafts("a.example", **changed)
    with pytest.raises(WireFormatError):
        drafts("", **changed)


@given(st.text(max_size=30))
def test_whatever_name_is_taken_stands_in_the_pattern_and_nothing_else(text):
    for draft in drafts(text.replace("\n", "")):
        assert simple_observables(draft.value["pattern"]) == (
            Observable("domain-name", draft.value["name"]),
        )
        check_object(draft.value)


def test_a_grouping_names_all_indicators_of_its_entry():
    made = drafts("a.example\nb.example")
    grouping = grouping_for(
        made, node_id=NODE, identity=IDENTITY, now=NOW, name="Conficker", new_idn=counted()
    )
    assert grouping.value["object_refs"] == [draft.value["id"] for draft in made]
    assert grouping.value["context"] == "suspicious-activity"
    assert grouping.value["id"] == own_stix_id(NODE, "grouping", "randomtwelve0")
    check_object(grouping.value)


def test_an_entry_takes_63_indicators_beside_its_grouping():
    made = drafts("\n".join(f"a{number}.example" for number in range(130)))
    portions = list(entries_of(made))
    assert [len(portion) for portion in portions] == [INDICATORS_PER_ENTRY, 63, 4]
    assert [draft for portion in portions for draft in portion] == made
    for wrong in ([], made[:64]):
        with pytest.raises(WireFormatError):
            grouping_for(
                wrong, node_id=NODE, identity=IDENTITY, now=NOW, name="x", new_idn=counted()
            )
