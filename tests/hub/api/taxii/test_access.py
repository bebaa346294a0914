"""Who may ask: tokens by Basic and Bearer, and the one answer to all who may not (PROTOCOL 2.9)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from hub.exchange.collections import ORIGINALS_ID, add_collection, grant_collection
from hub.operators.tokens import list_tokens, revoke_token
from hub.storage.queries.objects import claims_of
from hub.storage.queries.views import find_view, placements_of, remove_rows
from schemas.markings import Tlp
from tests.hub.api.taxii.conftest import basic, indicator, place, stix_id

NOT_FOUND = b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}'
ADDRESSES = ["/taxii2/", "/taxii2/intel/", "/taxii2/intel/collections/originals/objects/"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_a_token_both_ways_are_offered(intel, address):
    answer = intel.ask(None, address)
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == [
        'Basic realm="tocsin", charset="UTF-8"',
        'Bearer realm="tocsin"',
    ]
    assert answer.json()["error_code"] == "E_TOKEN"
    assert answer.headers["content-type"] == "application/taxii+json;version=2.1"


def test_basic_with_name_and_token_and_bearer_are_the_same_reader(intel):
    intel.add("siem", "own", originals=True)
    place(intel.node, indicator("a.example"), tlp=Tlp.AMBER)
    path = "collections/originals/objects/"
    by_basic = intel.ask(None, path, headers=basic("siem", intel.tokens["siem"]))
    assert by_basic.content == intel.ask("siem", path).content
    assert b"a.example" in by_basic.content


def test_every_reason_for_401_is_one_answer(intel):
    for name in ("siem", "old", "gone"):
        intel.add(name, "own", originals=True, **({"expires_days": 1} if name == "old" else {}))
    revoke_token(intel.node, "gone")
    intel.clock.advance(days=1)
    token = intel.tokens["siem"]
    answers = {
        intel.ask(None, "/taxii2/intel/", headers=headers).content
        for headers in (
            {},
            {"Authorization": f"Bearer {intel.tokens['old']}"},
            {"Authorization": f"Bearer {intel.tokens['gone']}"},
            {"Authorization": f"Bearer {token}x"},
            {"Authorization": f"Bearer {token[:-1]}"},
            {"Authorization": f"Bearer {token}" + "x" * 5_000},
            {"Authorization": "Bearer"},
            {"Authorization": f"Digest {token}"},
            {"Authorization": "Basic !!!"},
            {"Authorization": "Basic /////w=="},
            basic("other", token),
            basic("siem", "tocsin_wrong"),
            basic("", token),
        )
    }
    assert len(answers) == 1
    assert intel.ask("siem", "/taxii2/intel/").status_code == 200


def test_a_revoked_token_ends_at_once(intel):
    reader = intel.add("siem", "own")
    assert intel.ask(reader, "/taxii2/intel/").status_code == 200
    revoke_token(intel.node, "siem")
    assert intel.ask(reader, "/taxii2/intel/").status_code == 401


def test_the_last_use_is_recorded_at_most_once_a_minute(intel, now):
    reader = intel.add("siem", "own")

    def last_used():
        return list_tokens(intel.node)[0].last_used_at

    assert last_used() is None
    intel.ask(reader, "/taxii2/intel/")
    assert last_used() == now
    intel.clock.advance(seconds=59)
    intel.ask(reader, "/taxii2/intel/")
    assert last_used() == now
    intel.clock.advance(seconds=1)
    intel.ask(reader, "/taxii2/intel/")
    assert last_used() == now + timedelta(minutes=1)


HIDDEN = stix_id("hidden.example")
PAIRS = [
    # what exists but may not be seen, what does not exist, what cannot exist
    [f"collections/{ORIGINALS_ID}/", "collections/unknown/", "collections/%00'%22%C3%A9/"],
    [
        f"collections/{ORIGINALS_ID}/objects/",
        "collections/unknown/objects/",
        "collections/secret/objects/",
    ],
    ["collections/originals/manifest/", "collections/unknown/manifest/"],
    [
        f"collections/originals/objects/{HIDDEN}/",
        f"collections/unknown/objects/{HIDDEN}/",
        "collections/shared/objects/indicator--00000000-0000-4000-8000-000000000000/",
        f"collections/shared/objects/{HIDDEN}/",
        "collections/shared/objects/no-id-%00/",
    ],
    [
        f"collections/shared/objects/{HIDDEN}/versions/",
        "collections/unknown/objects/indicator--00000000-0000-4000-8000-000000000000/versions/",
    ],
    ["status/00000000-0000-4000-8000-000000000000/", "status/%00/"],
]


@pytest.mark.parametrize("pair", PAIRS)
def test_unknown_and_not_permitted_are_the_same_bytes_and_the_same_statements(intel, pair):
    intel.add("public", "public")
    intel.add("feeder", "writer")
    add_collection(intel.node, "Shared", alias="shared")
    add_collection(intel.node, "Secret", alias="secret")
    grant_collection(intel.node, "shared", "public", can_read=True)
    grant_collection(intel.node, "shared", "feeder", can_write=True)
    assert intel.post("feeder", "shared", indicator("hidden.example")).status_code == 202
    place(intel.node, indicator("hidden.example"), tlp=Tlp.CLEAR)
    intel.ask("public", "/taxii2/intel/")  # the record of its use is then behind us
    seen, statements = set(), set()
    for path in pair:
        trace: list[str] = []

        def listen(_c, _cursor, statement, *_rest, trace=trace):
            trace.append(statement)

        sa.event.listen(intel.node.database.engine, "before_cursor_execute", listen)
        answer = intel.ask("public", path)
        sa.event.remove(intel.node.database.engine, "before_cursor_execute", listen)
        seen.add((answer.status_code, answer.content, str(sorted(answer.headers.items()))))
        statements.add(tuple(trace))
    assert {answer[:2] for answer in seen} == {(404, NOT_FOUND)}
    assert len(seen) == 1
    assert len(statements) == 1


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_writing_what_is_unknown_and_not_permitted_is_the_same_too(intel, method):
    intel.add("public", "public")
    intel.add("feeder", "writer")
    for title in ("Shared", "Secret"):
        add_collection(intel.node, title, alias=title.lower())
    grant_collection(intel.node, "shared", "public", can_read=True)
    grant_collection(intel.node, "shared", "feeder", can_write=True)
    assert intel.post("feeder", "shared", indicator("hidden.example")).status_code == 202
    intel.ask("public", "/taxii2/intel/")
    seen, statements = set(), set()
    for where in ("shared", "secret", "unknown", "originals", ORIGINALS_ID, "%00"):
        for stix_id_ in (HIDDEN, "indicator--00000000-0000-4000-8000-000000000000", "no-id"):
            trace: list[str] = []

            def listen(_c, _cursor, statement, *_rest, trace=trace):
                trace.append(statement)

            sa.event.listen(intel.node.database.engine, "before_cursor_execute", listen)
            path = f"collections/{where}/objects/" + (f"{stix_id_}/" if method == "DELETE" else "")
            answer = intel.ask("public", path, method)
            sa.event.remove(intel.node.database.engine, "before_cursor_execute", listen)
            seen.add((answer.status_code, answer.content, str(sorted(answer.headers.items()))))
            statements.add(tuple(trace))
    assert {answer[:2] for answer in seen} == {(404, NOT_FOUND)}
    assert len(seen) == 1
    assert len(statements) == 1


def test_adding_to_what_is_unknown_not_granted_or_the_nodes_own_is_404_before_the_body(intel):
    intel.add("feeder", "writer")
    intel.add("reader", "own", originals=True)
    add_collection(intel.node, "Shared", alias="shared")
    grant_collection(intel.node, "shared", "reader", can_read=True)
    for who, where in [
        ("feeder", "shared"), ("feeder", "unknown"), ("feeder", "originals"),
        ("reader", "shared"), ("reader", "originals"), ("reader", "verdicts"),
    ]:  # fmt: skip
        answer = intel.ask(who, f"collections/{where}/objects/", "POST", content=b"not even JSON")
        assert (answer.status_code, answer.content) == (404, NOT_FOUND)


def test_a_constituent_sees_the_amber_that_touches_it(intel):
    place(
        intel.node,
        indicator("www.bank.example", Tlp.AMBER),
        indicator("notbank.example", Tlp.AMBER),
        tlp=Tlp.AMBER,
    )
    intel.add("bank", "constituent", originals=True, zones=["bank.example"])
    intel.add("shop", "constituent", originals=True, zones=["shop.example"])
    intel.add("plain", "constituent", originals=True)
    intel.add(
        "bank-green", "constituent", originals=True, zones=["bank.example"], max_tlp=Tlp.GREEN
    )
    assert intel.names("bank") == ["www.bank.example"]
    place(
        intel.node,
        indicator("mail.bank.example", Tlp.AMBER),
        indicator("www.shop.example", Tlp.AMBER),
        tlp=Tlp.AMBER,
    )
    place(intel.node, indicator("strict.bank.example"), tlp=Tlp.AMBER_STRICT)
    place(intel.node, indicator("green.example"), tlp=Tlp.GREEN)
    assert intel.names("bank") == ["www.bank.example", "mail.bank.example", "green.example"]
    assert intel.names("shop") == ["www.shop.example", "green.example"]
    assert intel.names("plain") == ["green.example"]
    assert intel.names("bank-green") == ["green.example"]


def test_a_new_view_does_not_bring_back_what_was_tightened(intel):
    place(intel.node, indicator("www.bank.example", Tlp.GREEN), tlp=Tlp.GREEN)
    place(intel.node, indicator("other.example", Tlp.GREEN), tlp=Tlp.GREEN)
    with intel.node.database.write() as tx:
        (row,) = claims_of(tx, [stix_id("other.example")])[stix_id("other.example")]
        green = find_view(tx, ORIGINALS_ID, int(Tlp.GREEN))
        taken = [
            p.date_added
            for p in placements_of(tx, ORIGINALS_ID, [row.stix_id])[row.stix_id]
            if p.view_id == green.view_id
        ]
        remove_rows(tx, green.view_id, taken)
    intel.add("bank", "constituent", originals=True, zones=["bank.example"])
    assert intel.names("bank") == ["www.bank.example"]


def test_red_is_for_an_own_token_that_asked_for_it_and_only_where_policy_says_machine(intel):
    place(intel.node, indicator("eyes.example", Tlp.RED), tlp=Tlp.RED)
    place(intel.node, indicator("machine.example", Tlp.RED), tlp=Tlp.RED, machine=True)
    place(intel.node, indicator("drill.example"), tlp=Tlp.CLEAR, exercise=True)
    intel.add("siem", "own", originals=True)
    intel.add("vault", "own", originals=True, max_tlp=Tlp.RED)
    assert intel.names("siem") == []
    assert intel.names("vault") == ["machine.example"]


def test_the_openapi_document_is_there_and_no_explorer(intel):
    document = intel.client.get("/api/v1/openapi.json").json()
    assert "/taxii2/intel/collections/{collection_id}/objects/" in document["paths"]
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert intel.client.get(path).status_code == 404
