"""The protected names that come with the installation: public suffixes, critical and popular names.

Decides how each list is graded. From the extra ``guards`` (the wheel ``pymispwarninglists``) its
JSON files are read one by one; its object model is never imported (it takes 354 MB).

Invariants:
* a popular name is protected alone: phishing below a large host is blocked like any other;
* what is infrastructure is protected with all below it;
* a suffix under which strangers register (``co.uk``) is refused, one under which they rent
  (``duckdns.org``) is held for a person;
* a list that is missing or of another shape protects nothing and breaks nothing.

What it does not do: know the operator's own lists or the members' zones (``guard_state``).
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import publicsuffixlist

from hub.verdicts.critical_names import (
    CRITICAL,
    NAME_SERVERS,
    RESOLVERS,
    SINKHOLES,
    SPECIAL_USE,
)
from schemas.errors import WireFormatError
from schemas.members import read_object
from schemas.strict_json import strict_loads

Grade = Literal["refuse", "hold", "warn"]
REFUSE: Final = "refuse"
HOLD: Final = "hold"
WARN: Final = "warn"
GRADES: Final[tuple[Grade, ...]] = (REFUSE, HOLD, WARN)

Covers = Literal["alone", "below", "children"]
ALONE: Final = "alone"
BELOW: Final = "below"
CHILDREN: Final = "children"

TLD: Final = "GUARD_TLD"
SUFFIX: Final = "GUARD_PUBLIC_SUFFIX"
SHARED: Final = "GUARD_SHARED_SUFFIX"
POPULAR: Final = "GUARD_POPULAR"
CRITICAL_NAME: Final = "GUARD_CRITICAL"
NAME_SERVER: Final = "GUARD_NAME_SERVER"
RESOLVER: Final = "GUARD_RESOLVER"
SINKHOLE: Final = "GUARD_SINKHOLE"
SPECIAL: Final = "GUARD_SPECIAL_USE"
MEMBER: Final = "GUARD_MEMBER"
OWN_LIST: Final = "GUARD_OWN_LIST"
RESERVED: Final = "GUARD_RESERVED"
WIDE: Final = "GUARD_WIDE"
GUARD_CODES: Final = frozenset(
    {TLD, SUFFIX, SHARED, POPULAR, CRITICAL_NAME, NAME_SERVER, RESOLVER, SINKHOLE, SPECIAL}
    | {MEMBER, OWN_LIST, RESERVED, WIDE}
)

_WHEEL: Final = "pymispwarninglists"
_LONGEST_LIST: Final = 16 * 1024 * 1024
_PLAIN: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listed:
    """How a list protects a name.

    Args:
        grade: ``refuse`` blocks never, ``hold`` needs a person, ``warn`` is shown.
        covers: the name alone, it and all below, or it and what stands right below.
    """

    grade: Grade
    code: str
    list_name: str
    covers: Covers


Protected = tuple[str, Listed]


@dataclass(frozen=True, slots=True)
class InstalledNames:
    """What the installation protects; ``exceptions`` are no suffixes though a rule says so."""

    protected: Iterator[Protected]
    exceptions: frozenset[str]


@dataclass(frozen=True, slots=True)
class WheelList:
    """A list of the wheel, and what it means here.

    Args:
        place: for rankings, how many names the ranking holds.
        below: what a leading dot in the list, "and all below", is graded.
    """

    name: str
    grade: Grade
    code: str
    place: int | None = None
    below: Grade | None = None


WHEEL_LISTS: Final = (
    WheelList("cisco_top1000", REFUSE, POPULAR, 1_000),
    WheelList("moz-top500", REFUSE, POPULAR, 500),
    WheelList("alexa", REFUSE, POPULAR, 1_000),
    WheelList("google", REFUSE, POPULAR, None, HOLD),
    WheelList("microsoft", REFUSE, POPULAR, None, HOLD),
    WheelList("microsoft-office365", REFUSE, POPULAR),
    WheelList("microsoft-win10-connection-endpoints", REFUSE, POPULAR, None, HOLD),
    WheelList("captive-portals", REFUSE, CRITICAL_NAME),
    WheelList("bank-website", REFUSE, CRITICAL_NAME, None, REFUSE),
    WheelList("dax30", REFUSE, CRITICAL_NAME, None, HOLD),
    WheelList("cisco_top10k", HOLD, POPULAR, 10_000),
    WheelList("tranco10k", HOLD, POPULAR, 10_000),
    WheelList("majestic_million", HOLD, POPULAR, 10_000),
    WheelList("university_domains", HOLD, POPULAR),
    WheelList("public-dns-hostname", HOLD, RESOLVER),
    WheelList("umbrella-blockpage-hostname", HOLD, SINKHOLE),
    WheelList("security-provider-blogpost", HOLD, POPULAR),
    WheelList("lots-project", HOLD, SHARED),
    WheelList("link-in-bio", HOLD, SHARED),
    WheelList("url-shortener", HOLD, SHARED),
    WheelList("dynamic-dns", WARN, SHARED, None, WARN),
    WheelList("cisco_top20k", WARN, POPULAR, 20_000),
    WheelList("parking-domain-ns", WARN, NAME_SERVER),
)
MILLION_LISTS: Final = ("tranco", "google-chrome-crux-1million")
"""Rankings so long that they are asked for one name at a time, and guard nothing: malware too is
among the million most-used names."""


def installed_names() -> InstalledNames:
    """Read every list of the installation; a fifth of a second, once a process."""
    suffixes, exceptions = read_suffixes()
    return InstalledNames(_every(suffixes), exceptions)


def _every(suffixes: list[Protected]) -> Iterator[Protected]:
    yield from suffixes
    yield from _written(CRITICAL, Listed(REFUSE, CRITICAL_NAME, "critical", ALONE))
    # Below a large provider there is phishing too: a person decides, by an override.
    yield from _written(CRITICAL, Listed(HOLD, CRITICAL_NAME, "critical", BELOW))
    yield from _written(NAME_SERVERS, Listed(REFUSE, NAME_SERVER, "name-servers", BELOW))
    yield from _written(RESOLVERS, Listed(REFUSE, RESOLVER, "resolvers", BELOW))
    yield from _written(SINKHOLES, Listed(HOLD, SINKHOLE, "sinkholes", BELOW))
    yield from _written(SPECIAL_USE, Listed(REFUSE, SPECIAL, "special-use", ALONE))
    for wheel_list in WHEEL_LISTS:
        yield from read_wheel_list(wheel_list)


def _written(names: tuple[str, ...], listed: Listed) -> Iterator[Protected]:
    return ((name, listed) for name in names)


def read_suffixes() -> tuple[list[Protected], frozenset[str]]:
    """Read the public suffix list with its sections apart, and the names it excepts."""
    protected: list[Protected] = []
    exceptions: set[str] = set()
    refused = Listed(REFUSE, SUFFIX, "public-suffixes", ALONE)
    all_refused = Listed(REFUSE, SUFFIX, "public-suffixes", CHILDREN)
    rented = Listed(HOLD, SHARED, "shared-suffixes", ALONE)
    all_rented = Listed(HOLD, SHARED, "shared-suffixes", CHILDREN)
    private = False
    for line in Path(publicsuffixlist.PSLFILE).read_text("utf-8").splitlines():
        if line.startswith("// ===BEGIN PRIVATE DOMAINS==="):
            private = True
        rule = line.split(" ")[0].strip().lower()
        if not rule or rule.startswith("//"):
            continue
        if rule.startswith("!"):
            exceptions.add(_ascii(rule[1:]))
        elif rule.startswith("*."):
            protected.append((_ascii(rule[2:]), all_rented if private else all_refused))
        else:
            protected.append((_ascii(rule), rented if private else refused))
    return protected, frozenset(exceptions)


def _ascii(name: str) -> str:
    # As publicsuffixlist itself does: the list's names are IDNA 2003 and known to encode.
    return name if name.isascii() else name.encode("idna").decode("ascii")


def read_wheel_list(wheel_list: WheelList) -> Iterator[Protected]:
    """Read one list of the extra; nothing where it is not installed."""
    alone = Listed(wheel_list.grade, wheel_list.code, wheel_list.name, ALONE)
    below = Listed(wheel_list.below or WARN, wheel_list.code, wheel_list.name, BELOW)
    for text in _lines_of(wheel_list.name):
        dotted = text.startswith(".")
        name = text.lower().strip(".")
        if not _PLAIN.fullmatch(name) or (dotted and "." not in name):
            continue
        yield name, alone
        if dotted and wheel_list.below is not None:
            yield name, below


def _lines_of(list_name: str) -> list[str]:
    file = wheel_file(list_name)
    if file is None:
        return []
    try:
        body = strict_loads(file.read_bytes(), max_bytes=_LONGEST_LIST)
        found = read_object(body, "list").get("list")
    except (OSError, WireFormatError):
        return []
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def wheel_file(list_name: str) -> Path | None:
    """Find a list's file in the extra, without importing the extra."""
    found = importlib.util.find_spec(_WHEEL)
    if found is None or not found.submodule_search_locations:
        return None
    lists = Path(found.submodule_search_locations[0]) / "data" / "misp-warninglists" / "lists"
    file = lists / list_name / "list.json"
    return file if file.is_file() else None
