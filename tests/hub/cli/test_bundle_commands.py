"""``tocsin bundle`` between two homes whose nodes were paired once and never meet again."""

from __future__ import annotations

import pytest

from tests.support.nodes import serve_in_thread


@pytest.fixture
def apart(pair):
    """The CERT and the registry, paired and trusted; nobody serves any more."""
    node = pair.cert.node()
    with serve_in_thread(node):
        pair.registry.json("peer", "accept", pair.cert.json("peer", "invite")["invitation"])
    node.database.close()
    for side, other in ((pair.cert, "Example Registry"), (pair.registry, "Example CERT")):
        side.json("peer", "set", other, "--verified", "--trust", "trusted")
    return pair


def test_a_stick_carries_what_was_published(apart, names, tmp_path):
    stick = tmp_path / "for-registry"
    apart.cert.json("publish", str(names), "--tlp", "amber", "--to", "Example Registry")
    told = apart.cert("bundle", "export", str(stick), "--to", "Example Registry")
    assert told.exit_code == 0
    assert "TLP:AMBER in plain text" in told.stderr
    done = apart.registry.json("bundle", "import", str(stick))
    assert set(done) == {"peer", "name", "made_at", "feeds", "lists"}
    assert {row["error"] for row in done["feeds"]} == {None}
    assert sum(row["accepted"] for row in done["feeds"]) >= 2
    again = apart.registry("bundle", "import", str(stick))
    assert again.exit_code == 0
    assert "clear/1" in again.stdout
    # A feed that stops is named, and the exit code says so.
    apart.registry.json("peer", "set", "Example CERT", "--limit", "1")
    apart.cert.json("publish", str(names), "--tlp", "green")
    apart.cert.json("bundle", "export", str(tmp_path / "more"), "--to", "Example Registry")
    stopped = apart.registry("bundle", "import", str(tmp_path / "more"))
    assert stopped.exit_code == 1
    assert "E_QUOTA" in stopped.stdout
    assert "goes on tomorrow" in stopped.stderr


def test_what_was_written_is_told_and_what_cannot_be_is_refused(apart, tmp_path):
    words = ["bundle", "export", str(tmp_path / "x"), "--to", "Example Registry"]
    done = apart.cert.json(*words)
    assert set(done) == {"file", "bytes", "peer", "name", "label", "feeds"}
    assert done["bytes"] == (tmp_path / "x").stat().st_size
    assert [set(feed) for feed in done["feeds"]] == [{"feed", "after", "last", "entries"}]
    assert apart.cert.refusal(*words, code=1) == "E_FILE_EXISTS"
    for number, when in enumerate(["2026-03-01", "2026-03-01T10:00Z", "2126-03-01T10:00:00+01:00"]):
        words[2] = str(tmp_path / f"since-{number}")
        apart.cert.json(*words, "--since", when)
    words[2] = str(tmp_path / "never")
    assert apart.cert.refusal(*words, "--since", "yesterday", code=2) == "E_USAGE"
    assert apart.cert.refusal(*words, "--since", "2026-03-01", "--all", code=2) == "E_USAGE"
    assert apart.cert.refusal("bundle", "import", str(tmp_path / "x"), code=1) == "E_CARRIED_TO"
    assert apart.cert.refusal("bundle", "import", str(tmp_path / "none"), code=2) == "E_USAGE"
    (tmp_path / "odd").write_bytes(b"x")
    assert apart.cert.refusal("bundle", "import", str(tmp_path / "odd"), code=1) == "E_CARRIED_FILE"
