"""``tocsin hijack``: report that a delegation was taken, answer, and see how each claim stands."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli import publish_options as option
from hub.cli.options import AsJson, Home, Origin, StixIdArgument, opened, resolve_origin
from hub.cli.output import hint, plain, say, show_facts, show_table, write_document
from hub.cli.words import HijackAnswer, HijackVector

if TYPE_CHECKING:
    from hub.incidents.list_hijacks import ListedHijack
    from hub.incidents.report import Reported

hijacks = typer.Typer(
    help="Delegations that were taken: report, answer, and see how each claim stands.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
NameServers = Annotated[
    list[str] | None, typer.Option(metavar="NS", help="A name server; may be repeated.")
]
Keys = Annotated[
    list[str] | None,
    typer.Option(metavar="DS", help="A DS record, '20326 8 2 e06d…'; may be repeated."),
]


Zone = Annotated[str, typer.Option("--zone", metavar="Z", help="Whose delegation was changed.")]
Vector = Annotated[HijackVector | None, typer.Option(help="By which way, where it is known.")]
Registrar = Annotated[str | None, typer.Option(metavar="NAME", help="The registrar in the path.")]
RegistrarId = Annotated[
    int | None, typer.Option("--registrar-id", metavar="N", min=1, help="Its number at IANA.")
]
ChangedAt = Annotated[
    datetime | None,
    typer.Option(
        metavar="T",
        formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"],
        help="In UTC: when it was changed, where it is known.",
    ),
]
Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", metavar="IP", help="Of the new name servers; may be repeated."),
]
Sureness = Annotated[
    int, typer.Option("--confidence", metavar="N", min=0, max=100, help="How sure it is.")
]


@hijacks.command("report")
def report(
    zone: Zone,
    tlp: option.TlpLabel,
    old_ns: NameServers = None,
    new_ns: NameServers = None,
    old_ds: Keys = None,
    new_ds: Keys = None,
    vector: Vector = None,
    registrar: Registrar = None,
    registrar_id: RegistrarId = None,
    changed_at: ChangedAt = None,
    address: Addresses = None,
    to: option.To = None,
    group: option.Group = None,
    confidence: Sureness = 90,
    pap: option.PermittedActions = None,
    dry_run: option.DryRun = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Publish, first on every line, that a delegation was hijacked."""
    from datetime import UTC

    from hub.incidents.report import HijackReport, report_hijack
    from hub.peers.directory import resolve_peer
    from schemas.markings import Tlp

    seen = HijackReport(
        zone=zone,
        old_ns=old_ns or (),
        new_ns=new_ns or (),
        old_ds=old_ds or (),
        new_ds=new_ds or (),
        vector=None if vector is None else vector.value,
        registrar=registrar,
        registrar_id=registrar_id,
        changed_at=None if changed_at is None else changed_at.replace(tzinfo=UTC),
        addresses=address or (),
        confidence=confidence,
    )
    with opened(home, signs=True) as node:
        recipients = tuple(resolve_peer(node, peer) for peer in to or ())
        reported = report_hijack(
            node, seen, Tlp.read(tlp.value), to=recipients, groups=tuple(group or ()),
            pap=pap.value if pap else "green", dry_run=dry_run,
        )  # fmt: skip
    if as_json:
        document: dict[str, Any] = plain(reported)
        write_document(document | {"dry_run": dry_run})
        return
    _tell(reported, dry_run=dry_run)


def _tell(reported: Reported, *, dry_run: bool) -> None:
    feeds = ", ".join(feed.split("/")[1] for feed in reported.feeds)
    done = "Would report" if dry_run else "Reported"
    say(
        f"{done} the hijack of {reported.zone} ({', '.join(reported.change_kinds)}) as "
        f"{reported.incident}, at TLP:{reported.tlp.upper()} in {feeds}.",
        f"Rogue name servers: {', '.join(reported.rogue) or 'none'}.",
    )
    for each in reported.left_out:
        hint(f"Left out {each.what}: {each.why} ({each.code})")
    if reported.audience:
        show_table(
            ("peer", "decision", "code", "why"),
            [(line.name, line.decision, line.code, line.why) for line in reported.audience],
        )


@hijacks.command("answer")
def answer(
    incident: StixIdArgument,
    what: Annotated[HijackAnswer, typer.Argument(help="What this organisation says of it.")],
    reason: Annotated[str, typer.Option(metavar="R", help="Told to whoever receives it.")] = "",
    origin: Origin = None,
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="PEER", help="A further recipient above GREEN; may be repeated."),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Publish a signed answer to a hijack claim, at its label."""
    from hub.incidents.answer import answer_hijack
    from hub.peers.directory import resolve_peer

    with opened(home, signs=True) as node:
        answered = answer_hijack(
            node,
            incident,
            what.value,
            reason=reason,
            origin=resolve_origin(node, origin),
            to=tuple(resolve_peer(node, peer) for peer in to or ()),
        )
    if as_json:
        write_document(answered)
        return
    feeds = ", ".join(feed.split("/")[1] for feed in answered.feeds)
    say(
        f"Answered of {answered.zone}: {answered.answer}, "
        f"at TLP:{answered.tlp.upper()} in {feeds}.",
        f"Here it is {answered.state} now.",
    )


@hijacks.command("list")
def list_all(
    zone: Annotated[str | None, typer.Argument(metavar="ZONE", help="On this zone alone.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the hijack claims, and how each stands."""
    from hub.incidents.list_hijacks import list_hijacks
    from schemas.dns.names import read_name

    known = None if zone is None else read_name(zone, refang=True).a_label
    with opened(home) as node:
        rows = list_hijacks(node, known)
    if as_json:
        write_document(rows)
        return
    show_table(
        (
            "incident",
            "zone",
            "state",
            "by",
            "label",
            "new name servers",
            "since",
            "concerns",
            "seen",
        ),
        [_row(row) for row in rows],
    )


def _row(row: ListedHijack) -> tuple[object, ...]:
    seen = "back, seen here" if row.back_at is not None else None
    return (
        row.incident, row.zone, row.state, row.origin_name, row.tlp, row.new_ns, row.received_at,
        row.concern, seen,
    )  # fmt: skip


@hijacks.command("show")
def show(
    incident: StixIdArgument,
    origin: Origin = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show one hijack claim with its answers."""
    from hub.incidents.list_hijacks import show_hijack

    with opened(home) as node:
        row = show_hijack(node, incident, resolve_origin(node, origin))
    if as_json:
        write_document(row)
        return
    facts: dict[str, Any] = plain(row)
    answers = facts.pop("answers")
    show_facts({name.replace("_", " "): value for name, value in facts.items() if value != []})
    if answers:
        show_table(
            ("answer", "by", "counts", "why", "said"),
            [(a.answer, a.origin_name, a.counts, a.why, a.said_at) for a in row.answers],
        )
