"""``tocsin objects``, ``tocsin quarantine`` and ``tocsin why``: what this node holds, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import AsJson, Home, Origin, StixIdArgument, opened, resolve_origin
from hub.cli.output import count, plain, say, show_facts, show_table, write_document
from hub.cli.words import ObjectState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.exchange.object_listing import ListedObject, ShownObject
    from hub.node import Node
    from schemas.identifiers import NodeId

objects = typer.Typer(
    help="List and show what this node holds.", no_args_is_help=True, rich_markup_mode=None
)
quarantine = typer.Typer(
    help="Decide what waits for a person.", no_args_is_help=True, rich_markup_mode=None
)
StixIds = Annotated[list[str], typer.Argument(metavar="ID…")]


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
    _show_rows(rows, as_json=as_json)


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


def _show_rows(rows: Sequence[ListedObject], *, as_json: bool) -> None:
    if as_json:
        write_document(rows)
        return
    show_table(
        ("id", "type", "origin", "label", "state", "code"),
        [(row.id, row.type, row.origin_name, row.tlp, row.state, row.code) for row in rows],
    )


@quarantine.command("list")
def list_waiting(home: Home = None, as_json: AsJson = False) -> None:
    """List what waits for a person."""
    from hub.exchange.object_listing import list_objects

    with opened(home) as node:
        rows = list_objects(node, state="quarantined")
    _show_rows(rows, as_json=as_json)


@quarantine.command("accept")
def accept(
    stix_ids: StixIds, origin: Origin = None, home: Home = None, as_json: AsJson = False
) -> None:
    """Accept objects out of quarantine: readers see them from now on."""
    from hub.exchange.object_listing import accept_quarantined

    with opened(home) as node:
        whose = resolve_origin(node, origin)
        number = accept_quarantined(node, stix_ids, origin=whose)
        rows = _rows_of(node, stix_ids, whose)
    if as_json:
        _show_rows(rows, as_json=True)
    else:
        say(f"Accepted {count(number, 'version')}; readers see them by their label.")


@quarantine.command("reject")
def reject(
    stix_ids: StixIds,
    reason: Annotated[str, typer.Option(metavar="R", help="For the audit.")],
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Reject objects in quarantine: they stay stored, and unseen."""
    from hub.exchange.object_listing import reject_quarantined

    with opened(home) as node:
        whose = resolve_origin(node, origin)
        number = reject_quarantined(node, stix_ids, reason, origin=whose)
        rows = _rows_of(node, stix_ids, whose)
    if as_json:
        _show_rows(rows, as_json=True)
    else:
        say(f"Rejected {count(number, 'version')}; no reader sees them.")


def _rows_of(node: Node, stix_ids: Sequence[str], origin: NodeId | None) -> list[ListedObject]:
    from hub.exchange.object_listing import show_object

    return [
        version.listed
        for stix_id in stix_ids
        for version in show_object(node, stix_id, origin=origin)
    ]


def why(
    stix_id: StixIdArgument,
    who: Annotated[
        str, typer.Argument(metavar="PEER_OR_TOKEN", help="A peer, or the name of a token.")
    ],
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a peer or token may have an object, and why."""
    from hub.exchange.explain import explain_sharing

    with opened(home) as node:
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
