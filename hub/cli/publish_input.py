"""A file to publish becomes drafts and a report, in the format that it has or is said to have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from hub.cli.words import FileFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.imports.drafts import Draft, ImportReport
    from hub.node import Node
    from schemas.markings import Tlp


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file gave.

    Args:
        wrap: makes the grouping of an entry; None where the input brings its own.
    """

    kind: FileFormat
    drafts: Sequence[Draft]
    report: ImportReport
    wrap: Callable[[Sequence[Mapping[str, object]]], Draft] | None = None


def read_drafts(
    node: Node,
    data: bytes,
    wanted: FileFormat,
    tlp: Tlp,
    for_names: Mapping[str, Any],
    columns: Mapping[str, str],
) -> ReadFile:
    """Read a file into drafts.

    Args:
        for_names: how names become indicators; members that are None were not given.
        columns: meaning by column, for tables.

    Raises:
        typer.BadParameter: for formats that only an import takes, and for options that the file's
            format has no use for.
        WireFormatError: the file as a whole cannot be read.
    """
    kind = _kind_of(wanted, data)
    given = {name: value for name, value in for_names.items() if value is not None}
    if columns and kind is not FileFormat.CSV:
        raise typer.BadParameter("--map is for tables; this file is none")
    if kind is not FileFormat.STIX:
        return _read_names(node, data, kind, tlp, given, columns)
    if given:
        option = "--" + next(iter(given)).replace("_", "-")
        raise typer.BadParameter(f"{option} is for lists of names; this file holds STIX objects")
    return _read_stix(data)


def _kind_of(wanted: FileFormat, data: bytes) -> FileFormat:
    from hub.imports.detect import detect_format, refuse_archive

    refuse_archive(data)
    if wanted is not FileFormat.AUTO:
        return wanted
    found = detect_format(data)
    if found not in set(FileFormat):
        raise typer.BadParameter(
            f"the file looks like {found}, which is others' word: `tocsin import` takes it in"
        )
    return FileFormat(found)


def _read_names(
    node: Node,
    data: bytes,
    kind: FileFormat,
    tlp: Tlp,
    given: Mapping[str, Any],
    columns: Mapping[str, str],
) -> ReadFile:
    from hub.exchange.publish_names import NameOptions, drafts_from_names, wrap_names
    from hub.imports.inputs import InputContext, open_input

    context = InputContext(node.node_id, node.identity, node.now(), columns)
    found = open_input(data, kind.value, context)
    names = list(found.names or ())
    options = NameOptions(**given)
    drafts = drafts_from_names(node, names, tlp, options)
    return ReadFile(kind, drafts, found.report(), partial(wrap_names, node, options.title))


def _read_stix(data: bytes) -> ReadFile:
    from hub.imports.drafts import Draft
    from hub.imports.stix_bundles import read_bundle

    values, report = read_bundle(data)
    return ReadFile(FileFormat.STIX, [Draft(value) for value in values], report)
