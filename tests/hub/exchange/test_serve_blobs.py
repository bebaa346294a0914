"""Who gets a blob, and that nobody else learns whether there is one (PROTOCOL 2.6, THREATS 46)."""

from __future__ import annotations

import dataclasses
import itertools
import shutil

import pytest
from sqlalchemy import event

from federation.transport.line import Line
from federation.trust.presets import TrustLevel
from hub.bootstrap import open_node
from hub.errors import NotFound, RateLimited
from hub.exchange.erase import erase_everywhere
from hub.exchange.serve_blobs import read_parts, serve_blob
from hub.exchange.withdraw import withdraw_object
from hub.peers.pull import pull_peer
from hub.settings import load_settings
from hub.storage.queries.blobs import drop_blob
from hub.storage.queries.peers import PeerRow
from schemas.errors import WireFormatError
from tests.support.blobs import digest, keep_blob, noise, publish_set
from tests.support.grouped_nodes import group_of, join_group
from tests.support.nodes import FixedClock, give_trust, make_node, pair, peer_of, serving
from tests.support.publications import Author, join, stix_id

BLOB = noise(600_000)
NAME = digest(BLOB)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """alpha, and beta which is a trusted peer of it."""
    homes = tmp_path_factory.mktemp("made")
    a, b = (make_node(homes, name, FixedClock()) for name in ("alpha", "beta"))
    join(a, b, "trusted")
    for node in (a, b):
        node.database.close()
    return homes


@pytest.fixture
def nodes(tmp_path, made):
    """Copies of the two, for one test."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tuple(
        open_node(load_settings(tmp_path / name, allow_loopback_peers=True), clock=FixedClock())
        for name in ("alpha", "beta")
    )


@pytest.fixture
def a(nodes):
    return nodes[0]


@pytest.fixture
def b(nodes):
    return nodes[1]


def gets(node, reader, name=NAME, **asked):
    """The bytes that a peer gets of a blob; None when to it there is none."""
    try:
        peer = reader if isinstance(reader, PeerRow) else peer_of(node, reader)
        served = serve_blob(node, peer, name, **asked)
    except NotFound:
        return None
    return b"".join(read_parts(node, served))


def test_whoever_may_read_an_entry_that_names_it_gets_it_whole(a, b):
    publish_set(a, BLOB, "green")
    assert gets(a, b) == BLOB
    served = serve_blob(a, peer_of(a, b), NAME)
    assert (served.etag, served.size, served.whole) == (f'"{NAME}"', len(BLOB), True)


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, None),
        ("bytes=5-9", 5, 9),
        ("bytes=262143-262144", 262_143, 262_144),
        ("bytes=599999-700000", 599_999, 599_999),
    ],
)
def test_a_range_gives_just_these_bytes(a, b, asked, first, last):
    publish_set(a, BLOB, "green")
    served = serve_blob(a, peer_of(a, b), NAME, asked=asked)
    assert not served.whole
    end = len(BLOB) if last is None else last + 1
    assert (served.start, served.end) == (first, end)
    assert gets(a, b, asked=asked) == BLOB[first:end]


@pytest.mark.parametrize("asked", ["bytes=600000-", "bytes=9-5", "bytes=-5", "bytes=0-1,3-4"])
def test_a_range_that_cannot_be_served_is_refused_with_the_size(a, b, asked):
    publish_set(a, BLOB, "green")
    with pytest.raises(WireFormatError) as refused:
        serve_blob(a, peer_of(a, b), NAME, asked=asked)
    assert (refused.value.code, refused.value.params) == ("E_RANGE", {"size": len(BLOB)})


def test_a_range_of_other_bytes_or_in_another_unit_is_passed_over(a, b):
    publish_set(a, BLOB, "green")
    assert gets(a, b, asked="bytes=5-9", if_range='"other"') == BLOB
    assert gets(a, b, asked="bytes=5-9", if_range=f'"{NAME}"') == BLOB[5:10]
    assert gets(a, b, asked="lines=1-2") == BLOB


def test_t46_not_for_this_peer_and_not_there_are_one_answer_and_one_effort(a, b, tmp_path):
    """An AMBER set asked for by a member: what is answered, and what is asked of the store."""
    c = make_node(tmp_path, "gamma", FixedClock())
    join(a, c, "member")
    publish_set(a, BLOB, "amber", [b])
    assert gets(a, b) == BLOB

    def asked(name):
        heard = []

        def note(_connection, _cursor, statement, *_rest):
            heard.append(statement)

        event.listen(a.database.engine, "before_cursor_execute", note)
        with pytest.raises(NotFound) as refused:
            serve_blob(a, peer_of(a, c), name, asked="bytes=9-5")
        event.remove(a.database.engine, "before_cursor_execute", note)
        return refused.value.code, heard

    assert asked(NAME) == asked("0" * 64) == asked("no digest") == asked("\0")


def test_who_gets_it_is_the_table_of_labels_and_trust_for_every_reader_and_label(a):
    """PROTOCOL 3.2, "Direct to peer": generated, and asked of the very use-case that answers."""
    trusts = ("known", "member", "trusted", "partner")
    readers = {
        (trust, named): Author(number).meets(a, trust)
        for number, (trust, named) in enumerate(itertools.product(trusts, (True, False)), 1)
    }
    named = [peer for (trust, is_named), peer in readers.items() if is_named]
    allowed = {
        "clear": trusts,
        "green": trusts[1:],
        "amber": trusts[2:],
        "amber+strict": trusts[2:],
    }
    for number, label in enumerate(allowed, 1):
        narrow = label.startswith("amber")
        blob = noise(1_000, number)
        to = [peer for peer in named if peer.trust >= TrustLevel.TRUSTED] if narrow else ()
        publish_set(a, blob, label, number=number, recipients=to)
        got = {who for who, peer in readers.items() if gets(a, peer, digest(blob)) == blob}
        assert got == {
            (trust, is_named)
            for trust, is_named in readers
            if trust in allowed[label] and (is_named or not narrow)
        }, label


def test_an_exercise_a_withdrawn_set_and_an_erased_entry_name_nothing(a, b):
    publish_set(a, BLOB, "green", exercise=True)
    assert gets(a, b) is None
    publish_set(a, other := noise(10), "green", number=2)
    assert gets(a, b, digest(other)) == other
    withdraw_object(a, stix_id("grouping", 2), "wrong list")
    assert gets(a, b, digest(other)) is None
    publish_set(a, third := noise(11), "green", number=3)
    erase_everywhere(a, "green/4", "personal data")
    assert gets(a, b, digest(third)) is None


def test_what_is_not_whole_here_is_not_there(a, b):
    publish_set(a, NAME, "green")
    assert gets(a, b) is None
    keep_blob(a, BLOB)
    assert gets(a, b) == BLOB


def test_the_lists_of_a_delta_are_served_like_the_whole(a, b):
    added = noise(20)
    keep_blob(a, added)
    delta = {"base_sha256": "1" * 64, "added": digest(added)}
    publish_set(a, BLOB, "green", facts={"delta": delta})
    assert gets(a, b, digest(added)) == added
    assert gets(a, b, "1" * 64) is None


def test_who_joined_a_group_later_gets_what_its_part_names(a, b, tmp_path):
    c = make_node(tmp_path, "gamma", FixedClock())
    join(a, c, "trusted")
    group_of(a, b, history="join")
    publish_set(a, BLOB, "amber", groups=("banks",))
    join_group(a, c)
    assert (gets(a, b), gets(a, c)) == (BLOB, None)
    publish_set(a, later := noise(12), "amber", number=2, groups=("banks",))
    assert gets(a, c, digest(later)) == later


def test_on_a_busy_line_a_blob_waits_for_all_else_and_the_404_does_not(a, b):
    publish_set(a, BLOB, "green")
    thin = dataclasses.replace(a, line=Line(8, clock=lambda: 0.0))
    thin.line.outbound.spend(2_500)
    with pytest.raises(RateLimited) as refused:
        gets(thin, b)
    assert refused.value.params["retry_after"] == 3
    assert gets(thin, b, "0" * 64) is None


def test_on_a_thin_line_a_range_is_served_in_steps(a, b):
    publish_set(a, BLOB, "green")
    thin = dataclasses.replace(a, line=Line(32, clock=lambda: 0.0))
    assert gets(thin, b, asked="bytes=100-") == BLOB[100 : 100 + 8 * 4_000]


def test_a_blob_that_ends_while_it_is_read_breaks_off(a, b):
    publish_set(a, BLOB, "green")
    parts = read_parts(a, serve_blob(a, peer_of(a, b), NAME))
    assert len(next(parts)) == 262_144
    with a.database.write() as tx:
        drop_blob(tx, NAME)
    assert list(parts) == []


def test_a_relay_serves_it_to_its_own_readers(tmp_path):
    a, b, c = (make_node(tmp_path, name, FixedClock()) for name in ("alpha", "beta", "gamma"))
    with serving(a):
        pair(a, b, "trusted")
        join(b, c, "known")
        publish_set(a, BLOB, "green")
        assert pull_peer(b, peer_of(b, a)).error is None
    keep_blob(b, BLOB, a)
    assert gets(b, c) is None
    give_trust(b, c, "member")
    assert gets(b, c) == BLOB
    # What waits in quarantine names nothing: it was accepted by nobody here.
    with b.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE objects SET state = 'quarantined'")
    assert gets(b, c) is None
