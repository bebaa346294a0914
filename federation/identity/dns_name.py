"""A domain that names a node by a signed TXT record, and what its answer means (PROTOCOL 4.5).

``_tocsin.<domain> TXT "v=tocsin1; id=<node_id>"``, proven by DNSSEC, ties a name that people know
to an id that nobody can read aloud. Invariants:
* without a validated answer a name is unverified, whatever the record says;
* DNS never replaces a key and never changes trust: a name that points elsewhere is news for a
  person (THREATS 53).

What it does not do: ask anybody, or validate signatures; a resolver on this machine does that.

>>> read_statement([b"v=tocsin1; id=" + b"a" * 52])
'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from schemas.identifiers import NodeId, is_node_id

LABEL = "_tocsin"
VERSION = "v=tocsin1"


class NameStanding(Enum):
    """How a peer's domain stands beside its node id."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    ABSENT = "absent"
    OTHER = "other"
    BOGUS = "bogus"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class NameAnswer:
    """What a validating resolver said of a domain's record.

    Attributes:
        validated: the resolver proved the answer, or its absence, up to a trust anchor (AD).
        bogus: it refused the answer because its signatures do not hold.
        answered: it answered at all.
        statements: the node ids that the records name; empty when there is no such record.
    """

    validated: bool = False
    bogus: bool = False
    answered: bool = True
    statements: tuple[NodeId, ...] = ()


def statement_name(domain: str) -> str:
    """Name the record of a domain."""
    return f"{LABEL}.{domain.rstrip('.')}."


def write_statement(node_id: NodeId) -> str:
    """Write the text of the record that a domain's owner publishes."""
    return f"{VERSION}; id={node_id}"


def read_statement(strings: Sequence[bytes]) -> NodeId | None:
    """Read one TXT record; None when it is none of ours or names no node id.

    Args:
        strings: the record's character strings, which belong together (RFC 1035 §3.3.14).
    """
    try:
        text = b"".join(strings).decode("ascii")
    except UnicodeDecodeError:
        return None
    version, *members = [part.strip() for part in text.split(";")]
    found = [part.removeprefix("id=") for part in members if part.startswith("id=")]
    if version != VERSION or len(found) != 1 or not is_node_id(found[0]):
        return None
    return NodeId(found[0])


def decide_name(node_id: NodeId, answer: NameAnswer) -> NameStanding:
    """Decide how a domain stands to the node that claims it.

    A record that names several nodes verifies each of them: an organisation may run two.
    """
    # 1. Nobody answered: this says nothing, neither good nor bad.
    if not answer.answered:
        return NameStanding.UNANSWERED
    # 2. Signatures that do not hold: an attack between the zone and us, or an operator's error.
    if answer.bogus:
        return NameStanding.BOGUS
    # 3. Without a proof the record could be anybody's.
    if not answer.validated:
        return NameStanding.UNVERIFIED
    if node_id in answer.statements:
        return NameStanding.VERIFIED
    return NameStanding.OTHER if answer.statements else NameStanding.ABSENT


def is_alarming(before: NameStanding | None, found: NameStanding) -> bool:
    """Tell whether a person should look: a proof that was there is gone, or points elsewhere.

    A resolver that does not answer is no change, or every outage would cry wolf.
    """
    if found is NameStanding.UNANSWERED:
        return False
    if found in {NameStanding.OTHER, NameStanding.BOGUS}:
        return found is not before
    return before is NameStanding.VERIFIED and found is not NameStanding.VERIFIED
