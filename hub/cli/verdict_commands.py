"""``tocsin verdict``: what everybody's claims on a name come to at each label, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.name_words import hint_warnings, shown_name
from hub.cli.options import AsJson, Home, opened
from hub.cli.output import hint, plain, say, show_facts, show_table, write_document

if TYPE_CHECKING:
    from hub.verdicts.explain_verdict import NameExplanation


def verdict(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A domain name.")] = None,
    match_on: Annotated[
        str | None,
        typer.Option(
            "--match-on",
            metavar="WHAT",
            help="As qname or nsdname alone; nsip or ip for an address.",
        ),
    ] = None,
    progress: Annotated[
        bool, typer.Option("--progress", help="How far verdicts are behind what is known.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Say what the claims on a name come to in the view of each label, and why."""
    if (name is None) != progress:
        raise typer.BadParameter("give a name, or --progress")
    from hub.verdicts import backlog, explain_verdict
    from hub.verdicts.guard_words import subject_words
    from hub.verdicts.name_warnings import warn_of
    from schemas.dns.subjects import OF_NAMES, Subject

    with opened(home) as node:
        if name is None:
            behind = backlog.progress(node)
            if as_json:
                write_document(behind)
            else:
                _show_progress(behind)
            return
        if match_on is None:
            found, *others = explain_verdict.explain_subjects(node, name)
        else:
            found, others = explain_verdict.explain_name(node, name, match_on), []
        warned = list(warn_of(node, [found.name])) if found.match_on in OF_NAMES else []
    if as_json:
        odd = [warning for _, warnings in warned for warning in warnings]
        more = {"warnings": plain(odd), "others": plain(others)}
        write_document(plain(found) | more)
        return
    if shown_name(found.name) != found.name:
        say(shown_name(found.name))
    for each in (found, *others):
        if others:
            say(f"As {subject_words(Subject(each.name, each.match_on))}:", "")
        _show(each)
    hint_warnings(warned)


def _show_progress(behind: object) -> None:

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
