from __future__ import annotations

import gzip
import json
import stat

import pytest

from hub.verdicts.fuse import refresh_verdicts
from tests.support.http_server import ScriptedServer, answers, write_answer
from tests.support.nodes import serve_in_thread

COUNTS = {"total", "taken", "changed", "duplicate", "refused", "comments", "blanks"}
TAXII = {"Content-Type": "application/taxii+json;version=2.1"}


def test_a_list_is_taken_in_for_this_node_alone(tocsin, names):
    done = tocsin.json("import", str(names), "--name", "URLhaus")
    assert (done["import_id"], done["feed"], done["format"]) == (1, "urlhaus", "names")
    assert (done["tlp"], done["private"]) == ("amber+strict", True)
    assert set(done["counts"]) == COUNTS
    assert done["counts"]["taken"] == 2
    assert done["refused"] == {"E_NAME_URL": 1, "E_NAME_ADDRESS": 1}
    node = tocsin.node()
    refresh_verdicts(node)
    node.database.close()
    views = tocsin.json("verdict", "update-now.example")["views"]
    assert views["amber+strict"]["lineages"] == 1
    assert views["amber"]["lineages"] == 0


def test_a_dry_run_shows_what_would_come_in_and_under_which_label(tocsin, names):
    shown = tocsin("import", str(names), "--name", "urlhaus", "--dry-run")
    assert shown.exit_code == 0
    assert "took 2, changed 0, duplicate 0, refused 2, comments 1, blank 1" in shown.stdout
    assert "TLP:AMBER+STRICT" in shown.stdout
    assert "Nothing was stored" in shown.stdout
    assert "Refused 1 for E_NAME_URL, as 3" in shown.stderr
    assert tocsin.json("import", "list") == []


def test_an_import_is_listed_shown_and_undone(tocsin, names):
    tocsin.json("import", str(names), "--name", "urlhaus", "--threat-type", "phishing")
    [row] = tocsin.json("import", "list")
    assert (row["import_id"], row["state"], row["tlp"]) == (1, "live", "amber+strict")
    shown = tocsin.json("import", "show", "1")
    assert shown["objects"] == 2
    assert {item["subject"] for item in shown["first"]} == {
        "login-bank.example", "update-now.example",
    }  # fmt: skip
    undone = tocsin.json("import", "undo", "1", "--reason", "a false list")
    assert (undone["withdrawn"], undone["kept"], undone["failed"]) == (2, 0, {})
    assert tocsin.json("import", "list")[0]["state"] == "undone"
    assert tocsin.refusal("import", "undo", "1", "--reason", "x", code=1) == "E_IMPORT_UNDONE"
    assert tocsin.refusal("import", "show", "9", code=1) == "E_IMPORT_UNKNOWN"


def test_people_are_told_how_to_take_it_back(tocsin, names):
    told = tocsin("import", str(names), "--name", "urlhaus")
    assert "Import 1 of feed:urlhaus stands" in told.stdout
    assert "tocsin import undo 1" in told.stderr
    assert "urlhaus" in tocsin("import", "list").stdout
    assert "stands for 2 objects" in tocsin("import", "show", "1").stdout
    assert "Withdrew 2 objects" in tocsin("import", "undo", "1", "--reason", "x").stdout


def test_the_private_group_is_in_no_list_of_groups(tocsin, names):
    tocsin.json("import", str(names), "--name", "urlhaus")
    assert tocsin.json("group", "list") == []


def test_a_table_with_its_columns_named(tocsin, tmp_path):
    file = tmp_path / "table.txt"
    file.write_text("1;evil.example;85\n2;bad.example;20\n")
    words = ["import", str(file), "--name", "x", "--format", "csv"]
    assert tocsin.refusal(*words, code=1) == "E_CSV_COLUMN"
    done = tocsin.json(*words, "--map", "2=name", "--map", "3=confidence")
    assert done["counts"]["taken"] == 2


def test_names_of_commands_are_commands_and_all_else_is_a_file(tocsin, tmp_path):
    assert tocsin("import", "nowhere.txt", "--name", "x").exit_code == 2
    file = tmp_path / "list"
    file.write_text("evil.example\n")
    assert tocsin.json("import", str(file), "--name", "x")["counts"]["taken"] == 1


def test_a_bomb_is_not_unpacked(tocsin, tmp_path):
    file = tmp_path / "names.gz"
    file.write_bytes(gzip.compress(bytes(70 * 1024 * 1024)))
    assert tocsin.refusal("import", str(file), "--name", "x", code=1) == "E_TOO_BIG"
    file.write_bytes(b"PK\x03\x04" + bytes(100))
    assert tocsin.refusal("import", str(file), "--name", "x", code=1) == "E_ARCHIVE"


def test_what_policy_alone_refuses_ends_with_its_own_code(tocsin, tmp_path):
    file = tmp_path / "tlds.txt"
    file.write_text("com\n")
    assert tocsin("import", str(file), "--name", "x").exit_code == 3
    file.write_text("http://x.example/\n")
    assert tocsin("import", str(file), "--name", "x").exit_code == 1
    file.write_text("# nothing\n")
    assert tocsin("import", str(file), "--name", "x").exit_code == 0


def test_sharing_and_naming_are_two_things(tocsin, names):
    words = ["import", str(names), "--name", "x", "--tlp", "green", "--share"]
    assert tocsin.refusal(*words, "--to", "someone", code=2) == "E_USAGE"
    assert tocsin.json(*words)["feeds"][0].endswith("/green/1")


def test_what_is_passed_on_to_a_peer_carries_its_lineage(pair, names):
    node = pair.registry.node()
    with serve_in_thread(node):
        pair.cert.json("peer", "accept", pair.registry.json("peer", "invite")["invitation"])
        pair.cert.json(
            "peer", "set", "Example Registry", "--verified", "--trust", "trusted"
        )  # fmt: skip
        words = ["--name", "urlhaus", "--tlp", "amber", "--to", "Example Registry"]
        done = pair.cert.json("import", str(names), *words)
    node.database.close()
    assert done["private"] is False
    assert "/d-" in done["feeds"][0]


@pytest.fixture
def server():
    body = json.dumps({"objects": [], "more": False}).encode()
    with ScriptedServer(answers(write_answer(200, body, TAXII))) as found:
        yield found


def test_a_server_is_added_read_and_removed(tocsin, server, tmp_path, monkeypatch):
    monkeypatch.setenv("TOCSIN_ALLOW_LOOPBACK_PEERS", "true")
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    words = ["--collection", "intel", "--user", "us", "--password-file", str(secret)]
    added = tocsin.json("import", "taxii", "add", "other", server.base, *words, "--every", "30")
    assert (added["name"], added["every_minutes"], added["tlp"]) == ("other", 30, None)
    assert "s3cret" not in json.dumps(added)
    kept = tocsin.home / "imports" / "other.password"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    run = tocsin.json("import", "taxii", "run", "other")
    assert (run["pages"], run["import_id"]) == (1, None)
    [row] = tocsin.json("import", "taxii", "list")
    assert row["last_error"] is None
    assert "other" in tocsin("import", "taxii", "list").stdout
    assert tocsin.json("import", "taxii", "remove", "other") == {"name": "other"}
    assert not kept.exists()
    code = tocsin.refusal("import", "taxii", "run", "other", code=1)
    assert code == "E_IMPORT_SERVER_UNKNOWN"


def test_a_user_and_a_password_go_together(tocsin):
    words = ["import", "taxii", "add", "x", "https://x.example/", "--collection", "c"]
    assert tocsin.refusal(*words, "--user", "us", code=2) == "E_USAGE"
