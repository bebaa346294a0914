"""Make the objects that carry a domain set: its grouping, and the malware that it is about (DNS 1).

Decides what a grouping says of its list, and whether that is new: the same list under the same
words is the version that stands, to the byte; a changed one is a new version under the same id.

Invariants:
* one family, variant and TLD is one grouping of this node, so that peers see its versions and not
  a heap of sets; after a withdrawal the next one has a fresh id, for the old one is dead for good;
* a validity that only began later is no change while at least half of it is still ahead.

Does not: store or publish anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.exchange.publish_names import IDN_BYTES
from hub.imports.drafts import Draft
from hub.node import Node
from hub.storage.queries.domain_sets import ListedSet, list_sets
from hub.storage.queries.objects import claims_of, contents_of
from hub.storage.transaction import Transaction
from schemas.dns.domain_sets import DATED_FORM, ENCODING, PLAIN_FORM, Delta, SealedList
from schemas.dns.extensions import DNS_BATCH, dns_batch
from schemas.identifiers import StixId, b32, own_stix_id
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from schemas.timestamps import write_wire_time

ACCEPTED: Final = "accepted"
OF_MALWARE: Final = frozenset(
    {"dga", "fast-flux", "malware-c2", "malware-distribution", "sinkhole", "tunnelling"}
)
"""Threat types whose family is malware; that of the others is only what the list is called."""
_STANDS: Final = frozenset({ACCEPTED, "withheld"})
"""States of own versions that a later one follows: what was restricted waits for it."""


@dataclass(frozen=True, slots=True)
class SetWords:
    """What is said of all names of a set.

    Args:
        family: of malware, or what the list is called.
        valid_from: when the names begin to count.
        valid_until: when they no longer count.
        lasting: whether ``valid_until`` follows from the time of publication alone.
    """

    family: str
    variant: str | None
    threat_type: str
    match_scope: str
    requested_actions: tuple[str, ...]
    confidence: int
    valid_from: datetime
    valid_until: datetime
    lasting: bool
    description: str | None = None

    @property
    def title(self) -> str:
        """Name the family with its variant."""
        return self.family if self.variant is None else f"{self.family}.{self.variant}"


@dataclass(frozen=True, slots=True)
class HeldSet:
    """The version of a set of this node that stands, with its object."""

    listed: ListedSet
    value: Mapping[str, Any]


def held_sets(tx: Transaction, node: Node, words: SetWords) -> dict[str | None, HeldSet]:
    """Find the sets of this node about a family and variant that stand, by TLD."""
    newest: dict[str | None, ListedSet] = {}
    for listed in list_sets(tx, origin=node.node_id):
        row = listed.row
        stands = listed.object_state in _STANDS and not listed.revoked
        if stands and (row.family, row.variant) == (words.family, words.variant):
            newest[row.tld] = listed  # they come in the order of their versions
    contents = contents_of(tx, [listed.row.object_row for listed in newest.values()])
    return {
        tld: HeldSet(listed, strict_loads(contents[listed.row.object_row]))
        for tld, listed in newest.items()
    }


def malware_draft(
    tx: Transaction, node: Node, words: SetWords, tlp: Tlp, held: Mapping[str | None, HeldSet]
) -> Draft | None:
    """Make the malware object of a family, or find the one of its sets at this label.

    Returns:
        None where the family is no malware: such a set refers to this node's identity.
    """
    if words.threat_type not in OF_MALWARE:
        return None
    ids = {
        ref
        for found in held.values()
        for ref in found.value.get("object_refs", ())
        if ref.startswith("malware--")
    }
    for claims in claims_of(tx, sorted(ids)).values():
        own = [row for row in claims if row.origin == node.node_id]
        newest = own[-1] if own else None
        if newest is not None and newest.tlp == tlp and newest.state == ACCEPTED:
            content = contents_of(tx, [newest.object_row])[newest.object_row]
            return Draft(strict_loads(content), newest.idn)
    idn = b32(node.entropy(IDN_BYTES))
    at = write_wire_time(node.now())
    value: dict[str, Any] = {
        "type": "malware",
        "spec_version": "2.1",
        "id": own_stix_id(node.node_id, "malware", idn),
        "created_by_ref": node.identity,
        "created": at,
        "modified": at,
        "name": words.title,
        "is_family": True,
    }
    if words.threat_type == "dga":
        value["malware_types"] = ["bot"]
    return Draft(value, idn)


def set_draft(
    node: Node,
    words: SetWords,
    sealed: SealedList,
    *,
    tld: str | None,
    ref: StixId | str,
    held: HeldSet | None,
    delta: Delta | None,
) -> Draft:
    """Make the grouping of a list; the version that stands where nothing changed.

    Args:
        ref: the malware's id, or this node's identity.
        held: the version that stands.
        delta: how the list follows from that version's.
    """
    now = write_wire_time(node.now())
    idn = b32(node.entropy(IDN_BYTES)) if held is None else held.listed.idn
    started = words.valid_from if held is None or not words.lasting else None
    value: dict[str, Any] = {
        "type": "grouping",
        "spec_version": "2.1",
        "id": own_stix_id(node.node_id, "grouping", str(idn)),
        "created_by_ref": node.identity,
        "created": now,
        "modified": now,
        "name": f"{words.title} domains" + (f" in .{tld}" if tld else ""),
        "description": words.description or f"A list of domain names ({words.threat_type}).",
        "context": "suspicious-activity",
        "object_refs": [ref],
        "labels": [words.threat_type, words.family],
        "confidence": words.confidence,
    }
    if held is not None:
        value |= {"id": held.listed.stix_id, "created": held.value["created"]}
        started = started or held.listed.row.valid_from
    value["extensions"] = {DNS_BATCH: _facts(words, sealed, tld, started, delta)}
    if held is not None and _says_the_same(value, held, words, node.now()):
        return Draft(dict(held.value), held.listed.idn)
    return Draft(value, idn)


def _facts(
    words: SetWords,
    sealed: SealedList,
    tld: str | None,
    started: datetime | None,
    delta: Delta | None,
) -> dict[str, Any]:
    lists = None
    if delta is not None:
        said = {
            "base_sha256": delta.base_sha256,
            "added": delta.added,
            "removed": delta.removed,
        }
        lists = {name: digest for name, digest in said.items() if digest is not None}
    return dns_batch(
        words.threat_type,
        words.match_scope,
        words.requested_actions,
        family=words.family,
        variant=words.variant,
        tld=tld,
        valid_from=write_wire_time(started or words.valid_from),
        valid_until=write_wire_time(words.valid_until),
        domain_count=sealed.count,
        media_type="text/plain",
        encoding=ENCODING,
        canonical_form=DATED_FORM if sealed.dated else PLAIN_FORM,
        hashes={"SHA-256": sealed.sha256},
        delta=lists,
    )


def _says_the_same(value: Mapping[str, Any], held: HeldSet, words: SetWords, now: datetime) -> bool:
    before, after = _compared(held.value), _compared(value)
    if held.listed.object_state != ACCEPTED:
        return False  # what was restricted prints its former label
    if before == after or not words.lasting:
        return before == after
    # The same words and list: only the end has moved on, as it does with the clock.
    until = held.listed.row.valid_until
    ahead = until is not None and (until - now) * 2 >= words.valid_until - now
    for said in (before, after):
        said["facts"].pop("valid_until", None)
    return ahead and before == after


def _compared(value: Mapping[str, Any]) -> dict[str, Any]:
    """Take from a grouping what would make it another version."""
    unlike = {"modified", "extensions", "object_marking_refs"}
    # How the list came about is no news: the list is.
    facts = {n: said for n, said in value["extensions"][DNS_BATCH].items() if n != "delta"}
    return {n: said for n, said in value.items() if n not in unlike} | {"facts": facts}
