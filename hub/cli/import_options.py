"""The options of ``tocsin import``, apart from what it does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.publish_options import require_file
from hub.cli.words import ImportFormat, Label, ThreatType

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        callback=require_file,
        help="STIX, MISP, CSV, names, hosts or RPZ, gzip or not; - is standard input.",
    ),
]
FeedName = Annotated[
    str,
    typer.Option(
        "--name", metavar="FEED", help="Whose word it is, as others name it too: its lineage."
    ),
]
TlpLabel = Annotated[
    Label | None,
    typer.Option("--tlp", case_sensitive=False, help="Of what prints none; else amber+strict."),
]
To = Annotated[
    list[str] | None,
    typer.Option(metavar="PEER", help="Pass it on to this peer; may be repeated."),
]
Group = Annotated[
    list[str] | None,
    typer.Option(metavar="G", help="Pass it on to a group of this node; may be repeated."),
]
Share = Annotated[
    bool, typer.Option("--share", help="Pass it on to everybody whom the label reaches.")
]
Format = Annotated[ImportFormat, typer.Option("--format", help="What the file holds.")]
Threat = Annotated[
    ThreatType | None,
    typer.Option("--threat-type", metavar="T", help="Where the input says none; malware-c2."),
]
ValidDays = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=3660, help="Where the input says no end; 90."),
]
Confidence = Annotated[
    int | None, typer.Option(metavar="N", min=0, max=100, help="Where the input says none; 70.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Store nothing; say what would come in and what not.")
]
