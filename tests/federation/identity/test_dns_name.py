"""A domain's statement of its node, and what an answer about it means (PROTOCOL 4.5)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.identity.dns_name import (
    NameAnswer,
    NameStanding,
    decide_name,
    is_alarming,
    read_statement,
    statement_name,
    write_statement,
)
from schemas.identifiers import NodeId

OURS, THEIRS = NodeId("a" * 52), NodeId("b" * 52)


def test_the_record_stands_below_the_domain():
    assert statement_name("example.fr") == "_tocsin.example.fr."
    assert statement_name("example.fr.") == "_tocsin.example.fr."


def test_what_is_written_is_read():
    assert read_statement([write_statement(OURS).encode()]) == OURS


def test_a_long_record_comes_in_several_strings():
    text = write_statement(OURS).encode()
    assert read_statement([text[:20], text[20:]]) == OURS


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"v=spf1 -all",
        b"v=tocsin2; id=" + OURS.encode(),
        b"v=tocsin1",
        b"v=tocsin1; id=",
        b"v=tocsin1; id=" + OURS[:-1].encode(),
        b"v=tocsin1; id=" + OURS.upper().encode(),
        b"id=" + OURS.encode() + b"; v=tocsin1",
        b"v=tocsin1; id=" + OURS.encode() + b"; id=" + THEIRS.encode(),
        b"v=tocsin1; id=\xff",
    ],
)
def test_what_is_no_statement_names_nobody(text):
    assert read_statement([text]) is None


def test_members_of_a_later_version_are_passed_over():
    assert read_statement([write_statement(OURS).encode() + b"; policy=strict"]) == OURS


@given(st.lists(st.binary(max_size=255), max_size=4))
def test_no_record_raises(strings):
    read_statement(strings)


@pytest.mark.parametrize(
    ("answer", "standing"),
    [
        (NameAnswer(validated=True, statements=(OURS,)), "verified"),
        (NameAnswer(validated=True, statements=(THEIRS, OURS)), "verified"),
        (NameAnswer(validated=True, statements=(THEIRS,)), "other"),
        (NameAnswer(validated=True), "absent"),
        (NameAnswer(statements=(OURS,)), "unverified"),
        (NameAnswer(statements=(THEIRS,)), "unverified"),
        (NameAnswer(bogus=True, statements=(OURS,)), "bogus"),
        (NameAnswer(answered=False, validated=True, statements=(OURS,)), "unanswered"),
    ],
)
def test_only_a_validated_answer_verifies(answer, standing):
    assert decide_name(OURS, answer).value == standing


def test_a_person_is_called_when_a_proof_is_lost_or_points_elsewhere():
    alarming = {
        (None if before is None else before.value, found.value)
        for before, found in itertools.product([None, *NameStanding], NameStanding)
        if is_alarming(before, found)
    }
    before_any = {None, *(standing.value for standing in NameStanding)}
    assert alarming == {
        *((before, "other") for before in before_any - {"other"}),
        *((before, "bogus") for before in before_any - {"bogus"}),
        ("verified", "unverified"),
        ("verified", "absent"),
    }
