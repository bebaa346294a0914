"""One sharing decision: yes or no, a stable code, the rule it follows, and the facts.

Decisions are stored as ``(code, params)`` and put into words at the door by
``federation.policy.explain`` (ARCHITECTURE 5), so a code is never renamed.

Invariants:
* ``allowed`` follows from the code and from nothing else, so the two cannot disagree;
* every code is in ``Code``, which is closed, and has its sentence;
* ``params`` holds JSON values only, and no content of an object.

What it does not do: decide. That is in ``sharing``, ``redistribution`` and ``admission``.

>>> Decision.of("ALLOWED_GREEN_MEMBER", "PROTOCOL 3.2", label="green").allowed
True
>>> Decision.of("REFUSED_NOT_NAMED", "PROTOCOL 3.2", label="amber").allowed
False
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

POLICY_VERSION: Final = "1"
"""Raised when a rule changes, so that a stored decision says which rules it followed."""

Code = Literal[
    # to a peer, and a peer reading a feed (PROTOCOL 3.2, 2.6)
    "ALLOWED_CLEAR_KNOWN",
    "ALLOWED_GREEN_MEMBER",
    "ALLOWED_AMBER_NAMED",
    "ALLOWED_AMBER_STRICT_NAMED",
    "REFUSED_SUSPENDED",
    "REFUSED_BLOCKED",
    "REFUSED_TRUST_TOO_LOW",
    "REFUSED_NOT_VERIFIED",
    "REFUSED_OUTBOUND_DIAL",
    "REFUSED_NOT_NAMED",
    "REFUSED_BEFORE_JOINED",
    "REFUSED_RED_NEEDS_SEALING",
    "REFUSED_SEALED_FEED",
    # a receiver passing on what another node wrote (PROTOCOL 3.2, 2.4)
    "ALLOWED_RELAY",
    "ALLOWED_TO_ORIGIN",
    "REFUSED_RELAY_NEVER",
    "REFUSED_RELAY_POLICY",
    "REFUSED_RELAY_OFF",
    # a token that reads the intel root (PROTOCOL 3.2, INTERFACE "Kinds of reader")
    "ALLOWED_READER",
    "ALLOWED_READER_TOUCHES",
    "ALLOWED_READER_GROUP",
    "ALLOWED_READER_MACHINE",
    "REFUSED_READER_KIND",
    "REFUSED_READER_LABEL",
    "REFUSED_NO_ORIGINALS",
    "REFUSED_CLEARANCE",
    "REFUSED_NOT_TOUCHING",
    "REFUSED_NOT_IN_GROUP",
    "REFUSED_RED_NOT_FOR_MACHINES",
]
CODES: Final[frozenset[str]] = frozenset(get_args(Code))


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided and why.

    Args:
        allowed: whether it may go.
        code: stable and documented.
        rule: where the rule is written, such as ``PROTOCOL 3.2, TLP:GREEN, direct to peer``.
        params: the facts that the sentence needs, JSON values.
    """

    allowed: bool
    code: Code
    rule: str
    params: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, code: Code, rule: str, **params: object) -> Decision:
        """Build the decision that ``code`` states."""
        return cls(code.startswith("ALLOWED_"), code, rule, params)
