"""The job of exports: render what changed, bring it to its targets, ask for the canaries.

Decides when a rendering is made anew: when what it is made of has changed, or time alone changes
it; for targets, and for what somebody fetched over HTTP of late.

Invariants:
* changes that come close together are rendered once: at most every two seconds, and never more of
  the time than two thirds, however long a rendering takes;
* while thousands of names are being judged, as those of a new list, what is rendered would be old
  at once: then it is every twenty seconds, and once more as soon as they are;
* a failure is an alarm, and the last good file stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub.errors import NotFound
from hub.exports.canary import is_in_force, seen_serial
from hub.exports.export_key import ExportKey
from hub.exports.publication import current_rendering, render_export
from hub.exports.rpz_policy import read_canary
from hub.exports.targets import key_of, list_targets, write_target
from hub.monitoring.alarms import CANARY, end_alarm, raise_alarm
from hub.node import Node
from hub.storage.queries import exports as stored
from hub.storage.queries.exports import TargetRow
from hub.storage.queries.jobs import request_job
from hub.storage.queries.set_claims import count_sets_left
from hub.storage.queries.verdict_work import count_due
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError

EXPORTS: Final = "exports"
"""The kind of the one job that keeps exports current."""
REST: Final = timedelta(seconds=2)
WHILE_JUDGING: Final = timedelta(seconds=20)
MANY: Final = 2_000
"""Fewer names are judged before anybody could render them."""
KEPT: Final = timedelta(days=7)
"""How long after it was last fetched a rendering is kept current."""
TRY_AGAIN: Final = timedelta(minutes=1)
_LOOK_AGAIN: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Kept:
    """What one turn of the job did.

    Args:
        rendered: how many exports were not current.
        failed: codes of what failed.
        due_at: when the next turn is; None when only a change brings one.
    """

    rendered: int = 0
    failed: tuple[str, ...] = ()
    due_at: datetime | None = None


def keep_current(node: Node) -> Kept:
    """Bring everything up to date that is not."""
    with node.database.read() as tx:
        rest = stored.rest_until(tx)
        stale = _stale(tx, node, _kept_keys(tx, node))
        asked = _stale(tx, node, _asked_keys(tx, node))
        targets = stored.list_targets(tx)
        judging = bool(stale) and _is_judging(tx, node, stale)
    if stale and rest is not None and node.now() < rest:
        return Kept(due_at=rest)
    if judging:
        return Kept(due_at=node.now() + REST)
    begun = time.monotonic()
    failed = [code for row in targets if (code := write_target(node, row).error)]
    failed += [code for key in asked if (code := _render(node, key))]
    if stale:
        lasted = timedelta(seconds=time.monotonic() - begun)
        with node.database.write(durable=False) as tx:
            stored.set_rest(tx, node.now() + max(REST, lasted / 2))
    dues = [node.now() + TRY_AGAIN] if failed else []
    if [row for row in list_targets(node) if _probe(node, row)]:
        dues.append(node.now() + _LOOK_AGAIN)
    with node.database.read() as tx:
        dues += _dues(tx, node)
    return Kept(len(stale), tuple(sorted(set(failed))), min(dues, default=None))


def request_exports(node: Node) -> None:
    """Ask for the job where anything is not current, or a canary is out."""
    with node.database.read() as tx:
        if not is_export_due(tx, node):
            return
        at = max(stored.rest_until(tx) or node.now(), node.now())
    with node.database.write(durable=False) as tx:
        request_job(tx, EXPORTS, "", at)


def is_export_due(tx: Transaction, node: Node) -> bool:
    """Tell whether a rendering that is kept is no longer current, or a target never written."""
    targets = stored.list_targets(tx)
    waits = any(row.written_digest is None or row.probe_until is not None for row in targets)
    return waits or bool(_stale(tx, node, _kept_keys(tx, node)))


def _asked_keys(tx: Transaction, node: Node) -> list[ExportKey]:
    """List what was fetched over HTTP of late; it has the usual confidence, so a variant is a feed.

    A target's own renderings are not among them unless somebody fetches them too.
    """
    rows = stored.renderings_asked_since(tx, node.now() - KEPT)
    return [ExportKey(row.format, row.audience, row.reader, row.variant) for row in rows]


def _kept_keys(tx: Transaction, node: Node) -> list[ExportKey]:
    keys = [key_of(row) for row in stored.list_targets(tx)]
    return list(dict.fromkeys(keys + _asked_keys(tx, node)))


def _stale(tx: Transaction, node: Node, keys: Iterable[ExportKey]) -> list[ExportKey]:
    return [key for key in keys if current_rendering(tx, node, key) is None]


def _is_judging(tx: Transaction, node: Node, stale: Iterable[ExportKey]) -> bool:
    """Tell whether many names are being judged, and all that is stale was rendered a moment ago."""
    now = node.now()
    if count_due(tx, now) + count_sets_left(tx) < MANY:
        return False
    rows = (
        stored.find_rendering(tx, key.format, key.audience, key.constituent, key.variant)
        for key in stale
    )
    return all(row is not None and now - row.exported_at < WHILE_JUDGING for row in rows)


def _dues(tx: Transaction, node: Node) -> list[datetime]:
    rows = [current_rendering(tx, node, key) for key in _kept_keys(tx, node)]
    return [row.due_at for row in rows if row is not None and row.due_at is not None]


def _render(node: Node, key: ExportKey) -> str | None:
    try:
        render_export(node, key, actor=EXPORTS)
    except NotFound:
        # The constituent's token is gone, and with it who fetched this.
        with node.database.write() as tx:
            stored.note_asked(tx, key.format, key.audience, key.constituent, key.variant, None)
        return None
    except TocsinError as error:
        return error.code
    return None


def _probe(node: Node, row: TargetRow) -> bool:
    """Ask for a target's canary once; tell whether to ask again."""
    canary = read_canary(node.settings)
    if row.probe is None or row.probe_until is None or not canary:
        return False
    in_force, now = is_in_force(row.probe, canary, row.serial or 0), node.now()
    if not in_force and now < row.probe_until:
        return True
    seen = row.serial if in_force else seen_serial(row.probe, canary)
    with node.database.write() as tx:
        stored.update_target(tx, row.name, probe_until=None)
        if in_force:
            end_alarm(tx, CANARY, row.name, now)
        else:
            facts = {"target": row.name, "resolver": row.probe, "serial": row.serial, "seen": seen}
            raise_alarm(tx, CANARY, row.name, now, **facts)
    return False
