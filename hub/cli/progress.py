"""Show on a person's terminal that something goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LONG: Final = 500
"""From this many on a progress bar is worth its line."""


@contextmanager
def progressing(words: str, total: int | None, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar where a person looks and there is enough to wait for; give what moves it on.

    Args:
        total: how many there are; None where nobody knows before the end.
        quiet: the output is for a machine.
    """
    if quiet or (total is not None and total < LONG) or not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=total)
        yield lambda number: bar.advance(task, number)
