from __future__ import annotations

import pytest


def test_upgrading_the_newest_changes_nothing(tocsin):
    done = tocsin.json("db", "upgrade")
    assert set(done) == {"before", "after", "rejudged"}
    assert done["before"] == done["after"]
    assert "already" in tocsin("db", "upgrade").stdout


def test_a_home_that_is_not_there_is_not_made(tmp_path, tocsin):
    tocsin.home = tmp_path / "absent"
    assert tocsin.refusal("db", "upgrade", code=1) == "E_NOT_INITIALISED"
    assert not tocsin.home.exists()


def test_a_backup_brings_back_what_there_was(tocsin, tmp_path):
    tocsin.json("token", "add", "siem", "--kind", "own")
    copy = tmp_path / "copy.db"
    assert tocsin.json("db", "backup", str(copy))["bytes"] == copy.stat().st_size
    tocsin.json("token", "revoke", "siem")
    done = tocsin.json("db", "restore", str(copy))
    assert done["replaced"].endswith("tocsin.db.replaced-1")
    assert tocsin.json("token", "list")[0]["revoked_at"] is None


def test_restoring_asks_the_peers(tocsin, tmp_path):
    copy = tmp_path / "copy.db"
    assert "Keys" in tocsin("db", "backup", str(copy)).stderr
    assert "Asked 0 peers" in tocsin("db", "restore", str(copy)).stdout


def test_a_node_that_nobody_was_told_of_signs_after_a_restore(tocsin, tmp_path, names):
    copy = tmp_path / "copy.db"
    tocsin.json("db", "backup", str(copy))
    tocsin.json("publish", str(names), "--tlp", "green")
    done = tocsin.json("db", "restore", str(copy))
    assert done["self_check"]["hold"] is None
    assert not tocsin.json("objects", "list", "--type", "indicator")
    assert tocsin.json("publish", str(names), "--tlp", "green")["objects"] == 2
    found = tocsin.json("db", "recover")
    assert found == {
        "peers": 0, "answered": [], "recovered": 0, "hold": None, "closed": {}, "unheard": [],
    }  # fmt: skip


def test_nothing_is_overwritten_by_a_backup(tocsin, tmp_path):
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    assert tocsin.refusal("db", "backup", str(copy), code=1) == "E_FILE_EXISTS"
    assert copy.read_text() == "precious"


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_postgresql_has_its_own_tools(tocsin, tmp_path, monkeypatch, command):
    monkeypatch.setenv("TOCSIN_DATABASE_URL", "postgresql+psycopg://nobody@192.0.2.1/none")
    result = tocsin("db", command, str(tmp_path / "copy.db"))
    assert result.exit_code == 1
    assert "pg_dump" in result.stderr
