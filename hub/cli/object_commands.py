"""``tocsin objects`` and ``tocsin why``: what this node holds, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import AsJson, Home, Origin, StixIdArgument, opened, resolve_origin
from hub.cli.output import plain, say, show_facts, show_table, write_document
from hub.cli.words import ObjectState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.exchange.object_listing import ListedObject, ShownObject

objects = typer.Typer(
    help="List and show what this node holds.", no_args_is_help=True, rich_markup_mode=None
)


@objects.command("list")
def list_all(
    origin: Annotated[
        str | None, typer.Option(metavar="PEER", help="What this node or peer wrote.")
    ] = None,
    state: Annotated[ObjectState | None, typer.Option(help="What became of it here.")] = None,
    stix_type: Annotated[
        str | None, typer.Option("--type", metavar="T", help="A STIX type.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="At most N, the earliest first.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List objects in the order of their arrival."""
    from hub.exchange.object_listing import list_objects

    with opened(home) as node:
        rows = list_objects(
            node,
            origin=resolve_origin(node, origin),
            state=state and state.value,
            stix_type=stix_type,
            limit=limit,
        )
    show_rows(rows, as_json=as_json)


@objects.command("show")
def show(
    stix_id: StixIdArgument, origin: Origin = None, home: Home = None, as_json: AsJson = False
) -> None:
    """Show one object in all its versions, oldest first, and how each came here."""
    from hub.exchange.object_listing import show_object

    with opened(home) as node:
        versions = show_object(node, stix_id, origin=resolve_origin(node, origin))
    documents = [_shown_document(version) for version in versions]
    if as_json:
        write_document(documents)
        return
    for document in documents:
        content = document.pop("object")
        carried = document.pop("entries")
        show_facts(document)
        show_facts({f"entry {e['seq']}": e["feed"] for e in carried})
        say(*_indented(content), "")


def _shown_document(version: ShownObject) -> dict[str, Any]:
    from schemas.strict_json import strict_loads

    document: dict[str, Any] = plain(version.listed)
    # Nothing is left of what was erased by law.
    document["object"] = strict_loads(version.content) if version.content else None
    document["entries"] = [
        {"feed": carriage.feed, "seq": carriage.seq} for carriage in version.carriages
    ]
    return document


def _indented(content: object) -> list[str]:
    import json

    return json.dumps(content, indent=2, ensure_ascii=False).splitlines()


def show_rows(rows: Sequence[ListedObject], *, as_json: bool) -> None:
    """Show object versions as a table, or as JSON."""
    if as_json:
        write_document(rows)
        return
    show_table(
        ("id", "type", "origin", "label", "state", "code"),
        [(row.id, row.type, row.origin_name, row.tlp, row.state, row.code) for row in rows],
    )


def why(
    stix_id: StixIdArgument,
    who: Annotated[
        str, typer.Argument(metavar="PEER_OR_TOKEN", help="A peer, or the name of a token.")
    ],
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a peer or token may have an object or a name's verdict, and why."""
    from hub.exchange.explain import explain_sharing
    from hub.verdicts.explain_verdict import explain_to, is_about_verdict

    with opened(home) as node:
        if origin is None and is_about_verdict(node, stix_id):
            found = explain_to(node, stix_id, who)
        else:
            found = explain_sharing(node, stix_id, who, origin=resolve_origin(node, origin))
    if as_json:
        write_document(found)
        return
    say(*found.sentences)
    show_facts(
        {
            "decision": found.decision,
            "code": found.code,
            "rule": found.rule,
            "policy version": found.version,
        }
    )
