"""Three nodes in networks of their own that are cut and healed: every name arrives once.

Real TLS, real addresses, nothing that only a test may set: the nodes are configured as in
production. A line that is down loses packets silently, as a cable does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.certificates import CertificateAuthority
from tests.support.forks import Forks
from tests.support.networks import Networks, networks
from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    pair_by_command,
    start_all,
    until,
)
from tests.support.what_arrived import check_whole, names_held, publish_names_by_command

NAMES = ("a", "b", "c")


@pytest.fixture
def network() -> Iterator[Networks]:
    with networks(*NAMES) as made:
        yield made


@pytest.fixture
def nodes(tmp_path: Path, network: Networks) -> Iterator[list[Tocsin]]:
    """A, B and C, each with the two others as trusted peers."""
    authority = CertificateAuthority()
    environment = {
        "TOCSIN_CA_FILE": authority.write_to(tmp_path),
        "TOCSIN_ALLOW_LOOPBACK_PEERS": "false",
    }
    with ExitStack() as stack:
        made = []
        for name in NAMES:
            address, under = network.address(name), network.under(name)
            chain, key = authority.write_server_files(tmp_path, address)
            node = Tocsin(
                name, tmp_path / name, stack.enter_context(Forks(under)), environment,
                port=8443, scheme="https", serve_options=("--tls-cert", chain, "--tls-key", key),
                host=address, under=under,
            )  # fmt: skip
            stack.callback(node.kill)
            made.append(node.init())
        start_all(*made)
        for one, other in ((0, 1), (0, 2), (1, 2)):
            pair_by_command(made[one], made[other])
            give_trust_by_command(made[one], made[other], "trusted")
            give_trust_by_command(made[other], made[one], "trusted")
        yield made


@pytest.mark.long
def test_what_was_said_on_both_sides_of_a_cut_arrives_once_when_it_heals(
    nodes: list[Tocsin], network: Networks, tmp_path: Path
) -> None:
    a, b, c = nodes
    publish_names_by_command(a, tmp_path, ["before.example"])
    until(lambda: "before.example" in names_held(c), "C was woken")

    network.cut_off("c")
    publish_names_by_command(a, tmp_path, [f"side-a-{number}.example" for number in range(70)])
    publish_names_by_command(c, tmp_path, ["side-c.example"])
    until(lambda: "side-a-69.example" in names_held(b), "B, on A's side, has it")
    assert "side-a-0.example" not in names_held(c)
    assert "side-c.example" not in names_held(a)

    network.join("c")
    for node in nodes:
        assert all(row["error"] is None for row in node.run("pull"))
    for node in nodes:
        node.stop()
    names = [f"side-a-{number}.example" for number in range(70)]
    check_whole(nodes, ["before.example", "side-c.example", *names])


def test_a_node_that_cannot_reach_the_origin_gets_its_word_through_a_relay(
    nodes: list[Tocsin], network: Networks, tmp_path: Path
) -> None:
    a, b, c = nodes
    network.part("a", "c")
    publish_names_by_command(a, tmp_path, ["relayed.example"])
    until(lambda: "relayed.example" in names_held(b), "B has it from A")
    failed = c.give("pull", a.node_id)
    assert (failed.code, failed.document[0]["error"]) == (1, "E_HTTP_CONNECT")
    assert c.run("pull", b.node_id)[0]["error"] is None
    assert names_held(c) == {"relayed.example": 1}

    network.unpart("a", "c")
    assert c.run("pull", a.node_id)[0]["error"] is None
    for node in nodes:
        node.stop()
    check_whole(nodes, ["relayed.example"])
