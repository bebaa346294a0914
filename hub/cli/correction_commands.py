"""``tocsin correction``: requests of people whom a claim affects and who have no account."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.name_words import shown_name
from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, say, show_facts, show_table, write_document

corrections = typer.Typer(
    help="Look at requests for corrections, and decide on them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Number = Annotated[int, typer.Argument(metavar="ID", help="The number in the list.")]


@corrections.command("list")
def list_all(
    closed: Annotated[bool, typer.Option("--all", help="Those decided on, too.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the requests that wait for a person."""
    from hub.verdicts.corrections import list_corrections

    with opened(home) as node:
        rows = list_corrections(node, closed=closed)
    if as_json:
        write_document(rows)
        return
    show_table(
        ("id", "name", "asked", "state"),
        [(row.correction_id, shown_name(row.name), row.asked_at, row.state) for row in rows],
    )


@corrections.command("show")
def show(correction_id: Number, home: Home = None, as_json: AsJson = False) -> None:
    """Show one request, with the contact of whoever asked."""
    from hub.cli.output import plain
    from hub.verdicts.corrections import show_correction

    with opened(home) as node:
        row = show_correction(node, correction_id)
    if as_json:
        write_document(row)
        return
    show_facts({key.replace("_", " "): value for key, value in plain(row).items()})
    hint(f"`tocsin verdict {row.name}` says who claims it, and why.")


@corrections.command("decide")
def decide(
    correction_id: Number,
    reason: Annotated[
        str, typer.Option(metavar="R", help="Kept; if accepted, told to who receives it.")
    ],
    accept: Annotated[
        bool | None, typer.Option("--accept/--refuse", help="Whether they are right.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Accept a request, and say so to who claims the name; or refuse it."""
    from hub.verdicts.corrections import decide_correction

    if accept is None:
        raise typer.BadParameter("say --accept or --refuse")
    with opened(home, signs=accept) as node:
        decided = decide_correction(node, correction_id, accept=accept, reason=reason)
    if as_json:
        write_document(decided)
        return
    say(f"Request {decided.correction_id} on {decided.name} is {decided.state}.")
    if decided.stix_ids and decided.tlp:
        say(f"An opinion went out at TLP:{decided.tlp.upper()}; the name is not blocked by itself.")
    for stix_id in decided.own:
        hint(f"This node claims it too: `tocsin withdraw {stix_id} --reason R`.")


@corrections.command("erase")
def erase(
    correction_id: Number,
    reason: Annotated[str, typer.Option(metavar="R", help="Kept in the audit.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Erase the contact and the words of whoever asked."""
    from hub.verdicts.corrections import erase_correction

    with opened(home) as node:
        erase_correction(node, correction_id, reason)
    if as_json:
        write_document({"correction_id": correction_id})
        return
    say(f"Request {correction_id} no longer says who asked, or what they wrote.")
