"""Microsoft Sentinel, data connector "Threat Intelligence - TAXII".

Its code is not public. From documentation: MicrosoftDocs/azure-docs,
``articles/sentinel/connect-threat-intelligence-taxii.md`` (API root, collection id, user name and
password, polling once a minute, an hour or a day, TAXII 2.0 or 2.1). From trackers:
OpenCTI-Platform/opencti issue 12983: it refuses a server whose API root says ``"versions":
["2.1"]`` where the full media type belongs. How it pages is not known; here it does as TAXII 2.1
§5.4 says.
"""

from __future__ import annotations

from typing import Any

from schemas.taxii.media_types import TAXII
from tests.conformance.clients.ground import Ground, ids


def ask(ground: Ground, path: str, **query: str) -> dict[str, object]:
    headers = {"Accept": TAXII, "Authorization": ground.basic()}
    answer = ground.get(path, headers, query)
    assert (answer.status, answer.header("Content-Type")) == (200, TAXII)
    document: dict[str, object] = answer.document
    return document


def test_the_api_root_names_full_media_types(ground: Ground) -> None:
    root = ask(ground, "/taxii2/intel/")

    assert root["versions"] == ["application/taxii+json;version=2.1"]
    assert isinstance(root["max_content_length"], int)


def test_its_steps_from_api_root_and_collection_id_to_the_objects(ground: Ground) -> None:
    added = ground.add(12)
    ask(ground, "/taxii2/intel/")
    collection = ask(ground, ground.path)
    assert (collection["id"], collection["can_read"]) == (ground.collection_id, True)
    assert collection["media_types"] == ["application/stix+json;version=2.1"]
    got: list[str] = []
    query: dict[str, str] = {"limit": "5"}
    for _ in range(10):
        page = ask(ground, f"{ground.path}objects/", **query)
        got += ids(page.get("objects", []))  # type: ignore[arg-type]
        if not page["more"]:
            break
        query["next"] = str(page["next"])

    assert got == added


def test_indicators_have_what_it_imports(ground: Ground) -> None:
    ground.add(1)
    objects: Any = ask(ground, f"{ground.path}objects/")["objects"]
    (value,) = objects

    assert {"name", "pattern", "pattern_type", "valid_from", "valid_until"} <= set(value)
