"""PROTOCOL 2.1: a missing or ill-typed member is ``E_SCHEMA``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from federation.feeds.payload_members import read_flag, read_node_ids, read_seqs, read_word
from schemas.errors import WireFormatError

NODE = "a" * 52


def _word(body: dict[str, Any], name: str) -> str:
    return read_word(body, name, {"all", "join"})


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        (read_flag, [True, False], [None, 0, 1, "true"]),
        (_word, ["all", "join"], [None, "none", 1, ["all"]]),
        (read_seqs, [[], [1, 2]], [None, 1, [0], [True], ["1"], [1.0]]),
        (read_node_ids, [[], [NODE]], [None, NODE, ["me"], [1], [NODE, None]]),
    ],
)
def test_each_member_has_its_type(
    read: Callable[[dict[str, Any], str], object], good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        found = read({"x": value}, "x")
        assert (list(found) if isinstance(found, tuple) else found) == value
    for value in bad:
        with pytest.raises(WireFormatError) as caught:
            read({"x": value}, "x")
        assert (caught.value.code, caught.value.params["member"]) == ("E_SCHEMA", "x")
