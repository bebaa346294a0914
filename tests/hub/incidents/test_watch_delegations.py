"""A claim closes itself when the old delegation is back, seen twice; a failing look never does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from federation.transport.delegation_lookup import Delegation
from hub.incidents.watch_delegations import WATCH_INTERVAL, is_back, watch_delegations
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.peers.trust import PeerChanges, set_peer
from hub.workers.jobs import run_due_jobs
from hub.workers.schedule import plan_work
from schemas.dns.delegations import DelegationChange
from schemas.markings import Tlp
from tests.support.hijacks import NEW_NS, OLD_DS, OLD_NS, ZONE, carry, only, tell_hijack, two_nodes
from tests.support.nodes import make_node, peer_of
from tests.support.publications import join
from tests.support.stored_state import rows_of
from tests.support.told_claims import clock_of

BACK = Delegation(frozenset(OLD_NS), frozenset(OLD_DS))
HIJACKED = Delegation(frozenset(NEW_NS), frozenset())
NOTHING = None
Ask = Callable[[str], Delegation | None]


def says(answer: Delegation | None) -> Ask:
    return lambda zone: answer if zone == ZONE else None


def look(node: Node, *answers: Delegation | None) -> None:
    for answer in answers:
        watch_delegations(node, ask=says(answer))
        clock_of(node).advance(WATCH_INTERVAL)


def test_seen_back_twice_the_reporter_closes_it_for_everybody(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path)
    tell_hijack(cert, owner)
    look(cert, HIJACKED, BACK)
    assert (only(cert).state, only(cert).back_at) == ("open", None)
    look(cert, BACK)
    closed = only(cert)
    assert closed.state == "closed"
    assert closed.reverted_at == closed.back_at
    clock_of(owner).advance(hours=1)
    carry(cert, owner)
    assert only(owner).state == "closed"
    assert list_alarms(owner) == ()


def test_others_mark_that_it_is_back_here_and_do_not_close_it(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path)
    tell_hijack(cert, owner)
    look(owner, BACK, BACK)
    listed = only(owner)
    assert listed.state == "open"
    assert listed.back_at is not None
    look(owner, HIJACKED)
    assert only(owner).back_at is None


@pytest.mark.parametrize("between", [NOTHING, HIJACKED, replace(BACK, agreed=False)])
def test_what_is_not_the_old_delegation_begins_anew(
    tmp_path: Path, between: Delegation | None
) -> None:
    node = make_node(tmp_path, "cert")
    tell_hijack(node, tlp=Tlp.GREEN)
    look(node, BACK, between, BACK)
    assert only(node).state == "open"
    look(node, BACK)
    assert only(node).state == "closed"


@pytest.mark.parametrize(
    ("ns", "ds", "back"),
    [
        (OLD_NS, OLD_DS, True),
        (OLD_NS, (), False),
        (OLD_NS[:1], OLD_DS, False),
        ((*OLD_NS, NEW_NS[0]), OLD_DS, False),
        ((), (), False),
    ],
)
def test_it_takes_the_old_set_and_no_other(
    ns: tuple[str, ...], ds: tuple[str, ...], back: bool
) -> None:
    change = DelegationChange(ZONE, (), OLD_NS, NEW_NS, OLD_DS)
    assert is_back(change, Delegation(frozenset(ns), frozenset(ds))) is back


def test_without_the_old_keys_the_name_servers_suffice() -> None:
    change = DelegationChange(ZONE, (), OLD_NS, NEW_NS)
    assert is_back(change, Delegation(frozenset(OLD_NS), frozenset({"1 8 2 ab"})))


def test_failing_looks_never_close(tmp_path: Path) -> None:
    node = make_node(tmp_path, "cert")
    tell_hijack(node, tlp=Tlp.GREEN)
    look(node, *[NOTHING] * 5)
    assert (only(node).state, only(node).look_code) == ("open", "UNANSWERED")


def test_two_looks_at_one_moment_are_one(tmp_path: Path) -> None:
    node = make_node(tmp_path, "cert")
    tell_hijack(node, tlp=Tlp.GREEN)
    for _ in range(3):
        watch_delegations(node, ask=says(BACK))
    assert only(node).state == "open"


def test_what_strangers_claim_is_not_looked_after(tmp_path: Path) -> None:
    cert, owner = two_nodes(tmp_path)
    tell_hijack(cert, owner)
    set_peer(owner, peer_of(owner, cert), PeerChanges(trust="known"))
    assert watch_delegations(owner, ask=says(BACK)).looked == 0


def test_own_zones_on_the_same_rogue_servers_are_alarmed_and_no_others_are_asked(
    tmp_path: Path,
) -> None:
    cert, _ = two_nodes(tmp_path)
    isp = make_node(tmp_path / "isp", "isp", profile={"domain": "isp-a.net"})
    join(cert, isp, "trusted", name="isp")
    join(isp, cert, "trusted", name="cert")
    tell_hijack(cert, isp)
    asked = []

    def ask(zone: str) -> Delegation:
        asked.append(zone)
        return HIJACKED

    watched = watch_delegations(isp, ask=ask)
    assert (watched.using, sorted(asked)) == (("isp-a.net",), ["isp-a.net", ZONE])
    (alarm,) = list_alarms(isp)
    assert alarm.params["concern"] == ["own-name-servers"]


def test_the_worker_looks_by_itself_while_there_are_claims(tmp_path: Path) -> None:
    node = make_node(tmp_path, "cert")
    plan_work(node)
    assert "delegations" not in kinds(node)
    tell_hijack(node, tlp=Tlp.GREEN)
    plan_work(node)
    assert "delegations" in kinds(node)
    run_due_jobs(node)
    assert "delegations" in kinds(node), "it has its next turn"


def kinds(node: Node) -> set[str]:
    return {row["kind"] for row in rows_of(node, "SELECT kind FROM jobs")}
