"""``tocsin feed``: the feeds that this node writes and holds, and what was said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, say, show_table, write_document

if TYPE_CHECKING:
    from hub.monitoring.exchange_state import FeedExchange

feeds = typer.Typer(
    help="See the feeds that are held, try a line, and thaw a frozen feed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@feeds.command("list")
def list_all(home: Home = None, as_json: AsJson = False) -> None:
    """List the feeds with how far they are held and how fresh their heads are."""
    from hub.monitoring.exchange_state import list_feed_exchanges
    from hub.peers.directory import list_peer_states

    with opened(home) as node:
        names = {state.node_id: state.name for state in list_peer_states(node)}
        rows = [_row(each, names) for each in list_feed_exchanges(node)]
    if as_json:
        write_document(rows)
        return
    show_table(
        ("origin", "audience", "epoch", "state", "held", "lacks", "head until", "stale"),
        [
            (
                "this node" if row["own"] else row["name"] or row["origin"][:12], row["audience"],
                row["epoch"], row["state"], row["last_seq"], row["behind"],
                row["head_expires_at"], row["stale"],
            )
            for row in rows
        ],
    )  # fmt: skip
    if any(row["stale"] for row in rows):
        hint("A stale head: the origin stopped, or somebody keeps the newer ones from this node.")


def _row(each: FeedExchange, names: dict[Any, str]) -> dict[str, Any]:
    feed = each.feed
    return {
        "feed": feed.feed,
        "origin": feed.node_id,
        "name": names.get(feed.node_id),
        "own": feed.own,
        "audience": feed.audience,
        "epoch": feed.epoch,
        "state": feed.state,
        "last_seq": feed.last_seq,
        "newest_seq": each.newest_seq,
        "behind": each.behind,
        "head_seq": feed.head_seq or None,
        "head_expires_at": each.head_expires_at,
        "stale": each.stale,
        "held_by": dict(each.held_by),
    }


@feeds.command("heartbeat")
def heartbeat(
    feed: Annotated[str, typer.Argument(metavar="FEED", help="An own feed, such as green.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write an entry that says nothing, to see whether it arrives."""
    from hub.exchange.heartbeats import send_heartbeat
    from hub.peers.feed_names import resolve_feed

    with opened(home, signs=True) as node:
        sent = send_heartbeat(node, resolve_feed(node, feed))
    if as_json:
        write_document({"feed": str(sent.feed), "seq": sent.seq, "hash": sent.hash})
        return
    say(f"Entry {sent.seq} of {sent.feed.audience} says nothing.")
    hint("`tocsin feed list --json` shows in held_by who has confirmed it.")


@feeds.command("thaw")
def thaw(
    feed: Annotated[
        str, typer.Argument(metavar="FEED", help="Its name, or PEER/AUDIENCE[/EPOCH].")
    ],
    reason: Annotated[str, typer.Option(metavar="R", help="Why; it stands in the audit.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let a frozen feed go on with the branch that is held here."""
    from hub.peers.feed_names import resolve_feed
    from hub.peers.freeze import thaw_feed

    with opened(home) as node:
        held = thaw_feed(node, resolve_feed(node, feed), reason)
    if as_json:
        write_document({"feed": held.feed, "state": held.state, "last_seq": held.last_seq})
        return
    say(f"{held.feed} goes on after entry {held.last_seq}.")
    hint("Evidence is kept. What the other side signs from now on freezes the feed again.")
