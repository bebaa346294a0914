"""``tocsin guard``: which names are never blocked, or not without a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.name_words import shown_name
from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, say, show_table, write_document
from hub.cli.words import Audience, GuardGrade

guards = typer.Typer(
    help="Protect names from being blocked, and see what waits to be.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A name, or *.name with all below it.")
]
ListOption = Annotated[str, typer.Option("--list", metavar="LIST", help="One of your own lists.")]
Grade = Annotated[GuardGrade, typer.Option(help="How strongly the name is protected.")]
Exact = Annotated[bool, typer.Option("--exact", help="The names alone, not what is below them.")]
ForAudience = Annotated[Audience, typer.Option(help="Who observes what is blocked.")]


@guards.command("add")
def add(
    name: NameArgument,
    grade: Grade = GuardGrade.REFUSE,
    list_name: ListOption = "own",
    exact: Exact = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Protect a name and everything below it."""
    from hub.verdicts.guard_names import add_guard

    with opened(home) as node:
        row = add_guard(node, name, grade=grade.value, list_name=list_name, below=not exact)
    if as_json:
        write_document(row)
        return
    reach = "and everything below it" if row.below else "alone"
    say(f"{row.name} {reach} is protected ({row.grade}, list {row.list_name}).")


@guards.command("remove")
def remove(
    name: NameArgument,
    list_name: ListOption = "own",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a name off one of your lists."""
    from hub.verdicts.guard_names import remove_guard

    with opened(home) as node:
        remove_guard(node, name, list_name=list_name)
    if as_json:
        write_document({"name": name, "list": list_name})
        return
    say(f"{name} is off the list {list_name}.")


@guards.command("drop")
def drop(
    list_name: Annotated[str, typer.Argument(metavar="LIST", help="One of your own lists.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Drop one of your lists with all names on it."""
    from hub.verdicts.guard_names import remove_guard_list

    with opened(home) as node:
        dropped = remove_guard_list(node, list_name)
    if as_json:
        write_document({"list": list_name, "names": dropped})
        return
    say(f"The list {list_name} is gone, with {dropped} names.")


@guards.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Names, one a line; - reads input.")],
    list_name: Annotated[str, typer.Option("--list", metavar="LIST", help="What it becomes.")],
    grade: Grade = GuardGrade.REFUSE,
    exact: Exact = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a file of names one of your lists, in the place of what was on it."""
    from hub.cli.input_file import read_input
    from hub.verdicts.guard_names import import_guards

    data = read_input(file)
    with opened(home) as node:
        report = import_guards(node, data, list_name=list_name, grade=grade.value, below=not exact)
    if as_json:
        write_document(
            {"list": list_name, "grade": grade, "taken": report.taken, "skipped": report.skipped}
        )
        return
    say(f"{report.taken} names are on the list {list_name} ({grade.value}).")
    for line in report.skipped[:10]:
        hint(f"line {line.line}: {line.text}: {line.detail} ({line.code})")
    if len(report.skipped) > 10:  # noqa: PLR2004 - as many as above
        hint(f"… and {len(report.skipped) - 10} lines more; --json has all.")


@guards.command("list")
def list_all(
    list_name: Annotated[
        str | None, typer.Argument(metavar="LIST", help="Show the names on this list.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List your own lists and the overrides, or the names on one list."""
    from hub.cli.output import SHOWN_ROWS
    from hub.verdicts.guard_check import guard_overview
    from hub.verdicts.guard_names import names_on_list

    with opened(home) as node:
        if list_name is not None:
            rows = names_on_list(node, list_name, 1_000_000 if as_json else SHOWN_ROWS)
            overview = None
        else:
            rows, overview = (), guard_overview(node)
    if as_json:
        write_document(rows if overview is None else overview)
        return
    if overview is None:
        show_table(
            ("name", "below", "grade", "since", "by"),
            [(shown_name(r.name), r.below, r.grade, r.added_at, r.added_by) for r in rows],
        )
        return
    show_table(
        ("list", "grade", "names", "newest"),
        [(r.list_name, r.grade, r.names, r.newest_at) for r in overview.lists],
    )
    for override in overview.overrides:
        reach = " and all below" if override.subtree else ""
        say(
            f"{override.name}{reach} may be blocked until {override.until:%Y-%m-%d %H:%M} UTC "
            f"({override.override_id}): {override.reason}"
        )


@guards.command("check")
def check(name: NameArgument, home: Home = None, as_json: AsJson = False) -> None:
    """Say which guards a block of a name would hit, and what it would take along."""
    from hub.verdicts.guard_check import check_guard

    with opened(home) as node:
        found = check_guard(node, name)
    if as_json:
        write_document(found)
        return
    say(*found.sentences)


@guards.command("override")
def override(
    name: NameArgument,
    reason: Annotated[str, typer.Option(metavar="R", help="Why it is right; kept in the audit.")],
    until: Annotated[
        datetime,
        typer.Option(metavar="DATE", formats=["%Y-%m-%d"], help="The last day on which it holds."),
    ],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let a protected name be blocked after all; signed, and ended by itself."""
    from hub.verdicts.guard_overrides import override_guard

    with opened(home) as node:
        made = override_guard(
            node, name, reason=reason, until=until.replace(tzinfo=UTC) + timedelta(days=1)
        )
    if as_json:
        write_document(made)
        return
    say(f"Guards on {made.name} are lifted until {made.until:%Y-%m-%d %H:%M} UTC.")
    hint("It is blocked only if a verdict asks for it, by the rules for every block.")


@guards.command("restore")
def restore(name: NameArgument, home: Home = None, as_json: AsJson = False) -> None:
    """End an override before its time."""
    from hub.verdicts.guard_overrides import end_override

    with opened(home) as node:
        end_override(node, name)
    if as_json:
        write_document({"name": name})
        return
    say(f"{name} is protected again.")


@guards.command("waiting")
def waiting(
    audience: ForAudience = Audience.ORGANISATION, home: Home = None, as_json: AsJson = False
) -> None:
    """List blocks that wait for their hour, and those that a guard or a hold stops."""
    from hub.verdicts.blocklist import blocks_for

    with opened(home) as node:
        view = blocks_for(node, audience.value)
    if as_json:
        write_document({"waiting": view.waiting, "stopped": view.stopped})
        return
    show_table(
        ("name", "since", "why"),
        [
            *(
                (shown_name(each.name), each.asked_at, "waits for its hour")
                for each in view.waiting
            ),
            *((shown_name(each.name), None, ", ".join(each.codes)) for each in view.stopped),
        ],
    )


@guards.command("release")
def release(
    reason: Annotated[str, typer.Option(metavar="R", help="Why; kept in the audit.")],
    audience: ForAudience = Audience.ORGANISATION,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Put in force at once what waits for its hour."""
    from hub.verdicts.blocklist import release_waiting

    with opened(home) as node:
        released = release_waiting(node, audience.value, reason=reason)
    if as_json:
        write_document({"audience": audience, "released": released})
        return
    say(f"{released} names are in force now; the next export has them.")
