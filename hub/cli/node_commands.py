"""``tocsin init`` and ``tocsin doctor``: this node itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import AsJson, Home, read_passphrase
from hub.cli.output import FAILED, hint, show_facts, show_table, write_document
from hub.cli.words import GreenRelay, Role


def init(
    name: Annotated[str, typer.Option(metavar="N", help="The name that peers see.")],
    domain: Annotated[str, typer.Option(metavar="D", help="The organisation's domain.")],
    base_url: Annotated[
        str, typer.Option(metavar="U", help="Where peers reach the node, https://host/; signed.")
    ],
    contact: Annotated[
        str | None, typer.Option(metavar="M", help="A mail address for peers.")
    ] = None,
    role: Annotated[list[Role] | None, typer.Option(help="May be repeated.")] = None,
    green_relay: Annotated[
        GreenRelay, typer.Option(help="Whether peers may pass on your GREEN feed.")
    ] = GreenRelay.COMMUNITY,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(
            metavar="F", exists=True, dir_okay=False, help="Encrypts the two root key files."
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make a node: keys, signed document and database in the home."""
    from hub.bootstrap import NodeProfile, create_node
    from hub.settings import load_settings

    created = create_node(
        load_settings(home),
        NodeProfile(
            name=name,
            domain=domain,
            base_url=base_url,
            contact=contact,
            roles=tuple(chosen.value for chosen in role or ()),
            green_relay=green_relay.value,
        ),
        passphrase=read_passphrase(passphrase_file),
    )
    if as_json:
        write_document(created)
        return
    show_facts(
        {
            "node id": created.node_id,
            "fingerprint": created.fingerprint,
            "identity": created.identity,
            "home": created.home,
            "root key": created.root_key_file,
            "next root key": created.next_root_key_file,
        }
    )
    hint(
        "Move the two root key files to two removable media, in two places, and delete them here:",
        "whoever has both can take your identity. The node does not need them to run.",
    )


def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Check this node; exit 1 when something needs a person."""
    from hub.cli.self_check import check_node

    findings = check_node(home)
    if as_json:
        write_document(findings)
    else:
        show_table(
            ("check", "state", "detail", "remedy"),
            [(f.check, f.state, f.detail, f.remedy) for f in findings],
        )
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(FAILED)
