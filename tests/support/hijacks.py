"""The hijack of one zone, as nodes report, receive and answer it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.incidents.list_hijacks import ListedHijack, list_hijacks
from hub.incidents.report import HijackReport, Reported, report_hijack
from hub.node import Node
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, sync
from tests.support.nodes import make_node, peer_of
from tests.support.publications import join

ZONE = "shop-a.org"
OLD_NS = ("ns1.shop-a.org", "ns2.shop-a.org")
NEW_NS = ("ns1.rogue-host.net", "ns2.rogue-host.net")
OLD_DS = ("20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d",)


def a_report(**changes: Any) -> HijackReport:
    """Somebody saw both name servers replaced and the DS gone."""
    return HijackReport(
        **{"zone": ZONE, "old_ns": OLD_NS, "new_ns": NEW_NS, "old_ds": OLD_DS} | changes
    )


def two_nodes(tmp_path: Path, *, trust: str = "trusted", **registry: Any) -> tuple[Node, Node]:
    """A CERT, and the owner of the zone, who know each other."""
    cert = make_node(tmp_path / "cert", "cert")
    owner = make_node(tmp_path / "owner", "owner", profile={"domain": ZONE})
    join(cert, owner, trust, name="owner", **registry)
    join(owner, cert, "trusted", name="cert")
    return cert, owner


def tell_hijack(cert: Node, *others: Node, tlp: Tlp = Tlp.AMBER, **changes: Any) -> Reported:
    """Let a node report the hijack to others, and these receive it."""
    to = () if tlp <= Tlp.GREEN else tuple(peer_of(cert, other) for other in others)
    reported = report_hijack(cert, a_report(**changes), tlp, to=to)
    for other in others:
        carry(cert, other)
    return reported


def carry(origin: Node, receiver: Node) -> None:
    """Let a node pull all that another has for it."""
    for audience in ("clear", "green", direct(receiver)):
        for received in sync(origin, receiver, audience):
            assert (received.rejected, received.error) == (0, None)


def only(node: Node) -> ListedHijack:
    """The one claim that a node lists."""
    (listed,) = list_hijacks(node)
    return listed
