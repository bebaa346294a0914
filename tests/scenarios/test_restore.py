"""Two organisations in two processes; one loses its database and goes back to a backup.

By command alone: nothing is forked, nothing of what was published is lost (PROTOCOL 4.6).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
    until,
)


def names_file(folder: Path, name: str) -> Path:
    file = folder / f"{name}.txt"
    file.write_text(f"{name}.example\n")
    return file


def publish(node: Tocsin, folder: Path, name: str) -> Any:
    return node.give("publish", names_file(folder, name), "--tlp", "green")


def indicators(node: Tocsin, origin: Tocsin) -> set[tuple[str, str]]:
    """What an origin published; the verdicts that it computes for itself are no such thing."""
    listed = node.run("objects", "list", "--origin", origin.node_id, "--type", "indicator")
    return {(row["id"], row["state"]) for row in listed if row["state"] != "verdict"}


@pytest.mark.long
def test_a_backup_is_restored_without_a_fork(tmp_path: Path) -> None:
    with organisations(tmp_path, "a", "b") as (a, b):
        start_all(a, b)
        pair_by_command(a, b)
        give_trust_by_command(a, b, "member")
        give_trust_by_command(b, a, "trusted")
        assert publish(a, tmp_path, "first").code == 0
        a.run("db", "backup", tmp_path / "copy.db")
        assert publish(a, tmp_path, "second").code == 0
        until(lambda: len(indicators(b, a)) == 2, "B has both")
        a.stop()

        # B is away: the backup comes back, and nothing may be signed on top of it.
        b.stop()
        done = a.run("db", "restore", tmp_path / "copy.db")
        assert done["self_check"]["hold"] == "doubtful"
        refused = publish(a, tmp_path, "third")
        assert (refused.code, refused.document["error"]["code"]) == (1, "E_SELF_CHECK")
        found = {one["check"]: one["state"] for one in a.give("doctor").document}
        assert found["own feeds"] == "fail"

        # B is back: the command itself asks it, fetches the lost entry back and goes on.
        start_all(b)
        assert publish(a, tmp_path, "third").code == 0
        assert len(indicators(a, a)) == 3
        start_all(a)
        until(lambda: len(indicators(b, a)) == 3, "B has all three")
        assert indicators(b, a) == indicators(a, a)
        assert not [row for row in b.run("peer", "list") if row["last_error"]]
