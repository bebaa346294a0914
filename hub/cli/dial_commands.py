"""``tocsin peer set``, ``suspend`` and ``resume``: what a peer may do, and what a change does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import AsJson, Home, PeerArgument, opened, split
from hub.cli.output import count, hint, plain, say, write_document
from hub.cli.peer_commands import peer_document
from hub.cli.progress import progressing
from hub.cli.words import InboundMode, Label, Switch, Trust

if TYPE_CHECKING:
    from hub.node import Node
    from hub.peers.told_changes import Suspension

TrustDial = Annotated[Trust | None, typer.Option(help="Fills the dials below.")]
Verified = Annotated[
    bool | None,
    typer.Option("--verified/--not-verified", help="The eight words were compared."),
]
InboundDial = Annotated[InboundMode | None, typer.Option(help="What becomes of what it sends.")]
CapDial = Annotated[
    int | None,
    typer.Option(metavar="N", min=0, max=100, help="The highest confidence its word lends."),
]
TypesDial = Annotated[
    str | None,
    typer.Option(
        metavar="T,…", help="Types accepted without a person; `all`, or `default` for its preset's."
    ),
]
OutboundDial = Annotated[
    Label | None,
    typer.Option(case_sensitive=False, help="The strictest label that goes out to it."),
]
LimitDial = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Objects taken from it in a day.")
]
AuthorityDial = Annotated[
    list[str] | None,
    typer.Option(
        metavar="zone:Z|prefix:P",
        help="Where its statements count more; may be repeated. `none` takes all away.",
    ),
]
RelaySwitch = Annotated[
    Switch | None, typer.Option(help="Whether this node passes on what that peer wrote.")
]
PushSwitch = Annotated[
    Switch | None,
    typer.Option(help="Push own entries to it, where it cannot reach this node to pull."),
]
SightingsSwitch = Annotated[
    Switch | None, typer.Option(help="Tell it what is seen here of its claims, from now on.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Tell what it would do, and do nothing.")]
Reason = Annotated[str | None, typer.Option(metavar="R", help="Why, for the audit.")]
_JUDGING = "Looking at verdicts"


def set_(
    peer: PeerArgument,
    trust: TrustDial = None,
    verified: Verified = None,
    inbound: InboundDial = None,
    cap: CapDial = None,
    types: TypesDial = None,
    outbound: OutboundDial = None,
    limit: LimitDial = None,
    authority: AuthorityDial = None,
    relay: RelaySwitch = None,
    push: PushSwitch = None,
    sightings: SightingsSwitch = None,
    reason: Reason = None,
    dry_run: DryRun = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Change what you let a peer do, and see what that sends and releases."""
    from hub.peers.directory import peer_state, resolve_peer
    from hub.peers.told_changes import sentences_of, turn_dials
    from hub.peers.trust import PeerChanges

    changes = PeerChanges(
        trust=trust and trust.value,
        verified=verified,
        inbound=inbound and inbound.value,
        cap=cap,
        outbound=outbound and outbound.value,
        limit=limit,
        types=None if types is None else split(types),
        authority=_read_authority(authority),
        relay=None if relay is None else relay is Switch.ON,
        push=None if push is None else push is Switch.ON,
        sightings=None if sightings is None else sightings is Switch.ON,
    )
    if changes == PeerChanges():
        raise typer.BadParameter("say what to change, such as --verified --trust member")
    with opened(home) as node, progressing(_JUDGING, None, quiet=as_json) as told:
        row = resolve_peer(node, peer)
        turned = turn_dials(node, row, changes, reason=reason, dry_run=dry_run, progress=told)
        state = peer_state(node, turned.peer)
    sentences = (
        *sentences_of(state.name, turned.effects),
        *(turned.change.sentences if turned.change else ()),
    )
    if as_json:
        more = {"sentences": sentences, "effects": turned.effects, "dry_run": dry_run}
        write_document(peer_document(state) | plain(more))
        return
    say(*(sentences or ("Nothing would change." if dry_run else "Nothing changed.",)))
    if dry_run:
        hint("Nothing was changed.")


def _read_authority(scopes: list[str] | None) -> tuple[str, ...] | None:
    if not scopes:
        return None
    return () if scopes == ["none"] else tuple(scopes)


def suspend(
    peer: PeerArgument,
    reason: Reason = None,
    dry_run: DryRun = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a peer a stranger at once, and take what it wrote out of every view and verdict."""
    from hub.peers.directory import resolve_peer
    from hub.peers.told_changes import suspend_now

    with opened(home) as node, progressing(_JUDGING, None, quiet=as_json) as told:
        row = resolve_peer(node, peer)
        done = suspend_now(node, row, reason=reason, dry_run=dry_run, progress=told)
        _tell(node, done, as_json=as_json, dry_run=dry_run)
    if as_json:
        return
    if dry_run:
        hint("Nothing was changed.")
        return
    say(f"{row.name} is a stranger now: it reads nothing here, nothing is pulled from it.")
    say(f"{count(done.verdicts, 'verdict')} changed; `tocsin peer resume` undoes all of it.")


def resume(
    peer: PeerArgument, reason: Reason = None, home: Home = None, as_json: AsJson = False
) -> None:
    """Resume the relation with a suspended peer, and show again what it wrote."""
    from hub.peers.directory import peer_state, resolve_peer
    from hub.peers.told_changes import resume_now

    with opened(home) as node, progressing(_JUDGING, None, quiet=as_json) as told:
        done = resume_now(node, resolve_peer(node, peer), reason=reason, progress=told)
        state = peer_state(node, done.peer)
    if as_json:
        write_document(peer_document(state) | {"verdicts": done.verdicts})
        return
    say(f"{state.name} is back, at trust '{state.effective_trust}' as before.")
    say(f"What it wrote is shown again; {count(done.verdicts, 'verdict')} changed.")


def _tell(node: Node, done: Suspension, *, as_json: bool, dry_run: bool) -> None:
    from hub.peers.directory import peer_state
    from hub.peers.told_changes import sentences_of

    state = peer_state(node, done.peer)
    sentences = tuple(sentences_of(state.name, done.effects))
    if as_json:
        more = {"sentences": sentences, "effects": done.effects, "dry_run": dry_run}
        write_document(peer_document(state) | plain(more) | {"verdicts": done.verdicts})
    else:
        say(*sentences)
