"""``tocsin operator``: what this node operates in DNS, for its alarms and for others to see."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import say, show_facts, write_document
from hub.cli.words import Role

operators = typer.Typer(
    help="Say what this node operates in DNS: roles, top-level domains, registrar, abuse contact.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@operators.command("set")
def set_(
    role: Annotated[
        list[Role] | None, typer.Option(help="What it does; may be repeated, replaces all.")
    ] = None,
    tld: Annotated[
        list[str] | None,
        typer.Option(metavar="TLD", help="Whose registry it runs; may be repeated, replaces all."),
    ] = None,
    registrar_id: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Its number as a registrar at IANA.")
    ] = None,
    abuse_contact: Annotated[
        str | None, typer.Option(metavar="MAIL", help="Whom to tell of abuse.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Publish, in the identity of this node, what it operates; what is not given stays."""
    from hub.incidents.operators import declare_operator

    if role is None and tld is None and registrar_id is None and abuse_contact is None:
        raise typer.BadParameter("say what to set")
    with opened(home, signs=True) as node:
        said = declare_operator(
            node,
            roles=None if role is None else [each.value for each in role],
            tlds=tld,
            iana_registrar_id=registrar_id,
            abuse_contact=abuse_contact,
        )
    if as_json:
        write_document(said)
        return
    say("Published at TLP:CLEAR. It is a statement, and gives no authority anywhere.")
    show_facts(
        {
            "roles": said.roles,
            "tlds": said.tlds,
            "registrar": said.iana_registrar_id,
            "abuse contact": said.abuse_contact,
        }
    )
