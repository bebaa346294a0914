"""Run the TAXII conformance suite and print its table: ``python -m tests.conformance.report``.

With ``--write`` the table goes to ``docs/conformance.md`` as well, with every statement.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from itertools import groupby

import pytest

from tests.conformance.taxii.statements import HERE, Statement, read_statements

DOCUMENT = HERE.parents[2] / "docs" / "conformance.md"
DATABASES = ("sqlite", "postgresql")
TITLES = {
    (1, 6): "Transport, serialisation, content negotiation, authentication",
    (2,): "Data types",
    (3, 1): "Endpoints",
    (3, 2): "HTTP headers",
    (3, 3): "Sorting",
    (3, 4): "Filtering",
    (3, 5): "Pagination",
    (3, 6): "Errors",
    (3, 7): "Envelope",
    (3, 8): "Property names",
    (4, 1): "Server discovery",
    (4, 2): "API root",
    (4, 3): "Status",
    (5, 1): "Collections",
    (5, 2): "A collection",
    (5, 3): "Manifest",
    (5, 4): "Get objects",
    (5, 5): "Add objects",
    (5, 6): "Get an object",
    (5, 7): "Delete an object",
    (5, 8): "Object versions",
    (6, 1): "Custom properties",
}
_INTRODUCTION = """\
# Conformance to TAXII 2.1

Written by `python -m tests.conformance.report --write`; do not edit. Every statement of TAXII 2.1
(OASIS Standard, 10 June 2021) that binds a server is a test in `tests/conformance/taxii/`, over TLS
against a server in a process of its own, on SQLite and on PostgreSQL. The sentences are ours. MAY
stands where the standard leaves a choice and ours is tested.

Where the standard leaves it to the server: what a client may not see is 404 and never 403, with the
same bytes as what does not exist; statuses are complete when they are told and are kept; a query is
refused where it cannot be read or is ambiguous, rather than answered with another page; a
collection's `next` is there in manifests and versions too. Not tested here: DNS SRV records
(§3.9) and channels (§6 reserves them), which this server does not have, and the peers' API root,
which speaks Tocsin's own binding and whose collection ids are derived from the names of feeds.
"""


class Outcomes:
    """Counts the outcomes of tests by their name and database."""

    def __init__(self) -> None:
        self.failed: set[tuple[str, str]] = set()
        self.ran: set[tuple[str, str]] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of one test."""
        found = re.search(r"::(test_\w+)\[(.*)\]$", report.nodeid)
        if found is None:
            return
        databases = [kind for kind in DATABASES if kind in found[2].split("-")]
        key = (found[1], databases[0] if databases else "")
        self.ran.add(key)
        if report.outcome != "passed":
            self.failed.add(key)


def passed(outcomes: Outcomes, statements: list[Statement], database: str) -> int:
    """Count the statements of which every case passed on a database."""
    keys = {(statement.test, database) for statement in statements}
    return len((keys & outcomes.ran) - outcomes.failed)


def chapter(statement: Statement) -> tuple[int, ...]:
    """The section under which a statement is listed."""
    return statement.section[:2]


def write_table(statements: list[Statement], outcomes: Outcomes) -> str:
    """Write the table by section."""
    lines = ["| section | | statements | SQLite | PostgreSQL |", "|---|---|---|---|---|"]
    total: Counter[str] = Counter()
    for section, group in groupby(statements, key=chapter):
        part = list(group)
        counts = [passed(outcomes, part, database) for database in DATABASES]
        total.update(dict(zip(DATABASES, counts, strict=True)), statements=len(part))
        number = ".".join(map(str, section))
        lines.append(f"| {number} | {TITLES[section]} | {len(part)} | {counts[0]} | {counts[1]} |")
    lines.append(f"| all | | {total['statements']} | {total['sqlite']} | {total['postgresql']} |")
    return "\n".join(lines) + "\n"


def write_list(statements: list[Statement]) -> str:
    """Write every statement with its test."""
    lines = []
    for section, group in groupby(statements, key=chapter):
        lines.append(f"\n## {'.'.join(map(str, section))} {TITLES[section]}\n")
        for statement in group:
            word, _, rest = statement.sentence.partition(": ")
            lines.append(f"* §{statement.section_text} **{word}** {rest} `{statement.test}`")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run, print, and write when asked to."""
    outcomes = Outcomes()
    code = pytest.main([str(HERE), "-q", "--no-header", "-p", "no:randomly"], plugins=[outcomes])
    statements = read_statements()
    table = write_table(statements, outcomes)
    print(table)
    if "--write" in sys.argv[1:]:
        DOCUMENT.write_text(f"{_INTRODUCTION}\n{table}{write_list(statements)}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
