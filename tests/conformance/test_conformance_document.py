"""``docs/conformance.md`` lists the statements that the suite tests, and all of them passed."""

from __future__ import annotations

import re

from tests.conformance.report import DOCUMENT, chapter, write_list
from tests.conformance.taxii.statements import read_statements

REMEDY = "run `python -m tests.conformance.report --write`"


def test_the_document_lists_the_statements_that_are_tested():
    assert DOCUMENT.read_text().endswith(write_list(read_statements())), REMEDY


def test_every_statement_passed_on_both_databases():
    rows = re.findall(
        r"^\| ([\d.]+|all) \| .*\| (\d+) \| (\d+) \| (\d+) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
    statements = read_statements()
    sections = {".".join(map(str, chapter(statement))) for statement in statements}
    assert {section for section, *_ in rows} == sections | {"all"}
    assert all(total == one == other for _, total, one, other in rows), REMEDY
    assert int(rows[-1][1]) == len(statements), REMEDY


def test_no_test_is_named_twice():
    names = [statement.test for statement in read_statements()]
    assert len(names) == len(set(names))
