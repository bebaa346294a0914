"""``tocsin export``: files for resolvers and other machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, write_document
from hub.cli.words import Audience


def export(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help="names")],
    audience: Annotated[
        Audience, typer.Option(help="Who observes what the list blocks.")
    ] = Audience.ORGANISATION,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="Replaced whole."),
    ] = None,
    constituent: Annotated[
        str | None,
        typer.Option(metavar="TOKEN_NAME", help="For one constituent, with AMBER that touches it."),
    ] = None,
    accept_jump: Annotated[
        str | None, typer.Option(metavar="R", help="Let a jump in size pass, for this reason.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the names that are blocked now, for those who may observe them."""
    from hub.exports.names import export_names, require_format, write_whole

    require_format(format_name)
    with opened(home) as node:
        exported = export_names(
            node, audience.value, constituent=constituent, accept_jump=accept_jump
        )
    if output is not None:
        write_whole(output, exported.lines)
    if as_json:
        write_document(exported)
    elif output is None:
        for line in exported.lines:
            print(line)
    before = "the first export" if exported.before is None else f"{exported.before} before"
    hint(
        f"{exported.names} names for {audience.value}, at most TLP:{exported.label.upper()} "
        f"({before}); {exported.waiting} wait for their hour."
    )
