"""The policy as a file: what it says, what it would do, and that showing it changes nothing."""

from __future__ import annotations

import tomllib

import pytest

from hub.peers.policy_file import apply_policy, check_policy, read_policy, show_policy
from hub.peers.trust import PeerChanges, dials_of, set_peer
from schemas.errors import WireFormatError
from tests.support.joined_nodes import states
from tests.support.nodes import make_node, peer_of
from tests.support.publications import Author, indicator, stix_id
from tests.support.stored_state import events_of, rows_of

ONE = stix_id("indicator", 1)


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "receiver")
    yield made
    made.database.close()


@pytest.fixture
def author(node):
    made = Author(1)
    made.meets(node, "known", name='Example "CERT"\n\x1b[1m')
    made.put("clear", indicator(1))
    made.deliver(node, "clear")
    return made


def file_of(author, *lines):
    return read_policy("\n".join(["version = 1", f"[peers.{author.node_id}]", *lines]).encode())


def test_what_is_shown_changes_nothing_when_it_is_applied(node, author):
    Author(2).meets(node, "trusted")
    changes = PeerChanges(
        trust="member", cap=10, types=("indicator",), limit=7, relay=False, push=True,
        outbound="clear", inbound="quarantine", authority=("zone:fr.=benign",),
    )  # fmt: skip
    set_peer(node, peer_of(node, author.node_id), changes)
    text = show_policy(node)
    before = rows_of(node, "SELECT * FROM peers")
    policy = read_policy(text.encode())
    assert check_policy(node, policy).effects == ()
    assert apply_policy(node, policy) == ()
    assert rows_of(node, "SELECT * FROM peers") == before
    assert show_policy(node) == text
    assert events_of(node, "POLICY_APPLIED") == [{"digest": policy.digest, "peers": []}]


def test_a_name_that_a_peer_chose_stays_text(node, author):
    tables = tomllib.loads(show_policy(node))["peers"]
    assert tables[author.node_id]["name"] == 'Example "CERT"\n\x1b[1m'
    assert "\x1b" not in show_policy(node)


def test_checking_tells_the_effects_on_what_is_stored_and_changes_nothing(node, author):
    policy = file_of(author, 'trust = "trusted"', "cap = 50")
    (effect,) = check_policy(node, policy).effects
    assert (effect.peer, effect.effects.released) == (author.node_id, 1)
    assert {"trust", "cap"} <= set(effect.changed)
    assert states(node, ONE) == [("quarantined", "QUARANTINED_INBOUND")]


def test_applying_is_one_write_audited_with_the_digest(node, author):
    policy = file_of(author, 'trust = "trusted"', "cap = 50")
    (change,) = apply_policy(node, policy, reason="board of May")
    assert states(node, ONE) == [("accepted", None)]
    assert (dials_of(change.after).cap, dials_of(change.after).inbound) == (50, "accept")
    (event,) = events_of(node, "POLICY_APPLIED")
    assert event == {"digest": policy.digest, "peers": [author.node_id], "reason": "board of May"}


def test_a_dial_that_is_left_out_is_its_presets(node, author):
    set_peer(node, peer_of(node, author.node_id), PeerChanges(trust="member", cap=1, limit=1))
    (change,) = apply_policy(node, file_of(author, 'trust = "member"'))
    assert (dials_of(change.after).cap, dials_of(change.after).limit) == (60, 5_000)


def test_of_whom_it_says_nothing_stays_as_it_is(node, author):
    Author(2).meets(node, "trusted", name="another")
    assert check_policy(node, file_of(author, 'trust = "known"')).silent == ("another",)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"version = ", "E_POLICY_FILE"),
        (b"\xff", "E_POLICY_FILE"),
        (b"version = 2", "E_POLICY_FILE"),
        (b"version = 1\nguards = 1", "E_POLICY_FILE"),
        (b"version = 1\npeers = 1", "E_POLICY_FILE"),
        (b"version = 1\n[peers]\na = 1", "E_POLICY_FILE"),
        (b"version = 1\n[peers.a]\ncap = 1", "E_POLICY_FILE"),
        (b'version = 1\n[peers.a]\ntrust = "known"\ncap = true', "E_POLICY_FILE"),
        (b'version = 1\n[peers.a]\ntrust = "known"\nverified = true', "E_POLICY_FILE"),
        (b'version = 1\n[peers.a]\ntrust = "known"\ntypes = [1]', "E_POLICY_FILE"),
        (b'version = 1\n[peers.a]\ntrust = "friend"', "E_SCHEMA"),
        (b"[" * 100_000, "E_POLICY_FILE"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(raw, code):
    with pytest.raises(WireFormatError) as refused:
        read_policy(raw)
    assert refused.value.code == code


def test_a_table_of_nobody_is_refused(node, author):
    other = Author(9)
    policy = read_policy(
        f'version = 1\n[peers.{author.node_id}]\ntrust = "blocked"\n'
        f'[peers.{other.node_id}]\ntrust = "known"\n'.encode()
    )
    for refused in (check_policy, apply_policy):
        with pytest.raises(WireFormatError, match="no peer of this node"):
            refused(node, policy)
    assert peer_of(node, author.node_id).trust == 1
