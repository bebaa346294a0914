"""``tocsin collection``: where token holders read and write."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.options import AsJson, Home, opened, read_label
from hub.cli.output import say, show_facts, show_table, write_document
from hub.cli.words import Label

collections = typer.Typer(
    help="Add collections to the intel root, and grant them to tokens.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@collections.command("add")
def add(
    title: Annotated[str, typer.Argument(metavar="TITLE")],
    alias: Annotated[
        str | None, typer.Option(metavar="A", help="A short name to find it by.")
    ] = None,
    default_tlp: Annotated[
        Label | None,
        typer.Option(
            case_sensitive=False,
            help="The label of what comes unmarked, never clear; else amber+strict.",
        ),
    ] = None,
    select: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help="A filtered view of originals: origin=PEER|self,group=G,threat_type=T.",
        ),
    ] = None,
    publish_to: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="Publish what a producer adds: green, clear, GROUP or PEER."
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Add a collection for local producers, or with --select a filtered view of originals."""
    from hub.exchange.collections import add_collection

    if select is not None and (publish_to is not None or default_tlp is not None):
        raise typer.BadParameter(
            "a selection has no producers: leave out --publish-to and --default-tlp",
            param_hint="--select",
        )
    with opened(home) as node:
        row = add_collection(
            node,
            title,
            alias=alias,
            default_tlp=read_label(default_tlp),
            select=select,
            publish_to=publish_to,
        )
    facts = {"id": row.collection_id, "title": row.title, "alias": row.alias}
    if as_json:
        write_document(facts)
    else:
        show_facts(facts)


@collections.command("grant")
def grant(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="Its id or alias.")],
    token_name: Annotated[str, typer.Argument(metavar="TOKEN_NAME")],
    read: Annotated[bool, typer.Option("--read", help="It may read.")] = False,
    write: Annotated[bool, typer.Option("--write", help="It may add objects.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Set what a token may do in a collection; without --read and --write, nothing."""
    from hub.exchange.collections import grant_collection

    with opened(home) as node:
        row = grant_collection(node, collection, token_name, can_read=read, can_write=write)
    if as_json:
        write_document(
            {
                "id": row.collection_id, "title": row.title, "alias": row.alias,
                "token": token_name, "can_read": read, "can_write": write,
            }
        )  # fmt: skip
        return
    rights = " and ".join(word for word, given in (("read", read), ("write", write)) if given)
    say(f"{token_name} may {rights or 'do nothing any more'} in {row.title}.")


@collections.command("list")
def list_all(home: Home = None, as_json: AsJson = False) -> None:
    """List the collections."""
    from hub.exchange.collections import list_collections
    from schemas.markings import Tlp

    with opened(home) as node:
        rows = [
            {
                "id": row.collection_id,
                "title": row.title,
                "alias": row.alias,
                "default_tlp": None if row.default_tlp is None else Tlp(row.default_tlp).wire,
                "created_by": row.created_by,
                "select": row.selection,
                "publish_to": row.publish_to,
            }
            for row in list_collections(node)
        ]
    if as_json:
        write_document(rows)
        return
    show_table(
        ("id", "title", "alias", "default label", "selects", "publishes to"),
        [
            (r["id"], r["title"], r["alias"], r["default_tlp"], r["select"], r["publish_to"])
            for r in rows
        ],
    )
