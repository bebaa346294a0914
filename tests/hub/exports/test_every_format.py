"""Every format over every audience: nothing above its label, and the same bytes each time."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.exports.export_key import ExportKey
from hub.exports.formats import FORMATS
from hub.exports.publication import render_export
from hub.node import Node
from hub.verdicts.blocklist import AUDIENCES
from schemas.markings import Tlp
from tests.support.nodes import make_node
from tests.support.told_claims import authors, claim, make_verdicts, tell

LABELS = [tlp for tlp in Tlp if tlp is not Tlp.RED]  # RED travels sealed, and is in no list
NEEDLES = {tlp: f"needle-{tlp.wire.replace('+', '-')}.example" for tlp in LABELS}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with one name of each label, said by two peers."""
    made = make_node(tmp_path_factory.mktemp("formats"), "hub")
    number = 0
    for author in authors(made, 2):
        for tlp in LABELS:
            number += 1
            scope = "subtree" if tlp is Tlp.GREEN else "exact"
            tell(made, author, tlp.wire, claim(NEEDLES[tlp], number, scope=scope))
    make_verdicts(made)
    yield made
    made.database.close()


def content_of(node: Node, format_name: str, audience: str) -> dict[str, bytes]:
    exported = render_export(node, ExportKey(format_name, audience))
    assert exported.folder is not None
    return {name: (Path(exported.folder) / name).read_bytes() for name in exported.files}


@pytest.mark.parametrize("audience", list(AUDIENCES))
@pytest.mark.parametrize("format_name", list(FORMATS))
def test_class01_no_format_names_what_its_audience_may_not_observe(
    node: Node, format_name: str, audience: str
) -> None:
    files = content_of(node, format_name, audience)
    assert files
    whole = b"\n".join(name.encode() + b"\n" + body for name, body in files.items())
    if format_name == "suricata":
        whole += _decoded(files)
    for tlp, needle in NEEDLES.items():
        if tlp > AUDIENCES[audience]:
            assert needle.encode() not in whole
        elif not FORMATS[format_name].blocks:
            assert needle.encode() in whole
    assert content_of(node, format_name, audience) == files


def _decoded(files: dict[str, bytes]) -> bytes:
    lines = [line for name, body in files.items() if ".lst" in name for line in body.splitlines()]
    return b"\n".join(base64.b64decode(line) for line in lines)
