"""Charge those on whose word a node was accepted (PROTOCOL 4.2), when it is demoted for cause."""

from __future__ import annotations

from datetime import datetime

from hub.storage.queries.audit import store_event
from hub.storage.queries.vouching import charge_introductions
from hub.storage.transaction import Transaction
from schemas.identifiers import NodeId


def charge_vouchers(
    tx: Transaction, subject: NodeId, cause: str, now: datetime
) -> tuple[NodeId, ...]:
    """Charge those on whose word a node was accepted that is now demoted for cause.

    A charged voucher is not heard for half a year; what it vouched for before stays as it is.

    Args:
        cause: the code of what happened, such as ``E_FORK``.

    Returns:
        The vouchers that were charged, empty when a person had compared the words.
    """
    charged = charge_introductions(tx, subject, cause, now)
    for voucher in charged:
        store_event(tx, now, "node", "VOUCHER_CHARGED", peer=voucher, subject=subject, cause=cause)
    return charged
