"""An export: what is kept, when it is a new one, and when it is stopped."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from federation.errors import SharingRefused
from hub.exports.export_key import ExportKey
from hub.exports.publication import render_export
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.verdicts.blocklist import blocks_for
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from tests.support.asked_blocks import ask_for_blocks, withdraw_verdicts
from tests.support.exported import content_of, exported_bytes, exported_lines
from tests.support.nodes import FixedClock, make_node

NAMES = ExportKey("names", "organisation")


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def node(tmp_path: Path, clock: FixedClock) -> Node:
    return make_node(tmp_path, "cert", clock)


def some(count: int, start: int = 0) -> list[str]:
    return [f"n{number:04}.example" for number in range(start, start + count)]


def test_a_line_is_a_name_or_everything_below_it(node: Node) -> None:
    ask_for_blocks(node, ["a.example"])
    ask_for_blocks(node, ["b.example"], match_scope="subtree")
    ask_for_blocks(node, ["c.example"], match_scope="wildcard-only")
    exported = render_export(node, NAMES)
    assert content_of(exported) == b"a.example\nb.example\n*.b.example\n*.c.example\n"
    assert (exported.names, exported.changes.before, exported.label) == (3, None, "amber+strict")


def test_the_same_verdicts_give_the_same_bytes_and_the_same_serial(
    node: Node, clock: FixedClock
) -> None:
    ask_for_blocks(node, some(3))
    first = render_export(node, ExportKey("hosts", "organisation"))
    clock.advance(hours=1)
    ask_for_blocks(node, some(3))  # issued again, with a later end
    second = render_export(node, ExportKey("hosts", "organisation"))
    assert (second.changed, second.serial, second.changed_at) == (
        False,
        first.serial,
        first.changed_at,
    )
    assert content_of(second) == content_of(first)
    ask_for_blocks(node, some(1, 3))
    third = render_export(node, ExportKey("hosts", "organisation"))
    assert (third.changed, third.serial) == (True, int(clock.now().timestamp()))


def test_a_serial_grows_though_the_clock_goes_back(node: Node, clock: FixedClock) -> None:
    ask_for_blocks(node, some(1), valid_until=clock.now() + timedelta(days=9))
    first = render_export(node, NAMES)
    clock.advance(seconds=-100)
    ask_for_blocks(node, some(2))
    assert render_export(node, NAMES).serial == first.serial + 1


def test_an_export_that_jumps_is_stopped_until_a_person_lets_it_pass(node: Node) -> None:
    ask_for_blocks(node, some(200))
    render_export(node, NAMES)
    ask_for_blocks(node, some(150, 200))
    with pytest.raises(SharingRefused) as refused:
        render_export(node, NAMES)
    assert refused.value.code == "E_EXPORT_JUMP"
    (alarm,) = list_alarms(node)
    assert (alarm.code, alarm.params["before"], alarm.params["after"]) == ("EXPORT_JUMP", 200, 350)
    with pytest.raises(SharingRefused):  # the last good one stays the measure
        render_export(node, NAMES)
    accepted = render_export(node, NAMES, accept_jump="A new botnet.")
    assert (accepted.names, accepted.changes.added) == (350, 150)
    assert list_alarms(node) == ()
    assert render_export(node, NAMES).changes.before == 350


def test_it_is_stopped_when_it_shrinks_too(node: Node) -> None:
    ask_for_blocks(node, some(200))
    render_export(node, NAMES)
    withdraw_verdicts(node, some(150))
    with pytest.raises(SharingRefused):
        render_export(node, NAMES)


def test_it_is_stopped_when_most_names_are_exchanged_at_the_same_size(node: Node) -> None:
    ask_for_blocks(node, some(200))
    render_export(node, NAMES)
    withdraw_verdicts(node, some(120))
    ask_for_blocks(node, some(120, 200))
    would = render_export(node, NAMES, dry_run=True)
    assert (would.changes.added, would.changes.removed) == (120, 120)
    assert would.changes.first_added[0] == "n0200.example"
    assert would.changes.first_removed[0] == "n0000.example"
    with pytest.raises(SharingRefused):
        render_export(node, NAMES)


def test_a_dry_run_keeps_nothing(node: Node) -> None:
    ask_for_blocks(node, some(1))
    render_export(node, NAMES)
    ask_for_blocks(node, some(1, 1))
    assert render_export(node, NAMES, dry_run=True).changes.added == 1
    assert [each.name for each in blocks_for(node, "organisation").in_force] == some(1)
    assert exported_lines(node) == tuple(some(2))


def test_a_jump_that_goes_away_ends_its_alarm(node: Node) -> None:
    ask_for_blocks(node, some(200))
    render_export(node, NAMES)
    ask_for_blocks(node, some(150, 200))
    with pytest.raises(SharingRefused):
        render_export(node, NAMES)
    withdraw_verdicts(node, some(150, 200))
    assert render_export(node, NAMES).names == 200
    assert list_alarms(node) == ()


def test_few_names_are_no_jump_and_audiences_are_apart(node: Node) -> None:
    ask_for_blocks(node, some(10))
    render_export(node, NAMES)
    ask_for_blocks(node, some(80, 10))
    assert render_export(node, NAMES).names == 90
    assert render_export(node, ExportKey("names", "constituents")).changes.before is None


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    node = make_node(tmp_path, "open", FixedClock(), export_jump_percent=0, export_churn_percent=0)
    ask_for_blocks(node, some(120))
    render_export(node, NAMES)
    withdraw_verdicts(node, some(120))
    assert render_export(node, NAMES).names == 0


def test_what_is_stricter_than_an_audience_changes_nothing_for_it(
    node: Node, clock: FixedClock
) -> None:
    ask_for_blocks(node, some(2), Tlp.CLEAR)
    key = ExportKey("hosts", "public")
    first = render_export(node, key)
    clock.advance(minutes=5)
    ask_for_blocks(node, some(2, 2), Tlp.AMBER)
    ask_for_blocks(node, some(2, 4), Tlp.RED)
    second = render_export(node, key)
    assert (second.serial, second.changed_at, second.names) == (first.serial, first.changed_at, 2)
    assert exported_lines(node) == tuple(some(4))  # RED is in no list


def test_names_are_split_by_their_weightiest_threat_type(node: Node) -> None:
    ask_for_blocks(node, ["a.example"], threat_types=("dga", "phishing"))
    ask_for_blocks(node, ["b.example"], threat_types=("phishing",))
    ask_for_blocks(node, ["c.example"], threat_types=())
    ask_for_blocks(node, ["d.example"], threat_types=("../../etc",))
    split = {
        feed: exported_bytes(node, "names", feed=feed).decode().split()
        for feed in ("dga", "phishing", "other")
    }
    assert split == {
        "dga": ["a.example"],
        "phishing": ["b.example"],
        "other": ["c.example", "d.example"],
    }


@pytest.mark.parametrize(
    "key",
    [
        ExportKey("names", "organisation", feed="../x"),
        ExportKey("names", "organisation", feed="passthru"),
        ExportKey("rpz", "public", feed="passthru"),
        ExportKey("names", "organisation", least=101),
        ExportKey("doc", "organisation"),
        ExportKey("names", "everybody"),
    ],
)
def test_what_cannot_be_exported_is_said_so(node: Node, key: ExportKey) -> None:
    with pytest.raises(WireFormatError):
        render_export(node, key)
