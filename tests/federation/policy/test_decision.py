"""Codes decide, and are closed."""

from __future__ import annotations

from typing import get_args

import pytest

from federation.policy.decision import CODES, Code, Decision


@pytest.mark.parametrize("code", get_args(Code))
def test_allowed_follows_from_the_code(code: Code) -> None:
    assert code.startswith(("ALLOWED_", "REFUSED_"))
    assert Decision.of(code, "PROTOCOL 3.2").allowed is code.startswith("ALLOWED_")


def test_codes_are_distinct() -> None:
    assert len(CODES) == len(get_args(Code))
