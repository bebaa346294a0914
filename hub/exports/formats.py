"""The formats of exports, by name: what each lists, and which pure writer writes it.

A writer is a function of its own module, named here and imported when it is asked for, so that
``tocsin --help`` stays light. It takes the names in their order and the context (``listed_name``).
A module may have a second function, ``why_left_out(name) -> str | None``, which tells why its
format cannot say a name: such names are counted and reported, never dropped in silence.

Invariant: block formats list what is in force as a block; the others list live verdicts.

What it does not do: choose the names (``listing``) or keep files (``publication``).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

from hub.exports.listed_name import FileWriter, ListedName, TreeWriter
from schemas.errors import WireFormatError

TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Format:
    """A format of exports.

    Args:
        name: as ``tocsin export`` takes it.
        blocks: whether it lists what is in force as a block; else live verdicts.
        writer: module and function, as ``hub.exports.hosts:write_hosts``.
        suffix: of its file's name, and in its address below ``/feeds/``.
        media_type: as it is served.
        is_tree: whether it is several files; then ``writer`` is a ``TreeWriter``.
    """

    name: str
    blocks: bool
    writer: str
    suffix: str
    media_type: str = TEXT
    is_tree: bool = False

    def load(self) -> FileWriter | TreeWriter:
        """Import the writer."""
        module, _, function = self.writer.partition(":")
        return cast("FileWriter | TreeWriter", getattr(importlib.import_module(module), function))

    def load_why_left_out(self) -> Callable[[ListedName], str | None]:
        """Import what tells why the format cannot say a name."""
        module = importlib.import_module(self.writer.partition(":")[0])
        return cast(
            "Callable[[ListedName], str | None]", getattr(module, "why_left_out", _can_be_said)
        )


def _can_be_said(name: ListedName) -> None:
    del name


RPZ: Final = "rpz"
STIX: Final = "stix"
_FORMATS: Final = (
    Format("names", True, "hub.exports.names:write_names", "txt"),
    Format("hosts", True, "hub.exports.hosts:write_hosts", "txt"),
    # The writer of RPZ takes the policy too: `publication` binds it.
    Format(RPZ, True, "hub.exports.rpz:write_rpz", "zone", "text/dns; charset=us-ascii"),
    Format("csv", False, "hub.exports.csv_list:write_csv", "csv", "text/csv; charset=utf-8"),
    Format(
        "ndjson", False, "hub.exports.ndjson_ecs:write_ndjson", "ndjson", "application/x-ndjson"
    ),
    Format("suricata", False, "hub.exports.suricata:write_suricata", "", is_tree=True),
    Format("zeek", False, "hub.exports.zeek:write_zeek", "dat"),
    Format("wazuh", False, "hub.exports.wazuh:write_wazuh", "cdb"),
    Format("misp", False, "hub.exports.misp_feed:write_misp", "", is_tree=True),
    # The writer of STIX takes the published objects too: `publication` binds it.
    Format(
        STIX,
        False,
        "hub.exports.stix_bundle:write_stix",
        "json",
        "application/stix+json;version=2.1",
    ),
)
FORMATS: Final[Mapping[str, Format]] = MappingProxyType({each.name: each for each in _FORMATS})
"""Every format that this release writes."""


def find_format(name: str) -> Format:
    """Find a format.

    Raises:
        WireFormatError: ``E_FORMAT``.
    """
    found = FORMATS.get(name)
    if found is None:
        raise WireFormatError(
            "E_FORMAT", f"{name[:40]!r} is no format", f"Use one of {', '.join(FORMATS)}."
        )
    return found
