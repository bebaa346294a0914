"""A figure and what it is measured against."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass
from pathlib import Path

from tests.support import shared_data


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    what: str
    value: str
    beside: str = ""
    ratio: str = ""


def write_names(file: Path, count: int) -> str:
    """Write ``count`` names to a file; real ones where they are, and say which."""
    real = shared_data._SHARED / "data/maltrail/malware-domains-250k.txt.gz"
    if real.exists():
        lines = gzip.decompress(real.read_bytes()).decode().splitlines()
        # From the whole list, which is sorted: its first names are no typical ones.
        file.write_text("\n".join(lines[:: max(1, len(lines) // count)][:count]))
        return "real names"
    numbers = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    made = {
        "".join(numbers.choices(letters, k=numbers.randint(6, 20))) + ".example"
        for _ in range(count)
    }
    file.write_text("\n".join(sorted(made)))
    return "made-up names"
