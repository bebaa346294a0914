"""A format with all that its writer needs beside names and context.

Decides which names a format can say: what it cannot is left out, counted and named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, cast

from hub.exports import published_objects, rpz, rpz_policy
from hub.exports.export_key import ExportKey
from hub.exports.formats import RPZ, STIX, Format
from hub.exports.listed_name import ExportContext, FileWriter, ListedName, TreeWriter
from hub.exports.rendered import LeftOut
from hub.node import Node

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class BoundFormat:
    """A format's functions, with what they need beside names and context."""

    write: Callable[[Sequence[ListedName], ExportContext], Mapping[str, Iterable[bytes]]]
    why_left_out: Callable[[ListedName], str | None]


def bind_format(node: Node, key: ExportKey, made_format: Format, now: datetime) -> BoundFormat:
    """Bind a format's functions to the policy of this export.

    Raises:
        Misconfigured: ``E_RPZ_POLICY``.
    """
    if made_format.name == RPZ:
        policy = rpz_policy.policy_of(node.settings, key.audience, key.feed, now)
        writer: FileWriter | TreeWriter = partial(rpz.write_rpz, policy=policy)
        why: Callable[[ListedName], str | None] = partial(rpz.why_left_out, policy=policy)
    elif made_format.name == STIX:
        writer, why = published_objects.stix_writer(node), made_format.load_why_left_out()
    else:
        writer, why = made_format.load(), made_format.load_why_left_out()
    if made_format.is_tree:
        return BoundFormat(cast("TreeWriter", writer), why)
    write_file = cast("FileWriter", writer)
    file = f"{key.feed or 'all'}.{made_format.suffix}"
    return BoundFormat(lambda names, context: {file: write_file(names, context)}, why)


def sort_out(
    names: Sequence[ListedName], bound: BoundFormat
) -> tuple[list[ListedName], tuple[LeftOut, ...]]:
    """Part the names that a format can say from those that it cannot."""
    kept: list[ListedName] = []
    out: dict[str, list[str]] = {}
    why_left_out = bound.why_left_out
    for each in names:
        why = why_left_out(each)
        if why is None:
            kept.append(each)
        else:
            out.setdefault(why, []).append(each.value)
    reasons = (LeftOut(why, len(out[why]), tuple(out[why][:_SHOWN])) for why in sorted(out))
    return kept, tuple(reasons)
