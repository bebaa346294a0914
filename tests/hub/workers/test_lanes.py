"""Slow peers stand aside (THREATS 3.13)."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from hub.storage.queries.jobs import Job
from hub.workers.lanes import MOST_REMEMBERED, Lane, Room


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lane(clock):
    return Lane(3, 2, slow_after=5, clock=clock)


def begin(lane, *subjects):
    works = [Future() for _ in subjects]
    for work, subject in zip(works, subjects, strict=True):
        lane.begin(work, job(subject))
    return works


def job(subject):
    return Job(1, "pull", subject, 1, 0)


def test_an_empty_lane_takes_as_many_as_it_is_wide(lane):
    assert lane.room() == Room(3, 2)
    begin(lane, "a", "b")
    assert lane.room() == Room(1, 2)


def test_what_has_ended_makes_room(lane):
    works = begin(lane, "a", "b", "c")
    works[1].set_result(None)
    assert lane.room() == Room(1, 2)


def test_a_job_that_takes_long_stands_aside(lane, clock):
    begin(lane, "a", "b", "c")
    clock.now = 6
    # Two of the three find room beside; the third keeps its place.
    assert lane.room() == Room(2, 0)


def test_slow_ones_never_take_more_than_both_lanes(lane, clock):
    begin(lane, "a", "b", "c")
    clock.now = 6
    begin(lane, "d", "e")
    assert lane.room() == Room(0, 0)


def test_who_was_slow_begins_aside_and_a_quick_turn_ends_that(lane):
    lane.note_duration(job("a"), 9)
    assert lane.slow_subjects() == {"a"}
    begin(lane, "a")
    assert lane.room() == Room(3, 1)
    lane.note_duration(job("a"), 1)
    assert lane.slow_subjects() == frozenset()


def test_without_a_slow_lane_all_count_alike(clock):
    lane = Lane(2, slow_after=5, clock=clock)
    begin(lane, "a")
    clock.now = 60
    lane.note_duration(job("a"), 60)
    assert (lane.room(), lane.slow_subjects()) == (Room(1, 0), frozenset())


def test_what_is_remembered_is_bounded(lane):
    for number in range(MOST_REMEMBERED + 10):
        lane.note_duration(job(str(number)), 9)
    assert len(lane.slow_subjects()) == MOST_REMEMBERED
    assert "0" not in lane.slow_subjects()
