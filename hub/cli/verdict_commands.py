"""``tocsin verdict``: what everybody's claims on a name come to at each label, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, say, show_facts, show_table, write_document

if TYPE_CHECKING:
    from hub.verdicts.explain_verdict import NameExplanation


def verdict(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A domain name.")] = None,
    progress: Annotated[
        bool, typer.Option("--progress", help="How far verdicts are behind what is known.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say what the claims on a name come to in the view of each label, and why."""
    if (name is None) != progress:
        raise typer.BadParameter("give a name, or --progress")
    from hub.verdicts import explain_verdict

    with opened(home) as node:
        if name is None:
            behind = explain_verdict.progress(node)
            if as_json:
                write_document(behind)
            else:
                _show_progress(behind)
            return
        found = explain_verdict.explain_name(node, name)
    if as_json:
        write_document(found)
        return
    _show(found)


def _show_progress(behind: object) -> None:
    from hub.cli.output import plain

    facts = plain(behind)
    show_facts({key.replace("_", " "): value for key, value in facts.items()})


def _show(found: NameExplanation) -> None:
    shown = None
    for label, view in found.views.items():
        facts = (view.evidence_label, view.confidence, view.blocked)
        if facts == shown:
            continue  # readers here go by the same verdict as at the label before
        shown = facts
        say(f"TLP:{label.upper()}  confidence {view.confidence}, {_words(view.blocked)}")
        say(*view.why)
        if view.evidence:
            show_table(
                ("origin", "label", "says", "cap", "age", "weighs", "lineage"),
                [
                    (e.origin_name, e.tlp, e.confidence, e.cap, f"{e.age_days:g} d", e.weight,
                     e.lineage)
                    for e in view.evidence
                ],
            )  # fmt: skip
        say("")
    hint(f"By fusion rules {found.rules} and policy {found.policy}.")


def _words(blocked: bool) -> str:
    return "asks for a block" if blocked else "not blocked"
