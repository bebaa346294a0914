"""What every command takes, and how a command opens the node of its home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hub.node import Node
    from schemas.identifiers import NodeId
    from schemas.markings import Tlp


@dataclass(slots=True)
class Invocation:
    """What was said before the name of the command."""

    as_json: bool
    home: Path | None = None


def _or_before_the_command(ctx: typer.Context, home: Path | None) -> Path | None:
    said = ctx.find_root().obj
    return home or (said.home if isinstance(said, Invocation) else None)


Home = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        file_okay=False,
        callback=_or_before_the_command,
        help="The node's home; else $TOCSIN_HOME, else ~/.tocsin.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Origin = Annotated[
    str | None,
    typer.Option(metavar="PEER", help="Whose object, where two origins claim the id."),
]
StixIdArgument = Annotated[str, typer.Argument(metavar="STIX_ID")]
PeerArgument = Annotated[
    str, typer.Argument(metavar="PEER", help="A node id, a unique prefix of it, or a name.")
]


@contextmanager
def opened(home: Path | None, *, signs: bool = False) -> Iterator[Node]:
    """Open the node of a home for one command.

    Args:
        signs: the command signs entries, before which peers are asked what they hold of our feeds
            where nobody did that lately (PROTOCOL 4.6).

    Raises:
        Misconfigured: see ``hub.bootstrap.open_node``.
    """
    from hub.bootstrap import open_node
    from hub.settings import load_settings, operator_name

    node = open_node(load_settings(home))
    node.database.operator = operator_name()
    try:
        if signs:
            from hub.peers.self_check import check_before_signing

            check_before_signing(node)
        yield node
    finally:
        node.database.close()


def read_passphrase(file: Path | None) -> bytes | None:
    """Read a pass-phrase from the file of an option; None when there is none."""
    if file is None:
        return None
    phrase = file.read_bytes().rstrip(b"\r\n")
    if not phrase:
        raise typer.BadParameter("the file holds no pass-phrase", param_hint="--passphrase-file")
    return phrase


def read_label(word: str | None) -> Tlp | None:
    """Return the label of an option that may be absent."""
    from schemas.markings import Tlp

    return None if word is None else Tlp.read(str(word))


def resolve_origin(node: Node, text: str | None) -> NodeId | None:
    """Return the origin that is meant: this node, a peer, or any node by its full id.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``. Conflict: ``E_PEER_AMBIGUOUS``.
    """
    from hub.peers.directory import resolve_peer
    from schemas.identifiers import NodeId, is_node_id

    if text is None:
        return None
    # Relayed objects have origins that are no peers of ours.
    return NodeId(text) if is_node_id(text) else resolve_peer(node, text).node_id


def split(text: str | None) -> tuple[str, ...]:
    """Split an option that takes several words with commas between them."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
