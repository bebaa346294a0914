"""Guesses are slowed by address and by name; nobody who has a good token is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from limits.strategies import MovingWindowRateLimiter
from starlette.testclient import TestClient

from hub.api.rate_limits import WRONG_A_MINUTE, GuessLimits, MemoryOfWindows, site_of
from hub.errors import RateLimited
from hub.operators.readers import Credentials
from hub.operators.tokens import revoke_token
from schemas.taxii.media_types import TAXII
from tests.hub.api.taxii.conftest import Intel, basic, make_intel

MOST = WRONG_A_MINUTE.amount
HERE, THERE = "192.0.2.7", "198.51.100.9"
GOOD = Credentials("siem", "tocsin_right")


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> GuessLimits:
    return GuessLimits(clock)


def guess(limits: GuessLimits, address: str, name: str | None, count: int, start: int = 0) -> None:
    """Guess wrong, as often as one is let."""
    for number in range(start, start + count):
        wrong = Credentials(name, f"wrong-{number}")
        limits.admit(address, wrong)
        limits.record_wrong(address, wrong)


def waits(limits: GuessLimits, address: str, credentials: Credentials) -> int:
    """How long these credentials have to wait; 0 when they are looked at."""
    try:
        limits.admit(address, credentials)
    except RateLimited as refused:
        return int(str(refused.params["retry_after"]))
    return 0


def test_an_address_guesses_so_often_a_minute(limits, clock):
    guess(limits, HERE, None, MOST)
    assert waits(limits, HERE, Credentials(None, "one more")) == 60
    assert waits(limits, THERE, Credentials(None, "one more")) == 0
    clock.at += 59.5
    assert waits(limits, HERE, Credentials(None, "one more")) == 1
    clock.at += 0.5
    guess(limits, HERE, None, MOST)


def test_the_window_moves(limits, clock):
    guess(limits, HERE, None, MOST // 2)
    clock.at += 30
    guess(limits, HERE, None, MOST // 2, start=100)
    assert waits(limits, HERE, Credentials(None, "x")) == 30
    clock.at += 30
    guess(limits, HERE, None, MOST // 2, start=200)
    assert waits(limits, HERE, Credentials(None, "x")) == 30


def test_a_name_is_guessed_so_often_a_minute_from_wherever(limits):
    addresses = [f"192.0.2.{number}" for number in range(MOST)]
    for address in addresses:
        guess(limits, address, "siem", 1)
    assert all(waits(limits, address, Credentials("siem", "x")) for address in addresses)
    assert not waits(limits, addresses[0], Credentials("other", "x"))


def test_who_has_guessed_nothing_is_not_locked_out_by_a_flood_of_its_name(limits):
    for number in range(MOST):
        guess(limits, f"192.0.2.{number}", "siem", 1)
    assert not waits(limits, THERE, GOOD)


def test_what_was_right_here_is_looked_at_whoever_guesses_beside_it(limits, clock):
    limits.record_right(GOOD)
    guess(limits, HERE, "siem", MOST)
    assert waits(limits, HERE, Credentials("siem", "x"))
    assert not waits(limits, HERE, GOOD)
    assert waits(limits, HERE, Credentials("other", GOOD.secret)), "the pair counts"
    clock.at += 86_400
    guess(limits, HERE, "siem", MOST)
    assert waits(limits, HERE, GOOD), "for a day"


def test_what_was_right_and_is_not_any_more_counts_from_then_on(limits):
    limits.record_right(GOOD)
    guess(limits, HERE, None, MOST - 1)
    limits.admit(HERE, GOOD)
    limits.record_wrong(HERE, GOOD)
    assert waits(limits, HERE, GOOD)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "testclient", True),
    ],
)
def test_whose_address_it_is(one, other, same):
    assert (site_of(one) == site_of(other)) is same


def test_what_is_remembered_is_bounded(clock):
    memory = MemoryOfWindows(clock)
    limiter = MovingWindowRateLimiter(memory)
    for number in range(20_100):
        limiter.hit(WRONG_A_MINUTE, str(number))
    assert memory.reset() == 20_000


def test_what_is_over_is_not_counted(clock):
    limiter = MovingWindowRateLimiter(MemoryOfWindows(clock))
    assert [limiter.hit(WRONG_A_MINUTE, "a") for _ in range(MOST + 2)].count(True) == MOST
    assert limiter.get_window_stats(WRONG_A_MINUTE, "a").remaining == 0


# Over HTTP.


@pytest.fixture
def intel(tmp_path: Path, now: datetime) -> Iterator[Intel]:
    made = make_intel(tmp_path, now)
    made.add("siem", "own", originals=True)
    yield made
    made.close()


def asked(intel: Intel, name: str, token: str) -> Any:
    return intel.ask(None, "/taxii2/intel/", headers=basic(name, token))


def test_guessing_is_429_with_retry_after_as_a_taxii_error(intel):
    answers = [asked(intel, "siem", f"wrong-{number}") for number in range(MOST)]
    assert {answer.status_code for answer in answers} == {401}
    refused = asked(intel, "siem", "wrong")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["content-type"] == TAXII
    assert refused.json()["error_code"] == "E_QUOTA"
    assert refused.json()["http_status"] == "429"
    assert "www-authenticate" not in refused.headers
    intel.clock.advance(seconds=60)
    assert asked(intel, "siem", "wrong").status_code == 401


def test_a_guess_that_is_right_is_not_looked_at_either(intel):
    for number in range(MOST):
        asked(intel, "siem", f"wrong-{number}")
    assert asked(intel, "siem", intel.tokens["siem"]).status_code == 429
    intel.clock.advance(seconds=60)
    assert asked(intel, "siem", intel.tokens["siem"]).status_code == 200


def test_a_reader_goes_on_while_its_address_guesses(intel):
    assert intel.ask("siem", "/taxii2/intel/").status_code == 200
    for number in range(MOST + 5):
        asked(intel, "siem", f"wrong-{number}")
    for _ in range(3 * MOST):
        assert intel.ask("siem", "/taxii2/").status_code == 200
    revoke_token(intel.node, "siem")
    assert [intel.ask("siem", "/taxii2/").status_code for _ in range(2)] == [401, 429]


def test_names_that_exist_and_names_that_do_not_are_slowed_alike(intel):
    seen = [
        [asked(intel, name, f"wrong-{n}").content for n in range(MOST)] for name in ("siem", "none")
    ]
    assert seen[0][0] == seen[0][-1]
    assert set(seen[1]) == {asked(intel, "none", "x").content}


def test_asking_without_credentials_is_no_guess(intel):
    for _ in range(2 * MOST):
        assert intel.ask(None, "/taxii2/").status_code == 401
    assert intel.ask("siem", "/taxii2/").status_code == 200


def test_it_can_be_switched_off(tmp_path, now):
    intel = make_intel(tmp_path / "off", now, rate_limits="off")
    try:
        assert isinstance(intel.client, TestClient)
        for number in range(2 * MOST):
            assert asked(intel, "siem", f"wrong-{number}").status_code == 401
    finally:
        intel.close()
