"""Wake-ups carry signed heads and cause a pull from the sender, and nothing else (PROTOCOL 2.6)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from federation.feeds.heads import head_payload
from federation.signing.signer import seal
from hub.exchange.serve_feeds import own_heads_for
from hub.peers.pull import pull_peer
from hub.peers.wake import accept_wake, wake_peer
from hub.storage.queries.evidence import list_evidence
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.jobs import drop_jobs
from hub.storage.tables.operations import JOBS
from schemas.identifiers import ZERO_HASH, EntryHash, FeedName
from schemas.signed_envelope import HEAD_TYPE
from schemas.strict_json import strict_loads, write_json
from tests.support.http_server import ScriptedServer, silent
from tests.support.nodes import FixedClock, make_node, pair, peer_of, publish_names, serving
from tests.support.signed_nodes import Owner
from tests.support.signed_requests import ask


@pytest.fixture
def nodes(tmp_path):
    """a and b, whose clocks stand still, both served; b holds all of a, and no job is planned."""
    clock = FixedClock()
    a, b = (make_node(tmp_path, name, clock) for name in ("alpha", "beta"))
    with serving(a, b):
        pair(a, b, "trusted")
        assert pull_peer(b, peer_of(b, a)).error is None
        forget_jobs(a, b)
        yield a, b


def forget_jobs(*nodes):
    for node in nodes:
        with node.database.write() as tx:
            for kind, subject in jobs(node):
                del kind
                drop_jobs(tx, subject)


def jobs(node):
    with node.database.read() as tx:
        return {tuple(row) for row in tx.connection.execute(sa.select(JOBS.c.kind, JOBS.c.subject))}


def head_of(node, audience):
    with node.database.read() as tx:
        return strict_loads(find_feed(tx, FeedName(node.node_id, audience)).head)


def wake_body(*heads, **more):
    return write_json({"heads": list(heads), **more})


def signed_head(node, feed, seq, entry_hash):
    payload = head_payload(feed, seq, EntryHash(entry_hash), node.now())
    return seal(node.keys.entry, HEAD_TYPE, payload).to_json()


def test_publishing_wakes_whom_it_reaches_and_they_pull(nodes):
    a, b = nodes
    publish_names(a, ["new.example"], "green")
    assert jobs(a) - {("verdicts", "")} == {("wake", b.node_id)}
    assert wake_peer(a, peer_of(a, b)) == 2
    assert jobs(b) == {("pull", a.node_id)}


def test_a_wake_up_without_news_causes_nothing(nodes):
    a, b = nodes
    assert wake_peer(a, peer_of(a, b)) == 1
    assert jobs(b) == set()


def test_a_wake_up_holds_only_heads_that_the_recipient_may_read(nodes, tmp_path):
    a, b = nodes
    c = make_node(tmp_path, "gamma", FixedClock())
    pair(a, c)
    publish_names(a, ["green.example"], "green")
    publish_names(a, ["amber.example"], "amber", [b])
    with a.database.read() as tx:
        sizes = [len(own_heads_for(tx, peer_of(a, reader))) for reader in (b, c)]
    assert sizes == [3, 1]


def test_t34_a_url_in_a_wake_up_opens_no_connection(nodes):
    a, b = nodes
    publish_names(a, ["new.example"], "clear")
    with ScriptedServer(silent) as elsewhere:
        body = wake_body(head_of(a, "clear"), url=elsewhere.base, base=elsewhere.base)
        assert ask(a, b, "/federation/v1/wake", method="POST", body=body).status == 202
        assert elsewhere.connections == 0
    assert jobs(b) == {("pull", a.node_id)}


def test_bad_and_unknown_heads_are_ignored_beside_a_good_one(nodes):
    a, b = nodes
    clear = FeedName(a.node_id, "clear")
    unknown = Owner(80)
    stranger_head = seal(
        unknown.entry,
        HEAD_TYPE,
        head_payload(FeedName(unknown.node_id, "clear"), 9, ZERO_HASH, a.now()),
    ).to_json()
    forged = signed_head(b, clear, 9, ZERO_HASH)  # b's key under a's name
    by_http_key = seal(a.keys.http, HEAD_TYPE, head_payload(clear, 9, ZERO_HASH, a.now())).to_json()
    bad = [None, 1, {}, {"payload": "x"}, stranger_head, forged, by_http_key]
    accept_wake(b, peer_of(b, a), wake_body(*bad))
    assert jobs(b) == set()
    publish_names(a, ["new.example"], "clear")
    accept_wake(b, peer_of(b, a), wake_body(*bad, head_of(a, "clear")))
    assert jobs(b) == {("pull", a.node_id)}


def test_a_head_of_our_own_feeds_causes_nothing(nodes):
    a, b = nodes
    publish_names(b, ["own.example"], "clear")
    forget_jobs(b)
    accept_wake(b, peer_of(b, a), wake_body(head_of(b, "clear")))
    assert jobs(b) == set()


def test_a_good_head_that_contradicts_our_chain_freezes_the_feed_with_a_proof(nodes):
    a, b = nodes
    clear = FeedName(a.node_id, "clear")
    head = signed_head(a, clear, 1, "ab" * 32)
    for _ in range(2):
        accept_wake(b, peer_of(b, a), wake_body(head))
    with b.database.read() as tx:
        (proof,) = list_evidence(tx)
        assert find_feed(tx, clear).state == "frozen"
    assert (proof.kind, proof.accused, proof.feed) == ("fork", a.node_id, str(clear))
    assert head in strict_loads(proof.body).values()
    outcome = pull_peer(b, peer_of(b, a))
    assert outcome.error is None  # a itself serves what we hold


def test_a_wake_up_ends_a_wait_after_failures(nodes):
    a, b = nodes
    with b.database.write() as tx:
        tx.connection.execute(
            JOBS.insert().values(
                job_id=77, kind="pull", subject=a.node_id, fence=3, attempts=5, again=0,
                next_attempt_at=FixedClock().advance(hours=1),
            )
        )  # fmt: skip
    publish_names(a, ["new.example"], "clear")
    wake_peer(a, peer_of(a, b))
    with b.database.read() as tx:
        assert tx.connection.execute(sa.select(JOBS.c.next_attempt_at)).scalar_one() == b.now()
