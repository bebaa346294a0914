"""``tocsin publish`` and ``tocsin withdraw``: what this node says, and takes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from hub.cli import publish_options as option
from hub.cli.input_file import read_input
from hub.cli.memory import settle_memory
from hub.cli.name_words import hint_warnings
from hub.cli.options import AsJson, Home, Origin, StixIdArgument, opened, resolve_origin
from hub.cli.output import (
    DONE,
    FAILED,
    REFUSED,
    count,
    hint,
    plain,
    say,
    show_table,
    write_document,
)
from hub.cli.progress import progressing
from hub.cli.publish_input import ReadFile, read_drafts
from hub.cli.report_output import SHOWN_LINES, report_document, tell_report
from hub.cli.words import FileFormat, Urgency

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from federation.feeds.sharing_policy import Release
    from hub.cli.words import Label
    from hub.exchange.publish import PublishOutcome
    from hub.imports.drafts import ImportReport
    from hub.node import Node
    from schemas.dns.lookalikes import NameWarning

POLICY_CODES: Final = frozenset({"E_REF_LEAK", "E_LABEL_STRICTER", "E_LABEL_LIVE", "E_WITHDRAWN"})
"""Codes of single objects that policy refused; the others say that an object is broken."""
MOST_IDS: Final = 1_000


def publish(
    file: option.File,
    tlp: option.TlpLabel,
    to: option.To = None,
    group: option.Group = None,
    file_format: option.Format = FileFormat.AUTO,
    columns: option.Map = None,
    valid_days: option.ValidDays = None,
    threat_type: option.Threat = None,
    confidence: option.Confidence = None,
    exercise: option.Exercise = False,
    on_behalf_of: option.OnBehalfOf = None,
    urgency: option.HowUrgent = Urgency.ROUTINE,
    pap: option.PermittedActions = None,
    release_at: option.ReleaseAt = None,
    release_tlp: option.ReleaseTlp = None,
    dry_run: option.DryRun = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Sign what is in FILE and publish it."""
    from hub.exchange.publish import PublishRequest, publish_objects
    from hub.peers.directory import resolve_peer
    from schemas.markings import Tlp

    for_names = {
        "valid_days": valid_days,
        "threat_type": threat_type and threat_type.value,
        "confidence": confidence,
    }
    meanings = option.read_map(columns)
    release = _release(release_at, release_tlp)
    data = read_input(file)
    with opened(home, signs=True) as node:
        label = Tlp.read(tlp.value)
        recipients = tuple(resolve_peer(node, peer) for peer in to or ())
        found = read_drafts(node, data, file_format, label, for_names, meanings)
        with progressing("Publishing", len(found.drafts), quiet=as_json) as progress:
            request = PublishRequest(
                drafts=found.drafts,
                tlp=label,
                to=recipients,
                groups=tuple(group or ()),
                wrap=found.wrap,
                exercise=exercise,
                on_behalf_of=on_behalf_of,
                dry_run=dry_run,
                progress=progress,
                release=release,
                urgency=urgency.value,
                pap=pap and pap.value,
            )
            settle_memory()
            outcome = publish_objects(node, request)
        warned = _look_twice(node, found)
    _end(outcome, found, warned, dry_run=dry_run, as_json=as_json)


def _end(
    outcome: PublishOutcome,
    found: ReadFile,
    warned: Sequence[tuple[str, tuple[NameWarning, ...]]],
    *,
    dry_run: bool,
    as_json: bool,
) -> NoReturn:
    if as_json:
        names = [{"name": name, "warnings": plain(odd)} for name, odd in warned[:MOST_IDS]]
        write_document(_document(outcome, found, dry_run=dry_run) | {"warned": names})
    else:
        _tell(outcome, found.report, dry_run=dry_run)
        hint_warnings(warned)
    raise typer.Exit(exit_code(outcome))


def _look_twice(node: Node, found: ReadFile) -> list[tuple[str, tuple[NameWarning, ...]]]:
    from hub.exchange.object_rows import name_key_of
    from hub.verdicts.name_warnings import warn_of

    keys = (name_key_of(draft.value) for draft in found.drafts)
    return list(warn_of(node, (key for key in keys if key is not None)))


def _release(at: datetime | None, tlp: Label | None) -> Release | None:
    """Read the release: both options or none of them."""
    from datetime import UTC

    from federation.feeds.sharing_policy import Release
    from schemas.markings import Tlp

    if (at is None) != (tlp is None):
        raise typer.BadParameter("--release-at and --release-tlp go together")
    if at is None or tlp is None:
        return None
    return Release(at.replace(tzinfo=UTC), Tlp.read(tlp.value))


def exit_code(outcome: PublishOutcome) -> int:
    """Return 0 when something stands published; else 3 when policy alone forbade it."""
    if outcome.objects or outcome.unchanged:
        return DONE
    by_policy = all(refused.code in POLICY_CODES for refused in outcome.refused)
    return REFUSED if outcome.refused and by_policy else FAILED


def _document(outcome: PublishOutcome, found: ReadFile, *, dry_run: bool) -> dict[str, Any]:
    document: dict[str, Any] = plain(outcome)
    if len(outcome.stix_ids) > MOST_IDS:
        del document["stix_ids"]
    return document | {
        "dry_run": dry_run,
        "import": {"format": found.kind.value, **report_document(found.report)},
    }


def _tell(outcome: PublishOutcome, report: ImportReport, *, dry_run: bool) -> None:
    tell_report(report)
    done = "Would publish" if dry_run else "Published"
    feeds = ", ".join(feed.split("/")[1] for feed in outcome.feeds)
    unchanged = f"; {outcome.unchanged:,} published already" if outcome.unchanged else ""
    say(
        f"{done} {count(outcome.objects, 'object')} in "
        f"{count(outcome.entries, 'entry', 'entries')} of {feeds}{unchanged}."
    )
    for refused in outcome.refused[:SHOWN_LINES]:
        hint(f"Refused {refused.stix_id}: {refused.detail} ({refused.code}) {refused.remedy}")
    if len(outcome.refused) > SHOWN_LINES:
        hint(f"Refused {len(outcome.refused) - SHOWN_LINES:,} more; --json names all.")
    if outcome.audience:
        show_table(
            ("peer", "decision", "code", "why"),
            [(line.name, line.decision, line.code, line.why) for line in outcome.audience],
        )
    else:
        hint("There is no peer yet, so nobody is told; `tocsin peer invite` begins a pairing.")


def withdraw(
    stix_id: StixIdArgument,
    reason: Annotated[str, typer.Option(metavar="R", help="Told to every peer that may have it.")],
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw an own object, for good, from every feed that carried it."""
    from hub.errors import NotFound
    from hub.exchange.withdraw import withdraw_object

    with opened(home, signs=True) as node:
        if resolve_origin(node, origin) not in {None, node.node_id}:
            raise NotFound(
                "E_NOT_FOUND",
                f"{stix_id} of another origin is not this node's to withdraw",
                "Ask its origin; here, `tocsin quarantine reject` keeps it from readers.",
            )
        done = withdraw_object(node, stix_id, reason)
    entries = [{"feed": feed, "seq": seq, "hash": digest} for feed, seq, digest in done.entries]
    if as_json:
        first = entries[0] if entries else None
        write_document({"entry": first, "entries": entries, "receipts": done.receipts})
        return
    say(f"Withdrew {stix_id} in {count(len(entries), 'entry', 'entries')}.")
    if done.receipts:
        show_table(("peer", "confirmed"), [(r.name, r.state) for r in done.receipts])
