"""Three validators side by side: ours, stix2 3.0 and OASIS' stix2-validator 3.2.0 (LIBRARIES).

They differ, and ``differences.py`` says where, who is right and why. A difference that is not in
that table fails here, and so does one that an upgrade took away.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.schemas.stix.corpora import (
    CORPORA,
    FOUND,
    accepted_by_validator,
    count_classes,
    objects_of,
    refusers,
    unexplained,
)
from tests.schemas.stix.differences import DIFFERENCES, Difference, differences_of
from tests.schemas.stix.faults import BASES, FAULTS, spoiled, stix_objects
from tests.schemas.stix.validation_document import DOCUMENT, write_document

SINGLE_FAULTS = [(base, fault) for base in BASES for fault in FAULTS]
FIRST_OF_A_CLASS = {
    difference.what: next(
        (case for case in SINGLE_FAULTS if difference.holds(spoiled(*case))), None
    )
    for difference in DIFFERENCES
}


def test_right_objects_are_right_for_all_three():
    alone = {base: refusers(value) for base, value in BASES.items()}
    assert {base for base, who in alone.items() if who} == {"x-own-type"}
    assert unexplained(BASES["x-own-type"]) == ""


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.what)
def test_every_class_has_an_object_that_shows_it(difference: Difference):
    case = FIRST_OF_A_CLASS[difference.what]
    assert case is not None
    value = spoiled(*case)
    assert unexplained(value) == ""
    assert difference.refuse <= refusers(value)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_is_judged_in_a_way_that_the_table_does_not_say(fault):
    # One base of each fault here, every base in the long test.
    applied = [base for base in BASES if spoiled(base, fault) != BASES[base]]
    assert applied
    assert unexplained(spoiled(applied[len(fault) % len(applied)], fault)) == ""


@pytest.mark.parametrize(
    "faults",
    [
        ("granular mark of a language", "a bundle"),
        ("a bundle", "granular mark of a language"),
        ("an external reference to no URL", "a bundle"),
        ("top-level extension", "a bundle"),
    ],
)
def test_faults_that_met_by_chance_are_judged_as_the_table_says(faults):
    """What ``test_thousands_of_generated_objects`` once found."""
    assert unexplained(spoiled("indicator", *faults)) == ""


@given(value=stix_objects())
def test_generated_objects_are_judged_as_the_table_says(value):
    assert unexplained(value) == ""


@pytest.mark.parametrize("corpus", CORPORA)
def test_a_sample_of_real_objects_is_judged_as_the_table_says(corpus):
    values = objects_of(corpus)
    step = max(1, len(values) // 60)
    assert [said for said in map(unexplained, values[::step]) if said] == []


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_document_counts_the_classes_that_are_there(corpus):
    values = objects_of(corpus)
    assert FOUND[corpus] == (len(values), count_classes(values))


@pytest.mark.long
@pytest.mark.parametrize("corpus", CORPORA)
def test_every_real_object_is_judged_as_the_table_says(corpus):
    assert [said for said in map(unexplained, objects_of(corpus)) if said] == []


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("base", BASES)
def test_every_fault_of_every_type_is_judged_as_the_table_says(base):
    assert [said for fault in FAULTS if (said := unexplained(spoiled(base, fault)))] == []


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(max_examples=4_000)
@given(value=stix_objects(most_faults=3))
def test_thousands_of_generated_objects_are_judged_as_the_table_says(value):
    assert unexplained(value) == ""


def test_no_object_that_we_alone_accept_is_without_a_reason_on_purpose():
    lenient = [d for d in DIFFERENCES if "ours" not in d.refuse and "ours" not in d.right]
    assert lenient == []


def test_the_document_is_written_from_the_table():
    written = Path(DOCUMENT).read_text(encoding="utf-8")
    again = "run python -m tests.schemas.stix.validation_document"
    assert written == write_document(), again


def test_canary_a_bad_object_fails_stix2_validator():
    # Version 3.3.1 ships no schemas and calls everything valid.
    assert not accepted_by_validator({"type": "indicator", "id": "no id"})
    assert differences_of({"type": "indicator", "id": "no id"})
