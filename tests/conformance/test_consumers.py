"""What consumers do, over ``verdicts``: the collection that they are pointed at (DNS 4).

``tests/conformance/clients`` has each client's behaviour, with where it was read, against
collections that a producer fills. Here the same behaviours walk the verdicts of a hub: indicators
that are issued, issued again and revoked, each reader by its own ceiling. ``docs/consumers.md``
says what was run with the real program, what is behaviour alone and what is by documentation alone.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stix2
from pymisp import MISPEvent
from stix2patterns.validator import run_validator
from taxii2client.v21 import Collection

from hub.exchange.collection_kinds import VERDICTS_ID
from hub.exchange.withdraw import withdraw_object
from hub.node import Node, SystemClock
from hub.operators.tokens import add_token
from hub.verdicts.fuse import refresh_all
from schemas.markings import Tlp
from schemas.taxii.media_types import TAXII
from tests.conformance.clients.ground import Ground, ids, moment_ago, to_iso_string
from tests.conformance.clients.test_elastic import Elastic
from tests.conformance.clients.test_opencti import AXIOS, Ingestion, run_until
from tests.conformance.clients.test_xsoar import collection_to_fetch, fetch
from tests.support.nodes import make_node, pair, port_of, publish_names, serve_in_thread
from tests.support.processes import Tocsin
from tests.support.stored_state import rows_of
from tests.support.suricata import alerts, dns_query, write_rules

COUNT = 23
NAMES = [f"n{number:02}.example" for number in range(COUNT)]
QUIET = "quiet.example"


@dataclass
class Served:
    """A node in a thread, asked as the clients' ground asks a served one."""

    port: int
    scheme: str = "http"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    ask = Tocsin.ask


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Ground]]:
    """A hub with verdicts; its clock is the machine's, since clients ask by their own."""
    folder = tmp_path_factory.mktemp("consumers")
    node = make_node(folder, "hub", SystemClock(), rate_limits="off")
    peer = make_node(folder, "peer", SystemClock())
    token = add_token(node, "siem", "own", max_tlp=Tlp.GREEN).token
    with serve_in_thread(node):
        pair(node, peer, "trusted")
        publish_names(node, NAMES, "green")
        publish_names(node, [QUIET], "amber", to=[peer])
        refresh_all(node)
        served: Any = Served(port_of(node))
        yield node, Ground(served, VERDICTS_ID, "Verdicts", "", "siem", {"siem": token})
    for each in (node, peer):
        each.database.close()


@pytest.fixture
def ground(hub: tuple[Node, Ground]) -> Ground:
    return hub[1]


def indicators(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if value["type"] == "indicator"]


def live_names(values: Any) -> set[str]:
    """The names that a consumer knows of in the end: of each id the last version counts."""
    newest = {value["id"]: value for value in indicators(values)}
    return {value["name"] for value in newest.values() if not value.get("revoked")}


def everything(ground: Ground) -> list[dict[str, Any]]:
    answer = ground.get(
        f"{ground.path}objects/", {"Accept": TAXII, "Authorization": ground.basic()}
    )
    found: list[dict[str, Any]] = answer.document["objects"]
    return found


def test_a_verdict_has_what_every_importer_needs(ground: Ground) -> None:
    """DNS 4: OpenCTI needs ``name`` and ``pattern_type``, all need an end."""
    for value in indicators(everything(ground)):
        assert value["pattern"] == f"[domain-name:value = '{value['name']}']"
        assert run_validator(value["pattern"]) == []
        assert (value["pattern_type"], value["spec_version"]) == ("stix", "2.1")
        assert {"description", "indicator_types", "valid_from", "confidence", "labels"} <= set(
            value
        )
        assert value["valid_until"] > value["valid_from"]
        assert len(value["object_marking_refs"]) == 1
        stix2.parse(value, allow_custom=False)


def test_microsoft_sentinel_by_api_root_and_collection_id_with_basic(ground: Ground) -> None:
    headers = {"Accept": TAXII, "Authorization": ground.basic()}
    root = ground.get("/taxii2/intel/", headers).document
    assert root["versions"] == [TAXII]
    collection = ground.get(ground.path, headers).document
    assert (collection["id"], collection["can_read"]) == (VERDICTS_ID, True)
    got: list[dict[str, Any]] = []
    query = {"limit": "10"}
    for _ in range(10):
        page = ground.get(f"{ground.path}objects/", headers, query).document
        got += page.get("objects", [])
        if not page["more"]:
            break
        query["next"] = page["next"]
    assert live_names(got) >= set(NAMES[1:])
    assert QUIET not in live_names(got)


@pytest.mark.parametrize("is_bearer", [False, True], ids=["basic", "bearer"])
def test_elastic_agent_drops_added_after_and_misses_nothing(
    ground: Ground, is_bearer: bool
) -> None:
    elastic = Elastic(ground, limit="4", bearer=is_bearer)
    assert elastic.poll() == ids(everything(ground))
    assert elastic.poll() == []
    assert {"limit", "next"} in [set(query) for query in elastic.asked]


@pytest.mark.parametrize("limit", ["4", ""])
def test_opencti_6_8_gets_each_verdict(ground: Ground, limit: str) -> None:
    feed = Ingestion(ground, limit=limit, added_after=to_iso_string(moment_ago(hours=1)))
    wanted = ids(everything(ground))
    run_until(feed, wanted, feed.run)
    assert feed.got == wanted


def test_opencti_5_goes_by_the_date_alone_and_never_loops(ground: Ground) -> None:
    """Verdicts that one run issued together have dates of their own, at most 20 a millisecond."""
    feed = Ingestion(ground, accept=AXIOS, path="objects", limit="21")
    wanted = ids(everything(ground))
    run_until(feed, wanted, lambda: feed.run_of_2023(with_next=False))
    assert set(feed.got) == set(wanted)


def test_xsoar_finds_the_collection_by_its_title_with_the_token_as_password(
    ground: Ground,
) -> None:
    found = fetch(collection_to_fetch(ground), moment_ago(hours=1).strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert live_names(found) >= set(NAMES[1:])
    assert {value["type"] for value in found} == {"indicator"}


def test_intelmq_takes_one_page_and_that_holds_everything(ground: Ground) -> None:
    """The collector of its development branch; release 3.5.0 on PyPI has none yet."""
    url = f"{ground.root}collections/{ground.collection_id}/"
    collection = Collection(url, user=ground.reader, password=ground.token)
    since = (datetime.now(UTC) - timedelta(hours=1)).replace(tzinfo=None)
    envelope = collection.get_objects(added_after=since, type="indicator")
    assert live_names(envelope["objects"]) >= set(NAMES[1:])
    assert envelope["more"] is False


def test_every_consumer_learns_that_a_verdict_was_revoked(
    hub: tuple[Node, Ground],
) -> None:
    node, ground = hub
    elastic = Elastic(ground, limit="7")
    opencti = Ingestion(ground, added_after=to_iso_string(moment_ago(hours=1)))
    elastic.poll()
    run_until(opencti, ids(everything(ground)), opencti.run)
    gone = NAMES[0]
    (verdict,) = [each for each in indicators(everything(ground)) if each["name"] == gone]
    _withdraw(node, gone)
    refresh_all(node)

    assert elastic.poll() == [verdict["id"]]
    opencti.got.clear()
    run_until(opencti, [verdict["id"]], opencti.run)
    again = fetch(collection_to_fetch(ground), verdict["modified"])
    assert gone not in live_names(again)
    (revoked,) = [each for each in indicators(everything(ground)) if each["name"] == gone]
    assert revoked["revoked"] is True
    assert revoked["modified"] > verdict["modified"]


def fetched(ground: Ground, address: str) -> bytes:
    """What a program gets that fetches a file with the token as its password."""
    answer = ground.get(f"/feeds/{address}", {"Authorization": ground.basic()})
    assert answer.status == 200, answer
    return answer.body


def test_splunk_reads_the_csv_as_a_lookup(ground: Ground) -> None:
    """Before ES 8.2 it takes no patterns; a lookup file is a header and rows."""
    text = fetched(ground, "csv/constituents.csv").decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {row["value"] for row in rows} >= set(NAMES[1:])
    assert QUIET not in {row["value"] for row in rows}


def test_misp_pulls_the_feed_by_its_manifest(ground: Ground) -> None:
    """MISP, ``Feed::getNewEventUuids`` and ``downloadFromFeed``: manifest, then what is newer."""
    manifest = json.loads(fetched(ground, "misp/constituents/manifest.json"))
    held: set[str] = set()
    for uuid, entry in manifest.items():
        event = MISPEvent()
        event.load(fetched(ground, f"misp/constituents/{uuid}.json").decode())
        assert (event.uuid, int(event.timestamp.timestamp())) == (uuid, entry["timestamp"])
        assert "tlp:green" in [tag.name for tag in event.tags]
        held |= {attribute.value for attribute in event.attributes}
    assert held >= set(NAMES[1:])
    assert fetched(ground, "misp/constituents/hashes.csv").count(b"\n") == len(held)


def test_suricata_runs_what_it_fetched(ground: Ground, tmp_path: Path) -> None:
    rules = fetched(ground, "suricata/constituents/tocsin.rules")
    names = sorted(set(re.findall(r"load ([^,]+)", rules.decode())))
    lists = {name: [fetched(ground, f"suricata/constituents/{name}")] for name in names}
    write_rules(tmp_path, {"tocsin.rules": [rules], **lists})
    found = alerts(tmp_path, [dns_query(NAMES[5], 1), dns_query("good.example", 2)])
    assert [each["dns"]["query"][0]["rrname"] for each in found] == [NAMES[5]]  # type: ignore[index]


def test_a_reader_of_a_higher_ceiling_gets_more(hub: tuple[Node, Ground]) -> None:
    node, ground = hub
    token = add_token(node, "soc", "own", max_tlp=Tlp.AMBER).token
    higher = Ground(ground.node, VERDICTS_ID, "Verdicts", "", "soc", {"soc": token})
    assert QUIET in live_names(everything(higher))
    assert QUIET not in live_names(everything(ground))


def _withdraw(node: Node, name: str) -> None:
    (row,) = rows_of(
        node,
        "SELECT stix_id FROM objects WHERE state = 'accepted' AND stix_type = 'indicator'"
        f" AND name_key = '{name}'",
    )
    withdraw_object(node, row["stix_id"], "A mistake.")
