r"""Read a hosts file that blocks: an unreachable address and one or several names a line.

Decides, for each name, taken or skipped with a code. A line with an address that is reachable maps
a name and blocks nothing (``E_HOSTS_ADDRESS``); the names that such files give this machine itself
are left out (``E_HOSTS_LOCAL``).

Invariants: those of ``list_reading``; each name of a line is one item of the report.

>>> reading = ListReading()
>>> data = b"127.0.0.1 localhost\n0.0.0.0 evil.example bad.example # two\n192.0.2.9 my.example\n"
>>> [(entry.line, entry.name.a_label) for entry in names_in_hosts(data, reading)]
[(2, 'evil.example'), (2, 'bad.example')]
>>> reading.report().counts()
{'E_HOSTS_LOCAL': 1, 'E_HOSTS_ADDRESS': 1}
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from hub.imports.list_reading import ListReading, NamedLine, without_comment
from hub.imports.list_reading import lines_of as numbered_lines

_OWN_NAMES: Final = frozenset(
    {
        "localhost", "localhost.localdomain", "localhost4", "localhost6", "local", "broadcasthost",
        "localhost4.localdomain4", "localhost6.localdomain6", "0.0.0.0",  # noqa: S104 - a word of such files
        "ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes",
        "ip6-allrouters", "ip6-allhosts",
    }
)  # fmt: skip


def names_in_hosts(data: bytes, reading: ListReading) -> Iterator[NamedLine]:
    """Read the names of a hosts file one by one; the report is whole after the last."""
    for number, line in numbered_lines(data):
        text = reading.text_of(number, line)
        if text is None:
            continue
        words = without_comment(text).split()
        if not words:
            reading.comment()
        elif len(words) == 1:
            reading.skip(number, text, "E_HOSTS_LINE", "not an address with names after it")
        else:
            yield from _names_of(number, words, reading)


def _names_of(number: int, words: list[str], reading: ListReading) -> Iterator[NamedLine]:
    blocks = _blocks(words[0])
    for word in words[1:]:
        if blocks is None:
            reading.skip(number, word, "E_HOSTS_LINE", "the line does not begin with an address")
        elif word.lower() in _OWN_NAMES:
            reading.skip(number, word, "E_HOSTS_LOCAL", "a name of this machine itself")
        elif not blocks:
            reading.skip(
                number, word, "E_HOSTS_ADDRESS", f"maps to {words[0][:50]}, so it blocks nothing"
            )
        else:
            name = reading.read(number, word, word)
            taken = None if name is None else reading.take(number, word, word, name)
            if taken is not None:
                yield taken


def _blocks(text: str) -> bool | None:
    """Tell whether nobody answers at an address; None when it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.is_unspecified or address.is_loopback
