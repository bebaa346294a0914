r"""Words that others chose, made harmless for formats that have no way to quote (THREATS 43).

A name in a list was read as a DNS name and is harmless by itself. A threat type is not: on receipt
its vocabulary is open, so that it may hold tabs, colons or whatever a format ends its fields with.

>>> plain_word("malware-c2"), plain_word("c2:\n=cmd()"), plain_word("")
('malware-c2', 'c2---cmd--', 'listed')
"""

from __future__ import annotations

import re
from typing import Final

from hub.exports.listed_name import ListedName

LISTED: Final = "listed"
"""What a name is called of which nobody said how it threatens."""
_LONGEST: Final = 64
_ELSE: Final = re.compile(r"[^A-Za-z0-9_.+-]")


def plain_word(text: str) -> str:
    """Keep letters, digits and ``-_.+``; everything else becomes a hyphen, and it is bounded."""
    return _ELSE.sub("-", text[:_LONGEST]) or LISTED


def threat_word(listed: ListedName) -> str:
    """Name the weightiest threat type of a listed name, as one plain word."""
    return plain_word(listed.threat_types[0]) if listed.threat_types else LISTED
