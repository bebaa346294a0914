"""``tocsin name``: what a text means as a domain name, and what is odd about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.name_words import shown_name, warning_words
from hub.cli.options import AsJson, Home, opened
from hub.cli.output import FAILED, say, show_facts, write_document

if TYPE_CHECKING:
    from hub.verdicts.name_warnings import CheckedName

name_checks = typer.Typer(help="Look at domain names.", no_args_is_help=True, rich_markup_mode=None)


@name_checks.command("check")
def check(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="As anybody writes it.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say which name a text means, what is odd about it, or why it is none."""
    from hub.verdicts.name_warnings import check_names

    with opened(home) as node:
        found = check_names(node, names)
    if as_json:
        write_document(found)
    else:
        for each in found:
            _show(each)
    if any(each.code is not None for each in found):
        raise typer.Exit(FAILED)


def _show(found: CheckedName) -> None:
    if found.a_label is None:
        show_facts({"text": found.text, "refused": f"{found.detail} ({found.code})"})
        say("")
        return
    known = found.u_label != found.a_label
    suffix = "a public suffix: publishing or blocking it needs a second person"
    show_facts(
        {
            "name": found.a_label,
            "shown as": found.u_label if known else None,
            "means": "it and all below" if found.subtree else None,
            "registered": shown_name(found.registrable_domain),
            "scripts": ", ".join(word.title() for word in found.scripts) or None,
            "is": suffix if found.public_suffix else None,
        }
    )
    for warning in found.warnings:
        say(f"Look twice: {warning.label} {warning_words(warning)}.")
    say("")
