"""Listed names as writers of exports take them, made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from hub.exports.listed_name import ExportContext, ListedName
from schemas.markings import Tlp

SINCE = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
ENDS = datetime(2026, 3, 8, 10, 0, tzinfo=UTC)
NODE_ID = "q" * 52


def listed(value: str = "evil.example", **changes: Any) -> ListedName:
    """A name on the list: GREEN, phishing, believed by two and blocked, unless said otherwise."""
    members: dict[str, Any] = {
        "value": value,
        "match_scope": "exact",
        "label": Tlp.GREEN,
        "threat_types": ("phishing",),
        "confidence": 90,
        "lineages": 2,
        "blocked": True,
        "since": SINCE,
        "ends_at": ENDS,
        "stix_id": "indicator--0e1a9d3f-0000-5000-8000-000000000001",
    }
    return ListedName(**(members | changes))


def context(**changes: Any) -> ExportContext:
    """What writers may say beside the names."""
    members: dict[str, Any] = {
        "audience": "organisation",
        "label": Tlp.AMBER_STRICT,
        "node_id": NODE_ID,
        "node_name": "CERT Example",
        "identity": "identity--0e1a9d3f-0000-4000-8000-000000000002",
        "changed_at": SINCE,
        "serial": 7,
    }
    return ExportContext(**(members | changes))


def text_of(chunks: Iterable[bytes]) -> str:
    """The whole of what a writer wrote."""
    return b"".join(chunks).decode()


def texts_of(files: Mapping[str, Iterable[bytes]]) -> dict[str, str]:
    """All files of a writer of several."""
    return {name: text_of(chunks) for name, chunks in files.items()}
