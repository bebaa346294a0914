"""Whether the domains of a peer name its node, by records that DNSSEC proves (PROTOCOL 4.5).

Invariants:
* what is found changes no key and no trust: it is shown, and a change for the worse is noted for a
  person, once (THREATS 53);
* an answer that did not come changes nothing of what was known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from federation.identity.dns_name import NameAnswer, NameStanding, decide_name, is_alarming
from federation.transport.dns_lookup import look_up
from hub.errors import Misconfigured
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.settings import resolver_address
from hub.storage.queries.audit import store_event
from hub.storage.queries.names import NameRow, names_of, store_names
from hub.storage.queries.peers import PeerRow
from schemas.identifiers import NodeId

MOST_DOMAINS = 8
"""Of one node's; a document may name more, and each costs a question to the resolver."""


def find_names(node: Node, peer: PeerRow) -> tuple[NameRow, ...]:
    """List what was found of a peer's domains at the last look."""
    with node.database.read() as tx:
        return tuple(names_of(tx, NodeId(peer.node_id)).values())


def check_names(
    node: Node, peer: PeerRow, *, ask: Callable[[str], NameAnswer] | None = None
) -> tuple[NameRow, ...]:
    """Ask for a peer's domains and keep what came.

    Args:
        ask: looks up one domain; by default the resolver of the settings.

    Raises:
        Misconfigured: ``E_RESOLVER`` when no resolver is set.
    """
    asking = ask or _resolver_of(node)
    with node.database.read() as tx:
        domains = pinned(tx, peer.node_id).newest.domains[:MOST_DOMAINS]
    answers = {domain: asking(domain) for domain in domains}
    now = node.now()
    with node.database.write(durable=False) as tx:
        known = names_of(tx, peer.node_id)
        found = [
            _row(peer.node_id, domain, known.get(domain), answer, now)
            for domain, answer in answers.items()
        ]
        for row in found:
            before = known.get(row.domain)
            was = None if before is None else NameStanding(before.standing)
            if is_alarming(was, NameStanding(row.standing)):
                store_event(
                    tx,
                    now,
                    "worker",
                    "NAME_CHANGED",
                    node_id=peer.node_id,
                    domain=row.domain,
                    before=None if was is None else was.value,
                    found=row.standing,
                    named=list(row.named),
                )
        store_names(tx, peer.node_id, found)
    return tuple(found)


def _resolver_of(node: Node) -> Callable[[str], NameAnswer]:
    if not node.settings.resolver:
        raise Misconfigured(
            "E_RESOLVER",
            "no validating resolver is set, so no name can be verified",
            'Run one on this machine, unbound for example, and set resolver = "127.0.0.1:53".',
        )
    address = resolver_address(node.settings.resolver)
    return lambda domain: look_up(domain, address)


def _row(
    node_id: NodeId, domain: str, before: NameRow | None, answer: NameAnswer, now: datetime
) -> NameRow:
    standing = decide_name(node_id, answer)
    if before is not None and standing is NameStanding.UNANSWERED:
        return replace(before, checked_at=now)
    same = before is not None and before.standing == standing.value
    changed_at = before.changed_at if same and before is not None else now
    return NameRow(node_id, domain, standing.value, answer.statements, now, changed_at)
