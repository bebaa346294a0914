"""What proofs fill over time is bounded, and who is noisiest makes room (THREATS 36)."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from hub.monitoring.alarms import EVIDENCE_RECEIVED, list_alarms, raise_alarm
from hub.peers.evidence_room import (
    BRANCH_BYTES_IN_ALL,
    BRANCH_BYTES_OF_ORIGIN,
    BYTES_AGAINST_ONE,
    BYTES_IN_ALL,
    BYTES_OF_SENDER,
    MIB,
    MOST_AGAINST_ONE,
    MOST_OF_SENDER,
    keep_branch_entry,
    make_room,
)
from hub.storage.queries.evidence import (
    BranchEntry,
    list_evidence,
    note_evidence_told,
    store_evidence,
)
from schemas.identifiers import EntryHash, NodeId, b32
from tests.support.nodes import make_node
from tests.support.publications import Author
from tests.support.stored_state import events_of, rows_of


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    made.database.close()


@pytest.fixture
def peer(node):
    author = Author(1)
    author.meets(node)
    return author.node_id


NUMBERS = itertools.count()


def made_up(word):
    """The id of a node that somebody made to accuse it."""
    return NodeId(b32(hashlib.sha256(word.encode()).digest()))


def bring(node, accused, *, sender=None, size=2, count=1):
    """Store proofs as far as there is room; return the numbers of those stored."""
    stored = []
    with node.database.write() as tx:
        for _ in range(count):
            if not make_room(tx, accused=accused, sender=sender, size=size, at=node.now()):
                continue
            row = store_evidence(
                tx, digest=f"{next(NUMBERS)}", kind="fork", accused=accused, feed=None, seq=None,
                body=bytes(size), sender=sender, at=node.now(),
            )  # fmt: skip
            raise_alarm(tx, EVIDENCE_RECEIVED, str(row.evidence_id), node.now())
            stored.append(row.evidence_id)
    return stored


def kept(node):
    with node.database.read() as tx:
        return [row.evidence_id for row in list_evidence(tx)]


def branch(node, feed, size):
    digest = hashlib.sha256(b"%d" % next(NUMBERS)).hexdigest()
    node.clock.advance(seconds=1)
    with node.database.write() as tx:
        entry = BranchEntry(EntryHash(digest), feed, 1, bytes(size), made_up("s"), node.now())
        keep_branch_entry(tx, entry)
    return digest


def test_t36_against_one_node_proofs_are_kept_up_to_a_number_and_a_size(node, peer):
    assert len(bring(node, peer, count=MOST_AGAINST_ONE + 3)) == MOST_AGAINST_ONE
    large = made_up("large")
    assert len(bring(node, large, size=MIB, count=12)) == BYTES_AGAINST_ONE // MIB


def test_t36_the_oldest_of_who_brought_most_goes_first(node):
    quiet = bring(node, made_up("quiet"), sender=made_up("quiet peer"), size=MIB)
    found_here = bring(node, made_up("found"), size=MIB)
    noise = [
        number
        for word in range(BYTES_IN_ALL // MIB // 8)
        for number in bring(node, made_up(f"{word}"), sender=made_up(f"{word % 5}"), size=MIB,
                            count=8)
    ]  # fmt: skip
    assert len(kept(node)) == BYTES_IN_ALL // MIB
    assert {*quiet, *found_here} < {*kept(node)}
    gone = {*noise} - {*kept(node)}
    assert len(gone) == 2
    assert min(noise) in gone
    assert {event["evidence"] for event in events_of(node, "EVIDENCE_EVICTED")} == gone
    assert not gone & {int(alarm.subject) for alarm in list_alarms(node)}


def test_t36_who_brings_too_much_pushes_out_its_own(node, peer):
    others = bring(node, made_up("another"), sender=made_up("another peer"), count=3)
    words = range(MOST_OF_SENDER // MOST_AGAINST_ONE + 1)
    mine = [
        number
        for word in words
        for number in bring(node, made_up(f"{word}"), sender=peer, count=MOST_AGAINST_ONE)
    ]
    assert kept(node) == [*others, *mine[-MOST_OF_SENDER:]]
    large = bring(node, made_up("large"), sender=peer, size=BYTES_AGAINST_ONE)
    larger = bring(node, made_up("larger"), sender=peer, size=BYTES_AGAINST_ONE)
    assert 2 * BYTES_AGAINST_ONE == BYTES_OF_SENDER
    assert kept(node) == [*others, *large, *larger]


def test_t36_what_concerns_a_peer_or_this_node_is_never_pushed_out(node, peer):
    own = bring(node, node.node_id, sender=made_up("0"), count=2)
    about_peer = bring(node, peer, sender=made_up("0"), count=3)
    with node.database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE peers SET state = 'suspended'")
        note_evidence_told(tx, own[0], peer, node.now(), None)
    for word in range(2 * BYTES_IN_ALL // BYTES_AGAINST_ONE):
        bring(node, made_up(f"{word}"), sender=made_up("0"), size=BYTES_AGAINST_ONE)
    assert kept(node)[:5] == [*own, *about_peer]
    assert len(kept(node)) == 5 + BYTES_OF_SENDER // BYTES_AGAINST_ONE
    # And what was brought against it finds room where all is full.
    assert bring(node, peer, sender=made_up("0"))


def test_t36_other_branches_fill_no_more_than_their_room(node, peer):
    theirs = [branch(node, f"{peer}/clear/1", BRANCH_BYTES_OF_ORIGIN // 4) for _ in range(5)]
    rest = [
        branch(node, f"{made_up(f'{word % 6}')}/clear/1", BRANCH_BYTES_OF_ORIGIN // 4)
        for word in range(18)
    ]
    held = [row["hash"] for row in rows_of(node, "SELECT hash FROM other_branch")]
    assert {*theirs[:4]} < {*held}
    assert not {*theirs[4:]} & {*held}
    of_others = {*held} & {*rest}
    assert len(of_others) == BRANCH_BYTES_IN_ALL // (BRANCH_BYTES_OF_ORIGIN // 4)
