"""``tocsin import taxii``: TAXII 2.1 servers of others, asked on a schedule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import import_options as option
from hub.cli.options import AsJson, Home, opened, read_label
from hub.cli.output import hint, plain, say, show_table, write_document
from hub.cli.publish_options import PermittedActions

if TYPE_CHECKING:
    from hub.storage.queries.import_servers import ServerRow

servers = typer.Typer(
    help="Read TAXII 2.1 servers of others on a schedule.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name here, and of the feed in the lineage.")
]


@servers.command("add")
def add(
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="The address of its API root.")],
    collection: Annotated[str, typer.Option(metavar="ID", help="The collection's id or alias.")],
    tlp: option.TlpLabel = None,
    to: option.To = None,
    group: option.Group = None,
    share: option.Share = False,
    pap: PermittedActions = None,
    user: Annotated[str | None, typer.Option(metavar="U", help="For Basic.")] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Its first line is the password; kept in the home."),
    ] = None,
    every: Annotated[
        int, typer.Option(metavar="MINUTES", min=1, max=43_200, help="How often it is asked.")
    ] = 60,
    private_network: Annotated[
        bool, typer.Option("--private-network", help="It stands in a private network of ours.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Add a server; it is asked at once, and then on schedule."""
    from hub.exchange.import_servers import ServerRequest, add_server
    from hub.peers.directory import resolve_peer

    if (user is None) != (password_file is None):
        raise typer.BadParameter("--user and --password-file go together")
    if share and (to or group):
        raise typer.BadParameter("--share is for everybody; --to and --group name some")
    password = None if password_file is None else _first_line(password_file)
    with opened(home) as node:
        row = add_server(
            node,
            ServerRequest(
                name=name,
                url=url,
                collection=collection,
                tlp=read_label(tlp),
                to=tuple(resolve_peer(node, peer).node_id for peer in to or ()),
                groups=tuple(group or ()),
                share=share,
                pap=pap and pap.value,
                user=user,
                password=password,
                every_minutes=every,
                private_network=private_network,
            ),
        )
    if as_json:
        write_document(_row(row))
        return
    say(f"Added {row.name}; it is read every {row.every_minutes} minutes while the worker runs.")
    hint(f"`tocsin import taxii run {row.name}` reads it now.")


@servers.command("list")
def list_all(home: Home = None, as_json: AsJson = False) -> None:
    """List the servers, how far each was read and what went wrong."""
    from hub.exchange.import_servers import list_servers

    with opened(home) as node:
        rows = list_servers(node)
    if as_json:
        write_document([_row(row) for row in rows])
        return
    show_table(
        ("name", "url", "collection", "every", "read up to", "last good", "error"),
        [
            (
                row.name, row.url, row.collection, f"{row.every_minutes} min",
                _at(row.position_at), _at(row.last_good_at), row.last_error or "",
            )
            for row in rows
        ],
    )  # fmt: skip


@servers.command("run")
def run(name: Name, home: Home = None, as_json: AsJson = False) -> None:
    """Read what is new at a server now."""
    from hub.exchange.import_servers import run_server

    with opened(home, signs=True) as node:
        done = run_server(node, name)
    if as_json:
        write_document(done)
        return
    counts = done.counts
    say(
        f"Read {counts['total']:,} objects on {done.pages:,} pages of {done.name}: took "
        f"{counts['taken']:,}, changed {counts['changed']:,}, duplicate {counts['duplicate']:,}, "
        f"refused {counts['refused']:,}."
    )
    for code, number in done.refused.most_common():
        hint(f"Refused {number:,} for {code}")
    if done.import_id is not None:
        hint(f"`tocsin import undo {done.import_id} --reason R` takes it back.")


@servers.command("remove")
def remove(name: Name, home: Home = None, as_json: AsJson = False) -> None:
    """Forget a server and its password; what was imported stays."""
    from hub.exchange.import_servers import remove_server

    with opened(home) as node:
        row = remove_server(node, name)
    if as_json:
        write_document({"name": row.name})
        return
    say(f"Removed {row.name}.")


def _row(row: ServerRow) -> dict[str, Any]:
    from schemas.markings import Tlp

    document: dict[str, Any] = plain(row)
    return document | {"tlp": None if row.tlp is None else Tlp(row.tlp).wire}


def _first_line(file: Path) -> str:
    password = file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    if not password:
        raise typer.BadParameter("the file holds no password", param_hint="--password-file")
    return password


def _at(value: Any) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"
