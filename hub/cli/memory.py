"""What a process that will compute for long tells Python's collector before it begins.

The collector would else walk all modules and schemas again and again for the sake of the few
objects of a request, or of a page: 5 % of the time of Add Objects, 15 % of a backfill. And a page
of a feed makes some 100,000 objects that live as long as the page: looking at them every 700 finds
nothing and takes another 3 %.
"""

from __future__ import annotations

import gc
from typing import Final

COLLECT_AFTER: Final = 5_000
"""Objects made and not yet gone, after which the collector looks at them; Python's own is 700."""


def settle_memory(*, collects: bool = False) -> None:
    """Tell the collector that what is here now stays, and to look less often.

    Args:
        collects: whether to look once more before, which a command has no time for.
    """
    if collects:
        gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 10, 10)
