"""The line that the threads of a node share."""

from __future__ import annotations

from federation.delivery.plan import Turn
from federation.transport.line import Line


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def test_without_a_budget_nothing_waits() -> None:
    time = Time()
    line = Line(0, time, time.sleep)
    line.inbound.spend(10**9)
    line.inbound.wait(Turn.BLOB)
    assert (time.naps, line.inbound.rate) == ([], None)


def test_what_went_over_the_line_is_waited_for() -> None:
    time = Time()
    line = Line(8, time, time.sleep)  # 1,000 bytes a second
    line.inbound.spend(10_000)
    line.inbound.wait(Turn.IMMEDIATE)
    assert time.now == 0.0
    line.inbound.wait(Turn.BLOB)
    assert time.now == 10.0


def test_in_and_out_are_apart() -> None:
    time = Time()
    line = Line(8, time, time.sleep)
    line.inbound.spend(10_000)
    assert line.outbound.wait_for(Turn.BLOB) == 0.0
    assert line.inbound.wait_for(Turn.BLOB) == 10.0


def test_who_has_no_time_left_does_not_wait_on() -> None:
    time = Time()
    line = Line(8, time, time.sleep)
    line.inbound.spend(1_000_000)
    line.inbound.wait(Turn.CLEAR, is_late=lambda: time.now >= 2.0)
    assert time.now == 2.0
