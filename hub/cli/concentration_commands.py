"""``tocsin concentration``: where claims cluster, and whom to tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, say, show_table, write_document
from hub.cli.words import ConcentrationBy, Label, ThreatType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.incidents.concentration import ConcentrationRow, RegistrarView


def concentration(
    by: Annotated[
        ConcentrationBy, typer.Option(help="What is counted together.")
    ] = ConcentrationBy.REGISTRAR,
    threat_type: Annotated[
        ThreatType | None, typer.Option(metavar="T", help="Of this threat type alone.")
    ] = None,
    days: Annotated[
        int, typer.Option(metavar="N", min=1, max=3_660, help="What came in these days.")
    ] = 90,
    registrar: Annotated[
        int | None,
        typer.Option(metavar="ID", min=1, help="One registrar, by its number at IANA."),
    ] = None,
    tlp: Annotated[
        Label, typer.Option("--tlp", case_sensitive=False, help="Up to this label.")
    ] = Label.AMBER_STRICT,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Count claimed names by registrar, top-level domain, name server or week of registration."""
    from hub.incidents.concentration import show_concentration, show_registrar
    from schemas.markings import Tlp

    threat, label = None if threat_type is None else threat_type.value, Tlp.read(tlp.value)
    with opened(home) as node:
        if registrar is not None:
            view = show_registrar(node, registrar, threat_type=threat, days=days, tlp=label)
            if as_json:
                write_document(view)
            else:
                _tell_registrar(view)
            return
        found = show_concentration(node, by.value, threat_type=threat, days=days, tlp=label)
    if as_json:
        write_document(found)
        return
    say(f"{found.names:,} names with a known {by.value}, in {found.days} days.")
    _table(by.value, found.rows)


def _tell_registrar(view: RegistrarView) -> None:
    say(
        f"{view.name or 'A registrar without a name here'} ({view.iana_id}): {view.names:,} names "
        f"in {view.days} days, {view.share:.1%} of those with a known registrar."
    )
    _table("threat type", view.threats)
    _table("registered in the week of", view.windows)
    if not view.contacts:
        hint("Nobody whose objects are accepted here has published its abuse contact.")
    for each in view.contacts:
        whose = "says it of itself" if each.own else f"by {each.origin_name}"
        say(f"Abuse contact of {each.registrar}: {each.contact or 'none'} ({whose}).")


def _table(first: str, rows: Iterable[ConcentrationRow]) -> None:
    show_table(
        (first, "name", "names", "share"),
        [(row.key, row.name, row.names, f"{row.share:.1%}") for row in rows],
    )
