from __future__ import annotations

from pathlib import Path

from tests.hub.cli.conftest import Tocsin

WORDS = ["init", "--name", "N", "--domain", "n.example", "--base-url", "https://n.example/"]


def test_init_prints_what_the_interface_promises(tmp_path):
    made = Tocsin(tmp_path / "home").json(*WORDS, "--role", "cert", "--role", "registry")
    assert set(made) == {
        "node_id", "fingerprint", "identity", "home", "root_key_file", "next_root_key_file",
    }  # fmt: skip
    for file in ("root_key_file", "next_root_key_file"):
        assert Path(made[file]).stat().st_mode & 0o777 == 0o600


def test_init_tells_a_person_to_move_the_root_keys(tmp_path):
    done = Tocsin(tmp_path / "home")(*WORDS)
    assert done.exit_code == 0
    assert "removable media" in done.stderr
    assert "fingerprint" in done.stdout


def test_init_keeps_a_home_that_has_a_node(tocsin):
    before = (tocsin.home / "root-current.key").read_bytes()
    assert tocsin.refusal(*WORDS, code=1) == "E_ALREADY_INITIALISED"
    assert (tocsin.home / "root-current.key").read_bytes() == before


def test_init_refuses_an_address_that_no_peer_could_reach(tmp_path):
    words = [*WORDS[:-1], "ftp://n.example/"]
    assert Tocsin(tmp_path / "home").json(*words, code=1)["error"]["code"].startswith("E_")


def test_init_encrypts_the_root_keys_with_a_passphrase(tmp_path):
    phrase = tmp_path / "phrase"
    phrase.write_text("correct horse\n")
    made = Tocsin(tmp_path / "home").json(*WORDS, "--passphrase-file", str(phrase))
    assert b"argon2id" in Path(made["root_key_file"]).read_bytes()


def test_init_refuses_an_empty_passphrase(tmp_path):
    phrase = tmp_path / "phrase"
    phrase.write_text("\n")
    words = [*WORDS, "--passphrase-file", str(phrase)]
    assert Tocsin(tmp_path / "home").refusal(*words, code=2) == "E_USAGE"
    assert not (tmp_path / "home").exists()


def test_doctor_lists_every_check_with_its_state(tocsin):
    rows = tocsin.json("doctor")
    assert all(set(row) == {"check", "state", "detail", "remedy"} for row in rows)
    assert {row["state"] for row in rows} == {"ok", "warn"}
    assert "root keys" in {row["check"] for row in rows if row["state"] == "warn"}
    assert "node document" in tocsin("doctor").stdout


def test_doctor_ends_with_one_when_something_needs_a_person(tocsin):
    (tocsin.home / "keys" / "entry.key").chmod(0o644)
    rows = tocsin.json("doctor", code=1)
    assert [row["check"] for row in rows if row["state"] == "fail"] == ["node"]
