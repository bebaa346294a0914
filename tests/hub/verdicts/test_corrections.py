"""Corrections that somebody without an account asks for, and what a decision says to whom."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from hub.app import create_app
from hub.errors import Conflict, NotFound
from hub.monitoring.alarms import list_alarms
from hub.node import Node
from hub.verdicts.corrections import (
    ask_for_correction,
    decide_correction,
    erase_correction,
    list_corrections,
    show_correction,
)
from hub.verdicts.outcomes import reliability_of_peer
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from tests.support.exported import exported_lines
from tests.support.joined_nodes import view_ids
from tests.support.nodes import make_node, peer_of
from tests.support.stored_state import rows_of
from tests.support.told_claims import EVIL, authors, claim, confidences, make_verdicts, tell

CONTACT = "owner@shop.example"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, "cert")


def asked(name: str = EVIL, **changes: object) -> bytes:
    value = {"name": name, "contact": CONTACT, "reason": "It is our shop."} | changes
    return json.dumps(value).encode()


def test_the_answer_is_the_same_whether_the_name_is_listed_or_not(node: Node) -> None:
    (who,) = authors(node, 1)
    tell(node, who, "amber", claim(EVIL))
    with TestClient(create_app(node)) as client:
        answers = [
            client.post("/corrections", content=asked(name)) for name in (EVIL, "no.example")
        ]
        seen = [(a.status_code, a.content, sorted(a.headers.items())) for a in answers]
        assert seen[0] == seen[1]
        assert seen[0][:2] == (202, b'{"received":true}')
        assert client.get("/corrections").status_code == 405
        # In pieces that nobody reads and with words that are none.
        for body in (b"", b"[]", b'{"name":"x"}', asked(name="a b"), asked(contact=7)):
            assert client.post("/corrections", content=body).status_code == 400
        assert client.post("/corrections", content=b" " * 9_000).status_code == 413
    assert [row.name for row in list_corrections(node)] == [EVIL, "no.example"]


def test_no_more_is_asked_of_the_store_for_a_listed_name(node: Node) -> None:
    (who,) = authors(node, 1)
    tell(node, who, "amber", claim(EVIL))
    statements: list[list[str]] = []
    for name in (EVIL, "no.example"):
        heard: list[str] = []

        def note(_c: object, _cur: object, statement: str, *_rest: object) -> None:
            heard.append(statement)  # noqa: B023 - used within this turn

        event.listen(node.database.engine, "before_cursor_execute", note)
        ask_for_correction(node, asked(name))
        event.remove(node.database.engine, "before_cursor_execute", note)
        statements.append(heard)
    selects = [
        [s.split()[0:4] for s in heard if "objects" in s or "claims" in s] for heard in statements
    ]
    assert selects == [[], []]


def test_an_address_that_floods_is_told_to_wait(node: Node) -> None:
    with TestClient(create_app(node)) as client:
        codes = [client.post("/corrections", content=asked()).status_code for _ in range(21)]
    assert codes == [202] * 20 + [429]


def test_accepted_it_goes_out_where_the_claim_is_known_and_the_block_ends(node: Node) -> None:
    peers = authors(node, 2, "partner")
    for who in peers:
        tell(node, who, "green", claim(EVIL), policy={"pap": "green"})
    tell(node, peers[0], "amber", claim(EVIL, 2, confidence=100))
    make_verdicts(node)
    assert exported_lines(node, "organisation") == (EVIL,)
    ask_for_correction(node, asked())
    (alarm,) = list_alarms(node)
    assert (alarm.code, alarm.params["waiting"]) == ("CORRECTIONS_WAIT", 1)
    decided = decide_correction(node, 1, accept=True, reason="A shop, cleaned in May.")
    make_verdicts(node)
    # At the laxest label, and of what is claimed there alone.
    assert (decided.tlp, decided.outcomes) == ("green", 3)
    assert set(decided.stix_ids) <= view_ids(node, Tlp.GREEN)
    note = next(i for i in decided.stix_ids if i.startswith("note--"))
    (content,) = rows_of(node, f"SELECT content FROM objects WHERE stix_id = '{note}'")
    assert bytes(content["content"]).count(b"00000000-0000-4000-8000-") == 2
    assert CONTACT.encode() not in bytes(content["content"])
    assert exported_lines(node, "organisation") == ()
    assert EVIL not in confidences(node, Tlp.GREEN)
    assert list_alarms(node) == ()
    (told,) = reliability_of_peer(node, peer_of(node, peers[1].node_id))
    assert told.false_positives == 1
    with pytest.raises(Conflict) as twice:
        decide_correction(node, 1, accept=False, reason="No.")
    assert twice.value.code == "E_CORRECTION_DECIDED"


def test_a_refusal_makes_nobody_more_reliable(node: Node) -> None:
    """Else an origin could ask for the correction of what it claims, to be confirmed."""
    (who,) = authors(node, 1)
    tell(node, who, "green", claim(EVIL))
    make_verdicts(node)
    ask_for_correction(node, asked())
    before = confidences(node, Tlp.GREEN)
    decided = decide_correction(node, 1, accept=False, reason="It is not theirs.")
    make_verdicts(node)
    assert (decided.state, decided.stix_ids) == ("refused", ())
    (told,) = reliability_of_peer(node, peer_of(node, who.node_id))
    assert (told.confirmed, told.false_positives) == (0, 0)
    assert confidences(node, Tlp.GREEN) == before


def test_what_nobody_claims_cannot_be_corrected(node: Node) -> None:
    ask_for_correction(node, asked("no.example"))
    with pytest.raises(Conflict) as nothing:
        decide_correction(node, 1, accept=True, reason="Right.")
    assert nothing.value.code == "E_CORRECTION_NOTHING"
    with pytest.raises(NotFound) as unknown:
        show_correction(node, 2)
    assert unknown.value.code == "E_CORRECTION_UNKNOWN"


def test_who_asked_can_be_erased_and_is_in_no_audit(node: Node) -> None:
    ask_for_correction(node, asked())
    erase_correction(node, 1, "As the law asks.")
    row = show_correction(node, 1)
    assert (row.name, row.contact, row.reason) == (EVIL, None, None)
    params = rows_of(node, "SELECT params FROM audit_events")
    assert not any(CONTACT.encode() in bytes(each["params"]) for each in params)


def test_longer_words_than_anybody_needs_are_rejected(node: Node) -> None:
    for changes in ({"contact": "x" * 255}, {"reason": "x" * 2_001}, {"reason": " "}):
        with pytest.raises(WireFormatError) as rejected:
            ask_for_correction(node, asked(**changes))
        assert rejected.value.code == "E_SCHEMA"
