"""``tocsin quarantine``: what waits for a person, and the decision about one or about thousands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.name_words import shown_name
from hub.cli.object_commands import show_rows
from hub.cli.options import AsJson, Home, opened, resolve_origin
from hub.cli.output import count, hint, say, show_table, write_document
from hub.cli.progress import progressing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hub.exchange.object_listing import ListedObject
    from hub.node import Node
    from hub.verdicts.quarantine import QuarantineFilter, WaitingGroup
    from schemas.identifiers import NodeId

quarantine = typer.Typer(
    help="Decide what waits for a person.", no_args_is_help=True, rich_markup_mode=None
)
StixIds = Annotated[
    list[str] | None, typer.Argument(metavar="ID…", help="These; else what the filters choose.")
]
OfOrigin = Annotated[
    str | None, typer.Option("--origin", metavar="PEER", help="What this peer wrote.")
]
OfCode = Annotated[
    str | None, typer.Option("--code", metavar="CODE", help="What waits for this reason.")
]
OfName = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="On this name; *.NAME with all below.")
]
OfType = Annotated[str | None, typer.Option("--type", metavar="T", help="A STIX type.")]
OfSince = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="Received then or later.")
]
All = Annotated[bool, typer.Option("--all", help="Everything that waits, where no filter says.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count, and do nothing.")]


@quarantine.command("list")
def list_waiting(
    origin: OfOrigin = None,
    code: OfCode = None,
    name: OfName = None,
    stix_type: OfType = None,
    since: OfSince = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most N, the earliest first.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List what waits for a person, and why."""
    from hub.verdicts.quarantine import list_waiting as listed
    from hub.verdicts.quarantine import summarise

    with opened(home) as node:
        chosen = _filter(node, origin, code, name, stix_type, since)
        rows = listed(node, chosen, limit=limit)
        groups = () if as_json else summarise(node, chosen)
    if as_json:
        write_document(rows)
        return
    show_table(
        ("id", "name", "origin", "label", "code", "received"),
        [(r.id, shown_name(r.name), r.origin_name, r.tlp, r.code, r.received_at) for r in rows],
    )
    _show_groups(groups)


@quarantine.command("accept")
def accept(
    stix_ids: StixIds = None,
    origin: OfOrigin = None,
    code: OfCode = None,
    name: OfName = None,
    stix_type: OfType = None,
    since: OfSince = None,
    everything: All = False,
    dry_run: DryRun = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Accept objects out of quarantine: readers see them from now on."""
    asked = _Asked(stix_ids, origin, code, name, stix_type, since, everything, dry_run)
    _settle(home, asked, reason=None, as_json=as_json)


@quarantine.command("reject")
def reject(
    reason: Annotated[str, typer.Option(metavar="R", help="For the audit.")],
    stix_ids: StixIds = None,
    origin: OfOrigin = None,
    code: OfCode = None,
    name: OfName = None,
    stix_type: OfType = None,
    since: OfSince = None,
    everything: All = False,
    dry_run: DryRun = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Reject objects in quarantine: they stay stored, and unseen."""
    asked = _Asked(stix_ids, origin, code, name, stix_type, since, everything, dry_run)
    _settle(home, asked, reason=reason, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `accept` and `reject` are both asked: ids, or else filters."""

    stix_ids: list[str] | None
    origin: str | None
    code: str | None
    name: str | None
    stix_type: str | None
    since: str | None
    everything: bool
    dry_run: bool


def _settle(home: Path | None, asked: _Asked, *, reason: str | None, as_json: bool) -> None:
    """Reject for a reason, or accept where there is none."""
    from hub.exchange.object_listing import accept_quarantined, reject_quarantined

    filters = (asked.code, asked.name, asked.stix_type, asked.since)
    with opened(home) as node:
        if not asked.stix_ids:
            chosen = _filter(node, asked.origin, *filters)
            _decide(
                node, chosen, reason, everything=asked.everything, dry_run=asked.dry_run,
                as_json=as_json,
            )  # fmt: skip
            return
        _check_ids_alone(*filters, everything=asked.everything or asked.dry_run)
        whose = resolve_origin(node, asked.origin)
        if reason is None:
            number = accept_quarantined(node, asked.stix_ids, origin=whose)
        else:
            number = reject_quarantined(node, asked.stix_ids, reason, origin=whose)
        rows = _rows_of(node, asked.stix_ids, whose)
    if as_json:
        show_rows(rows, as_json=True)
    else:
        _tell(number, accepted=reason is None)


def _tell(number: int, *, accepted: bool) -> None:
    if accepted:
        say(f"Accepted {count(number, 'version')}; readers see them by their label.")
    else:
        say(f"Rejected {count(number, 'version')}; no reader sees them.")


def _decide(
    node: Node,
    chosen: QuarantineFilter,
    reason: str | None,
    *,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    from hub.verdicts.quarantine import decide_waiting, summarise

    groups = summarise(node, chosen)
    total = sum(group.objects for group in groups)
    if not as_json:
        _show_groups(groups)
    objects = left = 0
    if not dry_run:
        with progressing("Deciding", total, quiet=as_json) as told:
            done = decide_waiting(
                node, chosen, accept=reason is None, reason=reason, everything=everything,
                progress=told,
            )  # fmt: skip
        objects, left = done.objects, done.left
    if as_json:
        write_document(
            {"waiting": total, "groups": groups, "objects": objects, "left": left,
             "dry_run": dry_run}
        )  # fmt: skip
        return
    if dry_run:
        hint("Nothing was changed.")
        return
    _tell(objects, accepted=reason is None)
    if left:
        say(f"{count(left, 'version')} wait on: another origin has the stronger claim.")


def _show_groups(groups: Sequence[WaitingGroup]) -> None:
    for group in groups:
        hint(f"{count(group.objects, 'object')} of {group.origin_name}: {group.why}.")
    if not groups:
        hint("Nothing waits.")


def _filter(
    node: Node,
    origin: str | None,
    code: str | None,
    name: str | None,
    stix_type: str | None,
    since: str | None,
) -> QuarantineFilter:
    from hub.verdicts.quarantine import REASONS, QuarantineFilter
    from schemas.dns.names import read_name

    if code is not None and code not in REASONS:
        raise typer.BadParameter(f"nothing waits for that; one of {', '.join(sorted(REASONS))}")
    read = None if name is None else read_name(name, refang=True)
    return QuarantineFilter(
        origin=resolve_origin(node, origin),
        code=code,
        name=None if read is None else read.a_label,
        below=read is not None and read.subtree,
        stix_type=stix_type,
        since=_instant(since),
    )


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("a date such as 2026-03-01, or 2026-03-01T10:00:00Z") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _check_ids_alone(*filters: Any, everything: bool) -> None:
    if everything or any(said is not None for said in filters):
        raise typer.BadParameter("give ids, with --origin where two claim one, or filters")


def _rows_of(node: Node, stix_ids: Sequence[str], origin: NodeId | None) -> list[ListedObject]:
    from hub.exchange.object_listing import show_object

    return [
        version.listed
        for stix_id in stix_ids
        for version in show_object(node, stix_id, origin=origin)
    ]
