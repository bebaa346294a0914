"""Trust presets and dials (PROTOCOL 4.1), the directory, suspending."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import sqlalchemy as sa

from federation.trust.presets import PRESETS, TrustLevel
from hub.errors import Conflict, NotFound
from hub.peers.directory import list_peer_states, resolve_peer
from hub.peers.standing import standing_of
from hub.peers.suspend import resume_peer, suspend_peer
from hub.peers.trust import Dials, PeerChanges, dials_of, set_peer
from hub.storage.queries.jobs import request_job
from hub.storage.queries.peers import PeerRow, store_peer
from hub.storage.tables.operations import AUDIT_EVENTS, JOBS
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, b32
from schemas.markings import Tlp
from tests.support.nodes import make_node


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    return make_node(tmp_path_factory.mktemp("trust"), "alpha")


@pytest.fixture
def peer(node, request):
    """A new peer for each test."""
    node_id = b32(hashlib.sha256(request.node.nodeid.encode()).digest())
    row = PeerRow(
        node_id=NodeId(node_id), name=f"peer of {request.node.name}", base="https://hub.b.example/",
        trust=TrustLevel.KNOWN, verified=False, state="active", added_at=node.now(),
    )  # fmt: skip
    with node.database.write() as tx:
        store_peer(tx, row)
    return row


def jobs_of(node, peer):
    with node.database.read() as tx:
        return set(
            tx.connection.execute(
                sa.select(JOBS.c.kind).where(JOBS.c.subject == peer.node_id)
            ).scalars()
        )


def events_of(node, peer):
    with node.database.read() as tx:
        rows = tx.connection.execute(sa.select(AUDIT_EVENTS.c.code, AUDIT_EVENTS.c.params))
        return [(row.code, row.params) for row in rows if row.params.get("peer") == peer.node_id]


@pytest.mark.parametrize("level", list(TrustLevel))
def test_a_preset_fills_the_dials(node, peer, level):
    after = set_peer(node, peer, PeerChanges(trust=level.word)).after
    preset = PRESETS[level]
    expected = Dials(preset.inbound.value, preset.cap, preset.outbound.wire, preset.limit)
    assert dials_of(after) == expected


def test_a_dial_turned_by_hand_stays_until_the_next_preset(node, peer):
    set_peer(node, peer, PeerChanges(trust="member", cap=10, inbound="quarantine"))
    after = set_peer(node, peer, PeerChanges(limit=7)).after
    assert dials_of(after) == Dials("quarantine", 10, "green", 7)
    after = set_peer(node, peer, PeerChanges(trust="trusted", outbound="green")).after
    assert dials_of(after) == Dials("accept", 85, "green", 50_000)


def test_trust_above_known_waits_for_the_voice_code(node, peer):
    change = set_peer(node, peer, PeerChanges(trust="trusted"))
    assert standing_of(change.after).effective_trust is TrustLevel.KNOWN
    assert any("takes effect when" in sentence for sentence in change.sentences)
    change = set_peer(node, peer, PeerChanges(verified=True))
    assert standing_of(change.after).effective_trust is TrustLevel.TRUSTED
    assert not any("takes effect when" in sentence for sentence in change.sentences)


def test_the_outbound_dial_cannot_widen(node, peer):
    change = set_peer(node, peer, PeerChanges(trust="known", outbound="amber"))
    assert standing_of(change.after).outbound is Tlp.AMBER
    assert any("only tightens" in sentence for sentence in change.sentences)


def test_authority_is_written_one_way_and_no_preset_touches_it(node, peer):
    scopes = ("zone:FR.", "prefix:192.0.2.0/24", "zone:fr")
    after = set_peer(node, peer, PeerChanges(authority=scopes)).after
    assert after.authority == ("prefix:192.0.2.0/24", "zone:fr.")
    after = set_peer(node, peer, PeerChanges(trust="partner")).after
    assert after.authority == ("prefix:192.0.2.0/24", "zone:fr.")
    some = set_peer(node, peer, PeerChanges(authority=("zone:fr.=hijack,Benign",))).after
    assert some.authority == ("zone:fr.=benign,hijack",)


@pytest.mark.parametrize(
    "changes",
    [
        PeerChanges(trust="friend"),
        PeerChanges(inbound="maybe"),
        PeerChanges(cap=101),
        PeerChanges(cap=-1),
        PeerChanges(limit=-1),
        PeerChanges(outbound="white"),
        PeerChanges(authority=("fr.",)),
        PeerChanges(authority=("zone:",)),
        PeerChanges(authority=("prefix:192.0.2.1/24",)),
    ],
)
def test_words_that_are_none_are_refused_and_nothing_is_stored(node, peer, changes):
    with pytest.raises(WireFormatError):
        set_peer(node, peer, changes)
    assert resolve_peer(node, peer.node_id) == peer


def test_every_change_is_audited_with_before_and_after(node, peer):
    set_peer(node, peer, PeerChanges(trust="member", verified=True))
    code, params = events_of(node, peer)[-1]
    assert code == "PEER_SET"
    assert params["changed"] == {"trust": [1, 2], "verified": [False, True]}


def test_blocking_ends_all_work_and_lifting_the_block_asks_for_a_pull(node, peer):
    with node.database.write() as tx:
        request_job(tx, "pull", peer.node_id, node.now())
        request_job(tx, "wake", peer.node_id, node.now())
    set_peer(node, peer, PeerChanges(trust="blocked"))
    assert jobs_of(node, peer) == set()
    set_peer(node, peer, PeerChanges(trust="known"))
    assert jobs_of(node, peer) == {"pull"}


def test_suspending_ends_all_work_and_resuming_gives_back_what_there_was(node, peer):
    trusted = set_peer(node, peer, PeerChanges(trust="trusted", verified=True)).after
    suspended = suspend_peer(node, peer)
    assert standing_of(suspended).effective_trust is TrustLevel.BLOCKED
    assert jobs_of(node, peer) == set()
    assert resume_peer(node, peer) == trusted
    assert jobs_of(node, peer) == {"pull"}
    assert [code for code, _ in events_of(node, peer)][-2:] == ["PEER_SUSPENDED", "PEER_RESUMED"]


def test_a_peer_is_found_by_id_by_prefix_or_by_name(node, peer):
    for text in (peer.node_id, peer.node_id[:20], peer.name):
        assert resolve_peer(node, text) == peer


def test_what_means_nobody_or_many_is_refused(node, peer):
    for nobody in ("", "nobody", peer.node_id + "a"):
        with pytest.raises(NotFound) as unknown:
            resolve_peer(node, nobody)
        assert unknown.value.code == "E_PEER_UNKNOWN"
    twin = replace(peer, node_id=NodeId(peer.node_id[:40] + "7" * 12))
    with node.database.write() as tx:
        store_peer(tx, twin)
    for text in (peer.name, peer.node_id[:40]):
        with pytest.raises(Conflict) as ambiguous:
            resolve_peer(node, text)
        assert ambiguous.value.code == "E_PEER_AMBIGUOUS"
        assert set(ambiguous.value.params["candidates"]) == {peer.node_id, twin.node_id}


def test_nobody_can_call_itself_like_the_beginning_of_another_peers_id(node, peer):
    impostor = replace(peer, node_id=NodeId("y" * 51 + "7"), name=peer.node_id[:12])
    with node.database.write() as tx:
        store_peer(tx, impostor)
    with pytest.raises(Conflict, match="E_PEER_AMBIGUOUS"):
        resolve_peer(node, peer.node_id[:12])
    assert resolve_peer(node, peer.node_id[:13]) == peer


def test_of_a_few_letters_nobody_means_an_id_where_they_are_a_name(node, peer):
    short = replace(peer, node_id=NodeId("7" * 51 + "z"), name=peer.node_id[:1])
    with node.database.write() as tx:
        store_peer(tx, short)
    assert resolve_peer(node, peer.node_id[:1]).node_id == short.node_id


def test_nobody_can_call_itself_like_another_peers_id(node, peer):
    impostor = PeerRow(
        node_id=NodeId("z" * 51 + "7"), name=peer.node_id, base=peer.base, trust=1,
        verified=False, state="active", added_at=node.now(),
    )  # fmt: skip
    with node.database.write() as tx:
        store_peer(tx, impostor)
    assert resolve_peer(node, peer.node_id) == peer


def test_the_list_tells_how_the_exchange_stands(node, peer):
    state = next(s for s in list_peer_states(node) if s.node_id == peer.node_id)
    assert (state.trust, state.verified, state.state) == ("known", False, "active")
    assert (state.lag_seconds, state.last_error) == (None, None)
    assert len(state.voice_code.split()) == 8
