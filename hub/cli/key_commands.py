"""``tocsin keys``: this node's keys, their rotation and revocation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import AsJson, Home, PeerArgument, opened, read_passphrase, resolve_origin
from hub.cli.output import count, hint, say, show_facts, show_table, write_document

if TYPE_CHECKING:
    from hub.peers.root_ceremonies import RootGiven
    from hub.peers.rotate_keys import EpochOpened, KeyRotated

keys = typer.Typer(
    help="See this node's keys, and change them with the root key at hand.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RootFile = Annotated[
    list[Path] | None,
    typer.Option(
        "--root-key-file",
        metavar="F",
        exists=True,
        dir_okay=False,
        help="The current root key; else the home's. Once for each where several have to sign.",
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(metavar="F", exists=True, dir_okay=False, help="Opens the root key files."),
]


@keys.command("show")
def show(home: Home = None, as_json: AsJson = False) -> None:
    """Show the keys of this node's document: ids, purposes, validity. Never a secret."""
    from hub.operators.own_keys import list_own_keys

    with opened(home) as node:
        found = list_own_keys(node)
    if as_json:
        write_document(found)
        return
    show_table(
        ("key id", "use", "algorithm", "from", "until", "used here", "state"),
        [(k.kid, k.use, k.alg, k.not_before, k.not_after, k.in_use, k.state) for k in found],
    )
    say("The root keys sign node documents and are kept off this machine.")
    ending = [key for key in found if key.ends_soon]
    for key in ending:
        hint(f"The {key.use} key {key.kid} ends on {key.not_after:%Y-%m-%d}.")
    if ending:
        hint("`tocsin keys renew`, with the root key file, signs for another year.")


@keys.command("rotate-entry")
def rotate_entry(
    root_key_file: RootFile = None,
    passphrase_file: PassphraseFile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List a new entry key beside the old one, which ends after 14 days."""
    _rotate("entry", _given(root_key_file, passphrase_file), home, as_json=as_json)


@keys.command("rotate-http")
def rotate_http(
    root_key_file: RootFile = None,
    passphrase_file: PassphraseFile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List a new http key beside the old one, which ends after 14 days."""
    _rotate("http", _given(root_key_file, passphrase_file), home, as_json=as_json)


@keys.command("revoke")
def revoke(
    kid: Annotated[str, typer.Argument(metavar="KID")],
    reason: Annotated[str, typer.Option(metavar="R", help="Public: every peer reads it.")],
    last_good: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FEED/SEQ",
            help="The last entry of a feed that is yours, as green/812; else the last held.",
        ),
    ] = None,
    root_key_file: RootFile = None,
    passphrase_file: PassphraseFile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a stolen key: what it signed after the last good entries is void everywhere."""
    from hub.peers.root_ceremonies import revoke_key_with

    given = _given(root_key_file, passphrase_file)
    with opened(home) as node:
        revoked = revoke_key_with(node, kid, reason, last_good or (), given)
    if as_json:
        write_document(revoked)
        return
    say(f"Document {revoked.version}: key {revoked.kid} is revoked.")
    if revoked.new_kid is not None:
        say(f"Key {revoked.new_kid} is used in its place, from now on and by every process.")
    _say_epochs(revoked.epochs)
    if revoked.left_out:
        names = ", ".join(name.partition("/")[2] for name in revoked.left_out)
        hint(f"No room for the places of {names}: all that the key signed there is void.")
    hint("The worker tells every peer. What was on this machine may be in other hands too:")
    hint("make new tokens (`tocsin token revoke`), and rotate the other key.")


@keys.command("rotate-root")
def rotate_root(
    next_root_key_file: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="F", exists=True, dir_okay=False, help="The next root key; else the home's."
        ),
    ] = None,
    new_next_root_key_file: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Where the root key after it is written; else the home."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Make the next root key the current one, and make the one after it."""
    from hub.peers.root_ceremonies import rotate_root_with

    given = _given(next_root_key_file, passphrase_file)
    with opened(home) as node:
        rotated = rotate_root_with(node, given, new_next_root_key_file)
    if as_json:
        write_document(rotated)
        return
    show_facts(
        {
            "document": rotated.version,
            "root key": ", ".join(map(str, rotated.root_key_files)),
            "next root key": rotated.next_root_key_file,
        }
    )
    for file in rotated.retired_root_key_files:
        hint(f"Destroy {file}: whoever finds it can have your peers freeze this node.")
    hint("Move the other two to two removable media, in two places, and delete them here.")


@keys.command("new-epoch")
def new_epoch(
    feed: Annotated[
        list[str] | None,
        typer.Option(metavar="F", help="An own feed, such as green; may be repeated."),
    ] = None,
    all_feeds: Annotated[bool, typer.Option("--all", help="Every own open feed.")] = False,
    root_key_file: RootFile = None,
    passphrase_file: PassphraseFile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Go on in new epochs, where own entries were lost for good in a restore."""
    from hub.peers.root_ceremonies import open_epochs_with

    if all_feeds == bool(feed):
        raise typer.BadParameter("name feeds with --feed, or take --all")
    given = _given(root_key_file, passphrase_file)
    with opened(home) as node:
        signed = open_epochs_with(node, None if all_feeds else feed, given)
    if as_json:
        write_document(signed)
        return
    say(f"Document {signed.version} is signed.")
    _say_epochs(signed.epochs)


@keys.command("renew")
def renew(
    root_key_file: RootFile = None,
    passphrase_file: PassphraseFile = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Sign the node document anew, with the same keys, for another year."""
    from hub.peers.root_ceremonies import renew_with

    given = _given(root_key_file, passphrase_file)
    with opened(home) as node:
        signed = renew_with(node, given)
    if as_json:
        write_document(signed)
    else:
        say(f"Document {signed.version} is good until {signed.expires:%Y-%m-%d}.")


def thaw(peer: PeerArgument, home: Home = None, as_json: AsJson = False) -> None:
    """Let the feeds of a frozen node go on, after you have looked at its two documents."""
    from hub.peers.node_conflicts import thaw_node

    with opened(home) as node:
        # An origin that is no peer is meant by its full node id.
        node_id = resolve_origin(node, peer) or node.node_id
        overruled = thaw_node(node, node_id)
    if as_json:
        write_document({"node_id": node_id, "overruled": overruled})
    else:
        say(f"{node_id[:12]} is no longer frozen: what it writes is taken again.")


def _rotate(use: str, given: RootGiven, home: Path | None, *, as_json: bool) -> None:
    from hub.peers.root_ceremonies import rotate_key_with

    with opened(home) as node:
        rotated = rotate_key_with(node, use, given)
    if as_json:
        write_document(rotated)
    else:
        _say_rotated(rotated)


def _say_rotated(rotated: KeyRotated) -> None:
    say(f"Document {rotated.version} lists the new {rotated.use} key {rotated.kid}.")
    if rotated.untold:
        hint(
            f"{count(rotated.untold, 'peer')} to be told first, by the worker of `tocsin serve`;",
            "then the running node uses the new key by itself, after seven days in any case.",
        )
    else:
        say("It is used from now on, by the running node too.")
    hint(f"The old one, {rotated.former_kid}, ends on {rotated.ends_at:%Y-%m-%d}.")


def _say_epochs(epochs: tuple[EpochOpened, ...]) -> None:
    for epoch in epochs:
        old, new = (name.partition("/")[2] for name in (epoch.feed, epoch.next_feed))
        say(f"Feed {old} ended after entry {epoch.last_good}; it goes on as {new}.")


def _given(files: list[Path] | None, passphrase_file: Path | None) -> RootGiven:
    from hub.peers.root_ceremonies import RootGiven

    return RootGiven(tuple(files or ()), read_passphrase(passphrase_file))
