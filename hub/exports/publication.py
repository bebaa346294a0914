"""Render an export, keep it, and stop one that jumps (INTERFACE, ``tocsin export``).

Decides when a content is a new one, which serial it has, and whether it may take the place of the
last good one.

Invariants:
* the same verdicts give the same bytes and the same serial: whether a content is new is told by
  what it would be without its dates; only then it gets the next serial and today's date;
* a serial grows, and is the unix time where that is ahead of the last one;
* an export that jumps, in size or by exchange, is not written: the last good one stays in force,
  an alarm says so, and a person lets it pass;
* files are there before their row is: what a row names can be read;
* no turn of the database's writers waits for a rendering.

What it does not do: choose the names (``listing``), say them (the formats), or bring them
anywhere (``targets``, ``hub.api.feeds``).
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from federation.errors import SharingRefused
from hub.exports import kept_files, rpz_policy
from hub.exports.bound_formats import BoundFormat, bind_format, sort_out
from hub.exports.changes import compare, line_of
from hub.exports.export_key import ExportKey
from hub.exports.formats import RPZ, Format, find_format
from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.listing import MONITOR, Listing, list_names
from hub.exports.passthru import list_protected
from hub.exports.rendered import Content, Exported, LeftOut, content_name
from hub.exports.rpz_policy import softer_actions
from hub.exports.tightened import tightened_names
from hub.monitoring.alarms import EXPORT_JUMP, end_alarm, raise_alarm
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.storage.queries.audit import store_event
from hub.storage.queries.exports import RenderingRow, export_mark, find_rendering, put_rendering
from hub.storage.transaction import Transaction
from hub.verdicts.adopted_claims import announced_names
from hub.verdicts.block_turns import plan_turn, take_turn
from hub.verdicts.blocklist import AUDIENCES, BlockView, audience_blocks
from hub.verdicts.guard_state import guard_state
from schemas.dns.subjects import Subject
from schemas.errors import WireFormatError

LONGEST_REASON: Final = 1_024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the database says, at one moment."""

    listing: Listing
    last: RenderingRow | None
    state: str
    name: str
    announced: frozenset[str]
    now: datetime


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A person's word that a jump is right."""

    reason: str
    actor: str


def render_export(
    node: Node,
    key: ExportKey,
    *,
    accept_jump: str | None = None,
    actor: str = "operator",
    dry_run: bool = False,
) -> Exported:
    """Bring the audience's blocks up to now, and render them where they changed.

    Args:
        accept_jump: the reason why a jump is right.
        dry_run: only tell what would change; nothing is kept, no block comes into force.

    Raises:
        WireFormatError: ``E_AUDIENCE``, ``E_EXPORT_FEED``, ``E_FORMAT``, ``E_REASON``.
        NotFound: ``E_TOKEN_UNKNOWN``. Misconfigured: ``E_RPZ_POLICY``.
        SharingRefused: ``E_EXPORT_JUMP``; the last good export stays in force.
    """
    accepted = _read_accepted(accept_jump, actor)
    made_format = find_format(key.format)
    key.check()
    folder = folder_of(node, key)
    with kept_files.locked(folder), _uncollected():
        seen = _see(node, key, made_format, dry_run=dry_run)
        bound = bind_format(node, key, made_format, seen.now)
        kept, left_out = sort_out(seen.listing.names, bound)
        found = _compared(node, key, seen, bound, kept, left_out)
        if dry_run:
            return found
        stopped = _is_stopped(node, found)
        if stopped and accepted is None:
            # What this audience may not see any more leaves at once, however much (PROTOCOL 3.3).
            seen = _without_tightened(node, key, seen)
            found = _compared(node, key, seen, bound, kept, left_out)
            stopped = _is_stopped(node, found)
        if stopped and accepted is None:
            raise _refused(node, found, seen)
        if found.changed or not kept_files.list_files(folder, content_name(found)):
            files = bound.write(kept, _context(node, key, seen.name, found))
            kept_files.keep_content(folder, content_name(found), files, map(line_of, kept))
        _store(node, found, seen, accepted if stopped else None)
        kept_contents = {content_name(found)} | ({content_name(seen.last)} if seen.last else set())
        kept_files.drop_contents(folder, frozenset(kept_contents))
    return _with_files(found, folder)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector away from half a million names.

    They are no cycles, and looking at them again and
    again is a third of the time. Whoever found it at work puts it back to work.
    """
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


def current_rendering(tx: Transaction, node: Node, key: ExportKey) -> RenderingRow | None:
    """Find the last good rendering where nothing it was made of has changed since."""
    row = find_rendering(tx, key.format, key.audience, key.constituent, key.variant)
    if row is None or row.state != state_of(tx, node):
        return None
    return None if row.due_at is not None and row.due_at <= node.now() else row


def current_files(node: Node, key: ExportKey, *, whatever: bool = False) -> Content | None:
    """Find the files of the last good rendering; None where they are gone, as after a restore.

    Args:
        whatever: also where something has changed since.
    """
    with node.database.read() as tx:
        row = current_rendering(tx, node, key)
        if row is None and whatever:
            row = find_rendering(tx, key.format, key.audience, key.constituent, key.variant)
    if row is None:
        return None
    folder, content = folder_of(node, key), content_name(row)
    files = kept_files.list_files(folder, content)
    if not files and not (folder / content).is_dir():
        return None
    top = folder / content / kept_files.FILES
    return Content(content, row.serial, row.changed_at, row.names, top, files)


def state_of(tx: Transaction, node: Node) -> str:
    """Tell what exports are made of now, in a word that is equal as long as nothing changes."""
    return _state(export_mark(tx), _facts(tx, node))


def _state(mark: int, facts: str) -> str:
    return hashlib.sha256(f"{mark} {facts}".encode()).hexdigest()


def _facts(tx: Transaction, node: Node) -> str:
    settings = node.settings
    facts = (
        guard_state(tx, node),
        settings.rpz_zone,
        sorted(settings.rpz_actions.items()),
        settings.rpz_canary,
        settings.rpz_ttl,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def folder_of(node: Node, key: ExportKey) -> Path:
    """Name the folder of a rendering in the home."""
    return node.settings.home / kept_files.FOLDER / key.folder


def _see(node: Node, key: ExportKey, made_format: Format, *, dry_run: bool) -> _Seen:
    """Look, and put in force what the hour bears; no writer waits for the looking.

    Where verdicts change meanwhile it is decided anew; what cannot be brought up to date for ever
    changes is at least listed as it stands, and looked at again.
    """
    for _ in range(_ATTEMPTS):
        with node.database.read() as tx:
            turn = plan_turn(tx, node, key.audience, constituent=key.constituent or None)
            seen = _look(tx, node, key, made_format, turn.shown)
        if dry_run:
            return seen
        mark = take_turn(node, turn)
        if mark is not None:
            return replace(seen, state=_state(mark, seen.state))
    with node.database.read() as tx:
        shown = audience_blocks(tx, node, key.audience, constituent=key.constituent or None)
        return replace(_look(tx, node, key, made_format, shown), state="")


def _look(
    tx: Transaction, node: Node, key: ExportKey, made_format: Format, shown: BlockView
) -> _Seen:
    if key.feed == rpz_policy.PASSTHRU:
        listing = Listing(list_protected(tx, node), 0, None)
    else:
        listing = list_names(
            tx,
            node,
            key.audience,
            shown=shown,
            blocks=made_format.blocks,
            constituent=key.constituent or None,
            feed=key.feed,
            softer=softer_actions(node.settings) if key.format == RPZ else (MONITOR,),
            least=key.least,
        )
    last = find_rendering(tx, key.format, key.audience, key.constituent, key.variant)
    name = pinned(tx, node.node_id).newest.name
    label = AUDIENCES[key.audience]
    announced = announced_names(tx, None if last is None else last.exported_at, label)
    return _Seen(listing, last, _facts(tx, node), name, announced, node.now())


def _compared(
    node: Node,
    key: ExportKey,
    seen: _Seen,
    bound: BoundFormat,
    kept: Sequence[ListedName],
    left_out: tuple[LeftOut, ...],
) -> Exported:
    """Tell what is new, and with which serial."""
    last = seen.last
    content = "none" if last is None else content_name(last)
    with kept_files.open_names(folder_of(node, key), content) as lines:
        changes = compare(None if last is None else last.names, lines, kept, seen.announced)
    exported = Exported(
        key,
        len(kept),
        seen.listing.waiting,
        AUDIENCES[key.audience].wire,
        changes,
        left_out,
        changed=True,
        serial=0,
        changed_at=_EPOCH,
        digest="",
    )
    # What it would be without dates: a content that only is of another day is the same one.
    digest = _digest(bound.write(kept, _context(node, key, seen.name, exported)))
    if last is not None and last.digest == digest:
        return replace(
            exported,
            changed=False,
            serial=last.serial,
            changed_at=last.changed_at,
            digest=digest,
        )
    serial = max(int(seen.now.timestamp()), 0 if last is None else last.serial + 1)
    return replace(exported, serial=serial, changed_at=seen.now, digest=digest)


def _digest(files: Mapping[str, Iterable[bytes]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        inner = hashlib.sha256()
        for chunk in files[name]:
            inner.update(chunk)
        digest.update(f"{name}\0{inner.hexdigest()}\0".encode())
    return digest.hexdigest()


def _context(node: Node, key: ExportKey, name: str, exported: Exported) -> ExportContext:
    return ExportContext(
        audience=key.audience,
        label=AUDIENCES[key.audience],
        node_id=node.node_id,
        node_name=name,
        identity=node.identity,
        changed_at=exported.changed_at,
        serial=exported.serial,
    )


def _is_stopped(node: Node, found: Exported) -> bool:
    settings = node.settings
    return found.changed and found.changes.is_stopped(
        jump_percent=settings.export_jump_percent, churn_percent=settings.export_churn_percent
    )


def _without_tightened(node: Node, key: ExportKey, seen: _Seen) -> _Seen:
    listed = {Subject(each.value, each.match_on).key for each in seen.listing.names}
    with node.database.read() as tx:
        gone = tightened_names(tx, AUDIENCES[key.audience], seen.now, listed)
    return replace(seen, announced=seen.announced | gone)


def _refused(node: Node, found: Exported, seen: _Seen) -> SharingRefused:
    """Raise the alarm of an export that jumps; nothing else changes."""
    key, changes = found.key, found.changes
    facts = {
        "format": key.format,
        "audience": key.audience,
        "before": changes.before,
        "after": changes.after,
        "added": changes.added,
        "removed": changes.removed,
    }
    with node.database.write() as tx:
        if seen.last is not None:
            # Looked at and refused: until something changes again the last good one is current.
            put_rendering(tx, replace(seen.last, state=seen.state, due_at=seen.listing.due_at))
        if raise_alarm(tx, EXPORT_JUMP, key.subject, seen.now, **facts):
            store_event(tx, seen.now, "exports", "EXPORT_STOPPED", **facts)
    exchanged = "" if changes.added is None else f" ({changes.added} come, {changes.removed} go)"
    return SharingRefused(
        "E_EXPORT_JUMP",
        f"{changes.after} names where the last good export had {changes.before}{exchanged}",
        "See --dry-run and `tocsin alarms`; if it is right, give --accept-jump with the reason.",
        **facts,
    )


def _store(node: Node, found: Exported, seen: _Seen, accepted: _Accepted | None) -> None:
    key = found.key
    due = seen.listing.due_at
    if due is not None and key.format == RPZ:
        # Answers are kept no longer than their reason lasts: the TTL falls before the end comes.
        due = _with_short_ttl(node, seen, due)
    row = RenderingRow(
        key.format,
        key.audience,
        key.constituent,
        key.variant,
        found.names,
        sum(each.names for each in found.left_out),
        found.digest,
        found.serial,
        found.changed_at,
        seen.now,
        seen.state,
        due,
        None,
    )
    with node.database.write() as tx:
        put_rendering(tx, row)
        end_alarm(tx, EXPORT_JUMP, key.subject, seen.now)
        if accepted is not None:
            store_event(
                tx,
                seen.now,
                accepted.actor,
                "EXPORT_JUMP_ACCEPTED",
                reason=accepted.reason,
                format=key.format,
                audience=key.audience,
                before=found.changes.before,
                after=found.changes.after,
            )


def _with_short_ttl(node: Node, seen: _Seen, due: datetime) -> datetime:
    """Tell when the next name gets the least TTL, where that is sooner."""
    ahead = timedelta(seconds=node.settings.rpz_ttl)
    turns = (each.ends_at - ahead for each in seen.listing.names)
    return min((turn for turn in turns if turn > seen.now), default=due)


def _with_files(found: Exported, folder: Path) -> Exported:
    content = content_name(found)
    files = kept_files.list_files(folder, content)
    return replace(found, folder=folder / content / kept_files.FILES, files=files)


def _read_accepted(reason: str | None, actor: str) -> _Accepted | None:
    if reason is None:
        return None
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise WireFormatError("E_REASON", f"a reason has 1 to {LONGEST_REASON} characters")
    return _Accepted(reason.strip(), actor)
