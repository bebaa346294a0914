"""``tocsin init``, ``tocsin doctor`` and ``tocsin keys``: this node itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import FAILED, hint, say, show_facts, show_table, write_document
from hub.cli.words import GreenRelay, Role

keys = typer.Typer(help="See this node's keys.", no_args_is_help=True, rich_markup_mode=None)


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
        passphrase=_read_passphrase(passphrase_file),
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


def _read_passphrase(file: Path | None) -> bytes | None:
    if file is None:
        return None
    phrase = file.read_bytes().rstrip(b"\r\n")
    if not phrase:
        raise typer.BadParameter("the file holds no pass-phrase", param_hint="--passphrase-file")
    return phrase


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


@keys.command("show")
def show_keys(home: Home = None, as_json: AsJson = False) -> None:
    """Show the keys of this node's document: ids, purposes, validity. Never a secret."""
    from hub.operators.own_keys import list_own_keys

    with opened(home) as node:
        found = list_own_keys(node)
    if as_json:
        write_document(found)
        return
    show_table(
        ("key id", "use", "algorithm", "from", "until", "used here"),
        [(k.kid, k.use, k.alg, k.not_before, k.not_after, k.in_use) for k in found],
    )
    say("The root keys sign node documents and are kept off this machine.")
