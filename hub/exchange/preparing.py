"""Make drafts ready to be sealed: label, definitions, and every check that a receiver makes.

Invariant: what is sealed is content that every receiver takes. An entry is judged whole on the
other side, so one object that it would reject takes up to 63 innocent ones along; here it is
refused alone and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from federation.errors import ContentRejected
from federation.feeds.content import check_modified
from federation.policy.labels import markings_of
from hub.exchange.marking import write_label
from hub.exchange.publishing_order import Prepared, prepared
from hub.imports.drafts import Draft
from hub.node import Node
from hub.storage.queries.objects import claims_of, contents_of
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import is_stix_id
from schemas.markings import TLP_BY_MARKING_ID, Tlp
from schemas.stix.objects import version_of
from schemas.stix.sco_ids import deterministic_sco_id
from schemas.stix.validation import check_object
from schemas.strict_json import MAX_DEPTH, strict_loads
from schemas.timestamps import read_stix_time

DEPTH_OF_ENTRY = 2
"""An object stands in an array in the payload's object."""
Definitions = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class RefusedObject:
    """One object that was not published, and why."""

    stix_id: str
    code: str
    detail: str
    remedy: str = ""


def known_definitions(tx: Transaction, node: Node, drafts: Iterable[Draft]) -> Definitions:
    """Collect the marking-definitions that explain the drafts' markings.

    Those of the input, where they are sound, and those that this node published before.
    """
    values = [draft.value for draft in drafts]
    found: dict[str, Mapping[str, object]] = {}
    for value in values:
        if value.get("type") == "marking-definition" and value.get("id") not in TLP_BY_MARKING_ID:
            try:
                check_object(value)
            except WireFormatError:
                continue  # it is refused by name with the other drafts
            found[str(value["id"])] = value
    wanted = {ref for value in values for ref in markings_of(value)} - found.keys()
    rows = [
        claim.object_row
        for claims in claims_of(tx, filter(is_stix_id, wanted)).values()
        for claim in claims
        if claim.origin == node.node_id and claim.state == "accepted"
    ]
    held = (strict_loads(content) for content in contents_of(tx, rows).values())
    return found | {str(value["id"]): value for value in held}


def prepare(
    drafts: Iterable[Draft], tlp: Tlp, definitions: Definitions, now: datetime
) -> tuple[list[Prepared], list[RefusedObject]]:
    """Write the label into each draft and check it; the broken ones are refused alone.

    TLP marking-definitions of the input are left out: the label's own one is sent along in the
    form of the specification, and what a copy says is never read (PROTOCOL 2.4).
    """
    chosen = [draft for draft in drafts if draft.value.get("id") not in TLP_BY_MARKING_ID]
    ready: dict[str, Prepared] = {}
    refused: list[RefusedObject] = []
    for draft in chosen:
        try:
            check_object(draft.value)
            _check_observable_id(draft.value)
            check_modified(draft.value, now)
            item = prepared(write_label(draft.value, tlp, definitions), draft.idn_name)
            _check_depth(item)
            earlier = ready.get(item.stix_id)
            if earlier is not None:
                item, older = _newest_of(earlier, item)
                refused.append(_overtaken(older))
        except (WireFormatError, ContentRejected) as error:
            refused.append(_refused(draft, error))
            continue
        ready[item.stix_id] = item
    return list(ready.values()), refused


def _refused(draft: Draft, error: TocsinError) -> RefusedObject:
    stix_id = str(draft.value.get("id", f"line {draft.line}"))
    return RefusedObject(stix_id, error.code, error.detail, error.remedy)


def _check_observable_id(value: Mapping[str, object]) -> None:
    """Refuse an observable whose id every receiver would reject (PROTOCOL 2.4 "Ownership")."""
    expected = deterministic_sco_id(value)
    if expected is not None and expected != value["id"]:
        raise WireFormatError(
            "E_SCHEMA",
            "the id is not the one that STIX derives from the value",
            f"Name it {expected}, here and where it is referred to.",
        )


def _check_depth(item: Prepared) -> None:
    """Refuse an object that is too deep for the payload around it (PROTOCOL 2.1)."""
    if item.raw.count(b"{") + item.raw.count(b"[") > MAX_DEPTH - DEPTH_OF_ENTRY:
        strict_loads(b"[[%b]]" % item.raw)


def _newest_of(one: Prepared, other: Prepared) -> tuple[Prepared, Prepared]:
    """Tell the newer of two versions in one input from the older; of equals the first counts."""
    return (other, one) if _version(other) > _version(one) else (one, other)


def _version(item: Prepared) -> list[datetime]:
    version = version_of(item.value)
    return [read_stix_time(version)] if version else []


def _overtaken(item: Prepared) -> RefusedObject:
    return RefusedObject(
        item.stix_id,
        "E_STALE_MODIFIED",
        f"the input has another version beside {version_of(item.value) or 'it'}",
        "One publication carries one version of an object; publish the older one first.",
    )
