"""``tocsin token``: who reads and writes without a node."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.options import AsJson, Home, opened, read_label, split
from hub.cli.output import hint, say, show_table, write_document
from hub.cli.words import Label, TokenKind

tokens = typer.Typer(
    help="Give out and revoke tokens for SIEMs, producers and constituents.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@tokens.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Unique for ever.")],
    kind: Annotated[TokenKind, typer.Option(help="What its holder is to this node.")],
    max_tlp: Annotated[
        Label | None, typer.Option(case_sensitive=False, help="The strictest label that it reads.")
    ] = None,
    zones: Annotated[str | None, typer.Option(metavar="Z,…", help="A constituent's zones.")] = None,
    prefixes: Annotated[
        str | None, typer.Option(metavar="P,…", help="A constituent's prefixes.")
    ] = None,
    groups: Annotated[
        str | None,
        typer.Option(metavar="G,…", help="Groups of this node that a subscriber follows."),
    ] = None,
    originals: Annotated[
        bool, typer.Option("--originals", help="Lets it read `originals`.")
    ] = False,
    expires_days: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=3650, help="Ends it after N days.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give out a token; it is shown once."""
    from hub.operators.tokens import add_token

    with opened(home) as node:
        added = add_token(
            node,
            name,
            kind.value,
            max_tlp=read_label(max_tlp),
            zones=split(zones),
            prefixes=split(prefixes),
            groups=split(groups),
            originals=originals,
            expires_days=expires_days,
        )
    if as_json:
        write_document(added)
        return
    say(added.token)
    hint("Shown this once; only its digest is kept.")


@tokens.command("list")
def list_all(home: Home = None, as_json: AsJson = False) -> None:
    """List the tokens, revoked ones included; never what they are."""
    from hub.operators.tokens import list_tokens
    from schemas.markings import Tlp

    with opened(home) as node:
        rows = [
            {
                "name": row.name,
                "kind": row.kind,
                "max_tlp": Tlp(row.max_tlp).wire,
                "originals": row.originals,
                "zones": row.zones,
                "prefixes": row.prefixes,
                "groups": row.groups,
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "revoked_at": row.revoked_at,
                "last_used_at": row.last_used_at,
            }
            for row in list_tokens(node)
        ]
    if as_json:
        write_document(rows)
        return
    shown = (
        "name", "kind", "max_tlp", "originals", "zones", "prefixes", "expires_at", "revoked_at",
        "last_used_at",
    )  # fmt: skip
    show_table([name.replace("_", " ") for name in shown], [[r[n] for n in shown] for r in rows])


@tokens.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME")], home: Home = None, as_json: AsJson = False
) -> None:
    """Revoke a token at once."""
    from hub.operators.tokens import list_tokens, revoke_token

    with opened(home) as node:
        revoke_token(node, name)
        revoked_at = next(row.revoked_at for row in list_tokens(node) if row.name == name)
    if as_json:
        write_document({"name": name, "revoked_at": revoked_at})
    else:
        say(f"The token {name} opens nothing any more.")
