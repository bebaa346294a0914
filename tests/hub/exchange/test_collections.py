"""The collections of the intel root and who is granted what."""

from __future__ import annotations

import pytest

from federation.errors import SharingRefused
from hub.errors import Conflict, NotFound, NotPermitted
from hub.exchange.collections import (
    ORIGINALS_ID,
    VERDICTS_ID,
    add_collection,
    ensure_builtin_collections,
    grant_collection,
    list_collections,
)
from hub.operators.tokens import add_token
from hub.storage.queries.views import views_of
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from tests.support.nodes import make_node


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "hub")
    yield made
    made.database.close()


def test_the_nodes_own_collections_have_the_same_ids_everywhere(node):
    assert {row.alias: row.collection_id for row in list_collections(node)} == {
        "originals": ORIGINALS_ID,
        "verdicts": VERDICTS_ID,
    }


def test_making_them_again_changes_nothing(node):
    before = list_collections(node)
    with node.database.write() as tx:
        ensure_builtin_collections(tx, node.now())
    assert list_collections(node) == before


def test_a_collection_has_a_view_for_each_label_from_the_start(node):
    row = add_collection(node, "Shared", alias="shared", default_tlp=Tlp.GREEN)
    with node.database.read() as tx:
        views = views_of(tx, row.collection_id)
    assert [view.ceiling for view in views] == list(Tlp)


def test_a_default_label_is_never_clear(node):
    with pytest.raises(SharingRefused) as refused:
        add_collection(node, "Shared", default_tlp=Tlp.CLEAR)
    assert refused.value.code == "E_DEFAULT_CLEAR"


@pytest.mark.parametrize("more", [{"select": "group=x"}, {"publish_to": "some-group"}])
def test_a_group_that_is_not_there_is_refused_and_not_ignored(node, more):
    with pytest.raises(NotFound):
        add_collection(node, "Shared", **more)


@pytest.mark.parametrize("alias", ["", "Upper", "a/b", "ä", "a" * 65, ORIGINALS_ID, "a\x00"])
def test_an_alias_is_a_plain_word_and_no_id(node, alias):
    with pytest.raises(WireFormatError) as refused:
        add_collection(node, "Shared", alias=alias)
    assert refused.value.code == "E_SCHEMA"


def test_an_alias_is_given_once(node):
    with pytest.raises(Conflict) as refused:
        add_collection(node, "More originals", alias="originals")
    assert refused.value.code == "E_COLLECTION_EXISTS"


@pytest.mark.parametrize(
    ("collection", "kind", "rights"),
    [
        ("originals", "own", {"can_read": True}),
        ("verdicts", "writer", {"can_write": True}),
        ("shared", "public", {"can_write": True}),
        ("shared", "admin", {"can_read": True}),
        ("shared", "admin", {"can_write": True}),
    ],
)
def test_some_grants_cannot_be(node, collection, kind, rights):
    add_collection(node, "Shared", alias="shared")
    add_token(node, "someone", kind)
    with pytest.raises(NotPermitted) as refused:
        grant_collection(node, collection, "someone", **rights)
    assert refused.value.code == "E_GRANT_KIND"


def test_a_grant_names_what_is_there(node):
    add_collection(node, "Shared", alias="shared")
    for collection, token, code in [
        ("unknown", "someone", "E_COLLECTION_UNKNOWN"),
        ("shared", "nobody", "E_TOKEN_UNKNOWN"),
    ]:
        with pytest.raises(NotFound) as refused:
            grant_collection(node, collection, token, can_read=True)
        assert refused.value.code == code
