"""Bring an audience's blocks up to now without holding up the writers.

With half a million names, deciding takes seconds and changing takes few rows. So what is decided is
decided in a reading, and written in bounded steps.

Invariants:
* nothing is written of what was decided on something else: each step looks whether verdicts or
  blocks have changed since, by the mark that every such change moves, and then nothing more of it
  is written;
* so not more than the hour bears comes into force, whoever else admits blocks meanwhile.

What it does not do: decide (``blocklist``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from hub.node import Node
from hub.storage.queries.blocks import add_blocks, drop_blocks, put_in_force
from hub.storage.queries.exports import export_mark
from hub.storage.transaction import Transaction
from hub.verdicts.blocklist import BlockView, ViewPlan, label_views, merged, plan_view

AT_ONCE: Final = 5_000
Step = Callable[[Transaction], None]


@dataclass(frozen=True, slots=True)
class BlockTurn:
    """What brings an audience up to now.

    Args:
        mark: of the verdicts and blocks that it was decided on.
        shown: how the audience's blocks stand then.
    """

    mark: int
    plans: Sequence[ViewPlan]
    shown: BlockView


def plan_turn(
    tx: Transaction, node: Node, audience: str, *, constituent: str | None = None
) -> BlockTurn:
    """Decide what brings an audience up to now, and change nothing.

    Raises:
        WireFormatError: ``E_AUDIENCE``. NotFound: ``E_TOKEN_UNKNOWN``.
    """
    views = label_views(tx, audience, constituent, node.now())
    cap = node.settings.blocks_per_hour
    plans = [(plan_view(tx, node, ceiling, cap), zones) for ceiling, zones in views]
    shown = merged([(plan.after, zones) for plan, zones in plans])
    return BlockTurn(export_mark(tx), [plan for plan, _ in plans], shown)


def take_turn(node: Node, turn: BlockTurn, *, at_once: int = AT_ONCE) -> int | None:
    """Write what was decided, so many rows in one write.

    Returns:
        The mark afterwards; None where something changed meanwhile, so that it has to be decided
        anew.
    """
    mark = turn.mark
    for step in _steps(turn, at_once):
        with node.database.write(durable=False) as tx:
            if export_mark(tx) != mark:
                return None
            step(tx)
            mark = export_mark(tx)
    return mark


def _steps(turn: BlockTurn, at_once: int) -> Iterator[Step]:
    for plan in turn.plans:
        ceiling = plan.ceiling
        for names in _parts(plan.drop, at_once):
            yield partial(drop_blocks, ceiling=ceiling, names=names)
        for names in _parts(plan.add, at_once):
            yield partial(add_blocks, ceiling=ceiling, names=names, at=plan.at)
        for names in _parts(plan.chosen, at_once):
            yield partial(put_in_force, ceiling=ceiling, names=names, at=plan.at)


def _parts(names: Sequence[str], at_once: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), at_once):
        yield names[start : start + at_once]
