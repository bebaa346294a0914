"""``tocsin evidence`` and ``tocsin alarms``: what peers did, and what a person should know of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import count, hint, plain, say, show_facts, show_table, write_document

evidence = typer.Typer(
    help="See, hand on and check proofs of misbehaviour.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Number = Annotated[int, typer.Argument(metavar="N", min=1, help="The number of a proof.")]


@evidence.command("list")
def list_all(home: Home = None, as_json: AsJson = False) -> None:
    """List the proofs that this node holds."""
    from hub.peers.evidence_listing import list_shown

    with opened(home) as node:
        rows = list_shown(node)
    if as_json:
        write_document(rows)
        return
    show_table(
        ("number", "kind", "accused", "feed", "entry", "since", "from", "holds"),
        [
            (
                row.evidence, row.kind, row.name or row.accused[:12],
                (row.feed or "").partition("/")[2], row.seq, row.stored_at,
                "found here" if row.sender is None else row.sender[:12], row.holds,
            )
            for row in rows
        ],
    )  # fmt: skip


@evidence.command("show")
def show(number: Number, home: Home = None, as_json: AsJson = False) -> None:
    """Show one proof with its signed statements."""
    from hub.peers.evidence_listing import show_evidence

    with opened(home) as node:
        shown, body = show_evidence(node, number)
    document: dict[str, Any] = plain(shown)
    if as_json:
        write_document(document | body)
        return
    told = document.pop("told")
    show_facts({name.replace("_", " "): value for name, value in document.items()})
    say(f"told to {', '.join(node_id[:12] for node_id in told) or 'nobody yet'}")
    hint("`tocsin evidence export FILE` writes what others can check; --json shows it.")


@evidence.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="A new file.")],
    number: Annotated[
        list[int] | None,
        typer.Option(metavar="N", min=1, help="This proof alone; may be repeated."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write proofs to a file that anybody can check without this node."""
    from hub.errors import Conflict
    from hub.peers.evidence_listing import export_evidence
    from schemas.strict_json import write_json

    with opened(home) as node:
        bodies = export_evidence(node, number or ())
    try:
        with file.open("xb") as sink:
            sink.write(write_json(bodies))
    except FileExistsError:
        raise Conflict(
            "E_FILE_EXISTS", f"{file} is there already", "Give the name of a new file."
        ) from None
    if as_json:
        write_document({"file": file, "proofs": len(bodies)})
    else:
        say(f"{count(len(bodies), 'proof')} in {file}.")


@evidence.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check the proofs of a file; nothing is stored."""
    from hub.peers.evidence_listing import check_file
    from schemas.strict_json import strict_loads

    with opened(home) as node:
        found = check_file(node, strict_loads(file.read_bytes(), max_bytes=64 * 1024 * 1024))
    rows = [
        {"kind": each.kind, "accused": each.accused.node_id, "name": each.accused.newest.name,
         "feed": str(each.proof.feed)}
        for each in found
    ]  # fmt: skip
    if as_json:
        write_document(rows)
        return
    for row in rows:
        did = "signed two histories of" if row["kind"] == "fork" else "passed on"
        say(f"It holds: {row['name']} ({row['accused'][:12]}) {did} {row['feed']}.")


def alarms(
    every: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    close: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Close the alarm with this number.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List what a person should know of: silence, stale heads, frozen feeds, evidence."""
    from hub.monitoring.alarms import close_alarm, list_alarms

    with opened(home) as node:
        if close is not None:
            close_alarm(node, close)
        rows = [_alarm_document(alarm) for alarm in list_alarms(node, closed=every)]
    if as_json:
        write_document(rows)
        return
    show_table(
        ("number", "code", "since", "until", "what", "do"),
        [
            (row["alarm"], row["code"], row["opened_at"], row["closed_at"], row["sentence"],
             row["remedy"])
            for row in rows
        ],
    )  # fmt: skip


def _alarm_document(alarm: Any) -> dict[str, Any]:
    from hub.monitoring.alarm_words import words_of

    sentence, remedy = words_of(alarm)
    return {
        "alarm": alarm.alarm_id,
        "code": alarm.code,
        "subject": alarm.subject,
        "opened_at": alarm.opened_at,
        "closed_at": alarm.closed_at,
        "closed_by": alarm.closed_by,
        "sentence": sentence,
        "remedy": remedy,
        "params": dict(alarm.params),
    }
