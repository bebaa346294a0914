"""How names, and what is odd about them, are said to people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.output import hint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.dns.lookalikes import NameWarning

SHOWN = 5


def shown_name(key: str | None) -> str | None:
    """Show a name, or the key of a subject: the A-label, and what it says where it says more.

    The U-label comes last and in brackets: letters that run from right to left move what follows
    them on a line.
    """
    if key is None or "xn--" not in key:
        return key
    from schemas.dns.names import read_name
    from schemas.dns.subjects import read_subject_key
    from schemas.errors import WireFormatError

    try:
        name = read_name(read_subject_key(key).value)
    except WireFormatError:
        return key
    return key if name.u_label == name.a_label else f"{key} ({name.u_label})"


def warning_words(warning: NameWarning) -> str:
    """Say what is odd about a name."""
    from schemas.dns import lookalikes

    mixed = f"mixes scripts: {', '.join(word.title() for word in warning.scripts)}"
    said = {
        lookalikes.MIXED_SCRIPT: mixed,
        lookalikes.MIXED_DIGITS: "mixes digits of several scripts",
        lookalikes.WHOLE_SCRIPT: (
            f"is {', '.join(word.title() for word in warning.scripts)} throughout"
            f" and reads like {warning.looks_like}"
        ),
        lookalikes.LOOKALIKE: f"may be taken for {warning.looks_like}",
        lookalikes.EMBEDDED: f"has {warning.looks_like} in it, which is another's name",
        lookalikes.HIDDEN: "holds a character that cannot be seen",
    }
    return said[warning.kind]


def hint_warnings(
    found: Iterable[tuple[str, Iterable[NameWarning]]], total: int | None = None
) -> None:
    """Name the first names that a person should look at twice, and count the others.

    Args:
        total: how many there are, where not all are given.
    """
    rows = list(found)
    total = len(rows) if total is None else total
    for name, warnings in rows[:SHOWN]:
        hint(f"Look twice at {shown_name(name)}: {'; '.join(map(warning_words, warnings))}.")
    if total > SHOWN:
        hint(f"… and at {total - SHOWN:,} names more; --json has the first thousand.")
