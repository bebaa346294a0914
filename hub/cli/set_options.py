"""The options of ``tocsin set publish``, apart from what it does with them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.publish_options import require_file
from hub.cli.words import MatchScope, RequestedAction, SplitBy, ThreatType

_DAYS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]

Names = Annotated[
    Path,
    typer.Argument(
        metavar="NAMES",
        callback=require_file,
        help="Names, one a line, gzip or not; - is standard input.",
    ),
]
Family = Annotated[
    str, typer.Option(metavar="F", help="Of malware, or what the list is to be called.")
]
Variant = Annotated[str | None, typer.Option(metavar="V", help="Of the family, such as b.")]
Threat = Annotated[
    ThreatType, typer.Option("--threat-type", metavar="T", help="dga, phishing … (docs/dns.md).")
]
Split = Annotated[
    SplitBy | None,
    typer.Option("--split-by", help="One list a TLD, each for the registry of that TLD."),
]
To = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PEER",
        help="A recipient; of a split set it gets the TLDs granted to it, with none granted all.",
    ),
]
For = Annotated[
    list[str] | None,
    typer.Option("--for", metavar="PEER=TLD[,TLD]", help="Which TLDs' names a peer gets."),
]
Whole = Annotated[
    list[str] | None, typer.Option("--whole", metavar="PEER", help="A peer that gets every name.")
]
Dates = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", callback=require_file, help="The days of names: name,first[,last]."
    ),
]
ValidFrom = Annotated[
    datetime | None, typer.Option(metavar="DAY", formats=_DAYS, help="In UTC; else now.")
]
ValidUntil = Annotated[
    datetime | None, typer.Option(metavar="DAY", formats=_DAYS, help="In UTC, exclusive.")
]
ValidDays = Annotated[
    int | None, typer.Option(metavar="N", min=1, max=3660, help="In its place; else 90.")
]
Scope = Annotated[MatchScope, typer.Option("--match-scope", help="What of each name is meant.")]
Actions = Annotated[
    list[RequestedAction] | None,
    typer.Option(
        "--requested-action", metavar="A", help="Asked of readers, as registry-block; repeatable."
    ),
]
Confidence = Annotated[int, typer.Option(metavar="N", min=0, max=100)]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="For people.")]
