"""What the model speaks of: labels and trust, relations, needles, objects and groups.

With the tables of PROTOCOL 3.2 and 4.1 as they are read here. Imports nothing of the product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Feed = tuple[int, str]

CLEAR, GREEN, AMBER, STRICT, RED = range(5)
"""Labels, laxer to stricter."""
BLOCKED, KNOWN, MEMBER, TRUSTED, PARTNER = range(5)
"""T0 to T4."""

SAID, RESTRICTED, WITHDRAWN, WIDENED = "said", "restricted", "withdrawn", "widened"
"""What a word of an origin's does to an object."""

DIRECT_TRUST = {CLEAR: KNOWN, GREEN: MEMBER, AMBER: TRUSTED, STRICT: TRUSTED}
"""PROTOCOL 3.2 "direct to peer"; RED is not there, since it never travels unsealed."""
OUTBOUND = {BLOCKED: CLEAR, KNOWN: CLEAR, MEMBER: GREEN, TRUSTED: STRICT, PARTNER: RED}
"""PROTOCOL 4.1: the strictest label that each preset lets out."""
RELAYED_TO = {
    ("clear", "public"): KNOWN,
    ("clear", "community"): MEMBER,
    ("green", "community"): MEMBER,
}
"""PROTOCOL 3.2 "relay in clear": audience and ``policy.relay``; what is not there never is."""


@dataclass
class Relation:
    """What one node has decided about another."""

    trust: int
    verified: bool = True
    suspended: bool = False
    outbound: int | None = None
    passed_on: bool = True

    @property
    def stands(self) -> bool:
        """Whether there is a relation at all: neither blocked nor suspended."""
        return self.trust > BLOCKED and not self.suspended

    @property
    def counts(self) -> int:
        """The trust that counts."""
        if not self.stands:
            return BLOCKED
        return self.trust if self.verified else min(self.trust, KNOWN)

    @property
    def lets_out(self) -> int:
        """The strictest label that the dials let out."""
        return OUTBOUND[self.trust] if self.outbound is None else self.outbound


@dataclass
class Needle:
    """One plaintext, and where it may be; or a word of its origin's that has no plaintext.

    Args:
        number: in the order in which everything was written.
        feeds: the feeds that carry it for certain.
        echoes: feeds that may carry it too, all of whose readers were entitled before.
        may: for each node that may hold it, the feeds through which it got it.
        must: for each node that holds it for certain, the same.
        taken: by feed, the word that takes it back there, and whether its bytes go.
        shaky: feeds that may have stopped to carry it.
        lost: which node erased what a feed brought, at itself alone.
        proven: nodes that may keep it in the proof that its origin signed two histories.
        is_silent: a word alone, such as a withdrawal.
    """

    words: str
    number: int
    feeds: set[Feed]
    label: int
    stix_id: str
    may: dict[int, set[Feed]]
    must: dict[int, set[Feed]]
    echoes: set[Feed] = field(default_factory=set)
    taken: dict[Feed, tuple[str, bool]] = field(default_factory=dict)
    shaky: set[Feed] = field(default_factory=set)
    lost: set[tuple[int, Feed]] = field(default_factory=set)
    proven: set[int] = field(default_factory=set)
    is_silent: bool = False


@dataclass
class StixObject:
    """One object of one origin, over all its versions.

    Args:
        label: the strictest that its origin has said of it.
        words: the needles of its versions, the newest last.
        said: words of its origin's on it, with what each says.
        value: the newest version as it was given to be published.
        groups: the groups that it was published to.
        notes: the needles of what refers to it.
        is_over: withdrawn, or taken back in another way that ends it.
    """

    stix_id: str
    origin: int
    label: int
    feeds: set[Feed]
    words: list[str] = field(default_factory=list)
    said: list[tuple[str, str, int]] = field(default_factory=list)
    value: dict[str, Any] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    is_over: bool = False


@dataclass
class Group:
    """A group of one node.

    Args:
        feeds: the one through which it speaks is the last.
        keeps_history: whether who joins reads from the start.
    """

    name: str
    owner: int
    feeds: list[Feed]
    keeps_history: bool
