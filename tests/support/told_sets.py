"""Domain sets of several authors, told to a node that has their lists, as claims on names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from hub.node import Node
from hub.peers.incoming_blobs import credit
from hub.storage.queries.blobs import store_blob
from hub.storage.queries.domain_sets import AdoptedSet, end_adopted, store_adopted
from hub.verdicts.marks import ask_for_adopted
from schemas.dns.domain_sets import DATED_FORM, PLAIN_FORM, SealedList, SetLine, write_list
from schemas.dns.extensions import DNS_BATCH
from schemas.identifiers import direct_audience
from schemas.timestamps import write_wire_time
from tests.support.blobs import set_object
from tests.support.publications import AT, Author, stix_id


def listed(*names: str, days: tuple[date, date] | None = None) -> SealedList:
    """The canonical list of some names, all on the same days."""
    first, last = days or (None, None)
    return write_list(SetLine(name, first, last) for name in names)


def hold(node: Node, sealed: SealedList, giver: Author | None = None) -> SealedList:
    """Let a node have a list's bytes, given by an author for the sets of its own, or its own."""
    with node.database.write() as tx:
        store_blob(tx, sealed.sha256, sealed.data, node.now())
        if giver is not None:
            credit(tx, sealed.sha256, giver.node_id, giver.node_id, node.now())
    return sealed


def set_of(sealed: SealedList, number: int = 1, **changes: Any) -> list[dict[str, Any]]:
    """The grouping of a list as peers send it, and the malware that it refers to.

    ``facts`` go into its extension.
    """
    facts = {
        "domain_count": sealed.count,
        "canonical_form": DATED_FORM if sealed.dated else PLAIN_FORM,
        **changes.pop("facts", {}),
    }
    malware = {
        "type": "malware",
        "spec_version": "2.1",
        "id": stix_id("malware", number),
        "created": AT,
        "modified": AT,
        "name": "conficker",
        "is_family": True,
    }
    made = set_object(number, sealed.sha256, malware["id"], **facts)
    made |= {"name": f"set {number}", "confidence": 90} | changes
    if made["extensions"]:
        said = made["extensions"][DNS_BATCH].items()
        made["extensions"] = {DNS_BATCH: {name: value for name, value in said if value}}
    return [malware, {name: value for name, value in made.items() if value is not None}]


def tell_set(
    node: Node,
    author: Author,
    label: str,
    sealed: SealedList,
    number: int = 1,
    *,
    held: bool = True,
    policy: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Let an author publish a set, and the node receive it now; return the grouping's id."""
    if held:
        hold(node, sealed, author)
    author.at = node.now()
    at = write_wire_time(node.now())
    audience = label if label in {"clear", "green"} else direct_audience(node.node_id)
    malware, grouping = set_of(sealed, number, **changes)
    grouping |= {"modified": at}
    stated = {"tlp": label, "pap": "green"} | (policy or {})
    author.put(audience, malware, grouping, policy=stated)
    received = author.deliver(node, audience)
    assert received.error is None
    assert not received.rejected, received
    return str(grouping["id"])


def adopt(node: Node, sealed: SealedList) -> None:
    """Let a person stand for a list."""
    with node.database.write() as tx:
        adopted = AdoptedSet(sealed.sha256, "our analysts looked", "ana", node.now(), None)
        store_adopted(tx, adopted)
        ask_for_adopted(tx, sealed.sha256, node.now())


def release(node: Node, sealed: SealedList) -> None:
    """Take that back."""
    with node.database.write() as tx:
        end_adopted(tx, sealed.sha256, node.now())
        ask_for_adopted(tx, sealed.sha256, node.now())


def names(count: int, tld: str = "cc") -> Iterable[str]:
    """As many names as a generator would make."""
    return (f"n{number:06d}x.{tld}" for number in range(count))
