"""How often credentials may be guessed: by address and by name, in this process (issue 3 "Rights").

Decides: whether the credentials of a request are looked at now or later; and whether a request of a
node that nobody knows yet is read (``StrangerLimits``).

Invariants:
* only credentials that turned out wrong count, so nobody is slowed for asking much;
* whoever is over a limit is answered before the store is asked: a guess is not even looked at;
* credentials that were right here within a day are looked at in any case: a colleague behind the
  same address who keeps guessing, or a stranger who floods a name, stops no running client;
* a flooded name stops nobody whose own address has guessed nothing;
* a name that exists and one that does not are slowed alike;
* what is remembered is bounded, and its clock is the node's.

What it does not do: tell an attacker from a proxy. No ``X-Forwarded-For`` is believed, so behind a
proxy all share one address; the proxy should limit by its own knowledge, too. With several
processes each has its own memory, so the limits are that many times higher. A token is 256 random
bits: what is protected here is the store and the log.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import timedelta
from ipaddress import ip_address, ip_network
from math import ceil
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter

from hub.errors import RateLimited
from hub.operators.readers import Credentials

WRONG_A_MINUTE: Final[RateLimitItem] = RateLimitItemPerMinute(20)
"""How many wrong credentials a minute an address may present, and how many a name may be given."""

UNPROVEN_A_MINUTE: Final[RateLimitItem] = RateLimitItemPerMinute(20)
"""How many requests a minute are read from an address before it is known who signed them."""

REMEMBERED_FOR: Final = timedelta(days=1)
_MOST_KEYS: Final = 20_000
_IPV6_SITE: Final = 64
_ADDRESS: Final = "address"
_NAME: Final = "name"


class GuessLimits:
    """Slow who guesses credentials.

    Args:
        now: the present instant, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._limiter = MovingWindowRateLimiter(MemoryOfWindows(now))
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, address: str, credentials: Credentials) -> None:
        """Let credentials through to be looked at.

        Args:
            address: whose connection it is.
            credentials: as presented.

        Raises:
            RateLimited: ``E_QUOTA`` with the seconds to wait.
        """
        # (1) What was right here lately is looked at: it may have been revoked since, no more.
        if self._was_right(credentials):
            return
        # (2) The address.
        site = site_of(address)
        if not self._limiter.test(WRONG_A_MINUTE, _ADDRESS, site):
            raise self._refusal(_ADDRESS, site)
        # (3) The name, for addresses that have guessed before. An address without a guess is let
        #     through: else whoever floods a name would lock its holder out.
        guessed = self._limiter.get_window_stats(WRONG_A_MINUTE, _ADDRESS, site).remaining
        if guessed == WRONG_A_MINUTE.amount or credentials.name is None:
            return
        name = _digest(credentials.name)
        if not self._limiter.test(WRONG_A_MINUTE, _NAME, name):
            raise self._refusal(_NAME, name)

    def record_wrong(self, address: str, credentials: Credentials) -> None:
        """Count credentials that were wrong, or no longer right."""
        with self._lock:
            self._right.pop(_fingerprint(credentials), None)
        self._limiter.hit(WRONG_A_MINUTE, _ADDRESS, site_of(address))
        if credentials.name is not None:
            self._limiter.hit(WRONG_A_MINUTE, _NAME, _digest(credentials.name))

    def record_right(self, credentials: Credentials) -> None:
        """Remember credentials that were right, by their digest."""
        fingerprint = _fingerprint(credentials)
        with self._lock:
            self._right[fingerprint] = self._now()
            self._right.move_to_end(fingerprint)
            if len(self._right) > _MOST_KEYS:
                self._right.popitem(last=False)

    def _was_right(self, credentials: Credentials) -> bool:
        with self._lock:
            at = self._right.get(_fingerprint(credentials))
        return at is not None and self._now() - at < REMEMBERED_FOR.total_seconds()

    def _refusal(self, kind: str, key: str) -> RateLimited:
        ends = self._limiter.get_window_stats(WRONG_A_MINUTE, kind, key).reset_time
        return RateLimited(
            "E_QUOTA",
            "too many wrong credentials",
            "Wait as Retry-After says, then use the token's name and the token.",
            retry_after=max(1, ceil(ends - self._now())),
        )


class StrangerLimits:
    """Slow who posts what has to be read before it is known who signed it.

    Whoever signs with a known key is not counted. A peer with a new key that shares an address with
    somebody who floods comes again later, or is asked for its documents at the next pull.

    Args:
        now: the present instant, in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._limiter = MovingWindowRateLimiter(MemoryOfWindows(now))

    def admit(self, address: str) -> None:
        """Let one such request be read.

        Raises:
            RateLimited: ``E_QUOTA`` with the seconds to wait.
        """
        site = site_of(address)
        if self._limiter.hit(UNPROVEN_A_MINUTE, _ADDRESS, site):
            return
        ends = self._limiter.get_window_stats(UNPROVEN_A_MINUTE, _ADDRESS, site).reset_time
        raise RateLimited(
            "E_QUOTA",
            "too many requests under keys that are not known",
            "Wait as Retry-After says.",
            retry_after=max(1, ceil(ends - self._now())),
        )


def site_of(address: str) -> str:
    """Name whom an address stands for: itself, or the /64 of an IPv6 address.

    One host has all addresses of its /64; counted one by one they would be no limit.

    >>> site_of("192.0.2.7"), site_of("2001:db8::1:2"), site_of("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8::/64', '192.0.2.7')
    """
    try:
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if read.version == 4:  # noqa: PLR2004 - the version of IP
        return str(read)
    if read.ipv4_mapped is not None:
        return str(read.ipv4_mapped)
    return str(ip_network((read, _IPV6_SITE), strict=False))


def _digest(text: str) -> str:
    # Bounds the length, and keeps what was typed into the wrong field out of memory.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _fingerprint(credentials: Credentials) -> bytes:
    name = "" if credentials.name is None else _digest(credentials.name)
    return bytes.fromhex(_digest(name + credentials.secret))


class MemoryOfWindows(Storage, MovingWindowSupport):
    """Moving windows for ``limits``, with a clock of ours and a bound on how many there are.

    The library's own memory reads the machine's clock, starts threads, and keeps as many keys as
    are thought up within a window.
    """

    STORAGE_SCHEME = None

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self._hits: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing here fails."""
        return RuntimeError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a hit, unless that would be over the limit."""
        with self._lock:
            hits = self._within(key, expiry)
            if len(hits) + amount > limit:
                return False
            self._hits[key] = [*hits, *[self._now()] * amount]
            self._hits.move_to_end(key)
            if len(self._hits) > _MOST_KEYS:
                self._hits.popitem(last=False)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the oldest hit within the window was, and how many there are."""
        del limit
        with self._lock:
            hits = self._within(key, expiry)
            return (hits[0] if hits else self._now()), len(hits)

    def _within(self, key: str, expiry: int) -> Sequence[float]:
        begins = self._now() - expiry
        return [at for at in self._hits.get(key, ()) if at > begins]

    def get(self, key: str) -> int:
        """Return how many hits are remembered."""
        return len(self._hits.get(key, ()))

    def get_expiry(self, key: str) -> float:
        """Return when the newest hit was; windows here have no end of their own."""
        hits = self._hits.get(key)
        return hits[-1] if hits else self._now()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Refuse what other strategies need; the moving window does not count this way."""
        raise NotImplementedError

    def check(self) -> bool:
        """Say that memory is there."""
        return True

    def reset(self) -> int:
        """Forget everything; return how many windows there were."""
        with self._lock:
            count = len(self._hits)
            self._hits.clear()
            return count

    def clear(self, key: str) -> None:
        """Forget one window."""
        with self._lock:
            self._hits.pop(key, None)
