"""Verdicts on the other database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.node import Node
from hub.verdicts.backlog import progress
from hub.verdicts.explain_verdict import explain_name
from tests.hub.verdicts import test_adopted_claims, test_expand_sets, test_fuse
from tests.support.databases import postgresql_with_tables
from tests.support.nodes import make_node
from tests.support.told_claims import EVIL, authors, claim, make_verdicts, tell

_OF_SETS = (
    "test_a_name_with_two_windows",
    "test_a_restart_goes_on",
    "test_a_suspended_origins",
    "test_of_a_newer_list",
)
for _name, _value in {**vars(test_expand_sets), **vars(test_adopted_claims)}.items():
    if _name.startswith((*_OF_SETS, "test_three_lineages")):
        globals()[_name] = _value
_HERE = (
    "test_a_changed_dial",
    "test_a_claim_counts",
    "test_a_copy",
    "test_a_name_that",
    "test_a_newer_version",
    "test_revoked",
    "test_t54",
    "test_the_worker",
    "test_two_origins",
    "test_when_the",
)
for _name, _value in vars(test_fuse).items():
    if _name.startswith(_HERE):
        globals()[_name] = _value


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = make_node(tmp_path, "hub", database_url=postgresql_with_tables())
    yield made
    made.database.close()


def test_a_name_is_explained_and_progress_is_told(node):
    (a,) = authors(node, 1)
    tell(node, a, "green", claim())
    make_verdicts(node)
    assert explain_name(node, EVIL).views["green"].lineages == 1
    assert progress(node).published == 1
