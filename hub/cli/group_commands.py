"""``tocsin group``: named peers that get more than all others, together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import AsJson, Home, PeerArgument, opened
from hub.cli.output import hint, say, show_table, write_document
from hub.cli.words import History, Roster

if TYPE_CHECKING:
    from hub.peers.group_listing import GroupState, MemberState

groups = typer.Typer(
    help="Name peers together, to publish to all of them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="The name of an own group.")]


@groups.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Told to the members.")],
    roster: Annotated[
        Roster, typer.Option(help="Whether members are told who the others are.")
    ] = Roster.MEMBERS,
    history: Annotated[
        History, typer.Option(help="Whether who joins later reads what came before.")
    ] = History.ALL,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a group without members."""
    from hub.peers.group_listing import group_state
    from hub.peers.groups import create_group

    with opened(home, signs=True) as node:
        create_group(node, name, roster=roster.value, history=history.value)
        state = group_state(node, name)
    if as_json:
        write_document(state)
        return
    say(f"Made the group {name}.")
    hint(f"It is nobody yet: `tocsin group add {name} PEER` adds a member.")


@groups.command("add")
def add(
    group: GroupArgument, peer: PeerArgument, home: Home = None, as_json: AsJson = False
) -> None:
    """Add a peer to a group."""
    from hub.peers.directory import resolve_peer
    from hub.peers.group_listing import group_state
    from hub.peers.groups import add_member

    with opened(home, signs=True) as node:
        added = resolve_peer(node, peer)
        add_member(node, group, added)
        state = group_state(node, group)
    if as_json:
        write_document(state)
        return
    say(f"{added.name} is in {group} now.")
    for member in state.members or ():
        if member.peer == added.node_id and not member.reads:
            hint(f"It cannot read yet: {member.why}")


@groups.command("remove")
def remove(
    group: GroupArgument, peer: PeerArgument, home: Home = None, as_json: AsJson = False
) -> None:
    """Remove a peer: it reads nothing of the group any more, and learns of nothing to come."""
    from hub.peers.directory import resolve_peer
    from hub.peers.group_listing import group_state
    from hub.peers.groups import remove_member

    with opened(home, signs=True) as node:
        removed = resolve_peer(node, peer)
        before = group_state(node, group).gid
        remove_member(node, group, removed)
        state = group_state(node, group)
    if as_json:
        write_document(state)
        return
    if state.gid == before:
        say(f"{removed.name} is out of {group} and reads nothing of it any more.")
        hint("Nothing may be signed now; the group goes on in a new feed as soon as that is over.")
    else:
        say(f"{removed.name} is out of {group}; the group goes on in a new feed.")
    hint("What it has read it has: nothing can be fetched back.")


@groups.command("list")
def list_all(home: Home = None, as_json: AsJson = False) -> None:
    """List the groups, ours and those that we are in, and how each member stands."""
    from hub.peers.group_listing import list_group_states

    with opened(home) as node:
        states = list_group_states(node)
    if as_json:
        write_document(states)
        return
    show_table(
        ("group", "of", "state", "roster", "history", "member", "reads", "holds", "lag", "why not"),
        [row for state in states for row in _rows(state)],
    )
    for state in states:
        if state.own and not state.members and not state.subscribers:
            hint(f"{state.name} has no members, so it is nobody: nothing can be published to it.")


def _rows(state: GroupState) -> list[tuple[object, ...]]:
    head = (state.name, state.origin_name, state.state, state.roster, state.history)
    if not state.members:
        hidden = None if state.members is not None else "(hidden)"
        return [(*head, hidden, None, None, None, None)]
    blank = ("",) * len(head)
    return [
        (*(blank if place else head), *_cells(member, state.entries))
        for place, member in enumerate(state.members)
    ]


def _cells(member: MemberState, entries: int) -> tuple[object, ...]:
    holds = None if member.holds is None else f"{member.holds} of {entries}"
    return member.name, member.reads, holds, member.lag, None if member.reads else member.why
