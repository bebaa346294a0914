"""What a hostile feed, table, log or server cannot do to whoever imports it or asks it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import pytest
from sqlalchemy import event

from federation.errors import PeerUnreachable
from federation.transport.delegation_lookup import look_up_delegation
from federation.transport.dns_lookup import look_up
from hub.errors import Conflict
from hub.exchange.import_servers import ServerRequest, add_server, require_server, run_server
from hub.exchange.publish import PublishRequest, publish_objects
from hub.imports.csv_columns import read_confidence
from hub.imports.drafts import Draft
from hub.imports.hosts_files import names_in_hosts
from hub.imports.list_reading import ListReading
from hub.imports.log_hits import readable_name
from hub.imports.misp_events import names_in_misp
from hub.imports.rpz_zones import triggers_in_rpz
from hub.incidents.claim_holds import held_servers, is_hijack_live
from hub.incidents.list_hijacks import list_hijacks
from hub.incidents.operators import abuse_contacts
from hub.incidents.watch_delegations import watch_delegations
from hub.node import Node
from hub.operators.tokens import add_token
from hub.peers.groups import PRIVATE_GROUP
from hub.verdicts.disputes import list_disputes
from hub.verdicts.evidence import disputes_on
from schemas.dns.extensions import DNS_DELEGATION_CHANGE, DNS_OPERATOR
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName
from schemas.markings import Tlp
from schemas.stix.sco_ids import deterministic_sco_id
from tests.hub.exchange.test_importing import bundle, import_bytes, indicator, own_indicators
from tests.hub.incidents.test_answer import codes, dissent
from tests.support.http_server import ScriptedServer, write_answer
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import AT, LATER, Author, stix_id
from tests.support.simulated_federation import LISTING, federation_of
from tests.support.stored_state import rows_of
from tests.support.told_claims import authors, claim, clock_of, make_verdicts, tell
from tests.support.udp_answers import answering
from tests.threats.test_classes import ask

EVIL = "evil.example"
ROGUE = "ns1.rogue-host.net"
TAXII = "application/taxii+json;version=2.1"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert", FixedClock())


def opinion(name: str, number: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    value = {"type": "domain-name", "spec_version": "2.1", "value": name}
    about = {"id": deterministic_sco_id(value), **value}
    return about, {
        "type": "opinion", "spec_version": "2.1", "id": stix_id("opinion", number), "created": AT,
        "modified": AT, "opinion": "strongly-disagree", "object_refs": [about["id"]],
    }  # fmt: skip


def incident(zone: str, number: int = 1, **facts: Any) -> dict[str, Any]:
    change = {
        "extension_type": "property-extension", "zone": zone, "change_kinds": ["ns-replaced"],
        "old_ns": ["ns1.old-host.net"], "new_ns": [ROGUE],
    }  # fmt: skip
    return {
        "type": "incident", "spec_version": "2.1", "id": stix_id("incident", number),
        "created": AT, "modified": AT, "name": "x",
        "extensions": {DNS_DELEGATION_CHANGE: change | facts},
    }  # fmt: skip


def is_live(node: Node, zone: str) -> bool:
    with node.database.read() as tx:
        return is_hijack_live(tx, [zone], int(Tlp.RED), node.now())


class TestAFeedIsNotThisNode:
    """What is imported is published by this node, and is the feed's word all the same."""

    def test_its_opinion_speaks_against_no_name(self, node: Node) -> None:
        import_bytes(node, bundle(*opinion(EVIL)), feed="hostile")
        make_verdicts(node)
        with node.database.read() as tx:
            assert not disputes_on(tx, [EVIL])
        assert not list_disputes(node)

    def test_its_incident_rests_no_authority_and_is_not_looked_after(self, node: Node) -> None:
        import_bytes(node, bundle(incident("shop-a.org")), feed="hostile")
        assert [each.zone for each in list_hijacks(node)] == ["shop-a.org"]
        assert not is_live(node, "shop-a.org")
        assert watch_delegations(node, ask=lambda _zone: None).looked == 0

    @pytest.mark.parametrize(
        "data",
        [bundle(incident("shop-a.org")), b"domain,threat_type\nshop-a.org,delegation-hijack\n"],
        ids=["incident", "indicator"],
    )
    def test_a_registry_s_benign_stands_against_it(self, node: Node, data: bytes) -> None:
        """PROTOCOL 4.1: a hijack claim of somebody who counts rests it, and of nobody else."""
        for author in authors(node, 2, "partner"):
            tell(node, author, "green", claim("www.shop-a.org", confidence=95))
        registry = Author(9)
        registry.meets(node, "trusted", authority=("zone:org.",))
        tell(node, registry, "green", *dissent("www.shop-a.org", 1))
        import_bytes(node, data, feed="hostile", tlp=Tlp.GREEN)
        make_verdicts(node)
        assert "AUTHORITY_BENIGN" in codes(node, "www.shop-a.org")

    def test_its_answer_to_a_hijack_claim_answers_nothing(self, tmp_path: Path) -> None:
        """Of STIX 2.0 an import makes objects whose ids this node proves."""
        node = make_node(tmp_path, "owner", FixedClock(), profile={"domain": "shop-a.org"})
        (cert,) = authors(node, 1, "partner")
        claimed = incident("shop-a.org")
        tell(node, cert, "green", claimed)
        old = {"created": AT, "modified": AT}
        about = indicator(1)["id"]
        answer = old | {
            "type": "note", "id": stix_id("note", 1), "content": "x", "object_refs": [about],
            "labels": ["hijack-answer", "authorised-change"],
            "external_references": [
                {
                    "source_name": "tocsin-incident",
                    "external_id": claimed["id"].partition("--")[2],
                    "description": cert.node_id,
                }
            ],
        }  # fmt: skip
        held = old | {
            "type": "indicator", "id": about, "labels": ["malicious-activity"], "valid_from": AT,
            "pattern": "[domain-name:value = 'a.example']",
        }  # fmt: skip
        data = json.loads(bundle(held, answer)) | {"spec_version": "2.0"}
        done = import_bytes(node, json.dumps(data).encode(), feed="hostile", tlp=Tlp.GREEN)
        assert done.format == "stix20"
        assert not done.refused
        strengths = rows_of(node, "SELECT strength FROM objects WHERE stix_type = 'note'")
        assert [row["strength"] for row in strengths] == [1], "proven, so that is no protection"
        [listed] = list_hijacks(node)
        assert [(each.answer, each.counts) for each in listed.answers] == [
            ("authorised-change", False)
        ]
        assert listed.state == "open"

    def test_its_abuse_contact_is_shown_as_an_import_s(self, node: Node) -> None:
        facts = {
            "extension_type": "property-extension", "roles": ["registrar"],
            "iana_registrar_id": 9999, "abuse_contact": "abuse@elsewhere.example",
        }  # fmt: skip
        registrar = {
            "type": "identity", "spec_version": "2.1", "id": stix_id("identity", 3),
            "created": AT, "modified": AT, "name": "Registrar", "extensions": {DNS_OPERATOR: facts},
        }  # fmt: skip
        import_bytes(node, bundle(registrar), feed="hostile")
        with node.database.read() as tx:
            [contact] = abuse_contacts(tx, node, 9999)
        assert (contact.origin_name, contact.own) == ("an import", False)

    def test_another_feed_s_object_stays_as_it_is(self, node: Node) -> None:
        for feed in ("first", "second"):
            import_bytes(node, bundle(indicator(1)), feed=feed)
        newer = bundle(indicator(1, modified=LATER, revoked=True))
        assert import_bytes(node, newer, feed="second").refused == {"E_ID_CONFLICT": 1}
        assert import_bytes(node, newer, feed="first").counts["taken"] == 1

    def test_what_a_person_published_stays_as_it_is(self, node: Node) -> None:
        import_bytes(node, bundle(indicator(1)), feed="first", tlp=Tlp.GREEN)
        publish_objects(node, PublishRequest(drafts=[Draft(indicator(1))], tlp=Tlp.GREEN))
        newer = bundle(indicator(1, modified=LATER, revoked=True))
        again = import_bytes(node, newer, feed="first", tlp=Tlp.GREEN)
        assert again.refused == {"E_ID_CONFLICT": 1}


def test_nobody_clears_his_servers_by_a_claim_that_he_answers_himself(node: Node) -> None:
    victim, attacker = authors(node, 2, "trusted")
    tell(node, victim, "green", claim(ROGUE, 1, threat="delegation-hijack"))
    tell(node, attacker, "green", incident("attacker.org", 2, authorised=True))
    make_verdicts(node)
    with node.database.read() as tx:
        assert not held_servers(tx, [ROGUE], int(Tlp.RED), node.now())


def test_many_claims_on_one_zone_end_at_the_cost_of_one(node: Node) -> None:
    """One entry ends 64 of them in one write, for which everybody else waits."""
    (author,) = authors(node, 1, "partner")
    tell(node, author, "green", *(incident("shop-a.org", number) for number in range(40)))
    clock_of(node).advance(minutes=1)

    def reads(*numbers: int) -> int:
        over = [incident("shop-a.org", number, reverted_at=AT) for number in numbers]
        asked: list[str] = []

        def note(*said: Any) -> None:
            asked.append(said[2])

        event.listen(node.database.engine, "before_cursor_execute", note)
        tell(node, author, "green", *over)
        event.remove(node.database.engine, "before_cursor_execute", note)
        return sum("FROM hijack_claims" in statement for statement in asked)

    assert reads(*range(1, 21)) == reads(0)


@pytest.mark.parametrize(
    "says",
    [
        {"definition_type": "tlp", "definition": {"tlp": "red"}},
        {"definition_type": "statement", "name": "TLP:RED", "definition": {"statement": "x"}},
    ],
)
def test_a_mark_that_calls_itself_red_is_no_laxer_one(node: Node, says: dict[str, Any]) -> None:
    mark = {
        "type": "marking-definition", "spec_version": "2.1", "created": AT,
        "id": stix_id("marking-definition", 5), **says,
    }  # fmt: skip
    data = bundle(mark, indicator(1, object_marking_refs=[mark["id"]]), indicator(2))
    assert import_bytes(node, data).refused["E_RED_UNSUPPORTED"] == 1
    assert len(own_indicators(node)) == 1


def test_t19_a_feed_s_definition_of_red_changes_nothing(node: Node) -> None:
    red = Tlp.RED.marking_id
    mark = {
        "type": "marking-definition", "spec_version": "2.1", "id": red, "name": "TLP:CLEAR",
        "created": "2022-10-01T00:00:00.000Z", "definition_type": "tlp",
        "definition": {"tlp": "clear"},
    }  # fmt: skip
    done = import_bytes(node, bundle(mark, indicator(1, object_marking_refs=[red])), tlp=Tlp.GREEN)
    assert done.refused["E_RED_UNSUPPORTED"] == 1
    assert not own_indicators(node)


class Lying:
    """A TAXII server that says what it likes."""

    def __init__(self, added: str | None = None, *, more: bool, fresh: bool = False) -> None:
        self.added, self.more, self.fresh = added, more, fresh
        self.asked = 0

    def __call__(self, _request: Any, connection: Any) -> bool:
        self.asked += 1
        value = {"objects": [indicator(self.asked if self.fresh else 1)], "more": self.more}
        headers = {"Content-Type": TAXII}
        if self.added:
            headers["X-TAXII-Date-Added-Last"] = self.added
        connection.send(write_answer(200, json.dumps(value).encode(), headers))
        return True


def test_a_server_s_impossible_date_is_none(node: Node) -> None:
    lying = Lying("0001-01-01T00:00:00.000000Z", more=False)
    with ScriptedServer(lying) as server:
        add_server(node, ServerRequest("partner", f"{server.base}api/", "intel"))
        run_server(node, "partner")
        assert require_server(node, "partner").position_at is None
        lying.more = True
        with pytest.raises(PeerUnreachable, match="E_TAXII_STALL"):
            run_server(node, "partner")


def test_t35_a_server_without_an_end_is_left(node: Node) -> None:
    endless = Lying(more=True, fresh=True)
    with ScriptedServer(endless) as server:
        add_server(node, ServerRequest("partner", f"{server.base}api/", "intel"))
        with pytest.raises(PeerUnreachable, match="E_TAXII_STALL"):
            run_server(node, "partner", most_objects=400)
    assert endless.asked == 4


@pytest.mark.parametrize(
    "text", ["00009999", "0050999", "0" * 5000], ids=["nought", "half", "long"]
)
def test_a_confidence_is_at_most_100(text: str) -> None:
    with pytest.raises(WireFormatError, match="E_CSV_VALUE"):
        read_confidence(text)


def test_a_name_twice_on_a_line_of_a_hosts_file_is_one() -> None:
    reading = ListReading()
    assert len(list(names_in_hosts(b"0.0.0.0 a.example a.example\n", reading))) == 1
    assert reading.report().counts() == {"E_NAME_DUPLICATE": 1}


def test_what_is_no_attribute_is_counted() -> None:
    reading = ListReading()
    assert not list(names_in_misp(b'{"Event": {"Attribute": ["evil.example", 1]}}', reading))
    assert reading.report().counts() == {"E_SCHEMA": 2}


def test_quotes_that_never_close_cost_no_square_of_their_line() -> None:
    reading = ListReading()
    line = b'"' + b'\\"' * 200_000
    begun = time.thread_time()
    assert not list(triggers_in_rpz(b"$ORIGIN rpz.example.\n" + line, reading))
    assert time.thread_time() - begun < 5
    assert reading.report().total_lines == 2


def test_a_dot_within_a_label_makes_no_hit_on_what_stands_behind_it() -> None:
    r"""Whoever asks for ``a\.evil.example`` asks for a name below ``example`` alone."""
    assert readable_name(r"a\.evil.example") == "_.example"
    assert readable_name(r"a\\.evil.example") == "_.evil.example"
    assert readable_name(r"a\032b.evil.example") == "_.evil.example"


@contextmanager
def hanging_up() -> Iterator[int]:
    """A server that says "too long, ask by TCP", and hangs up there."""

    def truncated(query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.TC
        return answer

    with answering(truncated) as port, socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(5)

        def hang_up() -> None:
            try:
                while True:
                    listener.accept()[0].close()
            except OSError:
                return

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        yield port
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_server_that_hangs_up_tells_nothing() -> None:
    with hanging_up() as port:
        assert look_up_delegation("shop-a.org", [("127.0.0.1", port)]) is None
        assert not look_up("shop-a.org", ("127.0.0.1", port)).answered


class TestThePrivateFeed:
    def test_class11_no_peer_learns_that_it_is_there(self) -> None:
        with federation_of(2, "trusted") as made:
            one = made.nodes[0]

            def answers() -> list[tuple[int, bytes]]:
                found = [ask(made, 1, 0, target) for target in targets]
                return [(answer.status, answer.body) for answer in found]

            never = FeedName(one.node_id, f"g-{'a' * 26}")
            there = f"{LISTING}{never.collection_id}/"
            targets = [
                "/taxii2/", "/taxii2/fed/", LISTING, "/federation/v1/heads", "/federation/v1/node",
                "/.well-known/tocsin", f"/federation/v1/heads?feed={never}",
                there, f"{there}objects/", f"{there}manifest/",
            ]  # fmt: skip
            before = answers()
            import_bytes(one, b"evil.example\n", feed="urlhaus", tlp=Tlp.GREEN)
            import_bytes(one, b"bad.example\n", feed="urlhaus")
            assert answers() == before
            [row] = rows_of(one, "SELECT feed, audience FROM feeds WHERE audience LIKE 'g-%'")
            feed, gid = row["feed"], row["audience"]
            number = FeedName.read(feed).collection_id
            named = [
                t.replace(str(never), feed).replace(never.collection_id, number) for t in targets
            ]
            for target, (status, body) in zip(named, before, strict=True):
                answer = ask(made, 1, 0, target)
                assert (answer.status, answer.body) == (status, body), target
                assert gid.encode() not in answer.body

    def test_nobody_follows_it(self, node: Node) -> None:
        import_bytes(node, b"evil.example\n")
        with pytest.raises(Conflict, match="E_GROUP_PRIVATE"):
            add_token(node, "bank", "subscriber", groups=[PRIVATE_GROUP])
