"""Leak and bypass classes seen elsewhere (THREATS section 3) that no module's own test shows.

Requests go through the whole door of real nodes, in memory.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from federation.feeds.acks import ack_payload
from federation.signing.request_auth import sign_request
from federation.signing.signer import seal
from federation.transport.guarded_http import HttpAnswer
from hub.exchange.publish import PublishRequest, publish_objects
from hub.operators.tokens import add_token
from hub.peers.invite import invite_peer
from hub.peers.node_documents import own_documents
from hub.storage.queries.feeds import find_feed, records_after
from schemas.identifiers import EntryHash, FeedName
from schemas.markings import Tlp
from schemas.signed_envelope import ACK_TYPE
from schemas.strict_json import strict_loads, write_json
from tests.hub.api.taxii.test_leak_matrix import routes_of
from tests.properties.federation_machine import checks
from tests.support.publications import drafts, indicator
from tests.support.simulated_federation import (
    LISTING,
    Federation,
    Request,
    base_of,
    federation_of,
)
from tests.support.stored_state import rows_of

TAXII = "application/taxii+json;version=2.1"
PUBLIC = {("GET", "/federation/v1/node")}
"""The node's own document is for everybody."""


@pytest.fixture
def federation() -> Iterator[Federation]:
    with federation_of(3, "trusted") as made:
        publish_objects(made.nodes[0], PublishRequest(drafts(indicator(1)), Tlp.GREEN))
        made.clock.advance(seconds=1)
        yield made


def ask(
    federation: Federation,
    sender: int | None,
    recipient: int,
    target: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    **headers: str,
) -> HttpAnswer:
    """Ask a node in the name of another, or of nobody."""
    given = {"Accept": f"{TAXII}, application/json", **headers}
    if body is not None:
        given.setdefault(
            "Content-Type", TAXII if target.startswith("/taxii2") else "application/json"
        )
    if sender is not None:
        given |= sign_request(
            method=method,
            url=base_of(recipient).removesuffix("/") + target,
            body=body,
            recipient=federation.nodes[recipient].node_id,
            signer=federation.nodes[sender].keys.http,
            created=federation.clock.now(),
            nonce=os.urandom(16),
        )
    return federation.doors[recipient].answer(Request(method, target, given, body))


@pytest.mark.parametrize("number", ["1", "0", "-1", "01", "1e0"])
def test_class02_numbers_of_rows_are_no_addresses(federation: Federation, number: str) -> None:
    """Rows 1 exist in every table; nobody outside may name one by its number."""
    token = add_token(
        federation.nodes[0], f"siem{ord(number[0])}{len(number)}", "own", originals=True
    )
    bearer = {"Authorization": f"Bearer {token.token}"}
    for target in (f"{LISTING}{number}/", f"{LISTING}{number}/objects/"):
        assert ask(federation, 1, 0, target).status == 404
    assert ask(federation, 1, 0, f"/taxii2/fed/status/{number}/").status == 404
    for target in (
        f"/taxii2/intel/collections/{number}/",
        f"/taxii2/intel/collections/{number}/objects/",
        f"/taxii2/intel/collections/originals/objects/{number}/",
        f"/taxii2/intel/status/{number}/",
    ):
        assert ask(federation, None, 0, target, **bearer).status == 404, target


class TestClass03OneIsAuthorisedAndAnotherIsMeant:
    """What a peer may write is its own; what it may name in a body is no more."""

    def test_class03_a_peer_pushes_no_entries_of_another(self, federation: Federation) -> None:
        feed = FeedName(federation.nodes[0].node_id, "green")
        with federation.nodes[0].database.read() as tx:
            held = find_feed(tx, feed)
            assert held is not None
            records = [strict_loads(raw) for _, _, raw in records_after(tx, held.feed_row, 0, 9)]
        body = write_json({"objects": records})
        mine = FeedName(federation.nodes[1].node_id, "green")
        for named in (feed, mine):
            target = f"{LISTING}{named.collection_id}/objects/"
            answer = ask(federation, 1, 2, target, method="POST", body=body)
            assert answer.status in {400, 404, 409, 422}, answer.body
        assert not rows_of(federation.nodes[2], "SELECT seq FROM entries WHERE sender IS NOT NULL")

    def test_class03_a_peer_posts_no_documents_of_another(self, federation: Federation) -> None:
        with federation.nodes[0].database.read() as tx:
            documents = own_documents(tx, federation.nodes[0])
        before = rows_of(federation.nodes[2], "SELECT node_id, version FROM node_documents")
        body = write_json({"node": documents})
        answer = ask(federation, 1, 2, "/federation/v1/node", method="POST", body=body)
        assert answer.status in {401, 409, 422}, answer.body
        assert rows_of(federation.nodes[2], "SELECT node_id, version FROM node_documents") == before

    def test_class03_a_peer_confirms_nothing_for_another(self, federation: Federation) -> None:
        node, liar = federation.nodes[0], federation.nodes[1]
        (entry,) = rows_of(
            node, "SELECT hash FROM entries JOIN feeds USING (feed_row) WHERE audience = 'green'"
        )
        for acker, signer in ((2, liar), (1, federation.nodes[2]), (2, federation.nodes[2])):
            stated = ack_payload(
                federation.nodes[acker].node_id,
                FeedName(node.node_id, "green"),
                1,
                EntryHash(entry["hash"]),
                did="stored",
                ts=federation.clock.now(),
            )
            body = write_json({"acks": [seal(signer.keys.entry, ACK_TYPE, stated).to_json()]})
            answer = ask(federation, 1, 0, "/federation/v1/acks", method="POST", body=body)
            assert answer.status == 202
            assert not rows_of(node, "SELECT node_id FROM acks UNION SELECT node_id FROM positions")
        # The same word in its own name counts.
        own = ack_payload(
            liar.node_id,
            FeedName(node.node_id, "green"),
            1,
            EntryHash(entry["hash"]),
            did="stored",
            ts=federation.clock.now(),
        )
        body = write_json({"acks": [seal(liar.keys.entry, ACK_TYPE, own).to_json()]})
        ask(federation, 1, 0, "/federation/v1/acks", method="POST", body=body)
        assert rows_of(node, "SELECT node_id FROM positions") == [{"node_id": liar.node_id}]


def test_class05_every_address_between_nodes_asks_who_is_there(federation: Federation) -> None:
    """Whatever is added to the application later is asked too."""
    add_token(federation.nodes[0], "siem", "own", originals=True)
    asked = 0
    for route in routes_of(federation.doors[0].app):
        path = getattr(route, "path", "")
        if not path.startswith(("/taxii2/fed", "/federation/")):
            continue
        target = re.sub(r"\{[^}]*\}", "00000000-0000-5000-8000-000000000001", path)
        for method in sorted(route.methods - {"HEAD", "OPTIONS"}):
            if (method, path) in PUBLIC:
                continue
            for headers in ({}, {"Authorization": "Bearer tocsin_nobody"}):
                body = b"{}" if method == "POST" else None
                answer = ask(federation, None, 0, target, method=method, body=body, **headers)
                assert answer.status in {400, 401, 404}, f"{method} {path}: {answer.status}"
                assert b"objects" not in answer.body
                asked += 1
    assert asked > 20


def test_class07_no_object_is_seen_before_its_policy_stands(federation: Federation) -> None:
    """After every commit of a publication, and of the pull of it, all that is shown has a label."""
    seen: list[int] = []

    def look(number: int) -> None:
        with checks.database_of(federation.home(number)) as db:
            rows = db.execute(
                "SELECT object_row, ceiling, tlp, state FROM view_rows JOIN views USING (view_id)"
                " JOIN objects USING (object_row)"
            ).fetchall()
            bare = db.execute(
                "SELECT count(*) FROM objects WHERE object_row NOT IN"
                " (SELECT object_row FROM carried)"
            ).fetchone()[0]
        assert bare == 0, "an object without the entry that carries its policy"
        assert all(row["state"] == "accepted" and row["tlp"] <= row["ceiling"] for row in rows)
        seen.append(len(rows))

    for number in (0, 1):
        engine = federation.nodes[number].database.engine
        # Called before each commit: what the one before made visible is looked at.
        event.listen(engine, "commit", lambda _connection, at=number: look(at))
    objects = drafts(*(indicator(number) for number in range(10, 30)))
    publish_objects(federation.nodes[0], PublishRequest(objects, Tlp.AMBER, to=(peer(federation),)))
    federation.pull(1, 0)
    for number in (0, 1):
        look(number)
    assert len(seen) > 4


def peer(federation: Federation) -> Any:
    return federation.peer(0, 1)


def test_t45_no_secret_gets_into_a_log_or_an_answer(
    federation: Federation, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Tokens right, wrong and revoked, an invitation, and requests that break."""
    caplog.set_level(logging.DEBUG)
    node = federation.nodes[0]
    token = add_token(node, "siem", "own", originals=True).token
    invitation = invite_peer(node)
    secrets = [token, token.removeprefix("tocsin_"), "tocsin_wrong-guess", invitation]
    answers = [
        ask(federation, None, 0, target, Authorization=f"Bearer {given}")
        for target in ("/taxii2/", "/taxii2/intel/collections/originals/objects/?limit=x")
        for given in (token, "tocsin_wrong-guess")
    ]
    body = json.dumps({"v": 1, "token": invitation, "node": []}).encode()
    answers.append(ask(federation, 2, 0, "/federation/v1/pair", method="POST", body=body))
    assert answers[0].status == 200
    out, err = capfd.readouterr()
    told = "\n".join([caplog.text, out, err, *(str(answer) for answer in answers)])
    for secret in secrets:
        assert secret not in told
