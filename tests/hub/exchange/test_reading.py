"""Reading below HTTP: a walk while others add, and views as the decision table gives them."""

from __future__ import annotations

import pytest

from federation.policy.sharing import ReaderStanding
from hub.bootstrap import open_node
from hub.exchange.collections import ORIGINALS_ID, VERDICTS_ID
from hub.exchange.reading import list_collections_of, read_objects
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.peers.key_custody import ONLINE_USES, read_key_file
from hub.peers.rotate_keys import revoke_key
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from schemas.taxii.paging import read_page_request
from tests.hub.api.taxii.conftest import indicator, place
from tests.support.nodes import make_node


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "hub")
    yield made
    made.database.close()


def test_a_walk_while_others_add_meets_each_object_exactly_once(node):
    add_token(node, "siem", "own", originals=True)
    reader = Reader.of(list_tokens(node)[0])
    there = [indicator(f"there-{n}.example") for n in range(30)]
    place(node, *there, tlp=Tlp.GREEN)
    names, parameters, added = [], [("limit", "4")], 0
    while True:
        page = strict_loads(
            read_objects(node, reader, "originals", read_page_request(parameters)).body
        )
        names += [value["name"] for value in page["objects"]]
        if not page["more"]:
            break
        parameters = [("limit", "4"), ("next", page["next"])]
        if added < 20:
            place(node, indicator(f"new-{added}.example"), tlp=Tlp.GREEN)
            added += 1
    assert len(names) == len(set(names))
    assert {value["name"] for value in there} <= set(names)
    assert {f"new-{n}.example" for n in range(added)} <= set(names)


def test_a_walk_goes_on_when_every_online_key_was_turned_and_another_process_answers(node):
    add_token(node, "siem", "own", originals=True)
    reader = Reader.of(list_tokens(node)[0])
    place(node, *(indicator(f"n-{n}.example") for n in range(3)), tlp=Tlp.GREEN)
    first = strict_loads(
        read_objects(node, reader, "originals", read_page_request([("limit", "2")])).body
    )
    root = [read_key_file(node.settings.home / "root-current.key")]
    for use in ONLINE_USES:
        revoke_key(node, getattr(node.keys, use).kid, "stolen", root)
    restarted = open_node(node.settings, clock=node.clock)
    parameters = [("limit", "9"), ("next", first["next"])]
    rest = strict_loads(
        read_objects(restarted, reader, "originals", read_page_request(parameters)).body
    )
    restarted.database.close()
    names = [value["name"] for page in (first, rest) for value in page["objects"]]
    assert len(names) == len(set(names))
    assert {f"n-{n}.example" for n in range(3)} <= set(names)


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("own", {ORIGINALS_ID, VERDICTS_ID}),
        ("constituent", {ORIGINALS_ID, VERDICTS_ID}),
        ("subscriber", {ORIGINALS_ID, VERDICTS_ID}),
        ("public", {ORIGINALS_ID, VERDICTS_ID}),
        ("writer", set()),
        ("admin", set()),
        ("a kind of a later release", set()),
    ],
)
def test_each_kind_sees_its_collections(node, kind, seen):
    for originals in (True, False):
        standing = ReaderStanding("r", kind, Tlp.CLEAR, originals=originals)
        listed = list_collections_of(node, Reader(standing, "r"))
        wanted = seen if originals else seen - {ORIGINALS_ID}
        assert {view.collection_id for view in listed} == wanted
