"""A plain list of names, one a line (INTERFACE, ``tocsin export names``).

A line is ``name``, or ``*.name`` for everything below it; a subtree has both. Nothing else is in
the file, so that it can be fed to anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.listing import MONITOR
from schemas.dns.subjects import QNAME

NOT_A_NAME: Final = "NOT_A_NAME"
ONLY_WATCHED: Final = "ONLY_WATCHED"
_AT_ONCE: Final = 5_000


def write_names(names: Sequence[ListedName], context: ExportContext) -> Iterator[bytes]:
    """Write the list in chunks."""
    del context
    lines: list[str] = []
    for each in names:
        if each.match_scope != "wildcard-only":
            lines.append(f"{each.value}\n")
        if each.match_scope != "exact":
            lines.append(f"*.{each.value}\n")
        if len(lines) >= _AT_ONCE:
            yield "".join(lines).encode("ascii")
            lines.clear()
    yield "".join(lines).encode("ascii")


def why_left_out(name: ListedName) -> str | None:
    """Leave out name servers and addresses, which no list of names can say."""
    if name.match_on != QNAME:
        return NOT_A_NAME
    # Its origins ask to watch it, every one of them.
    return ONLY_WATCHED if MONITOR in name.requested_actions else None
