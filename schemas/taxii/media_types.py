"""TAXII's media type: who may be answered in it, and who sent it (TAXII 2.1 §1.6.8, §3.1).

Decides: whether an ``Accept`` field takes our answers, and whether a ``Content-Type`` names TAXII.

Invariants:
* names and parameters are compared without regard to case, in any order;
* of the ranges that match, the most specific one decides, so ``q=0`` can take one type out of
  ``*/*`` (RFC 9110 §12.5.1);
* a missing field and the bare type are taken: real importers send both (DNS 4).

>>> accepts_taxii("application/taxii+json; version=2.1")
True
>>> accepts_taxii("application/json, */*;q=0.1")
True
>>> accepts_taxii("application/taxii+json;version=2.0")
False
>>> is_taxii_content("application/taxii+json;version=2.1")
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

TAXII: Final = "application/taxii+json;version=2.1"
STIX: Final = "application/stix+json;version=2.1"

_TYPE: Final = "application/taxii+json"
_VERSION: Final = "2.1"
_LONGEST_FIELD: Final = 2_000
_QUALITY: Final = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")


@dataclass(frozen=True, slots=True)
class _MediaRange:
    name: str
    parameters: dict[str, str]


def accepts_taxii(field: str | None) -> bool:
    """Tell whether an ``Accept`` field takes ``application/taxii+json;version=2.1``.

    Args:
        field: the field as received, several lines joined by commas; None when it was not sent.
    """
    if field is None or not field.strip():
        return True
    if len(field) > _LONGEST_FIELD:
        return False
    best = (-1, 0.0)
    for part in field.split(","):
        media_range = _read_range(part)
        if media_range is None:
            continue
        specificity = _specificity(media_range)
        quality = _quality(media_range)
        if specificity is not None and quality is not None:
            best = max(best, (specificity, quality))
    return best[1] > 0


def is_taxii_content(field: str | None) -> bool:
    """Tell whether a ``Content-Type`` field names TAXII 2.1, with its version or bare."""
    media_range = None if field is None else _read_range(field[:_LONGEST_FIELD])
    if media_range is None or media_range.name != _TYPE:
        return False
    return media_range.parameters.get("version", _VERSION) == _VERSION


def _read_range(text: str) -> _MediaRange | None:
    """Read one range; None when it is malformed, which then matches nothing."""
    name, *rest = (part.strip() for part in text.lower().split(";"))
    main, slash, sub = name.partition("/")
    if not slash or not _TOKEN.fullmatch(main) or not _TOKEN.fullmatch(sub):
        return None
    parameters = {}
    for parameter in rest:
        if not parameter:
            continue
        key, _, value = parameter.partition("=")
        parameters[key.strip()] = value.strip().strip('"')
    return _MediaRange(name, parameters)


def _specificity(media_range: _MediaRange) -> int | None:
    """Rate how exactly a range names our type; None when it does not match."""
    if media_range.name == "*/*":
        return 0
    if media_range.name == "application/*":
        return 1
    if media_range.name != _TYPE:
        return None
    version = media_range.parameters.get("version")
    if version is None:
        return 2
    return 3 if version == _VERSION else None


def _quality(media_range: _MediaRange) -> float | None:
    text = media_range.parameters.get("q", "1")
    return float(text) if _QUALITY.fullmatch(text) else None
