"""``tocsin peer names`` between two homes."""

from __future__ import annotations

from tests.support.nodes import serve_in_thread


def test_without_a_resolver_it_says_what_to_do(pair):
    node = pair.cert.node()
    with serve_in_thread(node):
        pair.registry.json("peer", "accept", pair.cert.json("peer", "invite")["invitation"])
    node.database.close()
    shown = pair.registry("peer", "names")
    assert shown.exit_code == 0
    assert "--check" in shown.stderr
    assert pair.registry.json("peer", "names") == []
    refused = pair.registry("peer", "names", "--check")
    assert refused.exit_code == 1
    assert "E_RESOLVER" in refused.stderr
    assert "unbound" in refused.stderr


def test_a_resolver_elsewhere_is_refused(pair, monkeypatch):
    monkeypatch.setenv("TOCSIN_RESOLVER", "192.0.2.53:53")
    refused = pair.registry("peer", "names")
    assert refused.exit_code != 0
    assert "E_SETTINGS" in refused.stderr
    assert "this machine" in refused.stderr
