"""What may happen in a step, and what a step chooses."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from hypothesis import strategies as st

Value = TypeVar("Value")
Step = TypeVar("Step", bound=Callable[..., None])
_WEIGHT = "_federation_machine_weight"
_FAMILY = "_federation_machine_family"


def happens(family: str, weight: int = 1) -> Callable[[Step], Step]:
    """Let a method be chosen as a step.

    Hypothesis would leave out rules at random, runs in which nobody ever publishes or pulls among
    them. Here whole families are left out, and never the ones without which nothing happens.

    Args:
        family: what is left out together.
        weight: how often it is chosen, beside the others.
    """

    def mark(method: Step) -> Step:
        setattr(method, _WEIGHT, weight)
        setattr(method, _FAMILY, family)
        return method

    return mark


class Chooser:
    """What a step may choose, each choice with its name in the report of a failure."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def one(self, name: str, values: Collection[Value]) -> Value:
        """Choose one value of several."""
        return self._data.draw(st.sampled_from(list(values)), label=name)

    def some(
        self, name: str, values: Collection[Value], *, most: int, least: int = 1
    ) -> list[Value]:
        """Choose one value or a few, in their order."""
        ordered = list(values)
        few = st.sets(st.sampled_from(range(len(ordered))), min_size=least, max_size=most)
        return [ordered[place] for place in sorted(self._data.draw(few, label=name))]

    def flag(self, name: str) -> bool:
        """Choose yes or no."""
        return self._data.draw(st.booleans(), label=name)


def family_of(method: Any) -> str:
    """The family of a step; nothing where a method is none."""
    return getattr(method, _FAMILY, "")


def weight_of(method: Any) -> int:
    """How often a step is chosen."""
    return int(getattr(method, _WEIGHT))
