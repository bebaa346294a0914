"""The first export: names, one a line, replaced whole, stopped when its size jumps."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.errors import SharingRefused
from hub.exports.names import LATER_FORMATS, export_names, require_format, write_whole
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from schemas.errors import WireFormatError
from tests.support.asked_blocks import ask_for_blocks, withdraw_verdicts
from tests.support.nodes import FixedClock, make_node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert", FixedClock())


def some(count: int, start: int = 0) -> list[str]:
    return [f"n{number:04}.example" for number in range(start, start + count)]


def test_a_line_is_a_name_or_everything_below_it(node: Node) -> None:
    ask_for_blocks(node, ["a.example"])
    ask_for_blocks(node, ["b.example"], match_scope="subtree")
    ask_for_blocks(node, ["c.example"], match_scope="wildcard-only")
    exported = export_names(node, "organisation")
    assert exported.lines == ("a.example", "b.example", "*.b.example", "*.c.example")
    assert (exported.names, exported.before, exported.label) == (3, None, "amber+strict")


def test_an_export_that_jumps_is_stopped_until_a_person_lets_it_pass(node: Node) -> None:
    ask_for_blocks(node, some(200))
    export_names(node, "organisation")
    ask_for_blocks(node, some(150, 200))
    with pytest.raises(SharingRefused) as refused:
        export_names(node, "organisation")
    assert refused.value.code == "E_EXPORT_JUMP"
    (alarm,) = list_alarms(node)
    assert (alarm.code, alarm.params["before"], alarm.params["after"]) == ("EXPORT_JUMP", 200, 350)
    with pytest.raises(SharingRefused):  # the last good one stays the measure
        export_names(node, "organisation")
    assert export_names(node, "organisation", accept_jump="A new botnet.").names == 350
    assert list_alarms(node) == ()
    assert export_names(node, "organisation").before == 350


def test_it_is_stopped_when_it_shrinks_too(node: Node) -> None:
    ask_for_blocks(node, some(200))
    export_names(node, "organisation")
    withdraw_verdicts(node, some(150))
    with pytest.raises(SharingRefused):
        export_names(node, "organisation")


def test_a_jump_that_goes_away_ends_its_alarm(node: Node) -> None:
    ask_for_blocks(node, some(200))
    export_names(node, "organisation")
    ask_for_blocks(node, some(150, 200))
    with pytest.raises(SharingRefused):
        export_names(node, "organisation")
    withdraw_verdicts(node, some(150, 200))
    assert export_names(node, "organisation").names == 200
    assert list_alarms(node) == ()


def test_few_names_are_no_jump_and_audiences_are_apart(node: Node) -> None:
    ask_for_blocks(node, some(10))
    export_names(node, "organisation")
    ask_for_blocks(node, some(80, 10))
    assert export_names(node, "organisation").names == 90
    assert export_names(node, "constituents").before is None


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    node = make_node(tmp_path, "open", FixedClock(), export_jump_percent=0)
    ask_for_blocks(node, some(120))
    export_names(node, "organisation")
    withdraw_verdicts(node, some(120))
    assert export_names(node, "organisation").names == 0


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    write_whole(file, ["a.example"])
    assert file.stat().st_mode & 0o777 == 0o640
    file.chmod(0o644)

    def broken() -> object:
        yield "b.example"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_whole(file, broken())  # type: ignore[arg-type]
    assert file.read_text() == "a.example\n"
    write_whole(file, ["c.example", "*.c.example"])
    assert file.read_text() == "c.example\n*.c.example\n"
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", LATER_FORMATS)
def test_other_formats_come_with_a_later_release(name: str) -> None:
    with pytest.raises(WireFormatError) as error:
        require_format(name)
    assert error.value.code == "E_FORMAT_LATER"


def test_what_is_no_format_is_said_so() -> None:
    with pytest.raises(WireFormatError) as error:
        require_format("doc")
    assert error.value.code == "E_FORMAT"
