"""Nodes meet over TLS with certificates of an authority that is trusted by a setting alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.scenarios.needles import Needle
from tests.support.certificates import CertificateAuthority
from tests.support.forks import Forks
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    pair_by_command,
    start_all,
    until,
)


@pytest.fixture
def authority() -> CertificateAuthority:
    return CertificateAuthority()


@pytest.fixture
def nodes(tmp_path: Path, authority: CertificateAuthority) -> Iterator[list[Tocsin]]:
    """Two nodes that serve https and trust the authority."""
    ca_file = authority.write_to(tmp_path)
    cert, key = authority.write_server_files(tmp_path, "127.0.0.1")
    with Forks() as commands:
        made = [
            Tocsin(
                name, tmp_path / name, commands, {"TOCSIN_CA_FILE": ca_file}, scheme="https",
                serve_options=("--tls-cert", cert, "--tls-key", key),
            )
            for name in ("a", "b")
        ]  # fmt: skip
        try:
            yield [node.init() for node in made]
        finally:
            for node in made:
                node.kill()


def test_nodes_pair_wake_and_pull_over_tls_and_not_without_the_authority(
    nodes: list[Tocsin], tmp_path: Path
) -> None:
    a, b = nodes
    start_all(a, b)
    assert a.get("/healthz").header("strict-transport-security")
    stranger = replace(b, environment={})  # the same home, without the authority

    # Without it nobody is paired, and what is wrong is said.
    invitation = a.run("peer", "invite")["invitation"]
    refused = stranger.give("peer", "accept", invitation)
    assert (refused.code, refused.document["error"]["code"]) == (1, "E_HTTP_TLS")
    assert refused.document["error"]["remedy"]
    assert a.run("peer", "list") == []

    pair_by_command(a, b)
    give_trust_by_command(a, b, "trusted")
    give_trust_by_command(b, a, "trusted")
    first, second = Needle("green", 1), Needle("amber", 2)
    a.run("publish", first.file(tmp_path), "--tlp", "green")
    until(lambda: holds(b, first), "B was woken over TLS and pulled over TLS")

    # And nothing is pulled: neither the other's certificate nor plain http will do.
    b.stop()
    a.run("publish", second.file(tmp_path), "--tlp", "amber", "--to", b.node_id)
    done = stranger.give("pull", a.node_id)
    (row,) = done.document
    assert (done.code, row["error"], row["entries"]) == (1, "E_HTTP_TLS", 0)
    assert b.run("peer", "show", a.node_id)["last_error"] == "E_HTTP_TLS"
    assert not holds(b, second)

    (row,) = b.run("pull", a.node_id)
    assert row["error"] is None
    assert holds(b, second)


def test_a_certificate_for_another_name_will_not_do(
    nodes: list[Tocsin], tmp_path: Path, authority: CertificateAuthority
) -> None:
    a, b = nodes
    cert, key = authority.write_server_files(tmp_path, "other.example")
    a.serve_options = ("--tls-cert", cert, "--tls-key", key)
    start_all(a)

    refused = b.give("peer", "accept", a.run("peer", "invite")["invitation"])

    assert (refused.code, refused.document["error"]["code"]) == (1, "E_HTTP_TLS")


def holds(node: Tocsin, needle: Needle) -> bool:
    return needle.stix_id in {row["id"] for row in node.run("objects", "list")}
