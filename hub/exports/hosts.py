"""A hosts file: ``0.0.0.0 name`` a line, for machines without a resolver of their own.

A hosts file says names exactly: what stands below a name is not matched, so that of a subtree only
its top is said, and a wildcard alone cannot be. The head of the file tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.listing import MONITOR
from schemas.dns.subjects import QNAME
from schemas.timestamps import write_wire_time

NOT_A_NAME: Final = "NOT_A_NAME"
ONLY_WATCHED: Final = "ONLY_WATCHED"
ONLY_BELOW: Final = "ONLY_BELOW"
_AT_ONCE: Final = 5_000


def write_hosts(names: Sequence[ListedName], context: ExportContext) -> Iterator[bytes]:
    """Write the file in chunks."""
    # The name of a node is any text, which a file of lines cannot hold: its id is said.
    yield (
        f"# Tocsin {context.node_id[:12]}: blocked for {context.audience}, at most"
        f" TLP:{context.label.wire.upper()}\n"
        f"# Serial {context.serial}, changed {write_wire_time(context.changed_at)}\n"
        "# Names are matched exactly: use RPZ for what stands below them.\n"
    ).encode("ascii")
    for start in range(0, len(names), _AT_ONCE):
        lines = [f"0.0.0.0 {each.value}\n" for each in names[start : start + _AT_ONCE]]
        yield "".join(lines).encode("ascii")


def why_left_out(name: ListedName) -> str | None:
    """Leave out what no hosts file can say."""
    if name.match_on != QNAME:
        return NOT_A_NAME
    if MONITOR in name.requested_actions:
        return ONLY_WATCHED
    return ONLY_BELOW if name.match_scope == "wildcard-only" else None
