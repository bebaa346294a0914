r"""Which kind of file an operator hands over, told by its content and not by its name.

>>> detect_format(b'{"type": "bundle"}'), detect_format(b"evil.example\n")
('stix', 'names')
>>> detect_format(b"domain,first_seen\nevil.example,2026-01-01\n")
'csv'
>>> detect_format(b"0.0.0.0 evil.example\n"), detect_format(b"$TTL 60\n@ IN SOA a. b. 1 1 1 1 1\n")
('hosts', 'rpz')
"""

from __future__ import annotations

import re
from typing import Literal

from schemas.errors import WireFormatError

Format = Literal["stix", "stix20", "misp", "csv", "names", "hosts", "rpz"]

_SAMPLE = 65_536
_LINES = 50
_BOM = b"\xef\xbb\xbf"
_SEPARATORS = (b",", b"\t")
"""Not the semicolon: in lists of names it begins a comment."""
_ARCHIVES = (
    b"PK\x03\x04",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
)
"""Zip, 7z, RAR, bzip2, xz and zstd; gzip is unpacked, within its bounds, before anything looks."""
_MISP = re.compile(rb'"(?:Event|response)"\s*:')
_STIX_20 = re.compile(rb'"spec_version"\s*:\s*"2\.0"')
_RECORD = re.compile(rb"\$(?:ORIGIN|TTL)\s|.*\s(?:SOA|CNAME)\s+\S", re.IGNORECASE)
_HOST = re.compile(
    rb"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f]*::[0-9a-f:%.]*)\s+\S", re.IGNORECASE
)


def detect_format(data: bytes) -> Format:
    """Tell the formats apart.

    Only the beginning is looked at. A wrong guess is harmless: the reader of that format then
    refuses the file, or reports each line that it did not take.
    """
    sample = data[:_SAMPLE].removeprefix(_BOM).lstrip()
    # `[.]example` begins a defanged list, `[{` a JSON list of objects.
    if sample.startswith(b"{") or (
        sample.startswith(b"[") and sample[1:].lstrip()[:1] in (b"{", b"]", b"")
    ):
        return _json_format(sample)
    lines = [
        line.strip(b" \r")
        for line in sample.split(b"\n")
        if line.strip() and not line.lstrip().startswith((b"#", b";"))
    ][:_LINES]
    if _most(lines, _RECORD):
        return "rpz"
    if _most(lines, _HOST):
        return "hosts"
    for separator in _SEPARATORS:
        # A trailing comment may hold a comma; a table has one in nearly every line.
        with_it = sum(separator in line.partition(b"#")[0] for line in lines)
        if lines and with_it * 2 > len(lines):
            return "csv"
    return "names"


def refuse_archive(data: bytes) -> None:
    """Refuse what would have to be unpacked: only gzip is, and within bounds (THREATS 31).

    Raises:
        WireFormatError: ``E_ARCHIVE``.
    """
    if data.startswith(_ARCHIVES):
        raise WireFormatError(
            "E_ARCHIVE", "the file is an archive", "Unpack it and give the file that is inside."
        )


def _json_format(sample: bytes) -> Format:
    if _MISP.search(sample) and b'"spec_version"' not in sample:
        return "misp"
    return "stix20" if _STIX_20.search(sample) else "stix"


def _most(lines: list[bytes], form: re.Pattern[bytes]) -> bool:
    return bool(lines) and sum(form.match(line) is not None for line in lines) * 2 > len(lines)
