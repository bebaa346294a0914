"""One door to all formats: bytes and what they are said to be, to names or objects and a report.

Decides which reader takes an input. What names things (lists, tables, hosts files, zones, MISP
events) comes as an iterator of names, read while it is consumed; what holds STIX comes as drafts.

Does not: read files, a clock or randomness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.imports.csv_tables import names_in_csv
from hub.imports.detect import Format, detect_format, refuse_archive
from hub.imports.drafts import Draft, ImportReport
from hub.imports.hosts_files import names_in_hosts
from hub.imports.list_reading import ListReading, NamedLine, require_size
from hub.imports.misp_events import names_in_misp
from hub.imports.name_lists import names_in
from hub.imports.rpz_zones import triggers_in_rpz
from hub.imports.stix20_bundles import read_stix20
from hub.imports.stix_bundles import keep_sound, read_bundle
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, StixId

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class ImportInput:
    """What an input holds.

    Args:
        format: what it is.
        names: what it names, once; None where it holds STIX.
        drafts: its STIX objects.
        report: whole only after ``names`` has been read to its end.
        is_changed: tells of a line or position whether it is taken in another form.
    """

    format: Format
    names: Iterator[NamedLine] | None
    drafts: Sequence[Draft]
    report: Callable[[], ImportReport]
    is_changed: Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class InputContext:
    """What readers need to know beside the bytes.

    Args:
        columns: meaning by column, for tables.
    """

    node_id: NodeId
    identity: StixId
    now: datetime
    columns: Mapping[str, str] = field(default_factory=dict)


def open_input(data: bytes, wanted: str, context: InputContext) -> ImportInput:
    """Begin to read an input.

    Args:
        wanted: a format, or ``auto``.

    Raises:
        WireFormatError: the input as a whole cannot be read: ``E_TOO_BIG``, ``E_ARCHIVE``,
            ``E_JSON_*``, ``E_SCHEMA``, ``E_STIX_VERSION``. What is wrong with the columns of a
            table (``E_CSV_COLUMN``) or with a MISP document shows with the first name.
    """
    require_size(data)
    refuse_archive(data)
    kind: Format = detect_format(data) if wanted == AUTO else _format(wanted)
    if kind == "stix":
        try:
            return _stix(*read_bundle(data, refuses_red=True))
        except WireFormatError as error:
            # A bundle may say only at its end that it is one of STIX 2.0.
            if error.code != "E_STIX_VERSION" or wanted != AUTO:
                raise
        kind = "stix20"
    if kind == "stix20":
        drafts, report = read_stix20(data, node_id=context.node_id, identity=context.identity)
        return ImportInput(kind, None, drafts, lambda: report, lambda _position: True)
    reading = ListReading()
    names = _names(data, kind, reading, context)
    return ImportInput(kind, names, (), reading.report, reading.changed_lines.__contains__)


def objects_input(found: Sequence[object]) -> ImportInput:
    """Take objects that came one by one, such as those of a TAXII page."""
    return _stix(*keep_sound(found, refuses_red=True))


def _stix(values: Sequence[dict[str, Any]], report: ImportReport) -> ImportInput:
    skipped = {line.line for line in report.skipped}
    places = (place for place in range(1, report.total_lines + 1) if place not in skipped)
    drafts = [Draft(value, line=place) for value, place in zip(values, places, strict=True)]
    return ImportInput("stix", None, drafts, lambda: report, lambda _position: False)


def _names(
    data: bytes, kind: Format, reading: ListReading, context: InputContext
) -> Iterator[NamedLine]:
    if kind == "csv":
        return names_in_csv(data, reading, context.columns, context.now)
    if kind == "misp":
        return names_in_misp(data, reading)
    if kind == "hosts":
        return names_in_hosts(data, reading)
    if kind == "rpz":
        return triggers_in_rpz(data, reading)
    return names_in(data, reading)


_FORMATS: Mapping[str, Format] = {
    "stix": "stix", "stix20": "stix20", "misp": "misp", "csv": "csv", "names": "names",
    "hosts": "hosts", "rpz": "rpz",
}  # fmt: skip


def _format(wanted: str) -> Format:
    found = _FORMATS.get(wanted)
    if found is None:
        raise WireFormatError("E_SCHEMA", f"no format {wanted[:40]!r}")
    return found
