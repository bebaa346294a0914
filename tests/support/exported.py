"""What an export lists now, as its readers get it."""

from __future__ import annotations

from typing import Any

from hub.exports.export_key import ExportKey
from hub.exports.publication import render_export
from hub.exports.rendered import Exported
from hub.node import Node


def exported_lines(node: Node, audience: str = "organisation") -> tuple[str, ...]:
    """The lines of ``tocsin export names``."""
    return tuple(exported_bytes(node, "names", audience).decode().splitlines())


def exported_bytes(
    node: Node, format_name: str, audience: str = "organisation", **parts: Any
) -> bytes:
    """The one file of an export."""
    return content_of(render_export(node, ExportKey(format_name, audience, **parts)))


def content_of(exported: Exported) -> bytes:
    """The one file of an export that was rendered."""
    assert exported.folder is not None
    (file,) = exported.files
    return (exported.folder / file).read_bytes()
