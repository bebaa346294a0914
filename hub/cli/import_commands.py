"""``tocsin import``: what others' feeds say, taken in with its lineage, looked at and undone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from hub.cli import import_options as option
from hub.cli.input_file import read_input
from hub.cli.memory import settle_memory
from hub.cli.name_words import hint_warnings
from hub.cli.options import AsJson, Home, opened, read_label
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
from hub.cli.publish_options import Map, PermittedActions, read_map
from hub.cli.words import ImportFormat

if TYPE_CHECKING:
    from hub.exchange.importing import ImportOutcome
    from hub.storage.queries.imports import ImportRow

READ: Final = "FILE"
LISTED: Final = 100
POLICY_CODES: Final = frozenset(
    {"E_REF_LEAK", "E_LABEL_STRICTER", "E_LABEL_LIVE", "E_WITHDRAWN", "E_RED_UNSUPPORTED",
     "E_AUDIENCE_REFUSED", "E_ID_CONFLICT", "E_NAME_SUFFIX"}
)  # fmt: skip
"""Codes of single items that policy refused; the others say that an item is broken or no claim."""


class ImportGroup(TyperGroup):
    """``tocsin import FILE``, beside the commands that stand under ``import``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what is no command for a file and its options."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [READ, *args]
        return super().parse_args(ctx, args)


imports = typer.Typer(
    cls=ImportGroup,
    help="Take in what others' feeds say, and take it back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
ImportId = Annotated[int, typer.Argument(metavar="ID", help="See `tocsin import list`.")]


@imports.command(READ)
def import_file(
    file: option.File,
    name: option.FeedName,
    tlp: option.TlpLabel = None,
    to: option.To = None,
    group: option.Group = None,
    share: option.Share = False,
    file_format: option.Format = ImportFormat.AUTO,
    columns: Map = None,
    threat_type: option.Threat = None,
    valid_days: option.ValidDays = None,
    confidence: option.Confidence = None,
    pap: PermittedActions = None,
    dry_run: option.DryRun = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take in a file; with nobody named it counts in this node's own verdicts alone."""
    from hub.exchange.importing import ImportRequest, import_input
    from hub.exchange.publish_names import NameOptions
    from hub.imports.inputs import InputContext, open_input
    from hub.peers.directory import resolve_peer
    from hub.verdicts.name_warnings import Watch

    if share and (to or group):
        raise typer.BadParameter("--share is for everybody; --to and --group name some")
    said: dict[str, Any] = {
        "threat_type": threat_type and threat_type.value,
        "valid_days": valid_days,
        "confidence": confidence,
    }
    meanings, data = read_map(columns), read_input(file)
    with opened(home, signs=True) as node:
        context = InputContext(node.node_id, node.identity, node.now(), meanings)
        given = open_input(data, file_format.value, context)
        total = data.count(b"\n") + 1 if given.names is not None else len(given.drafts)
        with progressing("Importing", total, quiet=as_json) as progress:
            request = ImportRequest(
                feed=name,
                tlp=read_label(tlp),
                to=tuple(resolve_peer(node, peer) for peer in to or ()),
                groups=tuple(group or ()),
                share=share,
                options=NameOptions(**{key: v for key, v in said.items() if v is not None}),
                pap=pap and pap.value,
                dry_run=dry_run,
                progress=progress,
            )
            settle_memory()
            watch = Watch(node)
            if given.names is not None:
                given = replace(given, names=watch.over(given.names))
            outcome = import_input(node, request, given)
    if as_json:
        odd = [{"name": name, "warnings": plain(found)} for name, found in watch.warned]
        document = _document(outcome, private=request.is_private, dry_run=dry_run)
        write_document(document | {"warned": odd})
    else:
        _tell(outcome, private=request.is_private, dry_run=dry_run)
        hint_warnings(watch.warned, watch.total)
    raise typer.Exit(exit_code(outcome))


def exit_code(outcome: ImportOutcome) -> int:
    """Return 0 when something stands imported or nothing was there; else 3 when policy forbade."""
    counts = outcome.counts
    if counts["taken"] or counts["changed"] or counts["duplicate"] or not outcome.refused:
        return DONE
    return REFUSED if POLICY_CODES.issuperset(outcome.refused) else FAILED


def _document(outcome: ImportOutcome, *, private: bool, dry_run: bool) -> dict[str, Any]:
    report = outcome.report
    return {
        "import_id": outcome.import_id,
        "feed": outcome.feed,
        "format": outcome.format,
        "tlp": outcome.tlp.wire,
        "private": private,
        "dry_run": dry_run,
        "counts": outcome.counts,
        "refused": dict(outcome.refused.most_common()),
        "types": {} if report is None else dict(report.types),
        "labels": {label: dict(types) for label, types in outcome.labels.items()},
        "feeds": list(outcome.feeds),
        "entries": outcome.entries,
        "changed_lines": [] if report is None else plain(report.changed[:LISTED]),
        "refused_lines": [] if report is None else plain(report.skipped[:LISTED]),
        "examples": {
            code: {"line": line, "text": text, "detail": detail}
            for code, (line, text, detail) in outcome.examples.items()
        },
    }


def _tell(outcome: ImportOutcome, *, private: bool, dry_run: bool) -> None:
    counts = outcome.counts
    say(
        f"Read {counts['total']:,} of {outcome.format}: took {counts['taken']:,}, changed "
        f"{counts['changed']:,}, duplicate {counts['duplicate']:,}, refused "
        f"{counts['refused']:,}, comments {counts['comments']:,}, blank {counts['blanks']:,}."
    )
    rows = [
        (f"TLP:{label.upper()}", kind, f"{number:,}")
        for label, types in outcome.labels.items()
        for kind, number in sorted(types.items())
    ]
    if rows:
        show_table(("label", "type", "objects"), rows)
    for line in () if outcome.report is None else outcome.report.changed[:3]:
        hint(f"Changed {line.line}: {line.text[:80]} is taken as {line.taken_as}")
    for code, number in outcome.refused.most_common():
        line_number, text, detail = outcome.examples.get(code, (None, "", ""))
        hint(f"Refused {number:,} for {code}, as {line_number}: {text[:80]} ({detail})")
    types = {} if outcome.report is None else outcome.report.types
    if types:
        hint("Of other types: " + ", ".join(f"{kind} {n:,}" for kind, n in types.items()))
    whom = (
        "only this node reads it" if private else ", ".join(f.split("/")[1] for f in outcome.feeds)
    )
    if dry_run:
        say(f"Nothing was stored; it would be feed:{outcome.feed}, and go to: {whom}.")
    elif outcome.import_id is None:
        say("Nothing of it stands, so there is no import to undo.")
    else:
        say(f"Import {outcome.import_id} of feed:{outcome.feed} stands; goes to: {whom}.")
        hint(f"`tocsin import undo {outcome.import_id} --reason R` takes it back.")


@imports.command("list")
def list_imports(home: Home = None, as_json: AsJson = False) -> None:
    """List what was imported, the newest first."""
    from hub.storage.queries import imports as stored

    with opened(home) as node, node.database.read() as tx:
        rows = stored.list_imports(tx)
    if as_json:
        write_document([_row(row) for row in rows])
        return
    show_table(
        ("id", "feed", "format", "label", "state", "at", "taken", "duplicate", "refused"),
        [
            (
                str(row.import_id), row.feed, row.format, _row(row)["tlp"], row.state,
                f"{row.begun_at:%Y-%m-%d %H:%M}", _taken(row), _number(row, "duplicate"),
                _number(row, "refused"),
            )
            for row in rows
        ],
    )  # fmt: skip


@imports.command("show")
def show(import_id: ImportId, home: Home = None, as_json: AsJson = False) -> None:
    """Show one import and what it stands for."""
    from hub.exchange.undo_import import require_import
    from hub.storage.queries import imports as stored

    with opened(home) as node:
        row = require_import(node, import_id)
        with node.database.read() as tx:
            total = stored.count_objects(tx, import_id)
            objects = stored.objects_of_import(tx, import_id, limit=LISTED)
    if as_json:
        write_document(_row(row) | {"objects": total, "first": plain(objects)})
        return
    say(f"Import {row.import_id} of feed:{row.feed} ({row.format}) is {row.state}.")
    say(f"It stands for {count(total, 'object')}: " + _in_words(row))
    show_table(
        ("id", "about", "also published"),
        [(o.stix_id, o.subject or "", "yes" if o.published else "") for o in objects],
    )


@imports.command("undo")
def undo(
    import_id: ImportId,
    reason: Annotated[str, typer.Option(metavar="R", help="Told to every peer that may have it.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw all that an import brought, and nothing that something else stands for."""
    from hub.exchange.undo_import import require_import, undo_import
    from hub.storage.queries import imports as stored

    with opened(home, signs=True) as node:
        require_import(node, import_id)
        with node.database.read() as tx:
            total = stored.count_objects(tx, import_id)
        with progressing("Withdrawing", total, quiet=as_json) as progress:
            settle_memory()
            done = undo_import(node, import_id, reason, progress=progress)
    if as_json:
        write_document(done)
    else:
        say(
            f"Withdrew {count(done.withdrawn, 'object')} of import {import_id}; {done.kept:,} "
            f"stay, for something else stands for them; {done.gone:,} were withdrawn before."
        )
        for code, number in done.failed.items():
            hint(f"Could not withdraw {number:,}: {code}")
    raise typer.Exit(FAILED if done.failed else DONE)


def _row(row: ImportRow) -> dict[str, Any]:
    from schemas.markings import Tlp

    document: dict[str, Any] = plain(row)
    return document | {"tlp": Tlp(row.tlp).wire}


def _number(row: ImportRow, kind: str) -> str:
    return f"{row.counts.get(kind, 0):,}"


def _taken(row: ImportRow) -> str:
    return f"{row.counts.get('taken', 0) + row.counts.get('changed', 0):,}"


def _in_words(row: ImportRow) -> str:
    return ", ".join(f"{kind} {number:,}" for kind, number in row.counts.items()) + "."
