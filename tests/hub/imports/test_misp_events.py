from __future__ import annotations

import json
import subprocess
import uuid
from datetime import UTC, datetime

import pytest

from hub.imports.list_reading import ListReading
from hub.imports.misp_events import names_in_misp
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from tests.benchmarks.peer_servers import CannotStartError, environment_of

STAMP = 1772359200


def attribute(kind, value, **members):
    return {
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{kind}{value}")),
        "type": kind,
        "category": "Network activity",
        "value": value,
        "to_ids": True,
        "timestamp": str(STAMP),
    } | members


def event(*attributes, **members):
    return {
        "Event": {
            "uuid": "a6ef17d6-91cb-4a05-b10b-2f045daf874a",
            "info": "A campaign",
            "date": "2026-03-01",
            "timestamp": str(STAMP),
            "published": True,
            "threat_level_id": "1",
            "analysis": "2",
            "Orgc": {"name": "x", "uuid": "a0c22599-9e58-4da4-96ac-7051603fa951"},
            "Attribute": list(attributes),
        }
        | members
    }


def read(value):
    reading = ListReading()
    return list(names_in_misp(json.dumps(value).encode(), reading)), reading.report()


def test_names_for_detection_are_taken_and_all_else_is_counted_by_type():
    found, report = read(
        event(
            attribute("domain", "evil.example"),
            attribute("hostname", "www.evil.example", comment="seen"),
            attribute("domain|ip", "pair.example|192.0.2.1"),
            attribute("domain", "quiet.example", to_ids=False),
            attribute("domain", "gone.example", deleted=True),
            attribute("domain", "known.example", warnings=[{"list": "top 1000"}]),
            attribute("url", "http://evil.example/x"),
            attribute("md5", "0" * 32),
            attribute("ip-dst", "192.0.2.1"),
            attribute("ip-dst", "192.0.2.2"),
            attribute("domain", "no name"),
            Object=[{"name": "domain-ip", "Attribute": [attribute("domain", "inside.example")]}],
        )
    )
    assert [(e.line, e.name.a_label) for e in found] == [
        (1, "evil.example"), (2, "www.evil.example"), (3, "pair.example"), (12, "inside.example"),
    ]  # fmt: skip
    assert report.counts() == {
        "E_MISP_TYPE": 3, "E_MISP_NO_IDS": 1, "E_MISP_DELETED": 1, "E_MISP_WARNING": 1,
        "E_NAME_URL": 1, "E_NAME_CHARACTER": 1,
    }  # fmt: skip
    assert report.types == {"ip-dst": 2, "md5": 1}
    assert [line.line for line in report.changed] == [3]
    assert report.total_lines == 12
    assert found[0].said.comment == "A campaign"
    assert found[1].said.comment == "seen"
    assert found[0].said.first_seen == datetime.fromtimestamp(STAMP, UTC)
    assert found[0].said.reference[0] == "misp"


@pytest.mark.parametrize(
    ("around", "inside", "printed"),
    [
        ([], [], None),
        (["tlp:green"], [], Tlp.GREEN),
        (["tlp:green"], ["tlp:amber"], Tlp.AMBER),
        (["tlp:red"], ["tlp:clear"], Tlp.RED),
        (["TLP:White"], [], Tlp.CLEAR),
        (["tlp:ex:chr"], [], Tlp.AMBER_STRICT),
        (["tlp:amber+strict", "misp:x"], [], Tlp.AMBER_STRICT),
    ],
)
def test_the_strictest_tag_is_the_label(around, inside, printed):
    tags = [{"name": name} for name in inside]
    given = event(attribute("domain", "evil.example", Tag=tags), Tag=[{"name": n} for n in around])
    [found], _ = read(given)
    assert found.said.printed == printed


def test_what_the_event_says_of_the_threat():
    [found], _ = read(event(attribute("domain", "evil.example"), Tag=[{"name": "rsit:Phishing"}]))
    assert found.said.threat_type == "phishing"
    [found], _ = read(event(attribute("domain", "evil.example", category="Payload delivery")))
    assert found.said.threat_type == "malware-distribution"


@pytest.mark.parametrize("wrapped", [lambda e: e, lambda e: [e], lambda e: {"response": [e, e]}])
def test_an_export_a_feed_and_an_answer_of_a_search(wrapped):
    found, _ = read(wrapped(event(attribute("domain", "evil.example"))))
    assert len(found) == 1


@pytest.mark.parametrize(
    "value", [[], {}, 1, "x", {"Event": []}, [{"Event": {}}, 3], {"response": 1}]
)
def test_what_is_no_event_is_refused_as_a_whole(value):
    with pytest.raises(WireFormatError, match="E_SCHEMA"):
        read(value)


@pytest.mark.parametrize(
    "members",
    [
        {"Attribute": "x"}, {"Attribute": [1, None, {}, {"type": 1, "value": []}]},
        {"Tag": [{}, 1]},
        {"Object": [{"Attribute": 3}, 4]}, {"info": 5},
        {"Attribute": [attribute("domain", "a.example", timestamp="99999999999", uuid=3, Tag=1)]},
    ],
)  # fmt: skip
def test_nothing_in_an_event_breaks_the_reading(members):
    found, report = read(event(**members))
    assert len(found) + sum(report.counts().values()) == report.total_lines


SECOND_OPINION = """
import json, sys
from misp_stix_converter import MISPtoSTIX21Parser
parser = MISPtoSTIX21Parser()
parser.parse_misp_event(json.load(sys.stdin)["Event"])
print(json.dumps([o.pattern for o in parser.stix_objects if o.type == "indicator"]))
"""


@pytest.mark.long
def test_misp_stix_finds_the_same_names():
    """In an environment of its own: it brings an importer along that later imports trip over."""
    try:
        python = environment_of("misp-stix", ("misp-stix==2026.10.12",))
    except CannotStartError as why:
        pytest.skip(f"misp-stix cannot be installed here: {why}")
    given = event(
        attribute("domain", "evil.example"),
        attribute("hostname", "www.evil.example"),
        attribute("domain|ip", "pair.example|192.0.2.1"),
        attribute("domain", "quiet.example", to_ids=False),
        attribute("md5", "0" * 32),
    )
    ours = {entry.name.a_label for entry in read(given)[0]}
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SECOND_OPINION],
        input=json.dumps(given), capture_output=True, text=True, check=True,
    )  # fmt: skip
    begins = "domain-name:value = '"
    theirs = {p.split(begins)[1].partition("'")[0] for p in json.loads(done.stdout) if begins in p}
    assert ours == theirs
