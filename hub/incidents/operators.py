"""Say what this node operates in DNS, and find what others said of themselves (DNS 1).

The statement is the extension dns-operator on this node's own identity, in its ``clear`` feed.

Invariants:
* it is a statement and no authority: by it this node is alarmed of hijacks in its TLDs and at its
  registrar, and others find its abuse contact; nothing of theirs follows from it (PROTOCOL 4.1);
* an abuse contact is shown with who published it, and what a registrar's own node says of itself
  stands before what others say of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from hub.errors import Conflict
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.restrict import own_versions
from hub.imports.drafts import Draft
from hub.node import Node
from hub.peers.known_nodes import find_pinned
from hub.storage.queries.imports import only_imported
from hub.storage.queries.incidents import accepted_identities
from hub.storage.queries.objects import contents_of
from hub.storage.queries.peers import list_peers
from hub.storage.transaction import Transaction
from schemas.dns.extensions import DNS_OPERATOR
from schemas.dns.names import read_name
from schemas.dns.operators import DnsOperator, read_operator
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId
from schemas.markings import Tlp
from schemas.strict_json import MAX_INTEGER, strict_loads
from schemas.timestamps import read_stix_time, write_wire_time

ROLES: Final = ("cert", "registry", "registrar", "resolver-operator", "dns-host")
_LONGEST: Final = 320


@dataclass(frozen=True, slots=True)
class AbuseContact:
    """Where a registrar wants to be told of abuse.

    Args:
        origin_name: who published it.
        own: the registrar's own node says so of itself.
    """

    registrar: str
    iana_registrar_id: int
    contact: str | None
    origin: str
    origin_name: str
    own: bool


def declare_operator(
    node: Node,
    *,
    roles: Sequence[str] | None = None,
    tlds: Sequence[str] | None = None,
    iana_registrar_id: int | None = None,
    abuse_contact: str | None = None,
    actor: str = "operator",
) -> DnsOperator:
    """Publish what this node operates; what is None stays as it was.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a role, number or contact that is none; ``E_NAME_*``.
        SharingRefused: what publishing refuses.
    """
    _check(roles, iana_registrar_id, abuse_contact)
    names = None if tlds is None else [read_name(text).a_label for text in tlds]
    with node.database.read() as tx:
        row = own_versions(tx, node, node.identity)[-1]
        value: dict[str, Any] = strict_loads(contents_of(tx, [row.object_row])[row.object_row])
    extensions = dict(value.get("extensions", {}))
    said = dict(extensions.get(DNS_OPERATOR, {"extension_type": "property-extension"}))
    for member, given in (
        ("roles", None if roles is None else list(dict.fromkeys(roles))),
        ("tlds", names),
        ("iana_registrar_id", iana_registrar_id),
        ("abuse_contact", abuse_contact),
    ):
        if given is not None:
            said[member] = given
        if said.get(member) in ([], ""):
            del said[member]  # an empty list is invalid in STIX
    modified = max(node.now(), read_stix_time(value["modified"]) + timedelta(milliseconds=1))
    value |= {
        "extensions": extensions | {DNS_OPERATOR: said},
        "modified": write_wire_time(modified),
    }
    outcome = publish_objects(
        node, PublishRequest(drafts=[Draft(value, row.idn)], tlp=Tlp.CLEAR, actor=actor)
    )
    if outcome.refused:
        first = outcome.refused[0]
        raise Conflict(first.code, first.detail, first.remedy)
    found = read_operator(value)
    assert found is not None  # noqa: S101 - the extension was written just now
    return found


def _check(roles: Sequence[str] | None, iana_registrar_id: int | None, contact: str | None) -> None:
    unknown = set(roles or ()) - set(ROLES)
    if unknown:
        raise WireFormatError("E_SCHEMA", f"no such role: {', '.join(sorted(unknown))}",
                              f"Use {', '.join(ROLES)}.")  # fmt: skip
    if iana_registrar_id is not None and not 0 < iana_registrar_id <= MAX_INTEGER:
        raise WireFormatError("E_SCHEMA", "a registrar's number at IANA is at least 1")
    if contact is not None and (len(contact) > _LONGEST or not contact.isprintable()):
        raise WireFormatError("E_SCHEMA", f"a contact has at most {_LONGEST} printable characters")


def abuse_contacts(tx: Transaction, node: Node, registrar_id: int) -> tuple[AbuseContact, ...]:
    """Find what accepted identities say of a registrar, its own node's word first."""
    names: dict[str, str] = {peer.node_id: peer.name for peer in list_peers(tx)}
    names[node.node_id] = "this node"
    newest: dict[tuple[str, str], tuple[bool, DnsOperator | None]] = {}
    for origin, stix_id, revoked, content in accepted_identities(tx):
        newest[origin, stix_id] = revoked, read_operator(strict_loads(content))
    # What a feed says of a registrar is shown, and as what it is.
    foreign = only_imported(tx, {i for origin, i in newest if origin == node.node_id})
    found = []
    for (origin, stix_id), (revoked, operator) in newest.items():
        if revoked or operator is None or operator.iana_registrar_id != registrar_id:
            continue
        chain = find_pinned(tx, NodeId(origin))
        found.append(
            AbuseContact(
                registrar=operator.name,
                iana_registrar_id=registrar_id,
                contact=operator.abuse_contact,
                origin=origin,
                origin_name=(
                    "an import"
                    if origin == node.node_id and stix_id in foreign
                    else names.get(origin, origin[:12])
                ),
                own=chain is not None and stix_id in chain.newest.identities,
            )
        )
    return tuple(sorted(found, key=lambda each: (not each.own, each.origin, each.registrar)))
