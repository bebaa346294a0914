"""Whether a detection pattern is well-formed, and which names and addresses a simple one means.

Decides: simple comparisons by one strict expression (a name, an address, a URL, and chains of
``OR``); every other STIX pattern by stix2-patterns, the OASIS grammar.

Invariants:
* no pattern is ever evaluated, and the expression inside ``MATCHES`` is never compiled: an
  expression from outside is a way to stall the node;
* work is bounded before the grammar's recursive parser sees a byte: 4 KiB, 16 brackets deep.

>>> simple_observables("[domain-name:value = 'evil.example' OR ipv4-addr:value = '192.0.2.1']")
(Observable(kind='domain-name', value='evil.example'), Observable(kind='ipv4-addr', value='192.0.2.1'))
"""  # noqa: E501 - a doctest's answer stands on one line

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from stix2patterns.validator import run_validator

from schemas.errors import WireFormatError

MAX_PATTERN_BYTES = 4096
MAX_FOREIGN_PATTERN_BYTES = 65_536
"""For the languages that we only pass on: a YARA rule is longer than a STIX pattern."""
MAX_PATTERN_DEPTH = 16

# Possessive: one way to read a string, and no step for each of its letters.
_INSIDE = r"[^'\\]*+(?:\\['\\][^'\\]*+)*+"
_STRING = rf"'{_INSIDE}'"
_COMPARISON = rf"(?:domain-name|ipv4-addr|ipv6-addr|url):value *= *{_STRING}"
_OBSERVATION = rf"\[ *{_COMPARISON}(?: +OR +{_COMPARISON})* *\]"
_SIMPLE = re.compile(rf"{_OBSERVATION}(?: +OR +{_OBSERVATION})*")
_PARTS = re.compile(rf"(domain-name|ipv4-addr|ipv6-addr|url):value *= *'({_INSIDE})'")
_ONE_PART = re.compile(r"\[(domain-name|ipv4-addr|ipv6-addr|url):value = '([^'\\]*+)'\]")
_RESOLVED = r"domain-name:resolves_to_refs\[\*\]\.value"
_KIND = rf"(?:(?:domain-name|ipv4-addr|ipv6-addr|url):value|{_RESOLVED})"
_ONE_OF = rf"{_KIND} *= *{_STRING}"
_EITHER = rf"\[ *{_ONE_OF}(?: +OR +{_ONE_OF})* *\]"
_ALTERNATIVES = re.compile(rf"{_EITHER}(?: +OR +{_EITHER})*")
_EACH = re.compile(rf"({_KIND}) *= *'({_INSIDE})'")
RESOLVES_TO = "resolves-to"
"""The kind of what a name in a pattern resolves to."""
_KINDS = {"domain-name:resolves_to_refs[*].value": RESOLVES_TO}
_ESCAPE = re.compile(r"\\(['\\])")
_BRACKETS = re.compile(rf"{_STRING}|[()\[\]]")
_VOCABULARY_WORD = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Observable:
    """One value that a pattern names.

    Args:
        kind: ``domain-name``, ``ipv4-addr``, ``ipv6-addr`` or ``url``.
        value: as written in the pattern, escapes resolved; not yet read as a name.
    """

    kind: str
    value: str


def check_pattern(pattern: str, pattern_type: str) -> None:
    """Check a pattern in the language that it says it is in (STIX 2.1 §4.7.1).

    Languages other than ``stix`` are not parsed: we pass them on and run none of them. The
    vocabulary of languages is open, so an unknown word passes, but only a word in the form of
    one: ``STIX`` would reach a consumer as a STIX pattern that nobody has checked.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    if not _VOCABULARY_WORD.fullmatch(pattern_type):
        raise WireFormatError("E_SCHEMA", "pattern_type is not a lower-case word")
    if not pattern.strip():
        raise WireFormatError("E_SCHEMA", "the pattern is empty")
    limit = MAX_PATTERN_BYTES if pattern_type == "stix" else MAX_FOREIGN_PATTERN_BYTES
    if len(pattern) * 4 > limit and len(pattern.encode("utf-8", "surrogatepass")) > limit:
        raise WireFormatError("E_SCHEMA", f"the pattern is longer than {limit} bytes")
    if pattern_type != "stix" or _SIMPLE.fullmatch(pattern):
        return
    found = _fault_in(pattern)
    if found:
        raise WireFormatError("E_SCHEMA", found)


def simple_observables(pattern: str) -> tuple[Observable, ...]:
    """List what a simple STIX pattern names; nothing when the pattern says more than ``OR``.

    An empty answer means "not simple", never "matches nothing": a pattern with ``AND``, ``NOT``
    or a qualifier must not be exported as if it were a plain list.
    """
    if len(pattern) > MAX_PATTERN_BYTES:
        return ()
    # Nearly all that members share has this one form.
    only = _ONE_PART.fullmatch(pattern)
    if only is not None:
        return (Observable(only[1], only[2]),)
    if not _SIMPLE.fullmatch(pattern):
        return ()
    return tuple(
        Observable(kind, _ESCAPE.sub(r"\1", text) if "\\" in text else text)
        for kind, text in _PARTS.findall(pattern)
    )


def named_alternatives(pattern: str) -> tuple[Observable, ...]:
    """List what a pattern of nothing but ``OR`` names, what a name resolves to included.

    Wider than ``simple_observables``, by which it is also decided who reads an object.

    Returns:
        Nothing for ``AND``, ``FOLLOWEDBY``, ``NOT``, a qualifier or any other comparison.
    """
    if len(pattern) > MAX_PATTERN_BYTES or not _ALTERNATIVES.fullmatch(pattern):
        return ()
    return tuple(
        Observable(
            _KINDS.get(path) or path.partition(":")[0],
            _ESCAPE.sub(r"\1", text) if "\\" in text else text,
        )
        for path, text in _EACH.findall(pattern)
    )


@lru_cache(maxsize=1024)
def _fault_in(pattern: str) -> str:
    """Return what is wrong with a pattern, or nothing."""
    # (1) The nesting, in one linear pass: each level is a level of the parser's recursion.
    depth = 0
    for match in _BRACKETS.finditer(pattern):
        bracket = match[0]
        if bracket in "([":
            depth += 1
            if depth > MAX_PATTERN_DEPTH:
                return f"the pattern is nested deeper than {MAX_PATTERN_DEPTH}"
        elif bracket in ")]":
            depth -= 1
    # (2) The grammar of OASIS.
    try:
        faults = run_validator(pattern, "2.1")
    except RecursionError:
        # A long object path recurses too; within 4 KiB that is the only way left.
        return "the pattern is too complex"
    return str(faults[0])[:200] if faults else ""
