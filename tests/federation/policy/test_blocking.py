"""May a name be blocked automatically (PROTOCOL 4.4)?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from federation.policy.blocking import BLOCKING_CODES, PAP_LEVELS, decide_block
from hub.verdicts.guard_words import BLOCK_WORDS
from tests.house.sources import read_text

GOOD: dict[str, Any] = {
    "result": 0.75,
    "lineages": 2,
    "trusted_lineages": 1,
    "pap": PAP_LEVELS["green"],
    "hits": (),
    "holds": (),
    "exercise": False,
}


@dataclass(frozen=True)
class Hit:
    grade: str
    overridden_by: str | None = None


def test_what_meets_every_condition_is_blocked() -> None:
    decision = decide_block(**GOOD)
    assert decision.block
    assert decision.codes == ("BLOCKED",)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"result": 0.749}, "NOT_BLOCKED_RESULT"),
        ({"result": math.nan}, "NOT_BLOCKED_RESULT"),
        ({"lineages": 1}, "NOT_BLOCKED_LINEAGES"),
        ({"trusted_lineages": 0}, "NOT_BLOCKED_TRUST"),
        ({"pap": PAP_LEVELS["amber"]}, "NOT_BLOCKED_PAP"),
        ({"pap": None}, "NOT_BLOCKED_PAP"),
        ({"agreed": False}, "NOT_BLOCKED_REACH"),
        ({"exercise": True}, "NOT_BLOCKED_EXERCISE"),
        ({"hits": (Hit("refuse"),)}, "NOT_BLOCKED_GUARD_REFUSES"),
        ({"hits": (Hit("hold"),)}, "NOT_BLOCKED_GUARD_HOLDS"),
        ({"holds": ("AUTHORITY_BENIGN",)}, "AUTHORITY_BENIGN"),
    ],
)
def test_each_condition_stops_a_block_by_itself(change: dict[str, Any], code: str) -> None:
    decision = decide_block(**GOOD | change)
    assert not decision.block
    assert decision.codes == (code,)


def test_authority_never_blocks_alone() -> None:
    """An authority lifts its cap inside the fusion; here it is one lineage like any other."""
    decision = decide_block(**GOOD | {"result": 0.99, "lineages": 1, "trusted_lineages": 1})
    assert not decision.block


@pytest.mark.parametrize("hit", [Hit("warn"), Hit("refuse", "an override"), Hit("hold", "one")])
def test_warnings_and_overridden_guards_stop_nothing(hit: Hit) -> None:
    assert decide_block(**GOOD | {"hits": (hit,)}).block


def test_an_override_of_one_guard_lifts_no_other() -> None:
    hits = (Hit("refuse", "an override"), Hit("hold"))
    assert decide_block(**GOOD | {"hits": hits}).codes == ("NOT_BLOCKED_GUARD_HOLDS",)


def test_every_reason_is_told_in_one_order() -> None:
    decision = decide_block(
        result=0.1,
        lineages=0,
        trusted_lineages=0,
        pap=3,
        hits=(Hit("hold"), Hit("refuse")),
        holds=("CONTESTED", "AUTHORITY_BENIGN", "CONTESTED"),
        exercise=True,
    )
    assert decision.codes == (
        "NOT_BLOCKED_EXERCISE",
        "NOT_BLOCKED_RESULT",
        "NOT_BLOCKED_LINEAGES",
        "NOT_BLOCKED_TRUST",
        "NOT_BLOCKED_PAP",
        "NOT_BLOCKED_GUARD_REFUSES",
        "NOT_BLOCKED_GUARD_HOLDS",
        "AUTHORITY_BENIGN",
        "CONTESTED",
    )


def test_every_code_has_its_words_and_its_row() -> None:
    policy = read_text("docs/policy.md")
    assert BLOCK_WORDS.keys() == BLOCKING_CODES
    assert [code for code in sorted(BLOCKING_CODES) if f"| `{code}` |" not in policy] == []
