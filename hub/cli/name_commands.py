"""``tocsin peer names``: which domains of the peers DNSSEC ties to their node ids."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, plain, show_table, write_document
from hub.cli.words import NAME_STANDINGS


def names(
    peer: Annotated[str | None, typer.Argument(metavar="PEER", help="Of this peer alone.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Ask the resolver now; else the last look is shown.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show whether DNSSEC ties the peers' domains to their node ids."""
    from hub.peers.directory import list_peer_states, resolve_peer
    from hub.peers.names import check_names, find_names

    with opened(home) as node:
        wanted = [peer] if peer else [state.node_id for state in list_peer_states(node)]
        chosen = [resolve_peer(node, name) for name in wanted]
        look = check_names if check else find_names
        rows = [(row.name, found) for row in chosen for found in look(node, row)]
    if as_json:
        write_document([plain(found) | {"name": name} for name, found in rows])
        return
    show_table(
        ("peer", "domain", "standing", "what that means", "since"),
        [
            (name, f.domain, f.standing, NAME_STANDINGS[f.standing], f.changed_at)
            for name, f in rows
        ],
    )
    if not rows:
        hint("Nothing was looked up yet; `tocsin peer names --check` does, with a resolver set.")
