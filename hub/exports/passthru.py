"""Names that no zone of ours may ever block, as a zone that resolvers ask first (DNS 3).

The guards keep these names out of every block already. The zone is for what the guards cannot
reach: the other policy zones of the same resolver.

Decides which protected names are said: those that a person or a document of a verified member
protects, and the critical names of the installation; not the rankings of popular names, under
which malware is found too.

Invariants:
* what is only held for a person is not passed: a stranger's word must not open a resolver;
* an override lifts its name here too, and with it what a zone above would pass of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from hub.exports.listed_name import ListedName
from hub.node import Node
from hub.storage.transaction import Transaction
from hub.verdicts.critical_names import CRITICAL, NAME_SERVERS, RESOLVERS
from hub.verdicts.guard_lists import ALONE, BELOW, REFUSE
from hub.verdicts.guard_overrides import read_overrides
from hub.verdicts.guard_state import guard_state, own_list_names, zone_names
from schemas.markings import Tlp

_FOR_EVER = timedelta(days=3_650)


def list_protected(tx: Transaction, node: Node) -> list[ListedName]:
    """List the names that pass, by value."""
    now = node.now()
    lifted = [each.name for each in read_overrides(tx, node) if each.counts_at(now)]
    scopes: dict[str, bool] = {}
    for name, below in _protected(tx, node):
        scopes[name] = scopes.get(name, False) or below
    found = []
    for name in sorted(scopes):
        if name in lifted:
            continue
        below = scopes[name] and not any(each.endswith(f".{name}") for each in lifted)
        found.append(_listed(name, now, below=below))
    return found


def _protected(tx: Transaction, node: Node) -> Iterator[tuple[str, bool]]:
    for name in CRITICAL:
        yield name, False
    for name in (*NAME_SERVERS, *RESOLVERS):
        yield name, True
    for walked in (own_list_names(tx), zone_names(guard_state(tx, node))):
        for name, listed in walked:
            if listed.grade == REFUSE and listed.covers in {ALONE, BELOW}:
                yield name, listed.covers == BELOW


def _listed(name: str, now: datetime, *, below: bool) -> ListedName:
    return ListedName(
        value=name,
        match_scope="subtree" if below else "exact",
        label=Tlp.CLEAR,
        threat_types=(),
        confidence=0,
        lineages=0,
        blocked=False,
        since=now,
        ends_at=now + _FOR_EVER,
        stix_id="",
    )
