"""What an operator should look at: ``tocsin doctor``.

Decides, for each thing that a node needs, whether it is ``ok``, worth a look (``warn``) or needs a
person now (``fail``), with what to do. Each check is a sentence about what is; nothing is repaired.

Does not: reach out to peers. Whether they answer is read from what the worker recorded.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from federation.feeds.recovery import Hold
from hub.bootstrap import open_node
from hub.cli.output import count
from hub.errors import Misconfigured
from hub.exchange.object_listing import list_objects
from hub.monitoring.alarm_words import remedy_of, sentence_of, words_of
from hub.monitoring.alarms import (
    FEED_FROZEN,
    HEAD_STALE,
    OWN_FEED_CLOSED,
    PEER_SILENT,
    list_alarms,
)
from hub.monitoring.exchange_state import list_feed_exchanges
from hub.node import Clock, Node
from hub.peers.admit import is_reading
from hub.peers.key_custody import ONLINE_USES, waiting_file
from hub.peers.known_nodes import pinned
from hub.peers.last_good_room import has_room_for_revocation
from hub.peers.may_sign import remedy_of_hold, standing_of_signing
from hub.peers.own_document import untold_peers
from hub.peers.root_files import CURRENT, NEXT, RootFiles
from hub.settings import Settings, load_settings
from hub.storage.queries.feeds import list_feeds
from hub.storage.queries.peers import list_peers
from schemas.errors import TocsinError

State = Literal["ok", "warn", "fail"]

ENDS_SOON: Final = timedelta(days=30)
SILENT: Final = timedelta(hours=1)
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
"""Signed requests are good for as long (PROTOCOL 2.7)."""
LITTLE_SPACE: Final = 1024**3
NO_SPACE: Final = 100 * 1024**2
_OTHERS: Final = 0o077
_TOLD_ELSEWHERE: Final = frozenset({FEED_FROZEN, HEAD_STALE, OWN_FEED_CLOSED, PEER_SILENT})
"""Alarms whose reason a check of its own looks for."""
_ROOT_FILES: Final = (CURRENT, NEXT)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; ``remedy`` is empty when nothing is to be done."""

    check: str
    state: State
    detail: str
    remedy: str = ""


def check_node(home: Path | None = None, *, clock: Clock | None = None) -> tuple[Finding, ...]:
    """Check the node of a home, as far as it can be opened."""
    try:
        settings = load_settings(home)
    except Misconfigured as error:
        return (_failed("settings", error),)
    findings = [*_check_settings(settings), *_check_files(settings.home)]
    try:
        node = open_node(settings, clock=clock)
    except TocsinError as error:
        return (*findings, _failed("node", error))
    try:
        return (*findings, *_check_opened(node))
    except TocsinError as error:
        return (*findings, _failed("database", error))
    finally:
        node.database.close()


def _failed(check: str, error: TocsinError) -> Finding:
    return Finding(check, "fail", f"{error.detail} ({error.code})", error.remedy)


def _check_settings(settings: Settings) -> Iterator[Finding]:
    doubtful = [
        name
        for name, is_doubtful in (
            ("allow_loopback_peers", settings.allow_loopback_peers),
            ("rate_limits", settings.rate_limits == "off"),
            ("demo", settings.demo),
        )
        if is_doubtful
    ]
    if doubtful:
        detail = f"{', '.join(doubtful)}: as only demonstrations and tests need it"
        yield Finding("settings", "warn", detail, "Remove it from tocsin.toml and the environment.")
    else:
        yield Finding("settings", "ok", "readable, and nothing in them is for tests")
    if settings.ca_file is not None and not settings.ca_file.is_file():
        yield Finding(
            "ca_file", "fail", f"{settings.ca_file} is not there", "Correct ca_file, or remove it."
        )


def _check_files(home: Path) -> Iterator[Finding]:
    if not home.is_dir():
        yield Finding("home", "fail", f"there is no directory {home}", "Run `tocsin init`.")
        return
    if home.stat().st_mode & _OTHERS:
        yield Finding("home", "warn", f"others may look into {home}", f"Run `chmod 700 {home}`.")
    else:
        yield Finding("home", "ok", str(home))
    retired = [file.name for file in RootFiles(home).retired()]
    if retired:
        yield Finding(
            "root keys",
            "warn",
            f"retired, and still here: {', '.join(retired)}",
            "Destroy it: whoever finds it can have your peers freeze this node.",
        )
    left = [name for name in _ROOT_FILES if (home / name).exists()]
    if left:
        yield Finding(
            "root keys",
            "warn",
            f"{' and '.join(left)} still on this machine",
            "Move them to two removable media, kept in two places; the node does not need them.",
        )
    else:
        yield Finding("root keys", "ok", "not in the home")
    yield _check_space(home)


def _check_space(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    detail = f"{free / 1024**3:,.1f} GiB free"
    if free < LITTLE_SPACE:
        state: State = "fail" if free < NO_SPACE else "warn"
        return Finding("disk", state, detail, "Make room; without it nothing can be stored.")
    return Finding("disk", "ok", detail)


def _check_opened(node: Node) -> Iterator[Finding]:
    yield Finding("database", "ok", "there, and at this release's revision")
    yield Finding("keys", "ok", "both online keys are there, readable by this user alone")
    now = node.now()
    yield from _check_document(node, now)
    yield from _check_feeds(node, now)
    yield from _check_own_feeds(node)
    yield from _check_peers(node, now)
    waiting = len(list_objects(node, state="quarantined"))
    if waiting:
        yield Finding(
            "quarantine",
            "warn",
            f"waiting for a person: {count(waiting, 'object version')}",
            "See `tocsin quarantine list`.",
        )


def _check_document(node: Node, now: datetime) -> Iterator[Finding]:
    with node.database.read() as tx:
        document = pinned(tx, node.node_id).newest
        untold = len(untold_peers(tx, node))
        has_room = has_room_for_revocation(tx, node, now)
    held = {"entry": node.keys.entry.kid, "http": node.keys.http.kid}
    for use in ONLINE_USES:
        if waiting_file(node.settings.home, use).exists():
            detail = f"a new {use} key waits until peers are told: {count(untold, 'peer')} left"
            yield Finding("keys", "ok", detail)
    strange = [use for use, kid in held.items() if all(key.kid != kid for key in document.keys)]
    if strange:
        yield Finding(
            "node document",
            "fail",
            f"it does not list the {' and '.join(strange)} key of this home",
            "Restore the key files that belong to this database.",
        )
    ends = min(document.expires, *(key.naf for key in document.keys if key.kid in held.values()))
    left = (ends - now).days
    if ends <= now:
        yield Finding(
            "node document",
            "fail",
            f"it ended on {ends:%Y-%m-%d}: peers take no new entries of this node",
            "Run `tocsin keys renew` with the root key file.",
        )
    elif ends - now < ENDS_SOON:
        yield Finding(
            "node document",
            "warn",
            f"it ends in {left} days, on {ends:%Y-%m-%d}",
            "Run `tocsin keys renew` with the root key file, in time.",
        )
    else:
        yield Finding("node document", "ok", f"version {document.version}, good for {left} days")
    if not has_room:
        yield Finding(
            "node document",
            "warn",
            "were the entry key stolen, its revocation would have room for few more feeds",
            "Run `tocsin keys rotate-entry`: a new key has signed in no closed feed.",
        )
    if not document.base.startswith("https://"):
        yield Finding(
            "base URL",
            "warn",
            f"{document.base} is plain http, which peers refuse",
            "Only demonstrations and tests on one machine work like this.",
        )


def _check_feeds(node: Node, now: datetime) -> Iterator[Finding]:
    with node.database.read() as tx:
        feeds = list_feeds(tx)
    times = [feed.last_ts for feed in feeds if feed.own and feed.last_ts is not None]
    newest = max([node.own.created_at, *times])
    if newest > now + CLOCK_TOLERANCE:
        yield Finding(
            "clock",
            "fail",
            f"it says {now:%Y-%m-%d %H:%M}, and this node has signed at {newest:%Y-%m-%d %H:%M}",
            "Set the clock, and let NTP keep it.",
        )
    else:
        yield Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M} UTC, after all that was signed here")
    frozen = [feed for feed in feeds if feed.state == "frozen"]
    for feed in frozen:
        yield Finding(
            "feeds",
            "fail",
            sentence_of(FEED_FROZEN, {"feed": feed.feed, "own": feed.own}),
            remedy_of(FEED_FROZEN, {"own": feed.own}),
        )
    if not frozen:
        yield Finding("feeds", "ok", f"{len(feeds)} held, none frozen")
    yield from _check_heads(node)


def _check_own_feeds(node: Node) -> Iterator[Finding]:
    """Look whether own entries may be signed, or a restore is not settled (PROTOCOL 4.6)."""
    standing = standing_of_signing(node)
    for feed, hold in standing.closed:
        yield Finding("own feeds", "fail", f"{feed} is closed: {hold.value}", remedy_of_hold(hold))
    if standing.hold is not None:
        state: State = "warn" if standing.hold is Hold.PENDING else "fail"
        detail = f"nothing is published: {standing.hold.value}"
        yield Finding("own feeds", state, detail, remedy_of_hold(standing.hold))
    elif standing.unheard:
        names = ", ".join(standing.unheard)
        detail = f"after a restore these were not heard yet, so nothing goes to them: {names}"
        yield Finding("own feeds", "warn", detail, remedy_of_hold(Hold.UNHEARD))
    elif not standing.closed:
        asked = standing.checked_at
        since = "no peer was asked yet" if asked is None else f"asked {asked:%Y-%m-%d %H:%M} UTC"
        yield Finding("own feeds", "ok", f"no peer holds more of them than this node; {since}")


def _check_heads(node: Node) -> Iterator[Finding]:
    """Look for what the worker found, and for stale heads even where none runs."""
    stale = [each for each in list_feed_exchanges(node) if each.stale]
    for each in stale:
        facts = {"feed": each.feed.feed, "expired": each.head_expires_at}
        yield Finding("heads", "warn", sentence_of(HEAD_STALE, facts), remedy_of(HEAD_STALE))
    if not stale:
        yield Finding("heads", "ok", "none of a feed that goes on has expired")
    for alarm in list_alarms(node):
        if alarm.code not in _TOLD_ELSEWHERE:
            yield Finding("alarm", "warn", *words_of(alarm))


def _check_peers(node: Node, now: datetime) -> Iterator[Finding]:
    with node.database.read() as tx:
        peers = [peer for peer in list_peers(tx) if is_reading(peer)]
    patience = max(SILENT, 4 * timedelta(seconds=node.settings.pull_interval_seconds))
    for peer in peers:
        heard = peer.last_success_at or peer.added_at
        check = f"peer {peer.name}"
        if now - heard > patience:
            error = f"; last error {peer.last_error_code}" if peer.last_error_code else ""
            yield Finding(
                check,
                "warn",
                f"nothing could be pulled since {heard:%Y-%m-%d %H:%M} UTC{error}",
                "Run `tocsin pull` to see why; is the worker running?",
            )
        elif peer.last_error_code:
            yield Finding(
                check,
                "warn",
                f"the last pull met {peer.last_error_code}: {peer.last_error_detail or ''}",
                "Run `tocsin pull` to see whether it still does.",
            )
        elif not peer.verified:
            yield Finding(
                check,
                "warn",
                "the eight words were not compared yet, so it counts as 'known'",
                "Compare them by telephone, then `tocsin peer set PEER --verified`.",
            )
        else:
            yield Finding(check, "ok", f"last pulled {heard:%Y-%m-%d %H:%M} UTC")
    if not peers:
        yield Finding("peers", "ok", "none yet")
