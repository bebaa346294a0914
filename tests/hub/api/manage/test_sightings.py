"""Sightings over HTTP: for this organisation's systems; to all others the address is not there."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from hub.app import create_app
from hub.operators.tokens import add_token
from hub.verdicts.sightings import list_sightings
from tests.support.nodes import make_node
from tests.support.told_claims import EVIL, authors, claim, make_verdicts, tell

ADDRESS = "/api/v1/sightings"


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "seeing")
    (who,) = authors(made, 1)
    tell(made, who, "amber", claim(EVIL))
    make_verdicts(made)
    yield made
    made.database.close()


@pytest.fixture
def client(node):
    with TestClient(create_app(node)) as opened:
        yield opened


def bearer(node, kind):
    zones = ["bank.example"] if kind == "constituent" else []
    added = add_token(node, f"a-{kind}", kind, zones=zones)
    return {"Authorization": f"Bearer {added.token}"}


@pytest.mark.parametrize("kind", ["own", "writer"])
def test_our_own_systems_say_what_they_saw_and_learn_nothing(node, client, kind):
    auth = bearer(node, kind)
    answers = [
        client.post(ADDRESS, headers=auth, json={"sightings": [{"name": name, "count": 3}]})
        for name in (EVIL, "innocent.example")
    ]
    assert [(a.status_code, a.json()) for a in answers] == [(202, {"taken": 1})] * 2
    (row,) = list_sightings(node)
    assert (row.name, row.count, row.source) == (EVIL, 3, f"a-{kind}")


@pytest.mark.parametrize("kind", ["public", "subscriber", "constituent", "admin"])
def test_to_all_others_the_address_is_not_there(node, client, kind):
    answer = client.post(ADDRESS, headers=bearer(node, kind), json={"sightings": []})
    assert answer.status_code == 404
    assert client.post(ADDRESS, json={"sightings": []}).status_code == 401


def test_whom_it_hit_is_not_taken(node, client):
    body = {"sightings": [{"name": EVIL, "client": "192.0.2.77"}]}
    answer = client.post(ADDRESS, headers=bearer(node, "own"), json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "E_SCHEMA")
    assert list_sightings(node) == ()
