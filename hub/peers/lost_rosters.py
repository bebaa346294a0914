"""Tell a person which rosters a restore may have set back (PROTOCOL 4.6).

A hidden roster stands in no entry and is known to nobody else. So after a restore it is what it was
at the backup, and no peer can say what changed since: who was added reads nothing, and who was
removed would read again what is published to a feed that was there then.
"""

from __future__ import annotations

from datetime import datetime

from hub.exchange.rosters import HIDDEN
from hub.monitoring.alarms import ROSTER_DOUBTED, raise_alarm
from hub.node import Node
from hub.storage.queries.groups import list_groups
from hub.storage.transaction import Transaction


def doubt_hidden_rosters(tx: Transaction, node: Node, now: datetime, only: str = "") -> None:
    """Raise an alarm for each own group whose members nobody else knows.

    Args:
        only: the name of the one group that is meant.
    """
    for group in list_groups(tx):
        is_hidden = group.node_id == node.node_id and group.roster == HIDDEN
        if is_hidden and only in {"", group.name}:
            raise_alarm(tx, ROSTER_DOUBTED, group.name, now, group=group.name)
