"""What indicators claim of names, name servers and addresses, each apart from the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.node import Node
from hub.storage.queries.objects import list_objects
from hub.verdicts.blocklist import blocked_names, release_waiting
from hub.verdicts.explain_verdict import explain_name, explain_subjects
from schemas.dns.extensions import DNS_THREAT
from schemas.dns.subjects import Subject
from schemas.markings import Tlp
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import Author
from tests.support.stored_state import rows_of
from tests.support.told_claims import authors, claim, indicators, make_verdicts, tell, verdicts_seen

ROGUE = "ns1.rogue.cc"
PATTERN = (
    f"[domain-name:value = '{ROGUE}'] OR [domain-name:resolves_to_refs[*].value = '192.0.2.66']"
)


@pytest.fixture
def node(tmp_path) -> Iterator[Node]:
    made = make_node(tmp_path, "hub", FixedClock())
    yield made
    made.database.close()


def hijack(number: int = 1, match_on: str = "nsdname", **changes: Any) -> dict[str, Any]:
    facts = {
        "extension_type": "property-extension",
        "threat_type": changes.pop("threat", "delegation-hijack"),
        "match_on": match_on,
        "match_scope": "exact",
    }
    made = {"pattern": PATTERN, "extensions": {DNS_THREAT: facts}, "confidence": 90}
    return claim(ROGUE, number, **(made | changes))


def say(node: Node, *speakers: Author, **changes: Any) -> None:
    for number, speaker in enumerate(speakers, 1):
        tell(node, speaker, "green", hijack(number, **changes), policy={"pap": "green"})
    make_verdicts(node)


def published(node: Node) -> dict[str, dict[str, Any]]:
    return {value["id"]: value for value in indicators(verdicts_seen(node, Tlp.GREEN))}


def test_a_hijack_claims_the_name_server_and_its_address_and_no_name(node):
    say(node, *authors(node, 1))
    keys = {row["name"] for row in rows_of(node, "SELECT name FROM claims")}
    assert keys == {f"nsdname:{ROGUE}", "nsip:192.0.2.66/32"}
    with node.database.read() as tx:
        (row,) = list_objects(tx, stix_type="indicator", state="accepted")
    assert row.name_key is None, "nothing takes it for a claim on the name"


def test_the_verdict_says_what_it_matches_on(node):
    say(node, *authors(node, 1))
    found = {value["name"]: value for value in published(node).values()}
    server, address = found[ROGUE], found["192.0.2.66"]
    assert server["pattern"] == f"[domain-name:value = '{ROGUE}']"
    assert server["extensions"][DNS_THREAT]["match_on"] == "nsdname"
    assert address["pattern"] == "[ipv4-addr:value = '192.0.2.66']"
    assert address["extensions"][DNS_THREAT]["match_on"] == "nsip"
    assert len(published(node)) == 2


def test_a_name_server_and_its_name_are_judged_apart(node):
    one, two = authors(node, 2)
    tell(node, one, "green", hijack(1), policy={"pap": "green"})
    tell(node, two, "green", claim(ROGUE, 2), policy={"pap": "green"})
    make_verdicts(node)
    assert explain_name(node, ROGUE).views["green"].lineages == 1
    assert explain_name(node, ROGUE, "nsdname").views["green"].lineages == 1
    assert [each.match_on for each in explain_subjects(node, ROGUE)] == ["qname", "nsdname"]


def test_two_lineages_block_the_server_and_the_list_says_what_is_meant(node):
    say(node, *authors(node, 2))
    release_waiting(node, "constituents", reason="a test")
    with node.database.read() as tx:
        found = {block.subject for block in blocked_names(tx, node, "constituents")}
    assert found == {Subject(ROGUE, "nsdname"), Subject("192.0.2.66/32", "nsip")}


@pytest.mark.parametrize(
    "pattern",
    ["[domain-name:value = 'a.gtld-servers.net']", "[domain-name:value = 'ns1.google.com']",
     "[ipv4-addr:value = '8.8.8.8']", "[ipv4-addr:value = '10.0.0.53']",
     "[ipv4-addr:value = '203.0.112.0/23']"],
)  # fmt: skip
def test_t38_no_server_that_many_hang_on_is_blocked(node, pattern):
    say(node, *authors(node, 2), pattern=pattern)
    release_waiting(node, "constituents", reason="a test")
    with node.database.read() as tx:
        assert blocked_names(tx, node, "constituents") == []


@pytest.mark.parametrize(
    "changes", [{"match_on": "a-word-of-later"}, {"threat": "a-word-of-later"}]
)
def test_words_of_a_newer_peer_make_no_claim_on_the_name(node, changes):
    say(node, *authors(node, 1), **changes)
    assert rows_of(node, "SELECT name FROM claims") == []


def test_a_pattern_of_several_names_claims_each(node):
    (one,) = authors(node, 1)
    pattern = "[domain-name:value = 'a.cc' OR domain-name:value = 'b.cc']"
    tell(node, one, "green", claim("a.cc", 1, pattern=pattern))
    make_verdicts(node)
    assert {value["name"] for value in published(node).values()} == {"a.cc", "b.cc"}
    one.at = node.now()
    one.write("green", kind="retract", ids=[claim(number=1)["id"]])
    one.deliver(node, "green")
    make_verdicts(node)
    assert all(value.get("revoked") for value in published(node).values())
