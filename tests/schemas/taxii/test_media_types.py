"""TAXII's media type in ``Accept`` and ``Content-Type`` (TAXII 2.1 §1.6.8, RFC 9110 §12.5.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.taxii.media_types import TAXII, accepts_taxii, is_taxii_content


@pytest.mark.parametrize(
    "field",
    [None, "", "*/*", TAXII, TAXII.upper(), "application/taxii+json", "text/html,*/*;q=0.001"],
)
def test_these_take_our_answers(field):
    assert accepts_taxii(field)


@pytest.mark.parametrize(
    "field",
    [
        "text/html", "application/json", "application/taxii+json;version=2.0", "*", "/", ";",
        "*/*;q=0", "application/taxii+json;version=2.1;q=0, */*", "*/*;q=2", "x" * 5_000,
    ],
)  # fmt: skip
def test_these_do_not(field):
    assert not accepts_taxii(field)


def test_the_most_specific_range_decides():
    assert accepts_taxii("*/*;q=0, application/taxii+json")
    assert not accepts_taxii("*/*, application/taxii+json;q=0")


@given(st.text(max_size=60))
def test_any_text_has_an_answer(field):
    assert accepts_taxii(field) in {True, False}
    assert is_taxii_content(field) in {True, False}


def test_a_body_is_named_with_its_version_or_bare():
    assert is_taxii_content(TAXII)
    assert is_taxii_content('Application/TAXII+json ; Version="2.1"; charset=utf-8')
    assert is_taxii_content("application/taxii+json")
    assert not is_taxii_content(None)
    assert not is_taxii_content("application/json")
    assert not is_taxii_content("application/taxii+json;version=2.0")
    assert not is_taxii_content("*/*")
