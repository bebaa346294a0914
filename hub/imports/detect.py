r"""Which kind of file an operator hands over, told by its content and not by its name.

>>> detect_format(b'{"type": "bundle"}'), detect_format(b"evil.example\n")
('stix', 'names')
>>> detect_format(b"domain,first_seen\nevil.example,2026-01-01\n")
'csv'
"""

from __future__ import annotations

from typing import Literal

Format = Literal["stix", "names", "csv"]

_SAMPLE = 65_536
_LINES = 50
_BOM = b"\xef\xbb\xbf"
_SEPARATORS = (b",", b"\t")
"""Not the semicolon: in lists of names it begins a comment."""


def detect_format(data: bytes) -> Format:
    """Tell STIX, CSV and lists of names apart.

    Only the beginning is looked at. A wrong guess is harmless: the reader of that format then
    refuses the file, or reports each line that it did not take.
    """
    sample = data[:_SAMPLE].removeprefix(_BOM).lstrip()
    # `[.]example` begins a defanged list, `[{` a JSON list of objects.
    if sample.startswith(b"{") or (
        sample.startswith(b"[") and sample[1:].lstrip()[:1] in (b"{", b"]", b"")
    ):
        return "stix"
    lines = [
        line.strip(b" \r")
        for line in sample.split(b"\n")
        if line.strip() and not line.lstrip().startswith((b"#", b";"))
    ][:_LINES]
    for separator in _SEPARATORS:
        # A trailing comment may hold a comma; a table has one in nearly every line.
        with_it = sum(separator in line.partition(b"#")[0] for line in lines)
        if lines and with_it * 2 > len(lines):
            return "csv"
    return "names"
