"""Names published by command at one node and found at others: nothing lost, nothing twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from hub.bootstrap import open_node
from hub.settings import load_settings
from tests.support.processes import Tocsin
from tests.support.stored_state import check_invariants, rows_of


def publish_names_by_command(
    node: Tocsin, folder: Path, names: Sequence[str], tlp: str = "green"
) -> None:
    """Publish names as one file."""
    file = folder / f"{names[0]}.txt"
    file.write_text("\n".join(names) + "\n")
    outcome = node.run("publish", file, "--tlp", tlp, "--format", "names")
    assert outcome["refused"] == []


def names_held(node: Tocsin) -> Counter[str]:
    """Count the accepted indicators of a node's database by the name that they are about."""
    home = load_settings(node.home, allow_loopback_peers=True, **_database(node))
    opened = open_node(home)
    try:
        rows = rows_of(
            opened,
            "SELECT content FROM objects WHERE stix_type = 'indicator' AND state = 'accepted'",
        )
        return Counter(json.loads(bytes(row["content"]))["name"] for row in rows)
    finally:
        opened.database.close()


def check_whole(nodes: Iterable[Tocsin], names: Iterable[str]) -> None:
    """Assert that every node has every name once, and that its chains and views are sound."""
    wanted = Counter(names)
    assert max(wanted.values(), default=1) == 1
    for node in nodes:
        assert names_held(node) == wanted, node.name
        opened = open_node(load_settings(node.home, allow_loopback_peers=True, **_database(node)))
        try:
            check_invariants(opened)
            codes = {row["code"] for row in rows_of(opened, "SELECT code FROM audit_events")}
            states = {row["state"] for row in rows_of(opened, "SELECT state FROM feeds")}
        finally:
            opened.database.close()
        assert not {code for code in codes if "FORK" in code or "CONTRADICT" in code}, node.name
        assert states <= {"open", "closed"}, node.name


def _database(node: Tocsin) -> dict[str, str]:
    url = node.environment.get("TOCSIN_DATABASE_URL")
    return {"database_url": url} if url else {}
