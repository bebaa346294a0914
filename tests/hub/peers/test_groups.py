"""Groups over three nodes and real HTTP: who gets what, who leaves, and who learns of nothing."""

from __future__ import annotations

import hashlib
import itertools
import re
from datetime import timedelta

import pytest
from sqlalchemy import event

from hub.errors import Conflict, NotFound
from hub.exchange.serve_feeds import own_heads_for
from hub.exchange.withdraw import withdraw_object
from hub.operators.tokens import add_token
from hub.peers.audiences import is_named
from hub.peers.group_listing import list_group_states
from hub.peers.groups import (
    adopt_recovered_group,
    create_group,
    feeds_that_reach,
    finish_removals,
)
from hub.peers.may_sign import settle
from hub.peers.push import push_peer
from hub.peers.self_check import begin_self_check, check_own_feeds
from hub.storage.queries.jobs import drop_jobs, subjects_with_job
from hub.storage.queries.positions import note_position
from hub.workers.jobs import run_due_jobs
from hub.workers.schedule import plan_work
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, direct_audience
from schemas.strict_json import strict_loads
from tests.support.grouped_nodes import (
    feed_held,
    group_feeds,
    group_of,
    join_group,
    leave_group,
    open_group,
    publish_to_group,
    pull,
    state_of,
)
from tests.support.joined_nodes import states
from tests.support.nodes import (
    FixedClock,
    give_trust,
    make_node,
    names_seen,
    pair,
    peer_of,
    serving,
)
from tests.support.signed_requests import NOT_FOUND, ask
from tests.support.stored_state import check_invariants, envelope_in, rows_of

ROOT = "/taxii2/fed/collections/"


@pytest.fixture(scope="module")
def clock():
    return FixedClock()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory, clock):
    """a, served, with b and c as verified peers at trust ``trusted``, unknown to each other."""
    home = tmp_path_factory.mktemp("groups")
    a, b, c = (make_node(home, name, clock) for name in ("alpha", "beta", "gamma"))
    with serving(a):
        pair(a, b, "trusted")
        pair(a, c, "trusted")
        yield a, b, c


@pytest.fixture
def group(request):
    """A name for this test's group, and the end of the names that it publishes."""
    return "g" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]


def publish(node, group, *words, tlp="amber"):
    return publish_to_group(node, [f"{word}.{group}.example" for word in words], tlp, group)


def seen(node, group):
    """What a node holds of what a test published, without the test's own ending."""
    ending = f".{group}.example"
    return {name.removesuffix(ending) for name in names_seen(node) if name.endswith(ending)}


def state_at(node, group):
    """How a node sees this test's group; None when it does not know of it."""
    return next((state for state in list_group_states(node) if state.name == group), None)


def entries_of(node, feed):
    """The payloads of a feed's entries as a node holds them."""
    rows = rows_of(
        node,
        "SELECT record FROM entries JOIN feeds USING (feed_row)"
        f" WHERE feed = '{feed}' ORDER BY seq",
    )
    return [strict_loads(envelope_in(row["record"]).payload) for row in rows]


def listed(reader, server):
    found = strict_loads(ask(reader, server, ROOT).body).get("collections", [])
    return {collection["x_tocsin_feed"] for collection in found}


# --- what a group is ---------------------------------------------------------------------------


def test_a_group_begins_with_its_roster_and_has_nobody_in_it(nodes, group):
    a, _, _ = nodes
    made = create_group(a, group)
    assert made.members == frozenset()
    assert made.gid.startswith("g-")
    first = entries_of(a, made.feed.feed)[0]
    assert (first["seq"], first["kind"], first["policy"]["tlp"]) == (1, "group", "green")
    assert first["group"] == {
        "gid": made.gid, "name": group, "roster": "members", "members": [a.node_id],
        "history": "all",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "a,b", "a" * 65, "clear", "green", "ä"])
def test_a_name_that_may_mean_something_else_is_refused(nodes, name):
    with pytest.raises(WireFormatError, match="E_SCHEMA"):
        create_group(nodes[0], name)


def test_a_name_is_given_once(nodes, group):
    a, b, _ = nodes
    group_of(a, b, name=group)
    with pytest.raises(Conflict, match="E_GROUP_EXISTS"):
        create_group(a, group)
    with pytest.raises(Conflict, match="E_GROUP_MEMBER"):
        join_group(a, b, group)
    with pytest.raises(NotFound, match="E_GROUP_UNKNOWN"):
        join_group(a, b, "nobody")
    with pytest.raises(Conflict, match="E_GROUP_MEMBER"):
        leave_group(a, nodes[2], group)


def test_members_take_what_is_for_the_group_and_others_do_not(nodes, group):
    a, b, c = nodes
    made = group_of(a, b, name=group)
    publish(a, group, "secret")
    pull(b, a)
    pull(c, a)
    assert seen(b, group) == {"secret"}
    assert seen(c, group) == set()
    assert made.feed.feed not in group_feeds(c)
    assert made.feed.feed in group_feeds(b)
    check_invariants(b)


def test_the_roster_is_told_to_members_unless_it_is_hidden(nodes, group):
    a, b, c = nodes
    group_of(a, b, c, name=group)
    group_of(a, b, c, name="quiet", roster="hidden")
    pull(b, a)
    open_one, hidden = (state_at(b, name) for name in (group, "quiet"))
    assert (open_one.name, open_one.own, open_one.origin) == (group, False, a.node_id)
    assert {member.peer for member in open_one.members} == {a.node_id, b.node_id, c.node_id}
    assert {member.name for member in open_one.members} >= {"alpha", "self"}
    assert (hidden.roster, hidden.members) == ("hidden", None)
    assert all("members" not in entry["group"] for entry in entries_of(b, hidden.feed))
    # Who is there already is not told that somebody came.
    assert hidden.entries == 1


def test_a_group_is_taken_from_its_origin_alone(nodes, group, tmp_path, clock):
    a, b, _ = nodes
    made = group_of(a, b, name=group)
    publish(a, group, "secret")
    pull(b, a)
    d = make_node(tmp_path, "delta", clock)
    with serving(b):
        pair(b, d, "trusted")
        pull(d, b)
        assert made.feed.feed not in listed(d, b)
        assert group_feeds(d) == []


# --- who may not know --------------------------------------------------------------------------


def test_t46_class11_no_door_tells_a_non_member_that_there_is_a_group(nodes, group):
    """Pages, collections, heads, listings and wake-ups: as if the group were not there."""
    a, b, c = nodes
    made = group_of(a, b, name=group)
    publish(a, group, "secret")
    hidden, nothing = made.feed.name, FeedName(a.node_id, "g-" + "a" * 26)
    for door in (
        "/taxii2/fed/collections/{id}/",
        "/taxii2/fed/collections/{id}/objects/",
        "/taxii2/fed/collections/{id}/objects/?next=seq:0&limit=1",
        "/taxii2/fed/collections/{id}/manifest/",
        "/taxii2/fed/collections/{id}/status/0/",
        "/federation/v1/heads?feed={feed}",
    ):
        answers = [
            ask(c, a, door.format(id=feed.collection_id, feed=feed)) for feed in (hidden, nothing)
        ]
        assert [answer.status for answer in answers] == [404, 404], door
        assert [answer.body for answer in answers] == [NOT_FOUND, NOT_FOUND], door
    assert hidden.audience.encode() not in ask(c, a, ROOT).body
    assert hidden.audience.encode() not in ask(c, a, "/federation/v1/heads").body
    assert ask(b, a, f"{ROOT}{hidden.collection_id}/").status == 200
    with a.database.read() as tx:
        assert not any(
            hidden.audience.encode() in head for head in own_heads_for(tx, peer_of(a, c))
        )


def test_class_11_a_refusal_costs_the_same_statements_as_nothing(nodes, group):
    a, b, c = nodes
    made = group_of(a, b, name=group)
    seen: list[str] = []

    def note(_conn, _cursor, statement, *_rest):
        seen.append(statement)

    def statements(door):
        seen.clear()
        assert ask(c, a, door).status == 404
        return [re.sub(r"sa_savepoint_\d+", "", statement) for statement in seen]

    nothing = FeedName(a.node_id, "g-" + "a" * 26)
    event.listen(a.database.engine, "before_cursor_execute", note)
    try:
        for door in (ROOT + "{}/", ROOT + "{}/objects/"):
            held = statements(door.format(made.feed.collection_id))
            assert held == statements(door.format(nothing.collection_id)), door
        heads = "/federation/v1/heads?feed={}"
        assert statements(heads.format(made.feed.name)) == statements(heads.format(nothing))
    finally:
        event.remove(a.database.engine, "before_cursor_execute", note)


def test_what_is_published_to_a_group_wakes_its_members_alone(nodes, group):
    a, b, c = nodes
    group_of(a, b, name=group)
    with a.database.write() as tx:
        drop_jobs(tx, b.node_id)
        drop_jobs(tx, c.node_id)
    publish(a, group, "secret")
    with a.database.read() as tx:
        assert subjects_with_job(tx, "wake") == {b.node_id}


# --- trust -------------------------------------------------------------------------------------


def test_a_demoted_member_loses_the_feed_and_the_sender_is_told(nodes, group):
    a, b, c = nodes
    made = group_of(a, b, c, name=group)
    publish(a, group, "green", tlp="green")
    give_trust(a, b, "member")
    assert made.feed.feed in listed(b, a)
    told = publish(a, group, "amber")
    lines = {line.name: line for line in told.audience}
    assert lines["gamma"].code == "ALLOWED_AMBER_NAMED"
    assert lines["beta"].code == "REFUSED_TRUST_TOO_LOW"
    assert made.feed.feed not in listed(b, a)
    pull(b, a)
    assert seen(b, group) == set()
    by_name = {member.name: member for member in state_of(a, group).members}
    give_trust(a, b, "trusted")
    assert (by_name["beta"].reads, by_name["gamma"].reads) == (False, True)
    assert "'trusted'" in by_name["beta"].why


def test_the_sender_is_told_what_each_member_is_known_to_hold(nodes, group, clock):
    a, b, c = nodes
    made = group_of(a, b, c, name=group)
    publish(a, group, "one")
    with a.database.write() as tx:
        note_position(tx, made.feed.feed_row, b.node_id, 3, "ack", clock.now())
    by_name = {member.name: member for member in state_of(a, group).members}
    assert (by_name["beta"].holds, by_name["beta"].lag) == (3, 1)
    assert (by_name["gamma"].holds, by_name["gamma"].lag) == (None, 4)
    told = publish(a, group, "two")
    lines = {line.name: line for line in told.audience}
    assert lines["beta"].why.endswith(f"It has not confirmed the last 1 entry of {group} yet.")
    assert "confirmed" not in lines["gamma"].why


def test_a_member_confirms_by_itself_what_it_holds(nodes, group, clock):
    a, b, _ = nodes
    made = group_of(a, b, name=group)
    publish(a, group, "one")
    pull(b, a)
    plan_work(b)
    clock.advance(timedelta(minutes=1))
    run_due_jobs(b)
    (member,) = state_of(a, group).members
    assert (member.holds, member.lag, member.confirmed_at) == (3, 0, clock.now())
    assert made.feed.feed == state_at(b, group).feed


# --- leaving -----------------------------------------------------------------------------------


def test_removing_a_member_closes_the_feed_and_opens_another(nodes, group):
    a, b, c = nodes
    before = group_of(a, b, c, name=group)
    publish(a, group, "before")
    pull(b, a)
    pull(c, a)
    after = leave_group(a, c, group)
    assert after.gid != before.gid
    assert after.members == {b.node_id}
    last = entries_of(a, before.feed.feed)[-1]
    assert (last["kind"], last["ids"]) == ("retract", [before.gid])
    assert "reason" not in last
    first = entries_of(a, after.feed.feed)[0]
    assert (first["kind"], first["seq"], first["group"]["name"]) == ("group", 1, group)
    assert first["group"]["members"] == sorted([a.node_id, b.node_id])
    assert feed_held(a, before.feed.name) == (5, "closed")

    publish(a, group, "after")
    pull(b, a)
    assert seen(b, group) == {"before", "after"}
    assert feed_held(b, before.feed.name) == (5, "closed")
    state = state_at(b, group)
    assert (state.gid, state.state) == (after.gid, "open")
    check_invariants(b)

    pull(c, a)
    assert seen(c, group) == {"before"}
    assert before.feed.feed in group_feeds(c)
    assert after.feed.feed not in group_feeds(c)
    for feed in (before.feed, after.feed):
        assert ask(c, a, f"{ROOT}{feed.collection_id}/objects/").body == NOT_FOUND
    with a.database.read() as tx:
        assert not is_named(tx, before.feed.name, c.node_id)


def test_who_is_removed_while_nothing_may_be_signed_reads_nothing_from_then_on(nodes, group):
    a, b, c = nodes
    before = group_of(a, b, c, name=group)
    publish(a, group, "before")
    begin_self_check(a)  # nothing is signed until the peers were asked
    with pytest.raises(Conflict, match="E_SELF_CHECK"):
        publish(a, group, "held")
    after = leave_group(a, c, group)
    assert (after.gid, after.members) == (before.gid, {b.node_id})
    objects = f"{ROOT}{before.feed.collection_id}/objects/"
    assert ask(c, a, objects).body == NOT_FOUND
    assert before.feed.feed not in listed(c, a)
    pull(c, a)
    assert seen(c, group) == set()
    assert ask(b, a, objects).status == 200
    with pytest.raises(Conflict, match="E_SELF_CHECK"):  # who comes has to wait
        join_group(a, c, group)
    assert finish_removals(a) == ()
    assert state_of(a, group).gid == before.gid

    check_own_feeds(a)  # the hold ends, and the feeds change
    assert finish_removals(a) == ()
    changed = open_group(a, group)
    assert (changed.gid != before.gid, changed.members) == (True, {b.node_id})
    assert feed_held(a, before.feed.name)[1] == "closed"
    assert entries_of(a, before.feed.feed)[-1]["ids"] == [before.gid]
    assert entries_of(a, changed.feed.feed)[0]["group"]["members"] == sorted([a.node_id, b.node_id])
    publish(a, group, "after")
    pull(b, a)
    pull(c, a)
    assert seen(b, group) == {"before", "after"}
    assert seen(c, group) == set()
    join_group(a, c, group)
    publish(a, group, "again")
    pull(c, a)
    assert "before" not in seen(c, group)


def test_the_worker_changes_the_feed_when_a_hold_has_ended_by_itself(nodes, group):
    a, b, c = nodes
    before = group_of(a, b, c, name=group)
    begin_self_check(a)
    leave_group(a, c, group)
    with a.database.write() as tx:
        settle(tx, a.now(), nobody_answers=True)
    plan_work(a)
    assert open_group(a, group).gid != before.gid


def test_who_left_and_comes_back_reads_what_comes_then(nodes, group):
    a, b, c = nodes
    group_of(a, b, c, name=group)
    leave_group(a, c, group)
    publish(a, group, "meanwhile")
    leave_group(a, b, group)
    join_group(a, c, group)
    publish(a, group, "again")
    pull(c, a)
    assert seen(c, group) == {"again"}


def test_who_leaves_loses_every_feed_that_the_group_had(nodes, group):
    a, b, c = nodes
    first = group_of(a, b, c, name=group)
    second = leave_group(a, c, group)
    assert {first.feed.feed, second.feed.feed} <= listed(b, a)
    third = leave_group(a, b, group)
    assert third.members == frozenset()
    assert not {first.feed.feed, second.feed.feed, third.feed.feed} & listed(b, a)


# --- history -----------------------------------------------------------------------------------


def test_history_all_is_read_from_the_start(nodes, group):
    a, b, c = nodes
    group_of(a, b, name=group, history="all")
    publish(a, group, "before")
    join_group(a, c, group)
    pull(c, a)
    assert seen(c, group) == {"before"}


def test_history_join_begins_at_an_anchored_head(nodes, group, clock):
    a, b, c = nodes
    made = group_of(a, b, name=group, history="join")
    publish(a, group, "before")
    k = open_group(a, group).feed.last_seq
    clock.advance(timedelta(hours=1))
    join_group(a, c, group)
    publish(a, group, "after")

    page = strict_loads(ask(c, a, f"{ROOT}{made.feed.collection_id}/objects/").body)
    assert [entry["seq"] for entry in page["objects"]] == [k + 1, k + 2]
    pull(c, a)
    assert seen(c, group) == {"after"}
    (anchor,) = rows_of(
        c,
        "SELECT seq, hash FROM feed_anchors JOIN feeds USING (feed_row)"
        f" WHERE feed = '{made.feed.feed}'",
    )
    held = rows_of(
        a,
        "SELECT hash FROM entries JOIN feeds USING (feed_row)"
        f" WHERE feed = '{made.feed.feed}' AND seq = {k}",
    )
    assert (anchor["seq"], anchor["hash"]) == (k, held[0]["hash"])
    assert feed_held(c, made.feed.name) == (k + 2, "open")
    check_invariants(c)

    # From then on it is a chain like any other, and b's never had an anchor of this place.
    publish(a, group, "later")
    pull(c, a)
    pull(b, a)
    assert seen(c, group) == {"after", "later"}
    assert seen(b, group) == {"before", "after", "later"}
    page = strict_loads(ask(c, a, f"{ROOT}{made.feed.collection_id}/objects/?next=seq:{k}").body)
    assert "x_tocsin_anchor" not in page


def test_the_hint_at_what_is_urgent_says_nothing_of_what_came_before_a_readers_part(nodes, group):
    a, b, c = nodes
    made = group_of(a, b, name=group, history="join")
    publish_to_group(a, [f"before.{group}.example"], "amber", group, urgency="immediate")
    urgent = open_group(a, group).feed.last_seq
    join_group(a, c, group)

    def hints(reader):
        found = strict_loads(ask(reader, a, ROOT).body)["collections"]
        (of_listing,) = [each for each in found if each["id"] == made.feed.collection_id]
        of_one = strict_loads(ask(reader, a, f"{ROOT}{made.feed.collection_id}/").body)
        assert of_listing == of_one
        return of_one.get("x_tocsin_urgency")

    assert hints(b) == {"immediate": urgent}
    assert hints(c) is None


def test_what_came_before_is_repeated_for_who_joined_later(nodes, group):
    """A reference to it would dangle at the newest member, and cost it the whole entry."""
    a, b, c = nodes
    group_of(a, b, name=group, history="join")
    publish(a, group, "old")
    join_group(a, c, group)
    # The marking-definition of AMBER stands before the anchor: it has to come again.
    publish(a, group, "new")
    pull(c, a)
    rejected = rows_of(c, "SELECT seq, code FROM entries WHERE state = 'rejected'")
    assert (seen(c, group), rejected) == ({"new"}, [])


def test_a_node_that_nobody_reaches_pushes_a_members_own_part(tmp_path, clock):
    """The anchor goes beside the entries; what came before it does not leave, whoever asks."""
    b, a = (make_node(tmp_path, name, clock) for name in ("reached", "hidden"))
    with serving(b):
        pair(b, a, "trusted")
        made = group_of(a, name="banks", history="join")
        add_token(a, "reader", "subscriber", groups=["banks"])
        publish_to_group(a, ["before.example"])
        join_group(a, b)
        publish_to_group(a, ["after.example"])
        k = open_group(a).feed.last_seq - 2
        outcome = push_peer(a, peer_of(a, b))
        assert (outcome.error, names_seen(b)) == (None, {"after.example"})
        assert feed_held(b, made.feed.name) == (k + 2, "open")
        # Lost there, it is asked for from the start, and given from its own beginning again.
        with b.database.write() as tx:
            for table in ("feed_anchors", "carried", "entries", "feeds"):
                tx.connection.exec_driver_sql(f"DELETE FROM {table}")
        publish_to_group(a, ["later.example"])
        push_peer(a, peer_of(a, b))
        assert [row["seq"] for row in rows_of(b, "SELECT seq FROM feed_anchors")] == [k]
        assert "before.example" not in names_seen(b)


# --- later words -------------------------------------------------------------------------------


def test_a_withdrawal_reaches_everybody_who_may_have_it(nodes, group):
    a, b, c = nodes
    before = group_of(a, b, c, name=group)
    stix_id = publish(a, group, "wrong").stix_ids[0]
    pull(b, a)
    pull(c, a)
    after = leave_group(a, c, group)
    to_c = FeedName(a.node_id, direct_audience(c.node_id))
    with a.database.read() as tx:
        assert set(feeds_that_reach(tx, a, before.feed.name)) == {after.feed.name, to_c}
    done = withdraw_object(a, stix_id, "not true")
    assert {feed for feed, _, _ in done.entries} == {after.feed.feed, str(to_c)}
    assert {receipt.name for receipt in done.receipts} == {"beta", "gamma"}
    pull(b, a)
    pull(c, a)
    for node in (b, c):
        assert ("withdrawn", None) in states(node, stix_id)
        # What SIEMs see is the last version, revoked.
        shown = rows_of(
            node,
            "SELECT DISTINCT revoked FROM view_rows JOIN objects USING (object_row)"
            f" WHERE stix_id = '{stix_id}'",
        )
        assert [bool(row["revoked"]) for row in shown] == [True]


def test_a_withdrawal_tells_nothing_to_who_came_later(nodes, group):
    a, b, c = nodes
    made = group_of(a, b, name=group, history="join")
    stix_id = publish(a, group, "wrong").stix_ids[0]
    join_group(a, c, group)
    done = withdraw_object(a, stix_id, "not true")
    assert [feed for feed, _, _ in done.entries] == [f"{a.node_id}/{direct_audience(b.node_id)}/1"]
    pull(b, a)
    pull(c, a)
    assert ("withdrawn", None) in states(b, stix_id)
    assert states(c, stix_id) == []
    assert "wrong" not in str(entries_of(c, made.feed.feed))


def test_an_object_of_a_group_is_withdrawn_in_its_feed(nodes, group):
    a, b, _ = nodes
    made = group_of(a, b, name=group)
    stix_id = publish(a, group, "wrong").stix_ids[0]
    done = withdraw_object(a, stix_id, "not true")
    assert [feed for feed, _, _ in done.entries] == [made.feed.feed]


# --- a property --------------------------------------------------------------------------------


@pytest.mark.parametrize("history", ["all", "join"])
def test_who_is_no_member_when_it_is_published_never_gets_it(nodes, group, history):
    """Every order of coming and going of one peer; what it holds is what its times entitle it to.

    With history ``all`` the feed that is open when it joins is its own from the start.
    """
    a, b, c = nodes
    group_of(a, b, name=group, history=history)
    numbers = itertools.count()
    entitled: set[str] = set()
    in_feed: set[str] = set()
    is_in = False
    for step in ("put", "toggle", "put", "toggle", "put", "toggle", "put"):
        if step == "put":
            name = f"name-{next(numbers)}"
            publish(a, group, name)
            in_feed.add(name)
            if is_in:
                entitled.add(name)
        elif is_in:
            # What it had not fetched when it left it does not get any more.
            pull(c, a)
            leave_group(a, c, group)
            in_feed, is_in = set(), False
        else:
            join_group(a, c, group)
            entitled |= in_feed if history == "all" else set()
            is_in = True
        pull(c, a)
        assert seen(c, group) <= entitled, step
    pull(b, a)
    assert seen(c, group) == entitled
    assert seen(b, group) == {f"name-{number}" for number in range(next(numbers))}


# --- after a restore ---------------------------------------------------------------------------


def test_a_recovered_roster_lets_nobody_back_in_who_was_removed(nodes, group, clock):
    """The entries came back from peers (PROTOCOL 4.6), the store's own lists are of before."""
    a, b, c = nodes
    before = group_of(a, b, c, name=group)
    after = leave_group(a, c, group)
    with a.database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM group_members WHERE gid = ?", (after.gid,))
        tx.connection.exec_driver_sql("DELETE FROM group_feeds WHERE gid = ?", (after.gid,))
        tx.connection.exec_driver_sql("UPDATE group_members SET removed_at = NULL")
        for feed in (after.feed.name, before.feed.name):
            adopt_recovered_group(tx, a, feed, clock.now())
    again = open_group(a, group)
    assert (again.gid, again.members) == (after.gid, {b.node_id})
    with a.database.read() as tx:
        assert not is_named(tx, before.feed.name, c.node_id)
        assert is_named(tx, before.feed.name, b.node_id)


def test_a_recovered_roster_gives_nobody_what_came_before_it(nodes, group, clock):
    a, b, c = nodes
    made = group_of(a, b, name=group, history="join")
    publish(a, group, "before")
    joined = join_group(a, c, group)
    publish(a, group, "after")
    with a.database.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM group_members WHERE gid = ?", (made.gid,))
        adopt_recovered_group(tx, a, made.feed.name, clock.now())
    since = {member.name: member.since for member in state_of(a, group).members}
    assert since == {"beta": 1, "gamma": joined.feed.last_seq - 1}
