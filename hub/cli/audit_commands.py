"""``tocsin audit``: what was done here and by whom, and whether that is still what was written."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import FAILED, count, hint, say, show_table, write_document

audit = typer.Typer(
    help="Read the audit, verify its chain, erase personal details.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@audit.command("list")
def list_all(
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most so many.")] = 50,
    before: Annotated[
        int | None, typer.Option(metavar="SEQ", help="Only events before this one.")
    ] = None,
    code: Annotated[str | None, typer.Option(metavar="CODE", help="Only of this code.")] = None,
    actor: Annotated[str | None, typer.Option(metavar="A", help="Only of this actor.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List what was done, the newest first."""
    from hub.audit.listing import list_events

    with opened(home) as node:
        rows = list_events(node, limit=limit, before=before, code=code, actor=actor)
    if as_json:
        write_document(rows)
        return
    show_table(
        ("seq", "at", "actor", "code", "what"),
        [
            (row.seq, row.at, row.actor, row.code, [f"{n}={v}" for n, v in row.params.items()])
            for row in rows
        ],
    )
    if len(rows) == limit:
        hint(f"`tocsin audit list --before {rows[-1].seq}` goes on.")


@audit.command("verify")
def verify(home: Home = None, as_json: AsJson = False) -> None:
    """Walk the chain and compare it with the heads that were kept outside the database."""
    from hub.audit.verify import verify_audit
    from hub.cli.progress import progressing

    with opened(home) as node, progressing("Walking", None, quiet=as_json) as told:
        found = verify_audit(node, progress=told)
    if as_json:
        write_document(found)
    elif found.faults:
        show_table(("seq", "code", "what"), [(f.seq, f.code, f.detail) for f in found.faults])
        hint("docs/audit.md says what each means. Keep a copy of the database before you act.")
    else:
        say(f"The audit holds: {count(found.events, 'event')}, head {found.head}.")
        heads = count(found.heads_compared, "kept head")
        say(f"{heads} compared; {count(found.erased, 'event')} with details erased.")
    if found.faults:
        raise typer.Exit(FAILED)


@audit.command("head")
def head(home: Home = None, as_json: AsJson = False) -> None:
    """Write the present head outside the database now, without waiting for the hour."""
    from hub.audit.heads import heads_file, keep_head

    with opened(home) as node:
        kept = keep_head(node, now_at_once=True)
        file = heads_file(node)
    if as_json:
        write_document({"kept": kept, "file": file})
    elif kept is None:
        say(f"{file} has the newest head already, or could not be written: `tocsin alarms`.")
    else:
        say(f"Link {kept.seq}, {kept.hash}, stands in {file}.")


@audit.command("erase")
def erase(
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="As `audit list` shows it.")],
    reason: Annotated[str, typer.Option(metavar="R", help="Why; it stands in the audit.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Erase who did it and what people wrote from one event; the chain stays whole."""
    from hub.audit.erase import erase_details

    with opened(home) as node:
        erase_details(node, seq, reason)
    if as_json:
        write_document({"seq": seq, "erased": True})
    else:
        say(f"Event {seq} tells no longer who did it, nor what was written.")
