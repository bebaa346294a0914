"""``tocsin peer`` and ``tocsin pull``: other nodes, and what this node lets them do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.memory import settle_memory
from hub.cli.options import AsJson, Home, PeerArgument, opened
from hub.cli.output import FAILED, count, hint, plain, say, show_facts, show_table, write_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.node import Node
    from hub.peers.directory import PeerState
    from hub.storage.queries.peers import PeerRow
    from hub.verdicts.outcomes import TypeReliability
    from schemas.errors import TocsinError

peers = typer.Typer(
    help="Pair with other nodes, and set what each may do.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@peers.command("invite")
def invite(home: Home = None, as_json: AsJson = False) -> None:
    """Make an invitation for one node, good once and for 72 hours."""
    from hub.peers.invite import invite_peer

    with opened(home) as node:
        invitation = invite_peer(node)
    if as_json:
        write_document({"invitation": invitation})
        return
    say(invitation)
    hint("Give it to the other administrator over a channel that you trust; it holds a secret.")


@peers.command("accept")
def accept(
    invitation: Annotated[str, typer.Argument(metavar="INVITATION")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Pair with the node that made the invitation."""
    from hub.peers.invite import accept_invitation

    with opened(home) as node:
        admitted = accept_invitation(node, invitation)
    peer, words = admitted.peer, admitted.voice_code
    if as_json:
        write_document({"peer": peer.node_id, "name": peer.name, "voice_code": words})
        return
    show_facts({"peer": peer.name, "node id": peer.node_id, "voice code": words})
    hint(
        "It may read what is TLP:CLEAR. For more, compare the eight words by telephone with its",
        "administrator, who sees them too, and type what you hear:",
        f"  tocsin peer verify {peer.node_id[:12]}",
        f"Then give it your trust: tocsin peer set {peer.node_id[:12]} --trust member",
    )


@peers.command("list")
def list_all(home: Home = None, as_json: AsJson = False) -> None:
    """List the peers and how the exchange with each stands."""
    from hub.peers.directory import list_peer_states

    with opened(home) as node:
        states = list_peer_states(node)
    if as_json:
        write_document([peer_document(state) for state in states])
        return
    show_table(
        ("node id", "name", "trust", "verified", "state", "lag", "last error", "lacks", "note"),
        [
            (
                state.node_id[:12], state.name, state.trust, state.verified, state.state,
                None if state.lag_seconds is None else f"{state.lag_seconds:,.0f} s",
                state.last_error, state.exchange.it_is_behind, _note(state),
            )
            for state in states
        ],
    )  # fmt: skip
    for state in states:
        if state.pairing == "pending" and state.effective_trust != "blocked":
            hint(
                f"{state.name} waits for the eight words: {state.voice_code}",
                f"  Compare them by telephone: tocsin peer verify {state.node_id[:12]}",
            )


@peers.command("show")
def show(peer: PeerArgument, home: Home = None, as_json: AsJson = False) -> None:
    """Show one peer with its fingerprint, voice code and dials."""
    from hub.peers.directory import peer_state, resolve_peer
    from hub.verdicts.outcomes import reliability_of_peer

    with opened(home) as node:
        found = resolve_peer(node, peer)
        state, reliable = peer_state(node, found), reliability_of_peer(node, found)
    _show_peer(state, reliable, as_json=as_json)


def pull(
    peer: Annotated[
        str | None, typer.Argument(metavar="PEER", help="From this peer alone.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Fetch now what is new, from one peer or from all."""
    from hub.peers.directory import resolve_peer

    with opened(home) as node:
        chosen = _pullable(node) if peer is None else [resolve_peer(node, peer)]
        rows = [_pull_one(node, row, as_json=as_json) for row in chosen]
    if as_json:
        write_document(rows)
    elif rows:
        shown = ("name", "entries", "accepted", "quarantined", "rejected", "seconds", "error")
        show_table(shown, [[row[name] for name in shown] for row in rows])
        for row in rows:
            if row["error"]:
                hint(f"{row['name']}: {row['detail'] or row['error']}", f"  {row['remedy']}")
    else:
        hint("There is no peer to pull from; `tocsin peer accept` pairs with one.")
    if any(row["error"] for row in rows):
        raise typer.Exit(FAILED)


def _pullable(node: Node) -> list[PeerRow]:
    from hub.peers.directory import list_peer_states, resolve_peer

    # Those that are blocked or suspended are strangers; naming one asks for the refusal.
    return [
        resolve_peer(node, state.node_id)
        for state in list_peer_states(node)
        if state.effective_trust != "blocked"
    ]


def _pull_one(node: Node, peer: PeerRow, *, as_json: bool) -> dict[str, Any]:
    from hub.peers.pull import pull_peer

    if not as_json and sys.stderr.isatty():
        hint(f"Pulling from {peer.name} …")
    settle_memory()
    outcome = pull_peer(node, peer)
    error: TocsinError | None = outcome.error
    return {
        "peer": outcome.node_id,
        "name": outcome.peer,
        "entries": outcome.entries,
        "accepted": outcome.accepted,
        "quarantined": outcome.quarantined,
        "rejected": outcome.rejected,
        "seconds": round(outcome.seconds, 3),
        "error": error and error.code,
        "detail": error and error.detail,
        "remedy": error and error.remedy,
    }


def _note(state: PeerState) -> str | None:
    """Say in a word what is wrong with a peer's feeds."""
    words = [
        word
        for word, feeds in (
            ("two histories", state.exchange.diverged_feeds),
            ("stale head", state.exchange.stale_feeds),
        )
        if feeds
    ]
    return ", ".join(words) or None


def peer_document(state: PeerState) -> dict[str, Any]:
    """Return a peer as ``--json`` shows it, dials and exchange beside the rest."""
    document: dict[str, Any] = plain(state)
    dials: dict[str, Any] = document.pop("dials")
    exchange: dict[str, Any] = document.pop("exchange")
    return document | dials | exchange


def _show_peer(state: PeerState, reliable: Sequence[TypeReliability], *, as_json: bool) -> None:
    document = peer_document(state)
    if as_json:
        write_document(document | {"reliability": plain(reliable)})
        return
    show_facts({name.replace("_", " "): value for name, value in document.items()})
    for each in reliable:
        say(
            f"Reliability for {each.type}: {each.reliability:.2f} ({each.confirmed} confirmed, "
            f"{each.false_positives} false; prior {each.alpha:g} to {each.beta:g})."
        )
    if state.trust != state.effective_trust:
        say(f"Its trust counts as '{state.effective_trust}': see 'verified' and 'state'.")
    if state.failures:
        hint(f"{count(state.failures, 'pull')} failed in a row.")
