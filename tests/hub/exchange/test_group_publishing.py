"""Publishing to groups, and what readers without a node see of what groups carry."""

from __future__ import annotations

import itertools

import pytest

from federation.errors import SharingRefused
from federation.feeds.heads import head_payload
from federation.signing.signer import seal
from hub.errors import NotFound, NotPermitted
from hub.exchange.add_objects import add_objects
from hub.exchange.collections import add_collection, grant_collection
from hub.exchange.explain import explain_sharing
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.publishing_collections import publish_collection
from hub.exchange.reading import read_manifest, read_objects
from hub.exchange.receive import receive_page
from hub.exchange.withdraw import withdraw_object
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens, revoke_token
from hub.peers.group_listing import list_group_states
from hub.peers.groups import add_member
from hub.storage.queries.peers import find_peer, update_peer
from schemas.identifiers import FeedName, direct_audience
from schemas.markings import Tlp
from schemas.signed_envelope import HEAD_TYPE
from schemas.strict_json import strict_loads, write_json
from schemas.taxii.paging import read_page_request
from tests.support.grouped_nodes import group_of, join_group, leave_group, open_group
from tests.support.joined_nodes import entry_states, make_twin, states, sync, view_ids
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import (
    Author,
    domain,
    drafts,
    indicator,
    join,
    marked,
    page_of,
    relationship,
    stix_id,
)
from tests.support.stored_state import check_invariants, rows_of

GID = "g-" + "q" * 26


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def a(tmp_path, clock):
    made = make_node(tmp_path, "alpha", clock)
    yield made
    made.database.close()


@pytest.fixture
def b(tmp_path, clock, a):
    """A node that both sides hold as a peer at trust ``trusted``."""
    made = make_node(tmp_path, "beta", clock)
    join(made, a, name="alpha")
    join(a, made, name="beta")
    yield made
    made.database.close()


def publish(node, *values, tlp=Tlp.AMBER, groups=("banks",), **members):
    return publish_objects(node, PublishRequest(drafts(*values), tlp, groups=groups, **members))


def reader(node, name, kind="subscriber", **options):
    add_token(node, name, kind, **options)
    return Reader.of(next(row for row in list_tokens(node) if row.name == name))


def read(node, who, collection="originals"):
    """The ids of the indicators that a reader finds."""
    page = read_objects(node, who, collection, read_page_request([])).body
    found = strict_loads(page).get("objects", [])
    return {value["id"] for value in found if value["type"] == "indicator"}


def ids(*numbers):
    return {stix_id("indicator", number) for number in numbers}


def refusal(node, *values, **request):
    with pytest.raises(SharingRefused) as refused:
        publish(node, *values, **request)
    return refused.value.code


# --- publishing --------------------------------------------------------------------------------


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_empty_group_is_nobody(a, dry_run):
    group_of(a)
    assert refusal(a, indicator(), dry_run=dry_run) == "E_GROUP_EMPTY"
    assert refusal(a, indicator(), tlp=Tlp.GREEN, dry_run=dry_run) == "E_GROUP_EMPTY"


@pytest.mark.parametrize(
    ("tlp", "code"), [(Tlp.CLEAR, "E_CLEAR_TO_NAMED"), (Tlp.RED, "E_RED_UNSUPPORTED")]
)
def test_a_group_takes_green_to_amber_strict(a, b, tlp, code):
    group_of(a, b)
    assert refusal(a, indicator(), tlp=tlp) == code
    for number, label in enumerate((Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT), 1):
        assert publish(a, indicator(number), tlp=label).objects == 1
    sync(a, b, open_group(a).gid)
    assert view_ids(b, Tlp.GREEN) >= ids(1)
    assert view_ids(b, Tlp.AMBER_STRICT) >= ids(1, 2, 3)


def test_a_group_that_is_not_there_fails(a):
    with pytest.raises(NotFound, match="E_GROUP_UNKNOWN"):
        publish(a, indicator())


def test_a_group_whose_members_may_not_read_is_refused(tmp_path, clock, a):
    other = make_node(tmp_path, "gamma", clock)
    join(a, other, trust="member", name="gamma")
    group_of(a, other)
    assert refusal(a, indicator()) == "E_AUDIENCE_REFUSED"
    assert publish(a, indicator(), dry_run=True).audience[0].decision == "refused"
    told = publish(a, indicator(), tlp=Tlp.GREEN)
    assert [line.code for line in told.audience] == ["ALLOWED_GREEN_MEMBER"]


def test_groups_and_peers_are_named_together(tmp_path, clock, a, b):
    others = [make_node(tmp_path, name, clock) for name in ("gamma", "delta")]
    peers = [join(a, other, name=name) for other, name in zip(others, "cd", strict=True)]
    group_of(a, b)
    group_of(a, b, others[0], name="cert")
    told = publish(a, indicator(), groups=("banks", "cert", "banks"), to=(peers[1],))
    direct = FeedName(a.node_id, direct_audience(others[1].node_id))
    assert told.feeds == (
        str(direct), open_group(a, "banks").feed.feed, open_group(a, "cert").feed.feed,
    )  # fmt: skip
    assert {line.decision for line in told.audience} == {"allowed"}
    only = publish(a, indicator(2))
    assert {line.name: line.code for line in only.audience} == {
        "beta": "ALLOWED_AMBER_NAMED", "c": "REFUSED_NOT_NAMED", "d": "REFUSED_NOT_NAMED",
    }  # fmt: skip


def test_a_reference_into_the_feed_before_is_a_leak_in_the_next(tmp_path, clock, a, b):
    """Who joins after a removal never had what the closed feed carried (PROTOCOL 3.4)."""
    other = make_node(tmp_path, "gamma", clock)
    join(a, other, name="gamma")
    group_of(a, b, other)
    publish(a, domain("one.example"), domain("two.example"))
    leave_group(a, other)
    pointing = relationship(1, domain("one.example")["id"], domain("two.example")["id"])
    told = publish(a, pointing)
    assert [(line.stix_id, line.code) for line in told.refused] == [
        (pointing["id"], "E_REF_LEAK"), (pointing["id"], "E_REF_LEAK"),
    ]  # fmt: skip
    told = publish(a, domain("one.example"), domain("two.example"), pointing)
    assert (told.objects, told.refused) == (3, ())
    sync(a, b, open_group(a).gid)
    assert {state for _, state, _ in entry_states(b, open_group(a).feed.name)} == {"stored"}


def test_what_a_late_member_cannot_resolve_is_refused_or_sent_again(a, b):
    group_of(a, history="join")
    join_group(a, b)
    publish(a, domain("one.example"), domain("two.example"))
    late = Author(3)
    late.meets(a, name="late")
    with a.database.read() as tx:
        peer = find_peer(tx, late.node_id)
    add_member(a, "banks", peer)
    pointing = relationship(1, domain("one.example")["id"], domain("two.example")["id"])
    assert {line.code for line in publish(a, pointing).refused} == {"E_REF_LEAK"}
    again = publish(a, domain("one.example"), domain("two.example"), pointing)
    assert again.refused == ()
    before = open_group(a).feed.last_seq
    assert publish(a, domain("one.example"), domain("two.example"), pointing).entries == 0
    assert open_group(a).feed.last_seq == before


def test_an_observable_is_withdrawn_from_nobody_who_may_not_read_it(tmp_path, clock, a, b):
    """Its id is a hash of its value: telling the id tells the value to who guesses."""
    other = make_node(tmp_path, "gamma", clock)
    demoted = join(a, other, name="gamma")
    group_of(a, b, other)
    value = domain("secret.example")
    publish(a, value, indicator(1))
    leave_group(a, other)
    with a.database.write() as tx:
        update_peer(tx, demoted.node_id, trust=2)
    to_b, to_other = (open_group(a).feed.feed, f"{a.node_id}/{direct_audience(other.node_id)}/1")
    done = withdraw_object(a, value["id"], "not true")
    assert [feed for feed, _, _ in done.entries] == [to_b]
    # A random id gives nothing away, and whoever read it while it could has to drop it.
    done = withdraw_object(a, stix_id("indicator", 1), "not true")
    assert {feed for feed, _, _ in done.entries} == {to_b, to_other}
    payload = rows_of(
        a, f"SELECT record, kind FROM entries JOIN feeds USING (feed_row) WHERE feed = '{to_other}'"
    )
    assert [row["kind"] for row in payload] == ["retract"]
    assert b"name-1.example" not in bytes(payload[0]["record"])


# --- receiving ---------------------------------------------------------------------------------


def roster(author, gid=GID, **changes):
    return {
        "gid": gid, "name": "Banks, all of them", "roster": "members",
        "members": [author.node_id], "history": "all",
    } | changes  # fmt: skip


def found(author):
    author.write(GID, kind="group", group=roster(author))


def test_a_group_of_another_is_listed_as_its_origin_tells_it(a):
    author = Author(1)
    author.meets(a, name="registry")
    found(author)
    author.deliver(a, GID)
    (state,) = list_group_states(a)
    assert (state.name, state.origin_name, state.own) == ("Banks, all of them", "registry", False)
    author.write(GID, kind="group", group=roster(author, name="B\x1b[2Janks", roster="members"))
    author.write(GID, kind="group", group={**roster(author), "members": [author.node_id, "1" * 52]})
    author.deliver(a, GID)
    # The third is malformed: the second counts, its name made fit to be shown.
    assert [state.name for state in list_group_states(a)] == ["B\\x1b[2Janks"]


def test_a_closed_group_takes_nothing_more(a):
    author = Author(1)
    author.meets(a, name="registry")
    found(author)
    author.write(GID, kind="retract", ids=[GID])
    author.put(GID, indicator(1), policy={"tlp": "amber"})
    received = author.deliver(a, GID)
    assert (received.last_seq, received.error.code) == (2, "E_FEED")
    assert [state.state for state in list_group_states(a)] == ["closed"]


def anchored(author, seq, audience=GID, **page):
    """A page of a feed after ``seq``, with the origin's anchor there."""
    feed = author.feed(audience)
    payload = head_payload(feed.name, seq, feed.hashes[seq - 1], author.at)
    anchor = seal(author.owner.entry, HEAD_TYPE, payload).to_json()
    made = page_of(feed.entries[seq:])
    return type(made)(
        made.more, made.next_seq, page.get("objects", made.objects), made.head, made.relay_head,
        page.get("anchor", anchor),
    )  # fmt: skip


def take(node, author, page, audience=GID, sender=None):
    with node.database.read() as tx:
        peer = find_peer(tx, (sender or author).node_id)
    return receive_page(node, feed=author.feed(audience).name, sender=peer, page=page)


@pytest.fixture
def author(a):
    made = Author(1)
    made.meets(a, name="registry")
    found(made)
    made.put(GID, indicator(1), policy={"tlp": "amber"})
    made.write(GID, kind="group", group=roster(made, history="join"))
    made.put(GID, indicator(2), policy={"tlp": "amber"})
    return made


def test_a_chain_begins_at_an_anchor_of_its_origin(a, author):
    received = take(a, author, anchored(author, 2))
    assert (received.entries, received.last_seq, received.error) == (2, 4, None)
    assert view_ids(a, Tlp.AMBER) >= ids(2)
    assert not view_ids(a, Tlp.AMBER) & ids(1)
    check_invariants(a)
    # What lies before is none of it, and the anchor that came again moves nothing.
    assert take(a, author, page_of(author.feed(GID).entries[:2])).error.code == "E_SEQ"
    author.put(GID, indicator(3), policy={"tlp": "amber"})
    assert take(a, author, anchored(author, 4)).last_seq == 5
    assert [row["seq"] for row in rows_of(a, "SELECT seq FROM feed_anchors")] == [2]


def test_without_an_anchor_a_beginning_is_a_gap(a, author):
    assert take(a, author, page_of(author.feed(GID).entries[2:])).error.code == "E_GAP"
    assert rows_of(a, "SELECT * FROM feeds WHERE own = false") == []


def test_an_anchor_is_taken_from_the_origin_alone(a, author):
    relay = Author(2)
    relay.meets(a, name="relay")
    assert take(a, author, anchored(author, 2), sender=relay).error.code == "E_RELAY_FORBIDDEN"
    assert rows_of(a, "SELECT * FROM feed_anchors") == []


def test_an_open_feed_has_no_anchor(a, author):
    author.put("green", indicator(5))
    author.put("green", indicator(6))
    page = anchored(author, 1, "green")
    assert take(a, author, page, "green").error.code == "E_GAP"


@pytest.mark.parametrize("fault", ["signature", "feed", "place", "shape"])
def test_an_anchor_that_does_not_hold_stores_nothing(a, author, fault):
    other = Author(4)
    feed = author.feed(GID)
    anchor = {
        "signature": lambda: seal(
            other.owner.entry, HEAD_TYPE, head_payload(feed.name, 2, feed.hashes[1], author.at)
        ).to_json(),
        "feed": lambda: author.head("green"),
        "place": lambda: seal(
            author.owner.entry, HEAD_TYPE, head_payload(feed.name, 2, feed.hashes[0], author.at)
        ).to_json(),
        "shape": lambda: {"payload": 1},
    }[fault]()
    received = take(a, author, anchored(author, 2, anchor=anchor))
    assert received.error is not None
    assert received.entries == 0
    assert rows_of(a, "SELECT * FROM feed_anchors") == []


# --- readers without a node --------------------------------------------------------------------


def test_own_tokens_read_what_a_group_carries_and_constituents_by_their_zones(a, b):
    group_of(a, b)
    siem = reader(a, "siem", "own", originals=True)
    near = reader(a, "near", "constituent", originals=True, zones=["name-1.example"])
    publish(a, indicator(1), indicator(2))
    assert read(a, siem) == ids(1, 2)
    assert read(a, near) == ids(1)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_subscriber_reads_what_its_groups_carry(a, b, when):
    group_of(a, b)
    group_of(a, b, name="cert")
    made = {}

    def readers():
        made["in"] = reader(a, "in", originals=True, groups=["banks"])
        made["tight"] = reader(a, "tight", originals=True, groups=["banks"], max_tlp=Tlp.AMBER)
        made["out"] = reader(a, "out", originals=True)

    if when == "before":
        readers()
    publish(a, indicator(1))
    publish(a, indicator(2), groups=("cert",))
    publish(a, indicator(3), tlp=Tlp.AMBER_STRICT)
    publish(a, indicator(4), tlp=Tlp.GREEN, groups=("cert",))
    if when == "after":
        readers()
    assert read(a, made["in"]) == ids(1, 3, 4)
    assert read(a, made["tight"]) == ids(1, 4)
    assert read(a, made["out"]) == ids(4)
    assert explain_sharing(a, stix_id("indicator", 1), "in").code == "ALLOWED_READER_GROUP"
    assert explain_sharing(a, stix_id("indicator", 2), "in").code == "REFUSED_NOT_IN_GROUP"
    assert explain_sharing(a, stix_id("indicator", 1), "out").code == "REFUSED_CLEARANCE"


def test_what_another_group_carries_later_is_shown_then(a, b):
    """The object stands in the common views already, which stay as they are."""
    group_of(a, b)
    group_of(a, b, name="cert")
    publish(a, indicator(1), groups=("cert",))
    follower = reader(a, "in", originals=True, groups=["banks"])
    collection = add_collection(a, "Banks", alias="of-banks", select="group=banks").collection_id
    siem = reader(a, "siem", "own")
    grant_collection(a, "of-banks", "siem", can_read=True)
    counts = "SELECT ceiling, COUNT(*) AS n FROM view_rows JOIN views USING (view_id) WHERE"
    common = f"{counts} organisation_id = '' AND collection_id <> '{collection}' GROUP BY ceiling"
    before = rows_of(a, common)
    assert (read(a, follower), read(a, siem, "of-banks")) == (set(), set())
    publish(a, indicator(1))
    assert (read(a, follower), read(a, siem, "of-banks")) == (ids(1), ids(1))
    assert rows_of(a, common) == before


@pytest.mark.parametrize("who", ["plain", "tight", "follower"])
def test_what_another_group_carries_changes_nothing_that_a_reader_sees(tmp_path, who):
    """Two hubs publish alike, but for what the reader may not see: each page is the same."""
    sees = {
        "plain": lambda tlp, _group: tlp <= Tlp.GREEN,
        "tight": lambda tlp, group: tlp <= Tlp.GREEN or (group == "banks" and tlp is Tlp.AMBER),
        "follower": lambda tlp, group: tlp <= Tlp.GREEN or group == "banks",
    }[who]
    options = {
        "plain": {},
        "tight": {"groups": ["banks"], "max_tlp": Tlp.AMBER},
        "follower": {"groups": ["banks"]},
    }[who]
    pages = []
    for place, everything in (("whole", True), ("narrow", False)):
        node = make_twin(tmp_path / place)
        for name in ("banks", "cert"):
            group_of(node, name=name)
            reader(node, f"of-{name}", groups=[name])
        asked = reader(node, who, originals=True, **options)
        for number, (group, tlp) in enumerate(
            itertools.product(("cert", "banks", "cert"), (Tlp.AMBER_STRICT, Tlp.AMBER, Tlp.GREEN))
        ):
            node.clock.advance(seconds=1)
            if everything or sees(tlp, group):
                publish(node, indicator(number), tlp=tlp, groups=(group,))
        found = [
            ask(node, asked, "originals", read_page_request([]))
            for ask in (read_objects, read_manifest)
        ]
        pages.append([(page.body, page.first, page.last) for page in found])
        node.database.close()
    assert b"indicator--" in pages[0][0][0]
    for one, other in zip(*pages, strict=True):
        assert strict_loads(one[0]) == strict_loads(other[0])
    assert pages[0] == pages[1]


def test_a_revoked_subscriber_follows_nothing(a, b):
    group_of(a, b)
    reader(a, "in", originals=True, groups=["banks"])
    revoke_token(a, "in")
    publish(a, indicator(1))
    assert rows_of(a, "SELECT * FROM views WHERE organisation_id <> ''") == []


def test_a_group_with_a_subscriber_alone_is_somebody(a):
    group_of(a)
    reader(a, "in", originals=True, groups=["banks"])
    told = publish(a, indicator(1))
    assert (told.objects, told.audience) == (1, ())
    (state,) = list_group_states(a)
    assert (state.members, state.subscribers) == ((), ("in",))


def test_only_subscribers_follow_groups_and_only_own_ones(a):
    author = Author(1)
    author.meets(a, name="registry")
    found(author)
    author.deliver(a, GID)
    for name in ("banks", "Banks, all of them"):
        with pytest.raises(NotFound, match="E_GROUP_UNKNOWN"):
            add_token(a, "in", "subscriber", groups=[name])
    group_of(a)
    for kind in ("own", "constituent", "public", "writer", "admin"):
        with pytest.raises(NotPermitted, match="E_TOKEN_SCOPE"):
            add_token(a, "in", kind, groups=["banks"])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_selection_holds_what_a_group_carries(a, b, when):
    """Its own group by name, another node's as ORIGIN/NAME; each reader by its clearance."""
    author = Author(1)
    author.meets(a, name="registry")
    found(author)
    author.deliver(a, GID)
    group_of(a, b)
    text = "group=banks,group=registry/Banks%2C all of them"
    if when == "before":
        add_collection(a, "Groups", alias="groups", select=text)
    publish(a, indicator(1))
    publish_objects(a, PublishRequest(drafts(indicator(2)), Tlp.GREEN))
    author.put(GID, indicator(3), policy={"tlp": "amber"})
    author.deliver(a, GID)
    if when == "after":
        add_collection(a, "Groups", alias="groups", select=text)
    siem = reader(a, "siem", "own")
    grant_collection(a, "groups", "siem", can_read=True)
    assert read(a, siem, "groups") == ids(1, 3)


def test_a_collection_publishes_to_a_group(a, b):
    group_of(a, b)
    row = add_collection(a, "Sensors", alias="sensors", publish_to="banks")
    assert row.publish_to == "group=banks"
    add_token(a, "sensor", "writer")
    grant_collection(a, "sensors", "sensor", can_write=True)
    sensor = Reader.of(next(r for r in list_tokens(a) if r.name == "sensor"))
    values = [marked(indicator(1), Tlp.AMBER), marked(indicator(2), Tlp.CLEAR)]
    add_objects(a, sensor, "sensors", write_json({"objects": values}))
    assert publish_collection(a, row.collection_id).published == 2
    sync(a, b, open_group(a).gid)
    assert view_ids(b, Tlp.AMBER) >= ids(1, 2)
    assert view_ids(b, Tlp.GREEN) & ids(1, 2) == ids(2)


def test_a_collection_whose_group_is_empty_publishes_nothing(a):
    group_of(a)
    row = add_collection(a, "Sensors", alias="sensors", publish_to="banks")
    add_token(a, "sensor", "writer")
    grant_collection(a, "sensors", "sensor", can_write=True)
    sensor = Reader.of(next(r for r in list_tokens(a) if r.name == "sensor"))
    body = write_json({"objects": [marked(indicator(1), Tlp.AMBER)]})
    add_objects(a, sensor, "sensors", body)
    assert dict(publish_collection(a, row.collection_id).refused) == {"E_GROUP_EMPTY": 1}


# --- why ---------------------------------------------------------------------------------------


def test_why_a_peer_reads_what_a_group_carries(tmp_path, clock, a, b):
    other = make_node(tmp_path, "gamma", clock)
    join(a, other, name="gamma")
    group_of(a, b, history="join")
    publish(a, indicator(1))
    found = explain_sharing(a, stix_id("indicator", 1), "beta")
    assert found.code == "ALLOWED_AMBER_NAMED"
    assert "The group banks carries it." in found.sentences
    assert explain_sharing(a, stix_id("indicator", 1), "gamma").code == "REFUSED_NOT_NAMED"
    join_group(a, other)
    assert explain_sharing(a, stix_id("indicator", 1), "gamma").code == "REFUSED_BEFORE_JOINED"
    leave_group(a, b)
    assert explain_sharing(a, stix_id("indicator", 1), "beta").code == "REFUSED_NOT_NAMED"
    assert states(a, stix_id("indicator", 1)) == [("accepted", None)]
