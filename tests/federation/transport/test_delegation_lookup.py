"""What a real BIND says of a delegation, as the parent's server: hijacked, back, and gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.transport.delegation_lookup import (
    Delegation,
    look_up_delegation,
    parent_servers,
)
from hub.incidents.watch_delegations import WATCH_INTERVAL, watch_delegations
from schemas.markings import Tlp
from tests.support.hijacks import only, tell_hijack
from tests.support.nodes import free_port, make_node
from tests.support.signed_zone import SignedDns, signed_dns
from tests.support.told_claims import clock_of

DS = "20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d"
OLD = ("ns1.shop-a.org", "ns2.shop-a.org")
NEW = ("ns1.rogue-host.net", "ns2.rogue-host.net")


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignedDns]:
    with signed_dns(tmp_path_factory.mktemp("dns"), signed=["org"], unsigned=[]) as served:
        yield served


def delegate(parent: SignedDns, servers: tuple[str, ...], *keys: str) -> None:
    lines = [f"shop-a NS {name}." for name in servers] + [f"shop-a DS {key}" for key in keys]
    lines += [f"ns{number}.shop-a A 127.0.0.1" for number in (1, 2)] if servers == OLD else []
    parent.publish("org", {}, records=lines)


def servers_of(parent: SignedDns) -> list[tuple[str, int]]:
    return [("127.0.0.1", parent.authority_port)]


def test_a_parent_says_what_it_has(parent: SignedDns) -> None:
    delegate(parent, OLD, DS)
    found = look_up_delegation("shop-a.org", servers_of(parent))
    assert found == Delegation(frozenset(OLD), frozenset({DS}))
    delegate(parent, NEW)
    found = look_up_delegation("shop-a.org", servers_of(parent))
    assert found == Delegation(frozenset(NEW), frozenset())
    delegate(parent, ())
    found = look_up_delegation("shop-a.org", servers_of(parent))
    assert found == Delegation(frozenset(), frozenset())


def test_an_answer_too_long_for_one_datagram_comes_by_tcp(parent: SignedDns) -> None:
    names = tuple(f"{'x' * 60}{number}.rogue-host.net" for number in range(13))
    keys = [DS[:-2] + f"{number:02x}" for number in range(40)]
    delegate(parent, names, *keys)
    found = look_up_delegation("shop-a.org", servers_of(parent))
    assert found == Delegation(frozenset(names), frozenset(keys))


def test_a_server_that_does_not_speak_for_the_parent_tells_nothing(parent: SignedDns) -> None:
    assert look_up_delegation("shop-a.net", servers_of(parent)) is None, "refused"
    silent = [("127.0.0.1", free_port())]
    assert look_up_delegation("shop-a.org", silent, seconds=0.2) is None
    assert look_up_delegation("shop-a.org", []) is None
    assert look_up_delegation("a..b", servers_of(parent)) is None


def test_no_server_on_a_private_address_is_ever_asked(parent: SignedDns) -> None:
    """The zone's owner writes where its parent's servers are (THREATS 33)."""
    host, _, port = parent.resolver.rpartition(":")
    assert parent_servers("shop-a.org", (host, int(port))) == (), "org's server is 127.0.0.1 here"
    assert parent_servers("shop-a.org", ("127.0.0.1", free_port()), seconds=0.2) == ()


def test_hijacked_then_back_then_closed(parent: SignedDns, tmp_path: Path) -> None:
    """Issue 6, point 2: the claim closes itself when the delegation is back."""
    node = make_node(tmp_path, "cert", delegation_server=f"127.0.0.1:{parent.authority_port}")
    delegate(parent, NEW)
    tell_hijack(node, tlp=Tlp.GREEN, old_ns=OLD, new_ns=NEW, old_ds=(DS,))

    def look() -> str:
        watch_delegations(node)
        clock_of(node).advance(WATCH_INTERVAL)
        return only(node).state

    assert [look(), look(), look()] == ["open"] * 3
    delegate(parent, OLD)
    assert [look(), look()] == ["open"] * 2, "the name servers are back, the keys are not"
    delegate(parent, OLD, DS)
    assert [look(), look()] == ["open", "closed"]
