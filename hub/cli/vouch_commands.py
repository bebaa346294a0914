"""``tocsin vouch`` and those of ``tocsin peer`` that say whom this node knows, and by whom."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import AsJson, Home, PeerArgument, opened
from hub.cli.output import hint, say, show_table, write_document

if TYPE_CHECKING:
    from hub.peers.vouching import Suggestion


class MaxPreset(StrEnum):
    """The most trust that a vouch lends."""

    KNOWN = "known"
    MEMBER = "member"


def verify(
    peer: PeerArgument,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="The eight words as you hear them."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Type the eight words that the peer's administrator reads to you."""
    from hub.peers.directory import resolve_peer
    from hub.peers.verify import verify_peer

    with opened(home) as node:
        row = resolve_peer(node, peer)
        change = verify_peer(node, row, " ".join(words or ()) or _ask_for_words(row.name))
    if as_json:
        write_document({"peer": row.node_id, "name": row.name, "verified": True})
        return
    say(*(change.sentences or (f"{row.name} was verified before.",)))
    hint(f"Trust is yours to give: tocsin peer set {row.node_id[:12]} --trust member")


def _ask_for_words(name: str) -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter("give the eight words that the other administrator reads to you")
    answer: str = typer.prompt(f"The eight words as {name}'s administrator reads them", err=True)
    return answer


def vouch(
    peer: PeerArgument,
    max_preset: Annotated[
        MaxPreset, typer.Option(help="The most trust that you would lend it.")
    ] = MaxPreset.MEMBER,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="zone:Z|prefix:P", help="Where it speaks with authority; repeatable."),
    ] = None,
    days: Annotated[
        int, typer.Option(metavar="N", min=1, max=365, help="How long the vouch holds.")
    ] = 180,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take an earlier vouch back.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Vouch for a peer before all who read your green feed."""
    from federation.trust.presets import TrustLevel
    from hub.peers.directory import resolve_peer
    from hub.peers.vouching import vouch_for

    with opened(home, signs=True) as node:
        row = resolve_peer(node, peer)
        made = vouch_for(
            node,
            row,
            max_preset=TrustLevel.read(max_preset.value),
            scopes=scope or (),
            days=days,
            withdraw=withdraw,
        )
    if as_json:
        entry = {"feed": made.feed, "seq": made.seq, "hash": made.hash}
        write_document(
            {"peer": row.node_id, "name": row.name, "expires": made.vouch.expires, "entry": entry}
        )
        return
    if withdraw:
        say(f"The vouch for {row.name} is taken back in entry {made.seq} of your green feed.")
        return
    say(
        f"You vouch for {row.name} until {made.vouch.expires:%Y-%m-%d}, "
        f"in entry {made.seq} of your green feed."
    )
    hint("All who read that feed, relays included, now know of this relation.")


def suggestions(home: Home = None, as_json: AsJson = False) -> None:
    """List nodes that peers you trust vouch for."""
    from hub.peers.vouching import list_suggestions

    with opened(home) as node:
        found = list_suggestions(node)
    if as_json:
        write_document([_document(one) for one in found])
        return
    if not found:
        hint("No trusted peer vouches for a node that it would help.")
        return
    show_table(
        ("node id", "name", "vouched for by", "as", "next step"),
        [
            (
                one.node_id[:12], one.name, tuple(one.voucher_names[v.voucher] for v in
                one.introduction.vouches), one.introduction.trust.word, _next_step(one),
            )
            for one in found
        ],
    )  # fmt: skip


def _next_step(one: Suggestion) -> str:
    if not one.introduction.enough:
        return "another organisation has to vouch too"
    if not one.is_peer:
        return "tocsin peer invite, or ask it for an invitation"
    return f"tocsin peer introduce {one.node_id[:12]}"


def _document(one: Suggestion) -> dict[str, Any]:
    found = one.introduction
    return {
        "node_id": one.node_id,
        "name": one.name,
        "base": one.base,
        "is_peer": one.is_peer,
        "ready": one.is_ready,
        "trust": found.trust.word,
        "organisations": found.voices,
        "scopes": found.scopes,
        "vouchers": [
            {"peer": v.voucher, "name": one.voucher_names[v.voucher], "expires": v.expires}
            for v in found.vouches
        ],
        "unheard": [
            {"peer": v.voucher, "name": one.voucher_names[v.voucher], "why": why}
            for v, why in found.unheard
        ],
    }


def introduce(
    peer: Annotated[
        str, typer.Argument(metavar="NODE", help="A suggested node: its id, a prefix, or name.")
    ],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a paired node a member on the word of two organisations that you trust."""
    from hub.peers.vouching import introduce_peer

    with opened(home) as node:
        change = introduce_peer(node, peer)
    after = change.after
    if as_json:
        write_document(
            {"peer": after.node_id, "name": after.name, "sentences": list(change.sentences)}
        )
        return
    say(*change.sentences)
    hint("More than 'member' needs the eight words: tocsin peer verify.")
