"""Verdicts that ask for a block, put in by the engine's own functions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from hub.node import Node
from hub.storage.queries.verdicts import VerdictRow, drop_verdicts, save_verdicts
from schemas.markings import Tlp


def ask_for_blocks(
    node: Node,
    names: Iterable[str],
    label: Tlp = Tlp.GREEN,
    *,
    shown_to: Tlp = Tlp.RED,
    **members: Any,
) -> None:
    """Store published verdicts on names that ask for a block from a label on."""
    now = node.now()
    values: dict[str, Any] = {
        "object_row": 1,
        "generation": 0,
        "result": 0.9,
        "confidence": 90,
        "lineages": 2,
        "trusted_lineages": 1,
        "dispute": 0.0,
        "threat_type": "phishing",
        "threat_types": ("phishing",),
        "match_scope": "exact",
        "block": True,
        "block_codes": ("BLOCKED",),
        "created_at": now,
        "issued_at": now,
        "valid_until": now + timedelta(days=7),
        "look_again_at": None,
        "revoked_at": None,
        "rules": "1",
    }
    with node.database.write() as tx:
        save_verdicts(
            tx,
            [
                VerdictRow(name=name, label=int(label), shown_to=int(shown_to), **values | members)
                for name in names
            ],
        )


def withdraw_verdicts(node: Node, names: Iterable[str], label: Tlp = Tlp.GREEN) -> None:
    """Forget verdicts on names."""
    with node.database.write() as tx:
        drop_verdicts(tx, [(name, int(label)) for name in names])
