"""Guards, blocks and blast radius in sentences: the English of the command line.

>>> from hub.verdicts.guards import GuardHit
>>> guard_sentence(GuardHit("refuse", "GUARD_TLD", "tlds", "com", "exact", None), "com")
'com is a top-level domain: never blocked (list tlds).'
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hub.verdicts.blast_radius import BlastRadius
from hub.verdicts.guards import GuardHit
from schemas.dns.subjects import Subject

_WHAT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "GUARD_TLD": "a top-level domain",
        "GUARD_PUBLIC_SUFFIX": "a public suffix, under which others register",
        "GUARD_SHARED_SUFFIX": "a suffix or host that strangers share",
        "GUARD_POPULAR": "one of the most-used names",
        "GUARD_CRITICAL": "a name that much else depends on",
        "GUARD_NAME_SERVER": "a name-server's name",
        "GUARD_RESOLVER": "a resolver's name",
        "GUARD_SINKHOLE": "a sinkhole's name",
        "GUARD_SPECIAL_USE": "a name for special use",
        "GUARD_MEMBER": "a zone of one of us",
        "GUARD_OWN_LIST": "on one of your own lists",
        "GUARD_RESERVED": "an address that no name of the public net has",
        "GUARD_WIDE": "a network wider than /24 or /48",
    }
)
_GRADES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "refuse": "never blocked",
        "hold": "blocked only after a person decided",
        "warn": "may be blocked, and this is the warning",
    }
)
BLOCK_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "BLOCKED": "Everything that a block needs is there.",
        "NOT_BLOCKED_EXERCISE": "It is marked as an exercise.",
        "NOT_BLOCKED_RESULT": "The result is below 0.75.",
        "NOT_BLOCKED_LINEAGES": "Fewer than two independent lineages say so.",
        "NOT_BLOCKED_TRUST": "No lineage comes from a peer at trusted or above.",
        "NOT_BLOCKED_PAP": "The origins permit no action that the other side can notice.",
        "NOT_BLOCKED_REACH": "Some mean the name alone and others only what is below it, and "
        "neither suffice for a block.",
        "NOT_BLOCKED_GUARD_REFUSES": "A guard protects the name.",
        "NOT_BLOCKED_GUARD_HOLDS": "A guard holds it until a person decides.",
    }
)


HOLD_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CONTESTED": "Three or more disagree: contested, until a person decides.",
        "AUTHORITY_BENIGN": "An authority there says that it is harmless: held for 72 hours.",
        "DECIDED_NOT_TO_BLOCK": "A person decided that it is not to be blocked.",
        "HIJACK_AUTHORISED": "An authority for the zone says that the change to this name server "
        "was authorised.",
    }
)


_SUBJECTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "nsdname": "the name server {}",
        "nsip": "name servers at {}",
        "ip": "the address {}",
    }
)


def subject_words(subject: Subject) -> str:
    """Say what a claim is about.

    >>> subject_words(Subject("ns1.rogue.example", "nsdname"))
    'the name server ns1.rogue.example'
    """
    return _SUBJECTS.get(subject.match_on, "{}").format(subject.value)


def guard_sentence(hit: GuardHit, name: str) -> str:
    """Say which guard a block of ``name`` hits, and what follows."""
    what = _WHAT.get(hit.code, hit.code)
    subject = {
        "exact": f"{name} is {what}",
        "below": f"{name} is below {hit.matched}, {what}",
        "above": f"A block below {name} reaches {hit.matched}, {what}",
    }[hit.how]
    lifted = "" if hit.overridden_by is None else f"; overridden ({hit.overridden_by})"
    return f"{subject}: {_GRADES.get(hit.grade, hit.grade)} (list {hit.list_name}){lifted}."


def block_sentence(code: str) -> str:
    """Say what a code of ``decide_block`` means; a code of another's is given as it is."""
    return BLOCK_WORDS.get(code) or HOLD_WORDS.get(code, code)


def radius_sentences(radius: BlastRadius) -> tuple[str, ...]:
    """Say what hangs on a name."""
    said = []
    if radius.below:
        names = ", ".join(radius.below_examples)
        more = "" if radius.below == len(radius.below_examples) else ", …"
        said.append(f"{radius.below} names below it are known here: {names}{more}.")
    else:
        said.append("No name below it is known here.")
    if radius.most_used is not None:
        said.append(
            f"It is among the {radius.most_used:,} most-used names ({radius.most_used_list})."
        )
    if radius.shared_suffix == radius.name:
        said.append("Strangers share it: a block with all below hits every one of them.")
    elif radius.shared_suffix is not None:
        said.append(f"It is one of many under {radius.shared_suffix}, which strangers share.")
    if radius.registrable not in {None, radius.name}:
        said.append(f"The registered domain is {radius.registrable}.")
    return tuple(said)
