"""``tocsin policy``: the trust in all peers as one file that can be reviewed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.dial_commands import Reason
from hub.cli.input_file import read_input
from hub.cli.options import AsJson, Home, opened
from hub.cli.output import count, say, write_document
from hub.cli.progress import progressing

if TYPE_CHECKING:
    from hub.peers.policy_file import PolicyChecked

policies = typer.Typer(
    help="Read, check and apply what this node believes of its peers, as one file.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
PolicyArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="A TOML file; `-` for standard input.")
]


@policies.command("show")
def show(home: Home = None, as_json: AsJson = False) -> None:
    """Print the present policy in the form that `apply` takes."""
    from hub.peers.policy_file import show_policy

    with opened(home) as node:
        text = show_policy(node)
    if as_json:
        write_document({"policy": text})
    else:
        say(*text.rstrip("\n").split("\n"))


@policies.command("check")
def check(file: PolicyArgument, home: Home = None, as_json: AsJson = False) -> None:
    """Check a file, and tell what applying it would do to what is stored now."""
    from hub.peers.policy_file import check_policy, read_policy

    policy = read_policy(read_input(file))
    with opened(home) as node, progressing("Looking at verdicts", None, quiet=as_json) as told:
        checked = check_policy(node, policy, progress=told)
    if as_json:
        write_document(checked)
    else:
        _tell(checked)


@policies.command("apply")
def apply(
    file: PolicyArgument, reason: Reason = None, home: Home = None, as_json: AsJson = False
) -> None:
    """Tell what a file does, and apply it in one write."""
    from hub.peers.policy_file import apply_policy, check_policy, read_policy

    policy = read_policy(read_input(file))
    with opened(home) as node:
        with progressing("Looking at verdicts", None, quiet=as_json) as told:
            checked = check_policy(node, policy, progress=told)
        if not as_json:
            _tell(checked)
        changes = apply_policy(node, policy, reason=reason)
    if as_json:
        changed = [{"peer": c.after.node_id, "sentences": c.sentences} for c in changes]
        write_document({"digest": policy.digest, "changed": changed})
        return
    for change in changes:
        say(*change.sentences)
    say(f"{count(len(changes), 'peer')} changed.")


def _tell(checked: PolicyChecked) -> None:
    from hub.peers.told_changes import sentences_of

    for each in checked.effects:
        say(f"{each.name}: {', '.join(each.changed)} would change.")
        say(*(f"  {sentence}" for sentence in sentences_of(each.name, each.effects)))
    if not checked.effects:
        say("The file says what is so already.")
    if checked.silent:
        say(f"It says nothing of {', '.join(checked.silent)}, which stay as they are.")
