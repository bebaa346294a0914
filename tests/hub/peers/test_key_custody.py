"""Key files are there whole or not at all, also when a process is killed while it writes one."""

from __future__ import annotations

import fcntl
import signal
import stat
import subprocess
import sys

import pytest

from federation.signing.signer import SeedSigner
from hub.bootstrap import open_node
from hub.errors import Conflict
from hub.peers.key_custody import clear_drafts, read_key_file, write_key_file
from tests.support.nodes import make_node

SEED = b"s" * 32
KILLED_WHILE_WRITING = """
import os, pathlib, signal, sys
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "draft":
    del os.O_TMPFILE
from hub.peers.key_custody import write_key_file
write_key_file(pathlib.Path(sys.argv[1]) / "entry.key", "entry", b"s" * 32, "k" * 26)
"""


@pytest.mark.parametrize("way", ["unnamed", "draft"])
def test_a_process_that_is_killed_leaves_no_secret_behind(tmp_path, way):
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WRITING, str(tmp_path), way], check=False
    )
    assert ended.returncode == -signal.SIGKILL
    left = list(tmp_path.iterdir())
    assert len(left) == (0 if way == "unnamed" else 1)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in left)
    clear_drafts(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_key_file_is_its_owners_alone_and_never_overwritten(tmp_path):
    path = tmp_path / "entry.key"
    write_key_file(path, "entry", SEED, SeedSigner(SEED).kid)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(Conflict, match="E_KEY_FILE_EXISTS"):
        write_key_file(path, "entry", b"t" * 32, SeedSigner(b"t" * 32).kid)
    assert read_key_file(path).kid == SeedSigner(SEED).kid
    assert list(tmp_path.iterdir()) == [path]


def test_a_start_destroys_drafts_that_nobody_writes_any_more(tmp_path):
    node = make_node(tmp_path, "owner")
    node.database.close()
    home = node.settings.home
    left = [home / ".root-next.key.abcdefghijklmnop", home / "keys" / f".http.key.{'2' * 16}"]
    written = home / "keys" / f".entry.next.key.{'a' * 16}"
    other = home / "keys" / ".entry.key.swp"
    for path in (*left, written, other):
        path.write_bytes(b"secret")
    with written.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as whoever writes it does
        open_node(node.settings, clock=node.clock).database.close()
    assert not any(path.exists() for path in left)
    assert written.exists()
    assert other.exists()
