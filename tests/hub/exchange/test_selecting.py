"""Filtered collections: exactly the accepted originals that match, at each ceiling, for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import Conflict, NotFound, NotPermitted
from hub.exchange.add_objects import add_objects
from hub.exchange.collections import add_collection, grant_collection
from hub.exchange.delete_object import delete_object
from hub.exchange.explain import explain_sharing
from hub.exchange.object_listing import accept_quarantined
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.reading import list_collections_of, open_collection
from hub.exchange.selecting import Selection
from hub.exchange.withdraw import withdraw_object
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.storage.queries.views import views_of
from schemas.dns.extensions import DNS_THREAT
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from schemas.strict_json import write_json
from schemas.taxii.paging import Matches
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import (
    LATER,
    Author,
    domain,
    drafts,
    indicator,
    introduce,
    note,
    stix_id,
)
from tests.support.stored_state import rows_of

WORD = st.text(
    st.characters(codec="ascii", exclude_characters=",=", categories=["L", "N"]), min_size=1
)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    made = make_node(tmp_path, "hub", clock)
    yield made
    made.database.close()


@pytest.fixture
def author(node):
    made = Author(1)
    made.meets(node, name="registry")
    return made


def threat(number, word, **changes):
    """An indicator with the dns-threat extension."""
    extension = {
        "extension_type": "property-extension",
        "threat_type": word,
        "match_scope": "exact",
    }
    return indicator(number, extensions={DNS_THREAT: extension}, **changes)


def select(node, text, alias="picked"):
    return add_collection(node, alias.title(), alias=alias, select=text).collection_id


def held(node, collection_id, ceiling):
    """Every version that readers of a clearance find, and whether it is the latest."""
    return [
        (row["stix_id"], row["version"], bool(row["latest"]), row["date_added"])
        for row in rows_of(
            node,
            "SELECT stix_id, version, latest, date_added FROM view_rows"
            " JOIN views USING (view_id) JOIN objects USING (object_row)"
            f" WHERE collection_id = '{collection_id}' AND ceiling = {int(ceiling)}"
            " ORDER BY date_added",
        )
    ]


def latest(node, collection_id, ceiling=Tlp.RED):
    return {stix_id for stix_id, _, is_latest, _ in held(node, collection_id, ceiling) if is_latest}


def ids(*numbers):
    return {stix_id("indicator", number) for number in numbers}


def reader(node, name, kind="subscriber", **options):
    add_token(node, name, kind, **options)
    return Reader.of(next(row for row in list_tokens(node) if row.name == name))


# What an operator writes


@given(st.lists(WORD, max_size=3, unique=True), st.lists(WORD, max_size=3, unique=True))
def test_what_is_stored_reads_back(origins, words):
    selection = Selection(tuple(sorted(origins)), tuple(sorted(words)))
    if origins or words:
        assert Selection.read(selection.write()) == selection


def test_origins_are_stored_by_their_ids(node, author):
    stranger = "q" * 52
    row = add_collection(
        node, "P", select=f"threat_type=dga, origin=self,origin=registry,origin={stranger}"
    )
    origins = sorted([node.node_id, author.node_id, stranger])
    assert row.selection == ",".join([*(f"origin={o}" for o in origins), "threat_type=dga"])
    introduce(node, Author(2).node_id, [Author(2).document.to_bytes()], name="registry")
    assert Selection.read(row.selection).origins == tuple(origins)


@pytest.mark.parametrize(
    "text",
    ["", "origin", "origin=", "colour=red", "origin=self,", "=x", "threat_type=a\nb", "a" * 9999],
)
def test_what_selects_nothing_is_refused(node, text):
    with pytest.raises(WireFormatError) as refused:
        select(node, text)
    assert refused.value.code == "E_SCHEMA"


@pytest.mark.parametrize("group", ["banks", "self/banks"])
def test_an_unknown_group_is_refused(node, group):
    with pytest.raises(NotFound, match="E_GROUP_UNKNOWN"):
        select(node, f"origin=self,group={group}")


@pytest.mark.usefixtures("author")
def test_an_unknown_or_ambiguous_origin_is_refused(node):
    with pytest.raises(NotFound, match="E_PEER_UNKNOWN"):
        select(node, "origin=nobody")
    Author(2).meets(node, name="registry")
    with pytest.raises(Conflict, match="E_PEER_AMBIGUOUS"):
        select(node, "origin=registry")


@pytest.mark.parametrize("more", [{"publish_to": "green"}, {"default_tlp": Tlp.GREEN}])
def test_a_selection_has_no_producers(node, more):
    with pytest.raises(WireFormatError) as refused:
        add_collection(node, "P", select="origin=self", **more)
    assert refused.value.code == "E_SELECTED"


# What it holds


@pytest.mark.parametrize("when", ["before", "after"])
def test_class08_it_holds_what_matches_at_each_ceiling(node, author, when):
    if when == "before":
        collection = select(node, "threat_type=dga")
    other = Author(2)
    other.meets(node, "member")
    author.put("green", threat(1, "dga"), threat(2, "phishing"), indicator(3, labels=["dga"]))
    author.put("clear", threat(4, "dga"), threat(5, "phishing", labels=["dga"]), indicator(6))
    author.put("green", threat(7, "dga"), policy={"exercise": True})
    other.put("green", threat(8, "dga"))
    for who, audience in ((author, "green"), (author, "clear"), (other, "green")):
        who.deliver(node, audience)
    publish_objects(node, PublishRequest(drafts(threat(9, "dga")), Tlp.CLEAR))
    if when == "after":
        collection = select(node, "threat_type=dga")
    assert latest(node, collection, Tlp.CLEAR) == ids(4, 9)
    for ceiling in list(Tlp)[1:]:
        assert latest(node, collection, ceiling) == ids(1, 3, 4, 9)
    with node.database.read() as tx:
        assert [view.ceiling for view in views_of(tx, collection)] == list(Tlp)


def test_every_key_has_to_match_and_any_of_its_values(node, author):
    other = Author(2)
    other.meets(node, name="cert")
    collection = select(node, "origin=registry,origin=self,threat_type=dga,threat_type=sinkhole")
    author.put("green", threat(1, "dga"), threat(2, "sinkhole"), threat(3, "phishing"))
    author.deliver(node, "green")
    other.put("green", threat(4, "dga"))
    other.deliver(node, "green")
    publish_objects(node, PublishRequest(drafts(threat(5, "sinkhole")), Tlp.GREEN))
    assert latest(node, collection) == ids(1, 2, 5)


def test_class10_what_an_object_refers_to_is_not_drawn_in(node, author):
    collection = select(node, "threat_type=dga")
    author.put("green", threat(1, "phishing"), indicator(2))
    author.put("green", note(3, *ids(1, 2), labels=["dga"]), threat(4, "dga"))
    author.deliver(node, "green")
    assert latest(node, collection) == {stix_id("note", 3)} | ids(4)


def test_what_leaves_originals_leaves_it(node, author):
    collection = select(node, "threat_type=dga")
    author.put("green", threat(1, "dga"), threat(2, "dga"))
    author.write("green", kind="retract", ids=[stix_id("indicator", 1)], reason="wrong")
    author.deliver(node, "green")
    publish_objects(node, PublishRequest(drafts(threat(3, "dga")), Tlp.GREEN))
    withdraw_object(node, stix_id("indicator", 3), "wrong")
    standing = held(node, collection, Tlp.GREEN)
    assert {stix_id for stix_id, *_ in standing} == ids(2, 3)
    revoked = rows_of(
        node, f"SELECT revoked FROM objects WHERE stix_id = '{stix_id('indicator', 3)}'"
    )
    assert [bool(row["revoked"]) for row in revoked] == [False, True]
    assert len(standing) == 2  # the revoked version alone is left


def test_what_is_let_out_of_quarantine_enters_it(node):
    collection = select(node, "threat_type=dga")
    other = Author(2)
    other.meets(node, "member")
    other.put("green", threat(1, "dga"), threat(2, "phishing"))
    other.deliver(node, "green")
    assert latest(node, collection) == set()
    accept_quarantined(node, sorted(ids(1, 2)))
    assert latest(node, collection) == ids(1)


def test_a_tightened_object_leaves_the_wide_views(node, author):
    collection = select(node, "threat_type=dga")
    author.put("clear", threat(1, "dga"))
    author.put("green", threat(1, "dga", modified=LATER))
    author.deliver(node, "clear")
    assert latest(node, collection, Tlp.CLEAR) == ids(1)
    author.deliver(node, "green")
    assert held(node, collection, Tlp.CLEAR) == []
    assert latest(node, collection, Tlp.GREEN) == ids(1)


# Versions and rivals


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_latest_version_is_marked_as_in_originals(node, author, when):
    collection = select(node, "threat_type=dga") if when == "before" else ""
    author.put("green", threat(1, "dga"))
    author.put("green", threat(1, "dga", modified=LATER))
    author.deliver(node, "green")
    collection = collection or select(node, "threat_type=dga")
    assert [(v, is_latest) for _, v, is_latest, _ in held(node, collection, Tlp.GREEN)] == [
        ("2026-03-01T09:00:00.000Z", False),
        (LATER, True),
    ]


@pytest.mark.parametrize("when", ["before", "one by one", "after"])
def test_a_version_that_was_replaced_by_one_that_does_not_match_is_not_the_latest(
    node, author, when
):
    collection = "" if when == "after" else select(node, "threat_type=dga")
    author.put("green", threat(1, "dga"))
    if when == "one by one":
        author.deliver(node, "green")
        assert latest(node, collection) == ids(1)
    author.put("green", threat(1, "sinkhole", modified=LATER))
    author.deliver(node, "green")
    collection = collection or select(node, "threat_type=dga")
    assert [is_latest for *_, is_latest, _ in held(node, collection, Tlp.GREEN)] == [False]


def test_of_two_origins_of_one_observable_each_is_in_its_own_collection(node, author):
    other = Author(2)
    other.meets(node, name="cert")
    first, second = (select(node, f"origin={name}", name) for name in ("registry", "cert"))
    for who in (author, other):
        who.put("green", domain("bad.example"))
        who.deliver(node, "green")
    shared = {domain("bad.example")["id"]}
    assert latest(node, first) >= shared
    assert latest(node, second) >= shared


# Who reads it


def test_a_grant_opens_it_without_originals_up_to_the_readers_ceiling(node):
    collection = select(node, "threat_type=dga")
    siem, other = reader(node, "siem"), reader(node, "other")
    grant_collection(node, "picked", "siem", can_read=True)
    with node.database.read() as tx:
        sights = [open_collection(tx, who, "picked") for who in (siem, other)]
        green = next(v for v in views_of(tx, collection) if v.ceiling == Tlp.GREEN)
    assert [sight.view_id for sight in sights] == [green.view_id, 0]
    seen = {view.alias: (view.can_read, view.can_write) for view in list_collections_of(node, siem)}
    assert seen["picked"] == (True, False)
    assert "originals" not in seen
    assert "picked" not in {view.alias for view in list_collections_of(node, other)}


def test_class03_nobody_writes_into_it_or_deletes_from_it(node, author):
    select(node, "threat_type=dga")
    author.put("green", threat(1, "dga"))
    author.deliver(node, "green")
    siem = reader(node, "siem", "own")
    grant_collection(node, "picked", "siem", can_read=True)
    with pytest.raises(NotFound):
        add_objects(node, siem, "picked", write_json({"objects": [threat(2, "dga")]}))
    with pytest.raises(NotFound):
        delete_object(node, siem, "picked", stix_id("indicator", 1), Matches())


@pytest.mark.parametrize(
    ("kind", "rights"),
    [
        ("own", {"can_write": True}),
        ("writer", {"can_write": True}),
        ("writer", {"can_read": True}),
        ("admin", {"can_read": True}),
    ],
)
def test_some_grants_cannot_be(node, kind, rights):
    select(node, "threat_type=dga")
    add_token(node, "someone", kind)
    with pytest.raises(NotPermitted) as refused:
        grant_collection(node, "picked", "someone", **rights)
    assert refused.value.code == "E_GRANT_KIND"


def test_why_names_the_collection_that_shows_an_object(node, author):
    select(node, "threat_type=dga")
    author.put("green", threat(1, "dga"), threat(2, "phishing"))
    author.deliver(node, "green")
    reader(node, "siem")
    grant_collection(node, "picked", "siem", can_read=True)
    shown, kept = (explain_sharing(node, stix_id("indicator", n), "siem") for n in (1, 2))
    assert (shown.decision, shown.code) == ("allowed", "ALLOWED_READER")
    assert any("Picked" in sentence for sentence in shown.sentences)
    assert (kept.decision, kept.code) == ("refused", "REFUSED_NO_ORIGINALS")


# Non-interference


def test_a_view_does_not_change_by_what_its_readers_may_not_see(tmp_path):
    """The same deliveries with and without stricter, unmatching and quarantined objects."""
    seen = []
    for hidden in (False, True):
        clock = FixedClock()
        node = make_node(tmp_path / str(hidden), "hub", clock)
        author, stranger = Author(1), Author(2)
        author.meets(node)
        stranger.meets(node, "member")
        collection = select(node, "threat_type=dga")
        for number in range(1, 9):
            clock.advance(seconds=1)
            if number % 2:
                author.put("clear" if number % 4 == 1 else "green", threat(number, "dga"))
            elif hidden:
                author.put("clear", threat(number + 100, "phishing"))
                author.put("green", threat(number + 200, "dga"))
                stranger.put("clear", threat(number - 1, "dga", modified=LATER))
                stranger.deliver(node, "clear")
            for audience in ("clear", "green"):
                author.deliver(node, audience)
        seen.append(held(node, collection, Tlp.CLEAR))
        node.database.close()
    assert seen[0] == seen[1]
    assert len(seen[0]) == 2


# What a registrar may read


def at_registrar(number, iana_id, **changes):
    """An indicator on a name that this registrar sold."""
    made = threat(number, "phishing", **changes)
    made["extensions"][DNS_THREAT]["registrar"] = {"name": "R", "iana_id": iana_id}
    return made


def test_a_registrar_sees_the_claims_on_its_names_and_no_others(node, author):
    """Issue 6, point 3: the registrar's private view."""
    author.put("green", at_registrar(1, 9999), at_registrar(2, 8888), threat(3, "phishing"))
    author.deliver(node, "green")
    picked = select(node, "registrar=9999")
    assert latest(node, picked) == ids(1)
    author.put("green", at_registrar(4, 9999), at_registrar(5, "9999"), at_registrar(6, 99))
    author.deliver(node, "green")
    assert latest(node, picked) == ids(1, 4)
    registrar = reader(node, "r9999", max_tlp=Tlp.GREEN)
    grant_collection(node, picked, "r9999", can_read=True)
    assert picked in {row.collection_id for row in list_collections_of(node, registrar)}
    assert Selection.read(Selection(registrars=(9999, 8888)).write()).registrars == (9999, 8888)


@pytest.mark.parametrize("number", ["", "0", "-1", "99x", "²", "1234567890", "R"])
def test_a_registrar_is_named_by_its_number(node, number):
    with pytest.raises(WireFormatError):
        select(node, f"registrar={number}")
