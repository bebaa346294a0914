"""The entry's label is written into every object before it is sealed (PROTOCOL 2.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.feeds.printed_labels import check_printed
from hub.exchange.marking import write_label
from schemas.errors import WireFormatError
from schemas.markings import TLP_BY_MARKING_ID, Tlp, tlp2_marking_definition
from tests.support.publications import STATEMENT, indicator, marked, statement

UNKNOWN = "marking-definition--11111111-1111-4111-8111-111111111111"
DEFINITIONS = {STATEMENT: statement()}


@pytest.mark.parametrize("tlp", list(Tlp))
def test_an_unmarked_object_gets_the_entrys_mark(tlp):
    assert write_label(indicator(), tlp, {})["object_marking_refs"] == [tlp.marking_id]


def test_a_laxer_mark_gives_way_to_the_entrys():
    value = marked(indicator(), Tlp.CLEAR)
    assert write_label(value, Tlp.AMBER, {})["object_marking_refs"] == [Tlp.AMBER.marking_id]


def test_a_mark_of_tlp_1_becomes_one_of_tlp_2():
    green = next(i for i, tlp in TLP_BY_MARKING_ID.items() if tlp is Tlp.GREEN and "34098fce" in i)
    value = indicator(object_marking_refs=[green])
    assert write_label(value, Tlp.GREEN, {})["object_marking_refs"] == [Tlp.GREEN.marking_id]


def test_a_statement_stays():
    value = indicator(object_marking_refs=[STATEMENT])
    written = write_label(value, Tlp.GREEN, DEFINITIONS)
    assert written["object_marking_refs"] == [Tlp.GREEN.marking_id, STATEMENT]


@pytest.mark.parametrize(
    "value",
    [
        marked(indicator(), Tlp.AMBER),
        marked(indicator(), Tlp.CLEAR, Tlp.RED.marking_id),
        indicator(granular_markings=[{"marking_ref": Tlp.AMBER.marking_id, "selectors": ["name"]}]),
        indicator(object_marking_refs=[UNKNOWN]),
        indicator(object_marking_refs=[STATEMENT]),
    ],
)
def test_publishing_never_widens(value):
    with pytest.raises(WireFormatError, match="E_LABEL_STRICTER"):
        write_label(value, Tlp.GREEN, {})


def test_a_definition_bears_no_label():
    assert write_label(statement(), Tlp.AMBER, {}) == statement()
    definition = tlp2_marking_definition(Tlp.GREEN)
    assert write_label(definition, Tlp.GREEN, {}) == definition


def test_the_input_is_left_as_it_was():
    value = marked(indicator(), Tlp.CLEAR)
    before = {**value, "object_marking_refs": list(value["object_marking_refs"])}
    write_label(value, Tlp.GREEN, {})
    assert value == before


@given(
    tlp=st.sampled_from(list(Tlp)),
    refs=st.lists(st.sampled_from([*TLP_BY_MARKING_ID, STATEMENT, UNKNOWN]), max_size=4),
)
def test_whatever_is_written_a_receiver_takes(tlp, refs):
    try:
        written = write_label(indicator(object_marking_refs=refs), tlp, DEFINITIONS)
    except WireFormatError:
        return
    check_printed(written, tlp)
