"""Claims of several authors on names, told to a node, and the verdicts that its readers see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.exchange.collection_kinds import VERDICTS_ID
from hub.node import Node
from hub.verdicts.fuse import Refreshed, refresh_all
from schemas.dns.extensions import DNS_THREAT
from schemas.identifiers import direct_audience
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from schemas.timestamps import write_wire_time
from tests.support.nodes import FixedClock
from tests.support.publications import Author, indicator
from tests.support.stored_state import rows_of

EVIL = "evil.example"


def clock_of(node: Node) -> FixedClock:
    """The clock that a test moves."""
    assert isinstance(node.clock, FixedClock)
    return node.clock


def claim(name: str = EVIL, number: int = 1, **changes: Any) -> dict[str, Any]:
    """An indicator on a name as peers send it; ``threat`` and ``scope`` go into its extension."""
    threat = changes.pop("threat", "phishing")
    scope = changes.pop("scope", "exact")
    facts = {
        "extension_type": "property-extension",
        "threat_type": threat,
        "match_scope": scope,
    }
    made = {
        "name": name,
        "pattern": f"[domain-name:value = '{name}']",
        "confidence": 80,
        "extensions": {DNS_THREAT: facts} if threat else None,
    }
    return indicator(number, **(made | changes))


def tell(node: Node, author: Author, label: str, *claims: dict[str, Any], **members: Any) -> None:
    """Let an author publish claims at a label, and the node receive them now."""
    author.at = node.now()
    at = write_wire_time(node.now())
    audience = label if label in {"clear", "green"} else direct_audience(node.node_id)
    policy = {"tlp": label} | members.pop("policy", {})
    values = [{"created": at, "valid_from": at} | value | {"modified": at} for value in claims]
    author.put(audience, *values, policy=policy, **members)
    received = author.deliver(node, audience)
    assert received.error is None
    assert not received.rejected, received


def authors(node: Node, count: int, trust: str = "trusted", first: int = 1) -> list[Author]:
    """Make peers of one trust."""
    made = [Author(number) for number in range(first, first + count)]
    for author in made:
        author.meets(node, trust)
    return made


def make_verdicts(node: Node) -> Refreshed:
    """Bring verdicts up to date."""
    return refresh_all(node)


def verdicts_seen(node: Node, ceiling: Tlp) -> list[dict[str, Any]]:
    """What readers at a ceiling find in ``verdicts``, in its order, with dates."""
    return [
        {**strict_loads(bytes(row["content"])), "date_added": row["date_added"]}
        for row in rows_of(
            node,
            "SELECT content, date_added FROM view_rows JOIN views USING (view_id)"
            " JOIN objects USING (object_row)"
            f" WHERE collection_id = '{VERDICTS_ID}' AND ceiling = {int(ceiling)}"
            " AND latest ORDER BY date_added",
        )
    ]


def confidences(node: Node, ceiling: Tlp) -> dict[str, int]:
    """The live verdicts at a ceiling, by name."""
    return {
        value["name"]: value["confidence"]
        for value in verdicts_seen(node, ceiling)
        if value["type"] == "indicator" and not value.get("revoked")
    }


def indicators(seen: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [value for value in seen if value["type"] == "indicator"]
