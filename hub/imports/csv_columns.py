"""Which column of a table means what, and how its cells are read (``csv_tables`` walks the rows).

Decides: the meaning of headings that feeds use, of ``--map column=meaning``, and the value of a
cell. A word for a threat that this vocabulary does not have is taken as the import's own threat
type and said to be changed; every other cell that cannot be read refuses its line, because half a
claim is another claim.

Does not: read a clock. What ended before ``now`` is refused by the walk.

>>> columns = read_columns(["First Seen (UTC)", "Domain"], {})
>>> columns.places
{'first_seen': 0, 'name': 1}
>>> read_when("2026-03-01", ends=True)
datetime.datetime(2026, 3, 2, 0, 0, tzinfo=datetime.timezone.utc)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from schemas.dns.extensions import MATCH_SCOPES, THREAT_TYPES
from schemas.errors import WireFormatError

NAME: Final = "name"
MEANINGS: Final = (
    NAME, "threat_type", "family", "first_seen", "valid_until", "confidence", "comment",
    "match_scope", "tlp",
)  # fmt: skip
_HEADINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "name": NAME, "domain": NAME, "domain_name": NAME, "hostname": NAME, "host": NAME,
        "fqdn": NAME, "dns": NAME, "ioc": NAME, "ioc_value": NAME, "indicator": NAME,
        "threat_type": "threat_type", "threat": "threat_type", "category": "threat_type",
        "family": "family", "malware": "family", "malware_printable": "family",
        "first_seen": "first_seen", "first_seen_utc": "first_seen", "firstseen": "first_seen",
        "dateadded": "first_seen", "date_added": "first_seen", "valid_from": "first_seen",
        "valid_until": "valid_until", "expires": "valid_until", "expiry": "valid_until",
        "expiration": "valid_until",
        "confidence": "confidence", "confidence_level": "confidence", "score": "confidence",
        "comment": "comment", "description": "comment", "note": "comment",
        "match_scope": "match_scope", "scope": "match_scope",
        "tlp": "tlp", "label": "tlp",
    }
)  # fmt: skip
_THREATS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "c2": "malware-c2", "cc": "malware-c2", "c&c": "malware-c2", "botnet_cc": "malware-c2",
        "botnet-cc": "malware-c2", "command-and-control": "malware-c2", "malware": "malware-c2",
        "payload_delivery": "malware-distribution", "malware_download": "malware-distribution",
        "payload": "malware-distribution", "distribution": "malware-distribution",
        "phish": "phishing", "tunneling": "tunnelling", "dns-tunnel": "tunnelling",
        "typosquatting": "lookalike", "look-alike": "lookalike",
    }
)  # fmt: skip
_WORDS_OF_CONFIDENCE: Final[Mapping[str, int]] = MappingProxyType(
    {"none": 0, "low": 15, "medium": 50, "med": 50, "high": 85}
)
"""STIX 2.1 Appendix A, the scale None / Low / Med / High."""
MOST_CONFIDENT: Final = 100
_DIGITS: Final = 4
"""Of a number that is read; Python refuses to read some thousands."""
_EPOCH: Final = re.compile(r"[0-9]{9,10}", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_LONGEST_COMMENT: Final = 1_000
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_FAMILY: Final = re.compile(r"[^A-Za-z0-9._+ -]")
_LONGEST_FAMILY: Final = 100


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row each meaning stands; only the name has to be somewhere.

    Args:
        titles: the headings as they were written, for errors.
        has_heading: the first row is a heading and no data.
    """

    places: Mapping[str, int]
    has_heading: bool = True
    titles: tuple[str, ...] = field(default=())


def read_columns(first: Sequence[str], wanted: Mapping[str, str]) -> Columns:
    """Find out what the columns mean.

    Args:
        first: the cells of the first row.
        wanted: meaning by column, a heading or a number from 1; it goes before what is guessed.

    Raises:
        WireFormatError: ``E_CSV_COLUMN``.
    """
    headings = [_plain(cell) for cell in first]
    guessed: dict[str, int] = {}
    for place, heading in enumerate(headings):
        meaning = _HEADINGS.get(heading)
        if meaning is not None:
            guessed.setdefault(meaning, place)
    chosen: dict[str, int] = {}
    by_number = False
    for column, meaning in wanted.items():
        if meaning not in MEANINGS:
            raise _bad(f"no column means {meaning[:40]!r}", f"Choose of {', '.join(MEANINGS)}.")
        if _plain(column) in headings:
            chosen[meaning] = headings.index(_plain(column))
        elif _is_number(column) and 1 <= int(column) <= len(first):
            chosen[meaning] = int(column) - 1
            by_number = True
        else:
            raise _bad(f"there is no column {column[:40]!r}", "Name a heading, or a number from 1.")
    taken = set(chosen.values())
    places = {m: p for m, p in guessed.items() if p not in taken} | chosen
    if NAME not in places:
        raise _bad(
            "no heading says which column is the name",
            "Say it: --map 2=name for the second column, or --map HEADING=name.",
        )
    # With columns by number a table may have no heading: what no heading is known of is data.
    return Columns(places, has_heading=bool(guessed) or not by_number, titles=tuple(first))


def is_heading(cells: Sequence[str]) -> bool:
    """Tell whether a row says which of its columns is the name, as feeds do inside a comment."""
    return any(_HEADINGS.get(_plain(cell)) == NAME for cell in cells)


def read_threat(text: str) -> str | None:
    """Read a threat type in our words or another feed's; None for a word that is unknown."""
    word = text.strip().lower()
    if word in THREAT_TYPES:
        return word
    return _THREATS.get(word) or _THREATS.get(word.replace(" ", "_"))


def read_confidence(text: str) -> int:
    """Read a confidence, 0 to 100 or one of STIX's four words.

    Raises:
        WireFormatError: ``E_CSV_VALUE``.
    """
    word = text.strip().lower().removesuffix("%").strip()
    if word in _WORDS_OF_CONFIDENCE:
        return _WORDS_OF_CONFIDENCE[word]
    if word.isascii() and word.isdecimal() and len(word) <= _DIGITS and int(word) <= MOST_CONFIDENT:
        return int(word)
    raise WireFormatError("E_CSV_VALUE", f"a confidence is 0 to 100: {text[:40]!r}")


def read_when(text: str, *, ends: bool = False) -> datetime:
    """Read an instant: ISO 8601 in UTC unless it says otherwise, or seconds since 1970.

    Args:
        ends: a day alone ends with its last moment.

    Raises:
        WireFormatError: ``E_CSV_VALUE``.
    """
    written = text.strip().removesuffix(" UTC")
    try:
        if _EPOCH.fullmatch(written):
            return datetime.fromtimestamp(int(written), UTC)
        found = datetime.fromisoformat(written)
        if ends and _DAY.fullmatch(written):
            found += timedelta(days=1)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WireFormatError("E_CSV_VALUE", f"no date: {text[:40]!r}") from None


def read_scope(text: str) -> str:
    """Read a match scope.

    Raises:
        WireFormatError: ``E_CSV_VALUE``.
    """
    word = text.strip().lower()
    if word not in MATCH_SCOPES:
        raise WireFormatError("E_CSV_VALUE", f"no match scope: {text[:40]!r}")
    return word


def read_comment(text: str) -> str | None:
    """Cut a comment for people to size, without control characters."""
    return _CONTROLS.sub(" ", text).strip()[:_LONGEST_COMMENT] or None


def read_family(text: str) -> str | None:
    """Read the name of a family as a label: what no such name has is left out."""
    return _FAMILY.sub("", text).strip().lower()[:_LONGEST_FAMILY] or None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def _plain(heading: str) -> str:
    """Bring ``First Seen (UTC)`` and ``first_seen_utc`` to one spelling."""
    words = re.sub(r"[^a-z0-9]+", "_", heading.strip().lstrip("#").lower()).strip("_")
    return "first_seen" if words in {"first_seen_utc", "first_seen"} else words


def _bad(detail: str, remedy: str) -> WireFormatError:
    return WireFormatError("E_CSV_COLUMN", detail, remedy)
