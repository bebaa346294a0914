"""``tocsin export``: files for resolvers and other machines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, write_document
from hub.cli.words import Audience

if TYPE_CHECKING:
    from hub.exports.export_key import ExportKey
    from hub.exports.rendered import Exported
    from hub.node import Node

WRITE = "FORMAT"


class ExportGroup(TyperGroup):
    """``tocsin export FORMAT``, beside the commands that stand under ``export``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what is no command for a format and its options."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [WRITE, *args]
        return super().parse_args(ctx, args)


exports = typer.Typer(
    cls=ExportGroup, help="Write what resolvers and other machines block, or keep it written."
)

FormatName = Annotated[
    str,
    typer.Argument(
        metavar="FORMAT",
        help="rpz, hosts, names, csv, ndjson, suricata, zeek, wazuh, misp or stix.",
    ),
]
ForAudience = Annotated[Audience, typer.Option(help="Who observes what the list blocks.")]
ForConstituent = Annotated[
    str | None,
    typer.Option(metavar="TOKEN_NAME", help="For one constituent, with AMBER that touches it."),
]
OfFeed = Annotated[
    str | None,
    typer.Option(metavar="T", help="Only this threat type; `other` for names without one."),
]
MinConfidence = Annotated[
    int | None,
    typer.Option(metavar="N", help="Of formats for detection: what a verdict needs. Default 50."),
]


@exports.command(WRITE)
def export(
    format_name: FormatName,
    audience: ForAudience = Audience.ORGANISATION,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Replaced whole; a directory with formats of several files.",
        ),
    ] = None,
    constituent: ForConstituent = None,
    feed: OfFeed = None,
    passthru: Annotated[
        bool,
        typer.Option("--passthru", help="With rpz: the names never to be blocked, to come first."),
    ] = False,
    min_confidence: MinConfidence = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would change; keep nothing.")
    ] = False,
    accept_jump: Annotated[
        str | None, typer.Option(metavar="R", help="Let a jump pass, for this reason.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the names that are blocked now, or found, for those who may observe them."""
    from hub.exports.formats import find_format
    from hub.exports.publication import render_export

    key = read_key(format_name, audience, constituent, feed, min_confidence, passthru=passthru)
    is_tree = find_format(key.format).is_tree
    if output is None and is_tree and not dry_run:
        raise typer.BadParameter("this format is several files: name a directory with -o")
    if output is not None and not is_tree and output.is_dir():
        raise typer.BadParameter("this format is one file, and -o names a directory")
    with opened(home) as node:
        exported = render_export(node, key, accept_jump=accept_jump, dry_run=dry_run)
        document = describe(exported, node)
        if not dry_run:
            document |= _bring(exported, output, as_json=as_json)
    if as_json:
        write_document(document)
    _say(exported, stopped=dry_run and bool(document["stopped"]), dry_run=dry_run)


def read_key(
    format_name: str,
    audience: Audience,
    constituent: str | None,
    feed: str | None,
    min_confidence: int | None,
    *,
    passthru: bool = False,
) -> ExportKey:
    """Read which export is meant; see ``ExportKey.check``."""
    from hub.exports.export_key import ExportKey
    from hub.exports.formats import find_format
    from hub.exports.listing import LEAST_CONFIDENCE
    from hub.exports.rpz_policy import PASSTHRU

    find_format(format_name)
    if passthru and feed:
        raise typer.BadParameter("--passthru and --feed name two different zones")
    key = ExportKey(
        format_name,
        audience.value,
        constituent or "",
        PASSTHRU if passthru else feed or "",
        LEAST_CONFIDENCE if min_confidence is None else min_confidence,
    )
    key.check()
    return key


def describe(exported: Exported, node: Node) -> dict[str, Any]:
    """Say an export as JSON has it."""
    changes = exported.changes
    return {
        "format": exported.key.format,
        "audience": exported.key.audience,
        "names": exported.names,
        "waiting": exported.waiting,
        "before": changes.before,
        "label": exported.label,
        "added": changes.added,
        "removed": changes.removed,
        "first_added": changes.first_added,
        "first_removed": changes.first_removed,
        "left_out": exported.left_out,
        "changed": exported.changed,
        "serial": exported.serial,
        "changed_at": exported.changed_at,
        "stopped": exported.changed
        and changes.is_stopped(
            jump_percent=node.settings.export_jump_percent,
            churn_percent=node.settings.export_churn_percent,
        ),
    }


def _bring(exported: Exported, output: Path | None, *, as_json: bool) -> dict[str, Any]:
    """Bring the files to where they are wanted; without a place, to standard output."""
    from hub.exports.kept_files import bring_files

    if exported.folder is None:
        return {}
    if output is not None:
        bring_files(exported.folder, exported.files, output, is_tree=_is_tree(exported))
        return {"output": output}
    content = (exported.folder / exported.files[0]).read_bytes()
    if as_json:
        return {"lines": content.decode().splitlines()}
    sys.stdout.write(content.decode())
    return {}


def _is_tree(exported: Exported) -> bool:
    from hub.exports.formats import find_format

    return find_format(exported.key.format).is_tree


def _say(exported: Exported, *, stopped: bool, dry_run: bool) -> None:
    """Say the counts beside the result."""
    from hub.exports.rendered import LARGE

    changes = exported.changes
    before = "the first export" if changes.before is None else f"{changes.before} before"
    hint(
        f"{exported.names} names for {exported.key.audience}, at most "
        f"TLP:{exported.label.upper()} ({before}); {exported.waiting} wait for their hour."
    )
    for each in exported.left_out:
        first = ", ".join(each.first)
        hint(f"{each.names} left out ({each.code}): {first}")
    if dry_run and changes.added is not None:
        hint(f"{changes.added} would come: {', '.join(changes.first_added)}")
        hint(f"{changes.removed} would go: {', '.join(changes.first_removed)}")
    if stopped:
        hint("It would be stopped: the change is a jump. --accept-jump REASON lets it pass.")
    if exported.names > LARGE:
        hint(f"More than {LARGE:,} names: split it by --feed, or resolvers take long to load it.")
