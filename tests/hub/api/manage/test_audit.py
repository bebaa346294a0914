"""The audit over HTTP: for admin tokens; to all others the address is not there."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from hub.app import create_app
from hub.operators.tokens import add_token
from tests.support.nodes import FixedClock, make_node
from tests.support.stored_state import rows_of


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "audited", FixedClock())
    yield made
    made.database.close()


@pytest.fixture
def client(node):
    with TestClient(create_app(node)) as opened:
        yield opened


def bearer(node, kind):
    added = add_token(node, f"a-{kind}", kind)
    return {"Authorization": f"Bearer {added.token}"}


def test_an_admin_reads_it_page_by_page_and_that_is_an_event(node, client):
    auth = bearer(node, "admin")
    whole = client.get("/api/v1/audit", headers=auth).json()["events"]
    assert whole[0]["code"] == "TOKEN_ADDED"
    read = rows_of(node, "SELECT actor FROM audit_events WHERE code = 'AUDIT_READ'")
    assert [row["actor"] for row in read] == ["token a-admin"]
    page = client.get(f"/api/v1/audit?limit=1&before={whole[0]['seq'] + 1}", headers=auth).json()
    assert page["events"] == whole[:1]


@pytest.mark.parametrize("kind", ["own", "constituent", "subscriber", "public", "writer"])
def test_to_other_tokens_the_address_is_not_there(node, client, kind):
    auth = bearer(node, kind)
    answer = client.get("/api/v1/audit", headers=auth)
    nowhere = client.get("/api/v1/nothing", headers=auth)
    assert (answer.status_code, answer.content) == (nowhere.status_code, nowhere.content)
    assert answer.status_code == 404


def test_without_a_token_nobody_reads_it(client):
    assert client.get("/api/v1/audit").status_code == 401


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "before=x", "code=" + "c" * 65])
def test_what_cannot_be_read_is_said(node, client, query):
    answer = client.get(f"/api/v1/audit?{query}", headers=bearer(node, "admin"))
    assert (answer.status_code, answer.json()["error_code"]) == (400, "E_SCHEMA")
