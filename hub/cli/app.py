"""The command ``tocsin``: every command by its name.

Invariants:
* importing this module imports neither the database nor the web nor STIX: commands import what
  they need when they run, so that ``--help`` answers at once (a house test looks);
* a command parses, calls one use-case and renders; errors are reported here, in one place.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hub.cli import (
    audit_commands,
    bundle_commands,
    collection_commands,
    concentration_commands,
    correction_commands,
    db_commands,
    dial_commands,
    dispute_commands,
    evidence_commands,
    export_commands,
    export_target_commands,
    feed_commands,
    group_commands,
    guard_commands,
    hijack_commands,
    import_commands,
    import_server_commands,
    key_commands,
    name_check_commands,
    name_commands,
    node_commands,
    object_commands,
    operator_commands,
    peer_commands,
    policy_commands,
    publish_commands,
    quarantine_commands,
    recall_commands,
    serve_commands,
    set_commands,
    sighting_commands,
    token_commands,
    verdict_commands,
    vouch_commands,
)
from hub.cli.options import AsJson, Home, Invocation
from hub.cli.output import reported


class CommandLine(TyperGroup):
    """The root of all commands: reports what goes wrong in any of them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note whether JSON is wanted before anything can go wrong."""
        ctx.obj = Invocation(as_json="--json" in args)
        with reported(as_json=ctx.obj.as_json):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        with reported(as_json=ctx.obj.as_json):
            return super().invoke(ctx)


app = typer.Typer(
    cls=CommandLine,
    name="tocsin",
    help="Share DNS threat intelligence between organisations, each with its own node.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by policy.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich alone would take longer to load than all the rest
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"tocsin {version('tocsin')}")
        except PackageNotFoundError:
            typer.echo("tocsin, run from a checkout that is not installed")
        raise typer.Exit


@app.callback()
def _before_the_command(
    ctx: typer.Context,
    home: Home = None,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the release."),
    ] = False,
) -> None:
    ctx.obj.home = home


def demo(
    seconds: Annotated[
        float | None, typer.Option(metavar="N", help="End after N seconds; else on Ctrl-C.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 when an expectation does not hold.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Run three nodes on this machine and tell what they share and withhold."""
    from hub.cli.demo.command import run_demo

    del home  # every command takes it; the demo makes homes of its own
    raise typer.Exit(run_demo(seconds=seconds, check=check, json=as_json))


def _named(function: Any, name: str) -> None:
    app.command(name)(function)


_named(node_commands.init, "init")
_named(serve_commands.serve, "serve")
_named(serve_commands.worker, "worker")
_named(node_commands.doctor, "doctor")
peer_commands.peers.command("set")(dial_commands.set_)
peer_commands.peers.command("suspend")(dial_commands.suspend)
peer_commands.peers.command("resume")(dial_commands.resume)
peer_commands.peers.command("names")(name_commands.names)
peer_commands.peers.command("thaw")(key_commands.thaw)
peer_commands.peers.command("verify")(vouch_commands.verify)
peer_commands.peers.command("suggestions")(vouch_commands.suggestions)
peer_commands.peers.command("introduce")(vouch_commands.introduce)
app.add_typer(peer_commands.peers, name="peer")
app.add_typer(group_commands.groups, name="group")
_named(vouch_commands.vouch, "vouch")
_named(peer_commands.pull, "pull")
app.add_typer(bundle_commands.bundles, name="bundle")
_named(publish_commands.publish, "publish")
_named(publish_commands.withdraw, "withdraw")
app.add_typer(set_commands.sets, name="set")
import_commands.imports.add_typer(import_server_commands.servers, name="taxii")
app.add_typer(import_commands.imports, name="import")
_named(recall_commands.restrict, "restrict")
_named(recall_commands.widen, "widen")
_named(recall_commands.erase, "erase")
_named(recall_commands.receipts, "receipts")
app.add_typer(object_commands.objects, name="objects")
app.add_typer(quarantine_commands.quarantine, name="quarantine")
app.add_typer(policy_commands.policies, name="policy")
_named(object_commands.why, "why")
_named(verdict_commands.verdict, "verdict")
app.add_typer(feed_commands.feeds, name="feed")
app.add_typer(evidence_commands.evidence, name="evidence")
_named(evidence_commands.alarms, "alarms")
app.add_typer(guard_commands.guards, name="guard")
app.add_typer(hijack_commands.hijacks, name="hijack")
app.add_typer(operator_commands.operators, name="operator")
_named(concentration_commands.concentration, "concentration")
app.add_typer(dispute_commands.disputes, name="dispute")
app.add_typer(dispute_commands.outcomes, name="outcome")
app.add_typer(correction_commands.corrections, name="correction")
app.add_typer(sighting_commands.sightings, name="sighting")
app.add_typer(name_check_commands.name_checks, name="name")
export_commands.exports.add_typer(export_target_commands.targets, name="target")
app.add_typer(export_commands.exports, name="export")
app.add_typer(audit_commands.audit, name="audit")
app.add_typer(token_commands.tokens, name="token")
app.add_typer(collection_commands.collections, name="collection")
app.add_typer(key_commands.keys, name="keys")
app.add_typer(db_commands.databases, name="db")
_named(demo, "demo")
