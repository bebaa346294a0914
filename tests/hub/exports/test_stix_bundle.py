"""The STIX bundle: the very bytes of published verdicts, as other programs read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stix2
from stix2validator import ValidationOptions, validate_instance

from hub.exports.export_key import ExportKey
from hub.exports.publication import render_export
from hub.exports.stix_bundle import write_stix
from hub.node import Node
from schemas.markings import Tlp
from tests.support.listed import context, listed, text_of
from tests.support.nodes import make_node
from tests.support.told_claims import authors, claim, make_verdicts, tell, verdicts_seen


@pytest.fixture
def node(tmp_path: Path) -> Any:
    made = make_node(tmp_path, "hub")
    a, b = authors(made, 2)
    tell(made, a, "green", claim("evil.example", 1))
    tell(made, b, "green", claim("evil.example", 2))
    tell(made, a, "clear", claim("open.example", 3))
    tell(made, b, "clear", claim("open.example", 4))
    tell(made, a, "amber+strict", claim("quiet.example", 5))
    make_verdicts(made)
    yield made
    made.database.close()


def bundle_of(node: Node, audience: str = "organisation") -> str:
    exported = render_export(node, ExportKey("stix", audience, least=0))
    assert exported.folder is not None
    (name,) = exported.files
    return (exported.folder / name).read_text()


def test_it_holds_the_very_objects_that_taxii_readers_get(node: Node) -> None:
    bundle = json.loads(bundle_of(node))
    seen = [
        {key: value for key, value in each.items() if key != "date_added"}
        for each in verdicts_seen(node, Tlp.AMBER_STRICT)
    ]
    indicators = [each for each in bundle["objects"] if each["type"] == "indicator"]
    assert [each["name"] for each in indicators] == [
        "evil.example", "open.example", "quiet.example",
    ]  # fmt: skip
    assert all(each in seen for each in indicators)


def test_what_verdicts_refer_to_comes_with_them_and_nothing_stricter(node: Node) -> None:
    objects = json.loads(bundle_of(node, "public"))["objects"]
    assert [(each["type"], each["name"]) for each in objects] == [
        ("identity", "hub"), ("marking-definition", "TLP:CLEAR"), ("indicator", "open.example"),
    ]  # fmt: skip
    known = {each["id"] for each in objects}
    for each in json.loads(bundle_of(node))["objects"]:
        known.add(each["id"])
        assert {each.get("created_by_ref"), *each.get("object_marking_refs", ())} <= {None, *known}


def test_other_programs_read_it(node: Node) -> None:
    text = bundle_of(node)
    results = validate_instance(json.loads(text), ValidationOptions(version="2.1"))
    assert results.is_valid, results
    parsed = stix2.parse(text, allow_custom=False)
    assert len(parsed.objects) == len(json.loads(text)["objects"])


def test_the_same_content_gives_the_same_bytes_and_the_next_edition_another_id(node: Node) -> None:
    assert bundle_of(node) == bundle_of(node)

    def written(serial: int) -> str:
        made = context(serial=serial)
        return text_of(write_stix([listed()], made, published=lambda _: [b"{}"], identity=None))

    assert written(7) == written(7)
    assert json.loads(written(7))["id"] != json.loads(written(8))["id"]


def test_an_empty_list_is_a_bundle_of_context_alone(tmp_path: Path) -> None:
    made = make_node(tmp_path, "empty")
    objects = json.loads(bundle_of(made))["objects"]
    assert "indicator" not in {each["type"] for each in objects}
    made.database.close()
