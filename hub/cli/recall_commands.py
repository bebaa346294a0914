"""``tocsin restrict``, ``widen``, ``erase`` and ``receipts``: labels and words taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import AsJson, Home, Origin, StixIdArgument, opened, resolve_origin
from hub.cli.output import count, hint, plain, say, show_facts, show_table, write_document
from hub.cli.words import Label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.exchange.erase import ErasedEverywhere, ErasedHere
    from hub.exchange.receipts import Receipt
    from hub.exchange.restrict import Restriction
    from hub.node import Node

TlpLabel = Annotated[Label, typer.Option("--tlp", case_sensitive=False, help="The new label.")]


def restrict(
    stix_id: StixIdArgument,
    tlp: TlpLabel,
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="PEER", help="Gets it with its new label; may be repeated."),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="G", help="A group that gets it with its new label."),
    ] = None,
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Tighten the label of an own object, in every feed that carried it."""
    from hub.exchange.restrict import Audience, restrict_object
    from hub.peers.directory import resolve_peer
    from schemas.markings import Tlp

    with opened(home, signs=True) as node:
        _require_own(node, stix_id, origin)
        audience = Audience(
            tuple(resolve_peer(node, peer) for peer in to or ()), tuple(group or ())
        )
        done = restrict_object(node, stix_id, Tlp.read(tlp.value), audience)
    if as_json:
        write_document(_restricted(done))
        return
    say(f"Restricted {stix_id} in {count(len(done.entries), 'entry', 'entries')}.")
    if done.published is not None:
        say(f"Published it with its new label in {', '.join(done.published.feeds)}.")
    _tell_left_out(done.left_out)
    _tell_receipts(done.receipts)
    hint("What readers have copied cannot be called back.")


def _restricted(done: Restriction) -> dict[str, Any]:
    entries = [{"feed": feed, "seq": seq, "hash": digest} for feed, seq, digest in done.entries]
    return {
        "entry": entries[0] if entries else None,
        "entries": entries,
        "receipts": plain(done.receipts),
        "left_out": plain(done.left_out),
        "published": None if done.published is None else plain(done.published.feeds),
    }


def widen(
    stix_id: StixIdArgument,
    tlp: TlpLabel,
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Publish an own object again at a laxer label, for all whom that reaches."""
    from hub.exchange.widen import widen_object
    from schemas.markings import Tlp

    with opened(home, signs=True) as node:
        _require_own(node, stix_id, origin)
        outcome = widen_object(node, stix_id, Tlp.read(tlp.value))
    if as_json:
        write_document(
            {
                "entries": outcome.entries,
                "feeds": outcome.feeds,
                "audience": outcome.audience,
                "refused": outcome.refused,
            }
        )
    else:
        feeds = ", ".join(feed.split("/")[1] for feed in outcome.feeds)
        say(f"Published {stix_id} in {count(outcome.entries, 'entry', 'entries')} of {feeds}.")
        for refused in outcome.refused:
            hint(f"Refused {refused.stix_id}: {refused.detail} ({refused.code})")
    if not outcome.entries:
        raise typer.Exit(3 if outcome.refused else 1)


def erase(
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="The entry's hash, or FEED/SEQ.")],
    reason: Annotated[str, typer.Option(metavar="R", help="For the audit, and for receivers.")],
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="An own entry, at every node that has it.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="STIX_ID", help="Erase this object; the others are put again."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Delete an entry's bytes: at this node alone, or an own one everywhere."""
    from hub.exchange.erase import erase_everywhere, erase_here

    if only and not everywhere:
        raise typer.BadParameter("--only goes with --everywhere")
    with opened(home, signs=everywhere) as node:
        done = (
            erase_everywhere(node, entry, reason, only or ())
            if everywhere
            else erase_here(node, entry, reason)
        )
    if as_json:
        write_document(_erased(done))
    else:
        _tell_erased(done)


def _erased(done: ErasedEverywhere | ErasedHere) -> dict[str, Any]:
    from hub.exchange.erase import ErasedHere

    if isinstance(done, ErasedHere):
        return {
            "entry": {"feed": done.feed, "seq": done.seq, "hash": done.hash},
            "erased_at": plain(done.erased_at),
            "objects": plain(done.objects),
            "elsewhere": [
                {"id": stix_id, "feed": feed, "seq": seq} for stix_id, feed, seq in done.elsewhere
            ],
        }
    entries = [
        {"feed": feed, "seq": seq, "hash": digest, "kind": kind}
        for feed, seq, digest, kind in done.entries
    ]
    return {
        "entry": entries[0] if entries else None,
        "entries": entries,
        "receipts": plain(done.receipts),
        "objects": plain(done.objects),
        "left_out": plain(done.left_out),
        "unreached": plain(done.unreached),
    }


def _tell_erased(done: ErasedEverywhere | ErasedHere) -> None:
    from hub.exchange.erase import ErasedHere

    say(f"Erased {count(len(done.objects), 'object')}.")
    if isinstance(done, ErasedHere):
        for stix_id, feed, seq in done.elsewhere:
            hint(f"{stix_id} stands in {feed}/{seq} too: erase that as well.")
        hint("Peers that ask this node for the entry are sent elsewhere (E_ERASED).")
        return
    for feed, seq, _, kind in done.entries:
        say(f"{kind} is entry {seq} of {feed.split('/')[1]}.")
        if kind == "restrict":
            hint("What cannot be erased by its place is named; release 0.1 hides it, bytes kept.")
    for feed in done.unreached:
        hint(f"{feed} takes no more entries: it is served up to there, and the others are told.")
    _tell_left_out(done.left_out)
    _tell_receipts(done.receipts)


def receipts(
    stix_id: StixIdArgument, origin: Origin = None, home: Home = None, as_json: AsJson = False
) -> None:
    """List who has confirmed what this node took back of an object, and who has not."""
    from hub.exchange.receipts import list_receipts

    with opened(home) as node:
        _require_own(node, stix_id, origin)
        lines = list_receipts(node, stix_id)
    if as_json:
        write_document(lines)
        return
    show_table(
        ("peer", "what", "entry", "state", "at", "behind it"),
        [
            (
                line.name,
                line.did,
                f"{line.feed.split('/')[1]}/{line.seq}",
                line.state,
                line.at,
                f"{line.passed_on.confirmed} of {line.passed_on.readers}"
                if line.passed_on
                else None,
            )
            for line in lines
        ],
    )
    show_facts({"pending": sum(line.state == "pending" for line in lines)})


def _require_own(node: Node, stix_id: str, origin: str | None) -> None:
    from hub.errors import NotFound

    if resolve_origin(node, origin) not in {None, node.node_id}:
        raise NotFound(
            "E_NOT_FOUND",
            f"{stix_id} of another origin is not this node's to speak of",
            "Ask its origin; here, `tocsin quarantine reject` keeps it from readers.",
        )


def _tell_left_out(stix_ids: Sequence[str]) -> None:
    for stix_id in stix_ids:
        hint(f"{stix_id} refers to it and is not given to new readers: take it back as well.")


def _tell_receipts(found: Sequence[Receipt]) -> None:
    if found:
        show_table(("peer", "confirmed"), [(each.name, each.state) for each in found])
