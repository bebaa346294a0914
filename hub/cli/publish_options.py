"""The options of ``tocsin publish``, apart from what it does with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.words import FileFormat, Label, Pap, ThreatType, Urgency


def require_file(file: Path | None) -> Path | None:
    """Refuse what is neither a file nor the dash of standard input."""
    # typer's own exists=True knows no dash for standard input.
    if file is not None and str(file) != "-" and not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    return file


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        callback=require_file,
        help="STIX objects, names or a table, gzip or not; - is standard input.",
    ),
]
TlpLabel = Annotated[
    Label, typer.Option("--tlp", case_sensitive=False, help="The label of all of it.")
]
To = Annotated[
    list[str] | None,
    typer.Option(metavar="PEER", help="A recipient, for AMBER and above; may be repeated."),
]
Group = Annotated[
    list[str] | None,
    typer.Option(metavar="G", help="All members of a group of this node; may be repeated."),
]
Format = Annotated[FileFormat, typer.Option("--format", help="What the file holds.")]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="COLUMN=MEANING",
        help="Of a table: a heading or number, and name, threat_type, first_seen and others.",
    ),
]
ValidDays = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=3660, help="For names; else 90.")
]
Threat = Annotated[
    ThreatType | None,
    typer.Option(
        "--threat-type",
        metavar="T",
        help="For names: phishing, dga, sinkhole and others of docs/dns.md; else malware-c2.",
    ),
]
Confidence = Annotated[
    int | None, typer.Option(metavar="N", min=0, max=100, help="For names; else 70.")
]
Exercise = Annotated[
    bool, typer.Option("--exercise", help="An exercise: reaches no reader, export or alarm.")
]
OnBehalfOf = Annotated[
    str | None, typer.Option(metavar="ORG", help="A member organisation without a node.")
]
ReleaseAt = Annotated[
    datetime | None,
    typer.Option(
        metavar="T",
        formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"],
        help="In UTC: from then on receivers show it at the label of --release-tlp.",
    ),
]
ReleaseTlp = Annotated[
    Label | None,
    typer.Option("--release-tlp", case_sensitive=False, help="The laxer label from then on."),
]
HowUrgent = Annotated[
    Urgency, typer.Option("--urgency", help="What goes first where a line is thin.")
]
PermittedActions = Annotated[
    Pap | None,
    typer.Option(
        "--pap",
        case_sensitive=False,
        help="What readers may do; a block takes green or clear. Above TLP:GREEN else amber.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Sign nothing; say who would get it, and why.")
]


def read_map(texts: list[str] | None) -> Mapping[str, str]:
    """Read ``--map COLUMN=MEANING``.

    Raises:
        typer.BadParameter: for one without both parts.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        column, equals, meaning = text.rpartition("=")
        if not equals or not column.strip() or not meaning.strip():
            raise typer.BadParameter("write COLUMN=MEANING, such as 2=name", param_hint="--map")
        found[column.strip()] = meaning.strip().lower().replace("-", "_")
    return found
