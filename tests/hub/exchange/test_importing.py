from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation.errors import SharingRefused
from federation.policy.blocking import PAP_LEVELS
from hub.errors import Conflict
from hub.exchange.importing import ImportRequest, import_input, read_feed_name
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.publish_names import NameOptions, drafts_from_names
from hub.exchange.undo_import import undo_import
from hub.imports.drafts import Draft
from hub.imports.inputs import InputContext, open_input
from hub.imports.name_lists import read_name_list
from hub.peers.groups import PRIVATE_GROUP, add_member
from hub.storage.queries import imports as stored
from hub.storage.queries.claims import live_claims
from hub.storage.queries.feeds import list_feeds
from hub.storage.queries.objects import claims_of, list_objects
from hub.verdicts.explain_verdict import explain_name
from hub.verdicts.fuse import refresh_all, refresh_verdicts
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from tests.support.joined_nodes import sync
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import join

NAMES = b"# two\nevil.example\nBad[.]example\nhttp://page.example/x\n\nevil.example\n"
UNKNOWN = "marking-definition--00000000-0000-4000-8000-000000000009"
CREATED = "2026-02-01T10:00:00.000Z"


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    return make_node(tmp_path, "cert", clock)


def import_bytes(node, data, feed="urlhaus", *, wanted="auto", columns=None, **request):
    context = InputContext(node.node_id, node.identity, node.now(), columns or {})
    given_ = open_input(data, wanted, context)
    return import_input(node, ImportRequest(feed, **request), given_)


def own_indicators(node, state="accepted"):
    with node.database.read() as tx:
        return list_objects(tx, origin=node.node_id, state=state, stix_type="indicator")


def claims_on(node, name):
    refresh_verdicts(node)
    with node.database.read() as tx:
        return live_claims(tx, [name]).get(name, [])


def bundle(*objects):
    head = {"type": "bundle", "id": "bundle--00000000-0000-4000-8000-000000000000"}
    return json.dumps(head | {"objects": objects}).encode()


def indicator(number, **members):
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{number:08d}-0000-4000-8000-000000000000",
        "created": CREATED,
        "modified": CREATED,
        "pattern": f"[domain-name:value = 'n{number}.example']",
        "pattern_type": "stix",
        "valid_from": CREATED,
    } | members


def test_every_item_ends_in_one_count(node):
    done = import_bytes(node, NAMES)
    assert done.counts == {
        "total": 6, "taken": 1, "changed": 1, "duplicate": 1, "refused": 1, "comments": 1,
        "blanks": 1,
    }  # fmt: skip
    assert done.refused == {"E_NAME_URL": 1}
    assert done.examples["E_NAME_URL"][0] == 4
    assert done.labels == {"amber+strict": {"indicator": 2}}


def test_what_nobody_is_named_for_goes_where_only_this_node_reads(node):
    done = import_bytes(node, NAMES)
    [feed] = done.feeds
    assert "/g-" in feed
    with node.database.read() as tx:
        own = [row.feed for row in list_feeds(tx, own=True)]
    assert [name for name in own if not name.endswith("/clear/1")] == [feed]
    assert {row.tlp for row in own_indicators(node)} == {Tlp.AMBER_STRICT}


def test_what_is_imported_counts_here_in_the_lineage_of_its_feed(node):
    import_bytes(node, NAMES)
    [claim] = claims_on(node, "evil.example")
    assert claim.src == ("feed:urlhaus",)
    assert claim.origin == node.node_id


def test_t38_two_feeds_alone_block_nothing(node):
    """Two voices, and nobody at `trusted` who would answer for either (PROTOCOL 4.4)."""
    for feed in ("urlhaus", "threatfox"):
        options = NameOptions(confidence=100)
        import_bytes(node, b"evil.example\n", feed, pap="green", options=options)
    refresh_all(node)
    view = explain_name(node, "evil.example").views["amber+strict"]
    assert (view.lineages, view.blocked) == (2, False)
    assert any("trusted" in sentence for sentence in view.why)


def test_what_may_be_done_about_it_is_said_with_it(node):
    import_bytes(node, b"evil.example\n")
    import_bytes(node, b"bad.example\n", pap="green")
    watched, blocked = claims_on(node, "evil.example")[0], claims_on(node, "bad.example")[0]
    assert (watched.pap, blocked.pap) == (PAP_LEVELS["amber"], PAP_LEVELS["green"])


def test_nobody_joins_the_private_group(tmp_path, clock):
    one, other = make_node(tmp_path, "one", clock), make_node(tmp_path, "other", clock)
    join(one, other)
    import_bytes(one, NAMES)
    with pytest.raises(Conflict, match="E_GROUP_PRIVATE"):
        add_member(one, PRIVATE_GROUP, peer_of(one, other))


def test_the_same_list_again_publishes_nothing(node, clock):
    first = import_bytes(node, NAMES)
    clock.advance(days=7)
    again = import_bytes(node, NAMES)
    assert (again.counts["taken"], again.counts["changed"], again.counts["duplicate"]) == (0, 0, 3)
    assert again.import_id != first.import_id
    assert len(own_indicators(node)) == 2


def test_what_soon_ends_is_extended_under_its_id(node, clock):
    import_bytes(node, b"evil.example\n")
    [before] = own_indicators(node)
    clock.advance(days=60)
    done = import_bytes(node, b"evil.example\n")
    assert done.counts["taken"] == 1
    rows = own_indicators(node)
    assert {row.stix_id for row in rows} == {before.stix_id}
    assert rows[-1].strength == before.strength == 1
    [claim] = [c for c in claims_on(node, "evil.example") if c.object_row == rows[-1].object_row]
    assert claim.valid_until > int((clock.at + timedelta(days=80)).timestamp() * 1e6)


def test_two_feeds_on_one_name_are_two_indicators(node):
    import_bytes(node, b"evil.example\n", "urlhaus")
    import_bytes(node, b"evil.example\n", "threatfox")
    assert len({row.stix_id for row in own_indicators(node)}) == 2
    assert {c.src for c in claims_on(node, "evil.example")} == {
        ("feed:urlhaus",), ("feed:threatfox",),
    }  # fmt: skip


def test_a_publication_of_the_same_name_is_an_object_of_its_own(node):
    import_bytes(node, b"evil.example\n", tlp=Tlp.GREEN)
    names, _ = read_name_list(b"evil.example\n")
    drafts = drafts_from_names(node, names, Tlp.GREEN, NameOptions())
    publish_objects(node, PublishRequest(drafts, Tlp.GREEN))
    assert len({row.stix_id for row in own_indicators(node)}) == 2


def test_a_dry_run_says_the_same_and_stores_nothing(node):
    planned = import_bytes(node, NAMES, dry_run=True)
    with node.database.read() as tx:
        assert [row.audience for row in list_feeds(tx, own=True)] == ["clear"]
        assert stored.list_imports(tx) == ()
    done = import_bytes(node, NAMES)
    assert planned.counts == done.counts
    assert planned.labels == done.labels
    assert planned.import_id is None
    assert done.import_id == 1


def test_a_stricter_printed_label_wins_and_a_laxer_one_widens_nothing(node):
    data = bundle(
        indicator(1, object_marking_refs=[Tlp.CLEAR.marking_id]),
        indicator(2, object_marking_refs=[Tlp.AMBER.marking_id]),
        indicator(3, object_marking_refs=[Tlp.RED.marking_id]),
        indicator(4, object_marking_refs=[UNKNOWN]),
    )  # fmt: skip
    done = import_bytes(node, data, tlp=Tlp.GREEN)
    assert done.labels["green"] == {"indicator": 1}
    assert done.labels["amber"] == {"indicator": 1}
    # A marking that nobody here can read is as strict as what nobody labelled.
    assert done.labels["amber+strict"] == {"indicator": 1}
    assert done.refused == {"E_RED_UNSUPPORTED": 1}
    assert {row.stix_id[:19]: row.tlp for row in own_indicators(node)} == {
        "indicator--00000001": Tlp.GREEN,
        "indicator--00000002": Tlp.AMBER,
        "indicator--00000004": Tlp.AMBER_STRICT,
    }


def test_sharing_keeps_what_prints_a_label_that_needs_names(node):
    data = bundle(indicator(1), indicator(2, object_marking_refs=[Tlp.AMBER.marking_id]))
    done = import_bytes(node, data, tlp=Tlp.GREEN, share=True)
    assert sorted(feed.split("/")[1][:2] for feed in done.feeds) == ["g-", "gr"]


def test_the_world_needs_to_be_shared_with(node):
    with pytest.raises(SharingRefused, match="E_CLEAR_TO_NAMED"):
        import_bytes(node, NAMES, tlp=Tlp.CLEAR)
    assert import_bytes(node, NAMES, tlp=Tlp.CLEAR, share=True).feeds


def test_an_author_who_does_not_come_along_is_left_out(node):
    stranger = "identity--00000000-0000-4000-8000-000000000001"
    done = import_bytes(node, bundle(indicator(1, created_by_ref=stranger)))
    assert (done.counts["taken"], done.counts["changed"]) == (0, 1)


def test_a_feed_changes_nothing_that_this_node_published(node):
    publish_objects(node, PublishRequest([Draft(indicator(1))], Tlp.GREEN))
    later = indicator(1, modified="2026-02-02T10:00:00.000Z", revoked=True)
    done = import_bytes(node, bundle(later))
    assert done.refused == {"E_ID_CONFLICT": 1}
    [row] = own_indicators(node)
    assert not row.revoked


def test_a_feed_that_poses_as_this_node_is_not_believed(node):
    done = import_bytes(node, bundle(indicator(1, created_by_ref=node.identity)))
    assert done.counts["changed"] == 1
    [row] = own_indicators(node)
    assert row.strength == 3


def test_a_feed_s_own_next_version_is_taken(node):
    import_bytes(node, bundle(indicator(1)))
    done = import_bytes(node, bundle(indicator(1, modified="2026-02-02T10:00:00.000Z")))
    assert done.counts["taken"] == 1


def test_a_table_s_facts_stand_in_its_indicators(node):
    data = (
        b"domain,threat,malware,first seen,expires,confidence,note\n"
        b"evil.example,botnet_cc,Qakbot,2026-02-01,2026-04-01,high,seen by us\n"
        b"old.example,phishing,,,2026-01-01,,\n"
        b"odd.example,burglary,,,,,\n"
        b"bad.example,phishing,,,,200,\n"
    )
    done = import_bytes(node, data)
    assert done.refused == {"E_IMPORT_ENDED": 1, "E_CSV_VALUE": 1}
    assert (done.counts["taken"], done.counts["changed"]) == (1, 1)
    [claim] = claims_on(node, "evil.example")
    assert (claim.threat_type, claim.confidence) == ("malware-c2", 85)


@pytest.mark.parametrize("name", ["", "a b", "feed:x", "x" * 65, "-x"])
def test_a_feed_has_a_name_that_others_can_write_too(name):
    with pytest.raises(WireFormatError, match="E_IMPORT_NAME"):
        read_feed_name(name)


def test_spelling_makes_no_second_lineage():
    assert read_feed_name(" URLhaus ") == "urlhaus"


def test_undoing_withdraws_what_the_import_brought(node):
    done = import_bytes(node, NAMES)
    undone = undo_import(node, done.import_id, "a false list")
    assert (undone.withdrawn, undone.kept) == (2, 0)
    assert [r.state for r in own_indicators(node, None) if not r.revoked] == ["withdrawn"] * 2
    assert all(claim.revoked for claim in claims_on(node, "evil.example"))
    with node.database.read() as tx:
        row = stored.find_import(tx, done.import_id)
    assert (row.state, row.reason) == (stored.UNDONE, "a false list")


def test_undoing_leaves_what_another_import_stands_for(node):
    first = import_bytes(node, b"evil.example\nbad.example\n")
    second = import_bytes(node, b"evil.example\n")
    assert undo_import(node, first.import_id, "wrong").withdrawn == 1
    assert [claim.revoked for claim in claims_on(node, "evil.example")] == [False]
    assert undo_import(node, second.import_id, "wrong too").withdrawn == 1


@pytest.mark.parametrize("published_first", [True, False])
def test_undoing_leaves_what_a_publication_stands_for(node, published_first):
    def publish():
        publish_objects(node, PublishRequest([Draft(indicator(1))], Tlp.GREEN))

    if published_first:
        publish()
    done = import_bytes(node, bundle(indicator(1), indicator(2)), tlp=Tlp.GREEN)
    if not published_first:
        publish()
    undone = undo_import(node, done.import_id, "wrong")
    assert (undone.withdrawn, undone.kept) == (1, 1)
    with node.database.read() as tx:
        assert claims_of(tx, [indicator(1)["id"]])[indicator(1)["id"]][-1].state == "accepted"


def test_undoing_twice_is_refused(node):
    done = import_bytes(node, NAMES)
    undo_import(node, done.import_id, "wrong")
    with pytest.raises(Conflict, match="E_IMPORT_UNDONE"):
        undo_import(node, done.import_id, "wrong")


def test_an_import_that_ended_in_the_middle_can_be_undone(node):
    class EndedError(Exception):
        pass

    def end(_count):
        raise EndedError

    with pytest.raises(EndedError):
        import_bytes(node, NAMES, progress=end)
    with node.database.read() as tx:
        [row] = stored.list_imports(tx)
    assert row.state == stored.RUNNING
    assert undo_import(node, row.import_id, "broken off").withdrawn == 2


def test_what_is_shared_is_withdrawn_at_its_readers_too(tmp_path, clock):
    one, other = make_node(tmp_path, "one", clock), make_node(tmp_path, "other", clock)
    join(one, other)
    join(other, one)
    done = import_bytes(one, NAMES, tlp=Tlp.GREEN, share=True)
    sync(one, other, "green")
    assert claims_on(other, "evil.example")[0].src == ("feed:urlhaus",)
    undo_import(one, done.import_id, "wrong")
    sync(one, other, "green")
    assert all(claim.revoked for claim in claims_on(other, "evil.example"))


PIECES = st.sampled_from(
    [b"evil.example", b"a.example", b"*.a.example", b"# x", b"", b"com", b"http://x.example/",
     b"\xff", b"192.0.2.1", b"b\xc3\xbccher.example", b"0.0.0.0 a.example b.example", b"x,y,z",
     b'"', b"$ORIGIN x.", b"evil.example CNAME .", b"*.evil.example CNAME .", b"{", b"a;b"]
)  # fmt: skip


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(PIECES, max_size=8).map(b"\n".join),
    st.sampled_from(["names", "csv", "hosts", "rpz"]),
)
def test_the_sum_is_always_what_was_read(node, data, wanted):
    columns = {"1": "name"} if wanted == "csv" else None
    counts = import_bytes(node, data, wanted=wanted, columns=columns, dry_run=True).counts
    assert counts.pop("total") == sum(counts.values())
