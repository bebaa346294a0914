from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.peers.key_custody import kid_in
from hub.peers.node_conflicts import is_frozen
from tests.hub.cli.conftest import Tocsin
from tests.support.publications import Author
from tests.support.revocations import learn
from tests.support.signed_nodes import seeded


def kids(tocsin: Tocsin, use: str) -> dict[str, str]:
    """The keys of a use by their state."""
    return {row["state"]: row["kid"] for row in tocsin.json("keys", "show") if row["use"] == use}


def test_keys_are_shown_without_their_secrets(tocsin):
    rows = tocsin.json("keys", "show")
    assert [row["use"] for row in rows] == ["root", "entry", "http"]
    assert set(rows[0]) == {
        "kid", "use", "alg", "not_before", "not_after", "in_use", "state", "ends_soon",
    }  # fmt: skip
    assert [row["in_use"] for row in rows] == [False, True, True]
    assert [row["state"] for row in rows] == ["kept apart", "used", "used"]
    assert not any(row["ends_soon"] for row in rows)
    assert rows[1]["kid"] in tocsin("keys", "show").stdout


@pytest.mark.parametrize("use", ["entry", "http"])
def test_a_key_is_rotated_with_the_root_key_of_the_home(tocsin, use):
    before = kids(tocsin, use)
    rotated = tocsin.json("keys", f"rotate-{use}")
    assert set(rotated) == {"version", "use", "kid", "former_kid", "ends_at", "untold"}
    assert (rotated["version"], rotated["use"], rotated["untold"]) == (2, use, 0)
    assert kids(tocsin, use) == {"used": rotated["kid"], "former": before["used"]}


def test_a_running_node_signs_with_the_new_key_without_a_restart(tocsin):
    node = tocsin.node()
    rotated = tocsin.json("keys", "rotate-entry")
    assert node.keys.entry.kid == rotated["kid"]
    node.database.close()


def test_the_root_key_may_lie_elsewhere(tocsin, tmp_path):
    stick = tmp_path / "stick"
    stick.mkdir()
    (tocsin.home / "root-current.key").rename(stick / "root.key")
    assert tocsin.refusal("keys", "rotate-http", code=1) == "E_KEY_FILE"
    assert tocsin.json("keys", "rotate-http", "--root-key-file", str(stick / "root.key"))


def test_another_root_key_is_refused_before_anything_is_signed(tocsin):
    file = str(tocsin.home / "root-next.key")
    assert tocsin.refusal("keys", "renew", "--root-key-file", file, code=1) == "E_ROOT_KEY"
    assert tocsin.json("keys", "rotate-http")["version"] == 2


def test_a_passphrase_opens_the_root_and_locks_the_next(tmp_path):
    phrase = tmp_path / "phrase"
    phrase.write_text("correct horse\n")
    tocsin = Tocsin(tmp_path / "home")
    given = ("--passphrase-file", str(phrase))
    tocsin.json(
        "init", "--name", "N", "--domain", "n.example", "--base-url", "https://n.example/", *given
    )
    assert tocsin.refusal("keys", "rotate-root", code=1) == "E_KEY_FILE"
    rotated = tocsin.json("keys", "rotate-root", *given)
    assert b"argon2id" in Path(rotated["next_root_key_file"]).read_bytes()


def test_the_root_is_rotated_and_its_files_change_places(tocsin):
    current, following = (kid_in(tocsin.home / f"root-{name}.key") for name in ("current", "next"))
    rotated = tocsin.json("keys", "rotate-root")
    assert kid_in(tocsin.home / "root-current.key") == following
    (retired,) = rotated["retired_root_key_files"]
    assert kid_in(Path(retired)) == current
    assert Path(rotated["next_root_key_file"]) == tocsin.home / "root-next.key"
    assert not (tocsin.home / "root-following.key").exists()
    assert tocsin.json("keys", "rotate-root")["version"] == 3
    assert {row["state"] for row in tocsin.json("doctor") if row["check"] == "root keys"} == {
        "warn"
    }


def test_a_crash_between_document_and_files_is_mended_by_the_next_command(tocsin):
    following = kid_in(tocsin.home / "root-next.key")
    tocsin.json("keys", "rotate-root")
    # As if nothing had been renamed yet.
    (tocsin.home / "root-next.key").rename(tocsin.home / "root-following.key")
    (tocsin.home / "root-current.key").rename(tocsin.home / "root-next.key")
    (retired,) = tocsin.home.glob("root-retired-*.key")
    retired.rename(tocsin.home / "root-current.key")
    assert tocsin.json("keys", "renew")["version"] == 3
    assert kid_in(tocsin.home / "root-current.key") == following


def test_a_file_that_no_document_commits_to_is_dropped(tocsin):
    text = (tocsin.home / "root-next.key").read_bytes()
    stray = tocsin.home / "root-following.key"
    stray.touch(0o600)
    stray.write_bytes(text.replace(b"next-root", b"following"))
    tocsin.json("keys", "renew")
    assert not stray.exists()
    assert (tocsin.home / "root-next.key").exists()


def test_a_stolen_key_is_revoked_and_the_feeds_go_on(tocsin):
    stolen = kids(tocsin, "entry")["used"]
    revoked = tocsin.json("keys", "revoke", stolen, "--reason", "stolen")
    assert set(revoked) == {"version", "kid", "new_kid", "epochs", "left_out"}
    (epoch,) = revoked["epochs"]
    assert epoch["next_feed"].endswith("/clear/2")
    assert kids(tocsin, "entry") == {"used": revoked["new_kid"]}
    again = tocsin("keys", "revoke", revoked["new_kid"], "--reason", "r")
    assert "goes on as clear/3" in again.stdout
    assert tocsin.refusal("keys", "revoke", stolen, "--reason", "r", code=1) == "E_REVOKED_ALREADY"
    assert tocsin.refusal("keys", "revoke", "x" * 26, "--reason", "r", code=1) == "E_KEY_NOT_OURS"


def test_a_place_that_is_none_is_refused(tocsin):
    words = ("keys", "revoke", kids(tocsin, "entry")["used"], "--reason", "r", "--last-good")
    assert tocsin.refusal(*words, "clear/7", code=1) == "E_POSITION"
    assert tocsin.refusal(*words, "green/1", code=1) == "E_FEED_UNKNOWN"


def test_new_epochs_are_named_or_all(tocsin):
    assert tocsin.refusal("keys", "new-epoch", code=2) == "E_USAGE"
    assert tocsin.refusal("keys", "new-epoch", "--all", "--feed", "clear", code=2) == "E_USAGE"
    signed = tocsin.json("keys", "new-epoch", "--feed", "clear")
    assert signed["epochs"][0]["last_good"] == 1
    assert tocsin.json("keys", "new-epoch", "--all")["version"] == 3


def test_a_renewed_document_is_good_for_longer(tocsin):
    before = tocsin.json("keys", "show")[0]["not_after"]
    assert tocsin.json("keys", "renew")["version"] == 2
    rows = tocsin.json("keys", "show")
    assert all(row["not_after"] >= before for row in rows)
    assert "good until" in tocsin("keys", "renew").stdout


def test_a_frozen_peer_is_shown_and_thawed_by_a_person(tocsin):
    author = Author(1)
    node = tocsin.node()
    author.meets(node)
    following = author.owner.following_root
    committed = author.owner.after(
        author.document, following, root_keys=[following.public_key],
        next_root=seeded(9).public_key.hex(),
    )  # fmt: skip
    for document in (author.owner.after(author.document), committed):
        learn(node, author.document, document)
    with node.database.read() as tx:
        assert is_frozen(tx, author.node_id)
    node.database.close()
    assert tocsin.json("peer", "show", author.node_id)["frozen_at"] is not None
    assert any("two documents" in row["detail"] for row in tocsin.json("doctor", code=0))
    thawed = tocsin.json("peer", "thaw", author.node_id)
    assert thawed == {"node_id": author.node_id, "overruled": 1}
    assert tocsin.json("peer", "show", author.node_id)["frozen_at"] is None
    assert tocsin.refusal("peer", "thaw", author.node_id, code=1) == "E_NOT_FROZEN"


def test_no_command_prints_a_secret(tocsin):
    seeds = [
        json.loads(path.read_text())["seed"]
        for path in (*tocsin.home.glob("*.key"), *tocsin.home.glob("keys/*.key"))
    ]
    for words in (["show"], ["rotate-entry"], ["renew"], ["rotate-root"]):
        done = tocsin("keys", *words)
        assert done.exit_code == 0
        assert not any(seed in done.output for seed in seeds)
