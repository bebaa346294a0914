"""``tocsin feed heartbeat`` at the command line."""

from __future__ import annotations

from tests.support.publications import Author


def test_a_heartbeat_goes_into_an_own_feed(tocsin):
    node = tocsin.node()
    Author(1, at=node.now()).meets(node, name="Example Registry")
    node.database.close()
    sent = tocsin.json("feed", "heartbeat", "clear")
    assert set(sent) == {"feed", "seq", "hash"}
    assert sent["feed"].endswith("/clear/1")
    told = tocsin("feed", "heartbeat", "clear")
    assert f"Entry {sent['seq'] + 1} of clear" in told.stdout
    assert tocsin.refusal("feed", "heartbeat", "green", code=1) == "E_FEED_UNKNOWN"
