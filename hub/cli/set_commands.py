"""``tocsin set``: lists of domain names that travel as one object, published and received."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from hub.cli import publish_options
from hub.cli import set_options as option
from hub.cli.options import AsJson, Home, Origin, opened, resolve_origin, split
from hub.cli.output import count, hint, say, write_document
from hub.cli.words import MatchScope, SplitBy, ThreatType

if TYPE_CHECKING:
    from hub.exchange.publish_sets import SetsOutcome
    from hub.exchange.set_parts import Recipients
    from hub.imports.set_names import SetNames
    from hub.node import Node
    from schemas.identifiers import NodeId

sets = typer.Typer(
    help="Publish, read and adopt lists of domain names.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
SetArgument = Annotated[
    str,
    typer.Argument(metavar="SET", help="The id of its grouping, or 8 digits of its list's digest."),
]
Reason = Annotated[str, typer.Option(metavar="R", help="Why, for the audit.")]
_VALID_DAYS = 90


@sets.command("publish")
def publish(
    names: option.Names,
    family: option.Family,
    tlp: publish_options.TlpLabel,
    variant: option.Variant = None,
    threat_type: option.Threat = ThreatType.DGA,
    split_by: option.Split = None,
    to: option.To = None,
    for_: option.For = None,
    whole: option.Whole = None,
    group: publish_options.Group = None,
    dates: option.Dates = None,
    valid_from: option.ValidFrom = None,
    valid_until: option.ValidUntil = None,
    valid_days: option.ValidDays = None,
    match_scope: option.Scope = MatchScope.SUBTREE,
    requested_action: option.Actions = None,
    confidence: option.Confidence = 90,
    pap: publish_options.PermittedActions = None,
    description: option.Description = None,
    dry_run: publish_options.DryRun = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Publish NAMES as one list, or as one list a TLD for its registry."""
    from hub.cli.input_file import read_input
    from hub.cli.memory import settle_memory
    from hub.cli.progress import progressing
    from hub.exchange.publish_sets import SetRequest, publish_sets
    from hub.exchange.set_drafts import SetWords
    from hub.imports.set_names import read_set_names
    from schemas.markings import Tlp

    validity = _Validity(valid_from, valid_until, valid_days)
    if split_by is None and (for_ or whole):
        raise typer.BadParameter("--for and --whole are for --split-by tld")
    days = None if dates is None else read_input(dates)
    found = read_set_names(read_input(names), days, match_scope=match_scope.value)
    with opened(home, signs=True) as node:
        begins, ends = validity.of(found, node.now())
        said = SetWords(
            family=family,
            variant=variant,
            threat_type=threat_type.value,
            match_scope=match_scope.value,
            requested_actions=tuple(action.value for action in requested_action or ()),
            confidence=confidence,
            valid_from=begins,
            valid_until=ends,
            lasting=dates is None and not validity.is_said,
            description=description,
        )
        recipients = _recipients(node, to, for_, whole, group)
        with progressing("Making lists", None, quiet=as_json) as progress:
            label, is_split = Tlp.read(tlp.value), split_by is SplitBy.TLD
            request = SetRequest(found.lines, said, label, recipients, is_split, dry_run)
            settle_memory()
            permitted = pap and pap.value
            outcome = publish_sets(node, replace(request, progress=progress, pap=permitted))
    _end(outcome, found, dry_run=dry_run, as_json=as_json)


def _end(outcome: SetsOutcome, found: SetNames, *, dry_run: bool, as_json: bool) -> NoReturn:
    from hub.cli.set_output import exit_code, outcome_document, tell_outcome

    if as_json:
        write_document(outcome_document(outcome, found, dry_run=dry_run))
    else:
        tell_outcome(outcome, found, dry_run=dry_run)
    raise typer.Exit(exit_code(outcome))


@dataclass(frozen=True, slots=True)
class _Validity:
    """What the options say of when a set begins and ends."""

    begins: datetime | None
    ends: datetime | None
    days: int | None

    def __post_init__(self) -> None:
        if self.days is not None and self.ends is not None:
            raise typer.BadParameter("--valid-days and --valid-until are two ways to say one thing")

    @property
    def is_said(self) -> bool:
        return self.begins is not None or self.ends is not None

    def of(self, found: SetNames, now: datetime) -> tuple[datetime, datetime]:
        """Return when a set begins and ends: as said, else as its days say, else from now on."""
        firsts = [line.first for line in found.lines if line.first is not None]
        lasts = [line.last for line in found.lines if line.last is not None]
        begins = now if self.begins is None else self.begins.replace(tzinfo=UTC)
        if self.begins is None and firsts:
            begins = _midnight(min(firsts))
        if self.ends is not None:
            ends = self.ends.replace(tzinfo=UTC)
        elif self.days is None and lasts:
            ends = _midnight(max(lasts) + timedelta(days=1))
        else:
            ends = begins + timedelta(days=self.days or _VALID_DAYS)
        if ends <= begins:
            raise typer.BadParameter(f"it would end on {ends:%Y-%m-%d}, before it begins")
        return begins, ends


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _recipients(
    node: Node,
    to: list[str] | None,
    for_: list[str] | None,
    whole: list[str] | None,
    group: list[str] | None,
) -> Recipients:
    from hub.exchange.set_parts import Recipients
    from hub.peers.directory import resolve_peer
    from schemas.dns.names import read_name

    named = [resolve_peer(node, peer) for peer in to or ()]
    everything = [resolve_peer(node, peer) for peer in whole or ()]
    tlds: dict[NodeId, tuple[str, ...]] = {}
    for text in for_ or ():
        name, equals, words = text.rpartition("=")
        listed = tuple(read_name(word.removeprefix(".")).a_label for word in split(words))
        if not equals or not listed or any("." in tld for tld in listed):
            raise typer.BadParameter(f"--for takes PEER=TLD[,TLD], not {text!r}")
        peer = resolve_peer(node, name)
        if any(peer.node_id == other.node_id for other in everything):
            raise typer.BadParameter(f"{peer.name} is in --for and in --whole")
        tlds[peer.node_id] = (*tlds.get(peer.node_id, ()), *listed)
        named.append(peer)
    return Recipients(tuple(named), tuple(everything), tlds, tuple(group or ()))


@sets.command("list")
def list_all(
    origin: Annotated[
        str | None, typer.Option(metavar="PEER", help="What this node or peer published.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the domain sets that this node holds, own and received."""
    from hub.cli.set_output import tell_sets
    from hub.exchange.set_listing import list_known_sets

    with opened(home) as node:
        known = list_known_sets(node, origin=resolve_origin(node, origin))
    if as_json:
        write_document(known)
    else:
        tell_sets(known)


@sets.command("show")
def show(
    wanted: SetArgument, origin: Origin = None, home: Home = None, as_json: AsJson = False
) -> None:
    """Show one set: what it says, and how far it is."""
    from hub.cli.set_output import tell_set
    from hub.exchange.set_listing import find_known_set

    with opened(home) as node:
        known = find_known_set(node, wanted, origin=resolve_origin(node, origin))
    if as_json:
        write_document(known)
    else:
        tell_set(known)


@sets.command("names")
def names_of(
    wanted: SetArgument,
    on: Annotated[
        datetime | None,
        typer.Option(metavar="DAY", formats=["%Y-%m-%d"], help="Only what counts on this UTC day."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write them.")
    ] = None,
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Write the names of a set, one a line: for a registry's own block list."""
    from hub.exchange.set_listing import find_known_set, lines_of_set
    from hub.exports.kept_files import write_whole

    with opened(home) as node:
        known = find_known_set(node, wanted, origin=resolve_origin(node, origin))
        day = None if on is None else on.date()
        # One name may have several windows; it is one name all the same.
        found = dict.fromkeys(line.name for line in lines_of_set(node, known, on=day))
    text = "".join(f"{name}\n" for name in found)
    if output is not None:
        write_whole(output, [text.encode("ascii")])
    if as_json:
        written = {"file": output} if output is not None else {"lines": list(found)}
        write_document(
            {"id": known.id, "on": day and day.isoformat(), "names": len(found)} | written
        )
        return
    if output is None:
        typer.echo(text, nl=False)
    hint(f"{count(len(found), 'name')} of {known.family or known.id}.")


@sets.command("adopt")
def adopt(
    wanted: SetArgument,
    reason: Reason,
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Stand for a set's list: its names are blocked on this organisation's own word too."""
    from hub.exchange.set_listing import find_known_set
    from hub.verdicts.adopted_lists import adopt_list

    with opened(home) as node:
        known = find_known_set(node, wanted, origin=resolve_origin(node, origin))
        adopted = adopt_list(node, known, reason)
    if as_json:
        write_document({"id": known.id, "names": known.names, "adopted": adopted})
        return
    say(f"Adopted {count(known.names, 'name')} of {known.family or known.id}.")
    hint("A later version of the set is another list, which you would have to adopt too.")


@sets.command("release")
def release(
    wanted: SetArgument,
    reason: Reason,
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Stand for a set's list no longer."""
    from hub.exchange.set_listing import find_known_set
    from hub.verdicts.adopted_lists import release_list

    with opened(home) as node:
        known = find_known_set(node, wanted, origin=resolve_origin(node, origin))
        release_list(node, known, reason)
    if as_json:
        write_document({"id": known.id, "sha256": known.sha256})
        return
    say(f"Released {count(known.names, 'name')} of {known.family or known.id}.")
