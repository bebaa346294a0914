"""The vectors of what federation brought to the wire (PROTOCOL 2.10), one file for each subject.

``python -m tests.support.wire_vectors --write`` writes them anew, without ``--write`` it names the
files that would change. A change of one is a change of the wire. Nothing in ``tests.support.wire``
imports the product: the bytes come from PROTOCOL's text, the standard library and libsodium.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.wire import exchange, groups, keys, pushes, recall, statements
from tests.support.wire.organisations import Subject

FOLDER = Path(__file__).parents[1] / "conformance" / "vectors"
SUBJECTS: dict[str, Callable[[], Subject]] = {
    "group_feeds": groups.build,
    "recall": recall.build,
    "stubs": recall.build_stubs,
    "acks": statements.build_acks,
    "proofs": statements.build_proofs,
    "vouches": statements.build_vouches,
    "keys": keys.build,
    "pushes": pushes.build,
    "carried_files": exchange.build_carried,
    "versions": exchange.build_versions,
}


def file_of(subject: str) -> Path:
    return FOLDER / f"{subject}.json"


def text_of(subject: str) -> str:
    """Write a subject's vectors as its file has them."""
    return json.dumps(SUBJECTS[subject]().written(), indent=1, ensure_ascii=False) + "\n"


def write_vectors() -> None:
    for subject in SUBJECTS:
        file_of(subject).write_text(text_of(subject), encoding="utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        write_vectors()
    else:
        changed = [
            name
            for name in SUBJECTS
            if not file_of(name).exists()
            or file_of(name).read_text(encoding="utf-8") != text_of(name)
        ]
        print("\n".join(changed))
        sys.exit(bool(changed))
