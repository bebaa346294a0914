"""Feeds carried in a file (issue 4 "carry by file"): the same checks as on the wire."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import stat
from datetime import timedelta

import pytest

from federation.delivery.carried_file import (
    Carriage,
    begin_line,
    end_line,
    end_payload,
    open_end,
)
from federation.errors import ChainBroken, PeerState, SignatureRejected
from federation.signing.signer import seal
from hub.bootstrap import open_node
from hub.errors import Conflict, NotFound
from hub.peers.bundles import export_bundle, import_bundle
from hub.peers.carried import new_file, open_carried
from hub.peers.key_custody import read_key_file
from hub.peers.known_nodes import pinned
from hub.peers.rotate_keys import revoke_key
from hub.peers.suspend import suspend_peer
from hub.settings import load_settings
from hub.storage.queries.feeds import find_feed
from hub.storage.queries.positions import note_position
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, b32, direct_audience
from schemas.signed_envelope import CARRIED_TYPE
from tests.hub.peers.test_pull import append_noops
from tests.support.nodes import (
    FixedClock,
    give_trust,
    make_node,
    names_seen,
    peer_of,
    publish_names,
)
from tests.support.publications import join
from tests.support.stored_state import check_invariants, rows_of

NAMES = ("alpha", "beta", "gamma")


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three nodes; alpha and beta, beta and gamma are peers. No server runs in this module."""
    homes = tmp_path_factory.mktemp("made")
    a, b, c = (make_node(homes, name, FixedClock()) for name in NAMES)
    for node, other in ((a, b), (b, a), (b, c), (c, b)):
        join(node, other)
    for node in (a, b, c):
        node.database.close()
    return homes


@pytest.fixture
def nodes(tmp_path, clock, made):
    """Copies of the three, for one test."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tuple(
        open_node(load_settings(tmp_path / name, allow_loopback_peers=True), clock=clock)
        for name in NAMES
    )


@pytest.fixture
def stick(tmp_path):
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


def carry(sender, recipient, file, **options):
    exported = export_bundle(sender, peer_of(sender, recipient), file, **options)
    return exported, import_bundle(recipient, file)


def errors(imported):
    return {one.feed.split("/", 1)[1]: one.error.code for one in imported.feeds if one.error}


def last_seq(node, origin, audience):
    with node.database.read() as tx:
        held = find_feed(tx, FeedName(origin.node_id, audience))
    return 0 if held is None else held.last_seq


def lines_of(file):
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def write_lines(file, *lines):
    file.write_bytes(b"".join(gzip.compress(line) for line in lines))


def made_by(node, recipient, file, lines, *, made_at=None, begin=None):
    """Write a file that a node signs, with any lines between its beginning and its end."""
    carriage = Carriage(node.node_id, recipient.node_id, made_at or node.now())
    with new_file(file) as writer:
        writer.write(begin or begin_line(carriage))
        for line in lines:
            writer.write(line if isinstance(line, bytes) else json.dumps(line).encode())
        payload = end_payload(carriage, lines=writer.lines, digest=writer.digest)
        writer.write(end_line(seal(node.keys.entry, CARRIED_TYPE, payload)))


def test_a_file_brings_what_the_peer_may_read_and_nothing_else(nodes, stick):
    a, b, c = nodes
    join(a, c)
    publish_names(a, ["clear.example"], "clear")
    publish_names(a, ["green.example"], "green")
    publish_names(a, ["amber.example"], "amber", [b])
    publish_names(a, ["other.example"], "amber", [c])
    exported, imported = carry(a, b, stick / "for-b")
    assert names_seen(b) == {"clear.example", "green.example", "amber.example"}
    assert errors(imported) == {}
    assert exported.label == "amber"
    assert {one.feed for one in exported.feeds} == {one.feed for one in imported.feeds}
    assert b"other.example" not in gzip.decompress((stick / "for-b").read_bytes())
    assert (
        direct_audience(c.node_id) not in gzip.decompress((stick / "for-b").read_bytes()).decode()
    )
    check_invariants(b)


def test_the_file_is_the_owners_alone_and_never_overwrites(nodes, stick):
    a, b, _ = nodes
    file = stick / "for-b"
    export_bundle(a, peer_of(a, b), file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    with pytest.raises(Conflict) as refused:
        export_bundle(a, peer_of(a, b), file)
    assert refused.value.code == "E_FILE_EXISTS"
    assert file.read_bytes() == before
    assert [path.name for path in stick.iterdir()] == ["for-b"]


def test_the_same_state_gives_the_same_file(nodes, stick):
    a, b, _ = nodes
    publish_names(a, ["green.example"], "green")
    for name in ("one", "two"):
        export_bundle(a, peer_of(a, b), stick / name)
    assert (stick / "one").read_bytes() == (stick / "two").read_bytes()


def test_it_is_gzip_of_json_lines_to_every_tool(nodes, stick):
    a, b, _ = nodes
    export_bundle(a, peer_of(a, b), stick / "for-b")
    lines = lines_of(stick / "for-b")
    assert lines[0] | {"made_at": ""} == {
        "tocsin": "carried-feeds", "v": 1, "from": a.node_id, "to": b.node_id, "made_at": "",
    }  # fmt: skip
    assert [next(iter(line)) for line in lines[1:]] == ["node", "feed", "end"]


def test_importing_twice_changes_nothing(nodes, stick):
    a, b, _ = nodes
    publish_names(a, ["green.example"], "green")
    _, first = carry(a, b, stick / "for-b")
    again = import_bundle(b, stick / "for-b")
    assert sum(one.entries for one in first.feeds) == 2
    assert sum(one.entries for one in again.feeds) == 0
    assert errors(again) == {}


def test_a_later_file_goes_on_where_the_first_ended_whatever_it_holds_again(nodes, stick, clock):
    a, b, _ = nodes
    publish_names(a, ["one.example"], "green")
    carry(a, b, stick / "first")
    clock.advance(days=20)
    publish_names(a, ["two.example"], "green")
    _, second = carry(a, b, stick / "second", everything=True)
    assert names_seen(b) == {"one.example", "two.example"}
    assert errors(second) == {}


def test_since_leaves_out_what_is_older(nodes, stick, clock):
    a, b, _ = nodes
    publish_names(a, ["one.example"], "green")
    carry(a, b, stick / "first")
    clock.advance(days=20)
    publish_names(a, ["two.example"], "green")
    exported, imported = carry(a, b, stick / "second", since=clock.now() - timedelta(days=1))
    assert {one.feed.split("/")[1]: (one.after, one.entries) for one in exported.feeds} == {
        "clear": (1, 0), "green": (1, 1),
    }  # fmt: skip
    assert errors(imported) == {}
    assert names_seen(b) == {"one.example", "two.example"}


def test_a_file_that_begins_too_late_says_what_to_ask_for(nodes, stick, clock):
    a, b, _ = nodes
    publish_names(a, ["one.example"], "green")
    clock.advance(days=20)
    publish_names(a, ["two.example"], "green")
    _, imported = carry(a, b, stick / "late", since=clock.now())
    assert errors(imported)["green/1"] == "E_GAP"
    (gap,) = [one.error for one in imported.feeds if "green" in one.feed]
    assert "--all" in gap.remedy
    assert last_seq(b, a, "green") == 0


def test_what_a_peer_confirmed_is_not_carried_again(nodes, stick):
    a, b, _ = nodes
    publish_names(a, ["one.example"], "green")
    carry(a, b, stick / "first")
    with a.database.write() as tx:
        green = find_feed(tx, FeedName(a.node_id, "green"))
        note_position(tx, green.feed_row, b.node_id, 1, "ack", a.now())
    publish_names(a, ["two.example"], "green")
    exported, imported = carry(a, b, stick / "second")
    assert {one.feed.split("/")[1]: one.after for one in exported.feeds} == {"clear": 0, "green": 1}
    assert errors(imported) == {}


def test_acks_travel_back_so_that_the_next_file_begins_where_the_first_ended(nodes, stick, clock):
    a, b, _ = nodes
    publish_names(a, ["one.example"], "green")
    carry(a, b, stick / "there")
    carry(b, a, stick / "back")
    clock.advance(days=1)
    publish_names(a, ["two.example"], "green")
    exported, imported = carry(a, b, stick / "there-again")
    assert {one.feed.split("/")[1]: (one.after, one.entries) for one in exported.feeds} == {
        "clear": (1, 0), "green": (1, 1),
    }  # fmt: skip
    assert errors(imported) == {}
    assert names_seen(b) == {"one.example", "two.example"}


def test_a_relays_file_brings_an_origin_that_nobody_here_knew(nodes, stick):
    a, b, c = nodes
    publish_names(a, ["green.example"], "green")
    publish_names(a, ["amber.example"], "amber", [b])
    carry(a, b, stick / "a-to-b")
    _, imported = carry(b, c, stick / "b-to-c")
    assert errors(imported) == {}
    assert names_seen(c, "quarantined") == {"green.example"}
    assert rows_of(c, f"SELECT 1 FROM feeds WHERE audience = '{direct_audience(b.node_id)}'") == []


def test_a_relays_file_may_take_weeks_on_its_way(nodes, stick, clock):
    a, b, c = nodes
    publish_names(a, ["green.example"], "green")
    carry(a, b, stick / "a-to-b")
    export_bundle(b, peer_of(b, c), stick / "b-to-c")
    clock.advance(days=40)
    assert errors(import_bundle(c, stick / "b-to-c")) == {}
    assert names_seen(c, "quarantined") == {"green.example"}


def test_a_relays_pages_without_its_relay_head_are_refused(nodes, stick):
    a, b, c = nodes
    publish_names(a, ["green.example"], "green")
    carry(a, b, stick / "a-to-b")
    export_bundle(b, peer_of(b, c), stick / "genuine")
    lines = lines_of(stick / "genuine")[1:-1]
    for line in lines:
        if "page" in line:
            line["page"].pop("x_tocsin_relay_head", None)
    made_by(b, c, stick / "bent", lines)
    imported = import_bundle(c, stick / "bent")
    assert set(errors(imported).values()) == {"E_RELAY_FORBIDDEN"}
    assert names_seen(c, "quarantined") == set()


def test_a_file_for_another_node_is_refused_before_anything_is_taken(nodes, stick):
    a, b, c = nodes
    join(c, a)
    publish_names(a, ["green.example"], "green")
    export_bundle(a, peer_of(a, b), stick / "for-b")
    for reader in (c, a):
        with pytest.raises(Conflict) as refused:
            import_bundle(reader, stick / "for-b")
        assert refused.value.code == "E_CARRIED_TO"
    assert last_seq(c, a, "green") == 0


def test_a_new_address_on_the_file_makes_it_no_other_nodes(nodes, stick):
    a, b, c = nodes
    join(c, a)
    export_bundle(a, peer_of(a, b), stick / "for-b")
    lines = gzip.decompress((stick / "for-b").read_bytes()).splitlines(keepends=True)
    changed = lines[0].replace(b.node_id.encode(), c.node_id.encode())
    write_lines(stick / "for-c", changed, *lines[1:])
    with pytest.raises(WireFormatError) as refused:
        import_bundle(c, stick / "for-c")
    assert refused.value.code == "E_CARRIED_FILE"
    assert last_seq(c, a, "clear") == 0


def test_only_a_peer_in_good_standing_carries_anything(nodes, stick):
    a, b, c = nodes
    join(a, c)
    export_bundle(a, peer_of(a, c), stick / "for-c")
    with pytest.raises(NotFound) as unknown:
        import_bundle(c, stick / "for-c")
    assert unknown.value.code == "E_PEER_UNKNOWN"
    export_bundle(a, peer_of(a, b), stick / "for-b")
    suspend_peer(b, peer_of(b, a))
    with pytest.raises(PeerState) as blocked:
        import_bundle(b, stick / "for-b")
    assert blocked.value.code == "E_PEER_BLOCKED"
    give_trust(a, b, "blocked")
    with pytest.raises(PeerState):
        export_bundle(a, peer_of(a, b), stick / "none")
    assert not (stick / "none").exists()


def test_what_another_signed_is_not_the_peers_file(nodes, stick):
    a, b, c = nodes
    carriage = Carriage(a.node_id, b.node_id, a.now())
    made_by(c, b, stick / "forged", [], begin=begin_line(carriage))
    with pytest.raises(SignatureRejected) as refused:
        import_bundle(b, stick / "forged")
    assert refused.value.code == "E_KEY_UNKNOWN"


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused_before_anything_is_taken(nodes, stick, part):
    a, b, _ = nodes
    publish_names(a, [f"n{number}.example" for number in range(50)], "green")
    export_bundle(a, peer_of(a, b), stick / "whole")
    data = (stick / "whole").read_bytes()
    (stick / "cut").write_bytes(data[: int(len(data) * part)])
    with pytest.raises(WireFormatError) as refused:
        import_bundle(b, stick / "cut")
    assert refused.value.code == "E_CARRIED_FILE"
    assert last_seq(b, a, "clear") == 0


def test_a_line_that_is_missing_changed_or_added_shows(nodes, stick):
    a, b, _ = nodes
    publish_names(a, ["green.example"], "green")
    export_bundle(a, peer_of(a, b), stick / "whole")
    lines = gzip.decompress((stick / "whole").read_bytes()).splitlines(keepends=True)
    swapped = [*lines[:-3], lines[-2], lines[-3], lines[-1]]
    for number, bent in enumerate(
        ([*lines[:2], *lines[3:]], swapped, [*lines[:-1], b'{"x":1}\n', lines[-1]], lines[:-1],
         [*lines, lines[-2]])
    ):  # fmt: skip
        file = stick / f"bent-{number}"
        write_lines(file, *bent)
        with pytest.raises(WireFormatError) as refused:
            import_bundle(b, file)
        assert refused.value.code == "E_CARRIED_FILE"
    assert last_seq(b, a, "clear") == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not gzip at all",
        gzip.compress(b""),
        gzip.compress(b"{}\n"),
        gzip.compress(b'{"tocsin":"carried-feeds","v":2}\n'),
        gzip.compress(b'{"tocsin":"carried-feeds"\n'),
        gzip.compress(b"no line feed"),
        gzip.compress(b"two\nlines\n"),
    ],
    ids=range(8),
)
def test_what_is_no_such_file_is_refused_in_one_way(nodes, stick, data):
    _, b, _ = nodes
    (stick / "odd").write_bytes(data)
    with pytest.raises(WireFormatError) as refused:
        import_bundle(b, stick / "odd")
    assert refused.value.code == "E_CARRIED_FILE"


def test_t31_a_bomb_in_a_file_goes_off_nowhere(nodes, stick):
    a, b, _ = nodes
    made_by(a, b, stick / "whole", [])
    begin, end = gzip.decompress((stick / "whole").read_bytes()).splitlines(keepends=True)
    bomb = b" " * 8_000_000 + b"\n"
    for name, lines, code in (
        ("end", (begin, bomb), "E_CARRIED_FILE"),
        ("first", (bomb, begin, end), "E_TOO_BIG"),
        ("second", (begin, bomb, end), "E_CARRIED_FILE"),
    ):
        write_lines(stick / name, *lines)
        with pytest.raises(WireFormatError) as refused:
            import_bundle(b, stick / name)
        assert refused.value.code == code
    # A peer that signs its bomb.
    payload = end_payload(
        Carriage(a.node_id, b.node_id, a.now()),
        lines=2,
        digest=hashlib.sha256(begin + bomb).hexdigest(),
    )
    signed = end_line(seal(a.keys.entry, CARRIED_TYPE, payload)) + b"\n"
    write_lines(stick / "signed", begin, bomb, signed)
    with pytest.raises(WireFormatError) as refused:
        import_bundle(b, stick / "signed")
    assert refused.value.code == "E_TOO_BIG"


def test_a_cut_is_found_at_the_end_before_anything_between_is_unpacked(nodes, stick):
    """Of gigabytes on a stick the first and the last kilobytes are read."""
    a, b, _ = nodes
    made_by(a, b, stick / "whole", [])
    begin, end = gzip.decompress((stick / "whole").read_bytes()).splitlines(keepends=True)
    file = stick / "huge"
    write_lines(file, begin)
    with file.open("r+b") as stream:
        stream.truncate(4 * 1024**3)  # a hole, which no gzip reader gets over
    for tail, why in ((b"", "cut off"), (gzip.compress(end), "lines were added")):
        with file.open("ab") as stream:
            stream.write(tail)
        with pytest.raises(WireFormatError) as refused:
            import_bundle(b, file)
        assert refused.value.code == "E_CARRIED_FILE"
        assert why in refused.value.detail


def test_what_the_peer_did_not_sign_is_parsed_nowhere(nodes, stick):
    a, b, _ = nodes
    made_by(a, b, stick / "whole", [b'{"x":1}', b'{"x":2}'])
    lines = gzip.decompress((stick / "whole").read_bytes()).splitlines(keepends=True)
    write_lines(stick / "bent", lines[0], b"[" * 90 + b"\n", *lines[2:])
    with pytest.raises(WireFormatError) as refused:
        import_bundle(b, stick / "bent")
    assert refused.value.code == "E_CARRIED_FILE"
    made_by(a, b, stick / "signed", [b"[" * 90])
    with pytest.raises(WireFormatError) as deep:
        import_bundle(b, stick / "signed")
    assert deep.value.code == "E_JSON_DEPTH"


def test_an_end_under_a_key_that_the_file_brings_is_verified_by_it(nodes, stick):
    a, b, _ = nodes
    publish_names(a, ["one.example"], "green")
    revoke_key(a, a.keys.entry.kid, "stolen", [read_key_file(a.settings.home / "root-current.key")])
    _, imported = carry(a, b, stick / "for-b")
    assert errors(imported) == {}
    assert names_seen(b) == {"one.example"}


def test_t36_origins_of_which_the_file_has_no_documents_end_the_import(nodes, stick):
    a, b, _ = nodes
    made_up = [b32(hashlib.sha256(b"%d" % number).digest()) for number in range(400)]
    lines = [{"feed": f"{node_id}/clear/1", "page": {"more": False}} for node_id in made_up]
    made_by(a, b, stick / "for-b", lines)
    imported = import_bundle(b, stick / "for-b")
    assert len(imported.feeds) <= 33
    assert not any(one.entries for one in imported.feeds)


def test_what_packs_too_well_is_written_so_that_it_can_be_read(nodes, stick):
    a, b, _ = nodes
    made_by(a, b, stick / "spaces", [b'{"x":"%b"}' % (b" " * 3_000_000)])
    assert import_bundle(b, stick / "spaces").feeds == ()


def test_lines_of_a_later_release_are_passed_over_and_critical_ones_refused(nodes, stick):
    a, b, _ = nodes
    made_by(a, b, stick / "later", [{"later": [1, 2]}, {"acks": [1, {}]}])
    assert import_bundle(b, stick / "later").feeds == ()
    made_by(a, b, stick / "critical", [{"!later": [1, 2]}])
    with pytest.raises(WireFormatError) as refused:
        import_bundle(b, stick / "critical")
    assert refused.value.code == "E_SCHEMA"


def test_a_file_from_the_future_is_refused(nodes, stick):
    a, b, _ = nodes
    made_by(a, b, stick / "future", [], made_at=a.now() + timedelta(hours=25))
    with pytest.raises(ChainBroken) as refused:
        import_bundle(b, stick / "future")
    assert refused.value.code == "E_FUTURE"


def test_one_bent_entry_stops_its_feed_and_no_other(nodes, stick):
    a, b, _ = nodes
    publish_names(a, ["clear.example"], "clear")
    publish_names(a, ["green.example"], "green")
    export_bundle(a, peer_of(a, b), stick / "genuine")
    lines = lines_of(stick / "genuine")[1:-1]
    for line in lines:
        if "clear" in line.get("feed", ""):
            signature = line["page"]["objects"][0]["dsse"]["signatures"][0]
            signature["sig"] = "A" * 86 + "=="
    made_by(a, b, stick / "bent", lines)
    assert errors(import_bundle(b, stick / "bent")) == {"clear/1": "E_SIG_BAD"}
    assert names_seen(b) == {"green.example"}


def test_many_pages_and_a_days_limit(nodes, stick, clock):
    a, b, _ = nodes
    append_noops(a, "clear", 249)
    give_trust(b, a, "trusted", limit=120)
    _, first = carry(a, b, stick / "long")
    assert (errors(first), last_seq(b, a, "clear")) == ({"clear/1": "E_QUOTA"}, 120)
    for _ in range(2):
        clock.advance(days=1)
        last = import_bundle(b, stick / "long")
    assert (errors(last), last_seq(b, a, "clear")) == ({}, 250)


def test_the_audit_says_what_went_out_and_came_in(nodes, stick):
    a, b, _ = nodes
    carry(a, b, stick / "for-b")
    codes = [row["code"] for row in rows_of(a, "SELECT code FROM audit_events ORDER BY event_row")]
    assert codes[-1] == "BUNDLE_EXPORTED"
    codes = [row["code"] for row in rows_of(b, "SELECT code FROM audit_events ORDER BY event_row")]
    assert codes[-1] == "BUNDLE_IMPORTED"


def test_a_file_that_changes_while_it_is_read_is_noticed(nodes, stick):
    a, b, _ = nodes
    export_bundle(a, peer_of(a, b), stick / "for-b")
    clear = FeedName(a.node_id, "clear")
    with open_carried(stick / "for-b") as file:
        with b.database.read() as tx:
            file.survey(open_end(file.end, file.carriage, sender=pinned(tx, a.node_id)))
        data = bytearray((stick / "for-b").read_bytes())
        write_lines(stick / "other", b'{"x":1}\n')
        (stick / "for-b").write_bytes((stick / "other").read_bytes() + bytes(data))
        with pytest.raises(WireFormatError) as refused:
            file.page(clear, 0)
    assert refused.value.code == "E_CARRIED_FILE"
