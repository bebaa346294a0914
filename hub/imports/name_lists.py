r"""Read a list of domain names, one a line, as people and feeds write them.

Decides, for each line, taken or skipped with a code. Comments begin with ``#`` or ``;``, also
after a name. Defanged names are refanged: this is input by people (DNS 2).

Invariants: those of ``list_reading``.

>>> names, report = read_name_list(b"# a list\nEvil.example\n192.0.2.1:80\n")
>>> [entry.name.a_label for entry in names], report.counts()
(['evil.example'], {'E_NAME_ADDRESS': 1})
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.imports.drafts import ImportReport
from hub.imports.list_reading import (
    MAX_LIST_BYTES,
    ListReading,
    NamedLine,
    lines_of,
    require_size,
    without_comment,
)

__all__ = ["MAX_LIST_BYTES", "NamedLine", "names_in", "read_name_list"]


def read_name_list(
    data: bytes, *, max_bytes: int = MAX_LIST_BYTES
) -> tuple[list[NamedLine], ImportReport]:
    """Read a list of names.

    Args:
        data: the bytes of the file; UTF-8, with or without a byte-order mark.
        max_bytes: the limit for the whole file.

    Raises:
        WireFormatError: ``E_TOO_BIG``; a bad line never raises, it is in the report.
    """
    require_size(data, max_bytes)
    reading = ListReading()
    return list(names_in(data, reading)), reading.report()


def names_in(data: bytes, reading: ListReading) -> Iterator[NamedLine]:
    """Read a list of names one by one; the report is whole after the last."""
    for number, line in lines_of(data):
        text = reading.text_of(number, line)
        if text is None:
            continue
        written = without_comment(text)
        if not written:
            reading.comment()
            continue
        name = reading.read(number, text, written)
        taken = None if name is None else reading.take(number, text, written, name)
        if taken is not None:
            yield taken
