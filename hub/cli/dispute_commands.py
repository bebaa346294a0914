"""``tocsin dispute`` and ``tocsin outcome``: what is wrong, who says so, and what turned out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from hub.cli.name_words import shown_name
from hub.cli.options import AsJson, Home, Origin, StixIdArgument, opened, resolve_origin
from hub.cli.output import say, show_table, write_document
from hub.cli.words import OpinionWord, OutcomeWord

if TYPE_CHECKING:
    from hub.verdicts.disputes import ListedDispute


class SayByDefault(TyperGroup):
    """``tocsin dispute NAME …`` says what ``tocsin dispute say NAME …`` says."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual command before what is none."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["say", *args]
        return super().parse_args(ctx, args)


disputes = typer.Typer(
    cls=SayByDefault,
    help="Say that a claim is wrong, and decide on names that are disputed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
outcomes = typer.Typer(
    help="Record what turned out about claims.", no_args_is_help=True, rich_markup_mode=None
)
Reason = Annotated[str, typer.Option(metavar="R", help="Why; kept in the audit.")]


@disputes.command("say")
def say_against(
    what: Annotated[str, typer.Argument(metavar="STIX_ID|NAME", help="The claim, or its name.")],
    reason: Annotated[str, typer.Option(metavar="R", help="Told to whoever receives it.")],
    opinion: Annotated[
        OpinionWord, typer.Option(help="How strongly.")
    ] = OpinionWord.STRONGLY_DISAGREE,
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="PEER", help="Who gets it; may be repeated. Default: the origin."),
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--everybody", help="All whom the label reaches; CLEAR and GREEN.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Publish a signed opinion on others' claims, at their label."""
    from hub.peers.directory import resolve_peer
    from hub.verdicts.dispute_claims import dispute

    if to and everybody:
        raise typer.BadParameter("--to and --everybody contradict each other")
    with opened(home, signs=True) as node:
        recipients = tuple(resolve_peer(node, peer) for peer in to or ())
        said = dispute(node, what, opinion.value, reason, to=recipients, everybody=everybody)
    if as_json:
        write_document(said)
        return
    feeds = ", ".join(feed.split("/")[1] for feed in said.feeds)
    say(f"Said of {said.name}: {said.opinion}, at TLP:{said.tlp.upper()} in {feeds}.")


@disputes.command("list")
def list_all(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="On this name alone.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the opinions on names, and what they hold."""
    from hub.verdicts.disputes import list_disputes

    with opened(home) as node:
        rows = list_disputes(node, name)
    if as_json:
        write_document(rows)
        return
    show_table(
        ("name", "opinion", "by", "label", "state", "since", "holds", "decided"),
        [_row(row) for row in rows],
    )


def _row(row: ListedDispute) -> tuple[object, ...]:
    holds = ", ".join(row.holds)
    return (
        shown_name(row.name), row.opinion, row.origin_name, row.tlp, row.state, row.received_at,
        holds, row.decision,
    )  # fmt: skip


@disputes.command("decide")
def decide(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A disputed name.")],
    reason: Reason,
    block: Annotated[
        bool | None,
        typer.Option("--block/--release", help="Whether it may be blocked by the rules for all."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Decide on a disputed name; what turned out is recorded of all who spoke of it."""
    from hub.verdicts.disputes import decide_dispute

    if block is None:
        raise typer.BadParameter("say --block or --release")
    with opened(home) as node:
        decided = decide_dispute(node, name, "block" if block else "release", reason)
    if as_json:
        write_document(decided)
        return
    what = "may be blocked by the rules for all names" if block else "is not blocked by itself"
    say(
        f"{decided.name} {what}, from TLP:{decided.tlp.upper()} on.",
        f"Recorded {decided.outcomes} outcomes.",
    )


@outcomes.command("add")
def add(
    stix_id: StixIdArgument,
    kind: Annotated[OutcomeWord, typer.Argument(help="What turned out.")],
    reason: Reason,
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Record whether an object turned out right or wrong."""
    from hub.verdicts.outcomes import CONFIRMED, FALSE_POSITIVE, add_outcome

    with opened(home) as node:
        recorded = add_outcome(
            node,
            stix_id,
            CONFIRMED if kind is OutcomeWord.CONFIRMED else FALSE_POSITIVE,
            reason,
            origin=resolve_origin(node, origin),
        )
    if as_json:
        write_document(recorded)
        return
    say(f"{recorded.id} is recorded as {recorded.kind}.")
    if recorded.demoted:
        say("Its origin went one step down: too much of what it said was wrong (`tocsin alarms`).")
