"""Have verdicts made anew that a changed guard frees or stops.

Invariants:
* each is asked for from its own label on, so that no lower view moves (PROTOCOL 3.5);
* that it is done later is safe one way only: what is guarded anew is out of the next export by the
  guards themselves, what is freed waits for its verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from federation.policy.blocking import GUARD_HOLDS, GUARD_REFUSES
from hub.storage.queries.blocks import verdicts_at_or_below, verdicts_stopped_by
from hub.storage.transaction import Transaction
from hub.verdicts.marks import ask_again


def ask_below(tx: Transaction, name: str, now: datetime) -> None:
    """Ask for the verdicts on a name and on what stands below it."""
    _ask(tx, verdicts_at_or_below(tx, name), now)


def ask_stopped(tx: Transaction, now: datetime) -> None:
    """Ask for the verdicts that some guard keeps from blocking."""
    _ask(tx, verdicts_stopped_by(tx, (GUARD_REFUSES, GUARD_HOLDS)), now)


def _ask(tx: Transaction, verdicts: Iterable[tuple[str, int]], now: datetime) -> None:
    by_label: dict[int, list[str]] = {}
    for name, label in verdicts:
        by_label.setdefault(label, []).append(name)
    for label, names in sorted(by_label.items()):
        ask_again(tx, names, label, now, background=True)
