"""Making a node and opening it again."""

from __future__ import annotations

import json
import stat
from datetime import timedelta

import pytest

from federation.identity.fingerprint import fingerprint
from hub.bootstrap import NodeProfile, create_node, open_node
from hub.errors import Conflict, Misconfigured
from hub.exchange.collections import ORIGINALS_ID, VERDICTS_ID
from hub.peers.key_custody import read_key_file
from hub.peers.known_nodes import pinned
from hub.settings import load_settings
from hub.storage.queries.feeds import find_feed, records_after
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, own_stix_id
from schemas.markings import Tlp
from schemas.stix.validation import check_object
from tests.support.joined_nodes import sync, view_ids
from tests.support.nodes import NOW, FixedClock, make_node
from tests.support.publications import join
from tests.support.stored_state import check_invariants, envelope_in, rows_of

PROFILE = NodeProfile("Example CERT", "cert.example", "http://127.0.0.1:8001/", roles=("cert",))


@pytest.fixture
def settings(tmp_path):
    return load_settings(tmp_path / "home")


def create(settings, profile=PROFILE, **more):
    return create_node(settings, profile, clock=FixedClock(), **more)


class TestCreating:
    def test_it_tells_who_the_node_is(self, settings):
        created = create(settings)
        assert len(created.node_id) == 52
        assert created.fingerprint == fingerprint(created.node_id)
        assert created.identity.startswith("identity--")
        assert created.home == settings.home

    def test_the_root_keys_are_two_files_for_their_owner_alone(self, settings):
        created = create(settings)
        for path in (created.root_key_file, created.next_root_key_file):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        seeds = {
            read_key_file(path).public_key
            for path in (created.root_key_file, created.next_root_key_file)
        }
        assert len(seeds) == 2

    def test_the_home_and_the_online_keys_are_private(self, settings):
        create(settings)
        assert stat.S_IMODE(settings.home.stat().st_mode) == 0o700
        for use in ("entry", "http"):
            path = settings.home / "keys" / f"{use}.key"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_pass_phrase_locks_the_root_files(self, settings):
        created = create(settings, passphrase=b"correct horse")
        with pytest.raises(Misconfigured):
            read_key_file(created.root_key_file)
        assert read_key_file(created.root_key_file, b"correct horse").public_key

    def test_no_root_key_is_anywhere_else(self, settings):
        created = create(settings)
        secret = json.loads(created.root_key_file.read_text())["seed"].encode()
        others = [
            path
            for path in settings.home.rglob("*")
            if path.is_file() and path != created.root_key_file and secret in path.read_bytes()
        ]
        assert others == []

    def test_the_document_is_one_that_peers_pin(self, settings):
        create(settings)
        node = open_node(settings, clock=FixedClock())
        with node.database.read() as tx:
            document = pinned(tx, node.node_id).newest
        assert (document.name, document.domains) == ("Example CERT", ("cert.example",))
        assert document.expires == NOW + timedelta(days=365)
        assert document.identities == (node.identity,)
        assert {key.use for key in document.keys} == {"entry", "http"}
        node.database.close()

    def test_the_first_entry_is_its_own_identity(self, settings):
        create(settings)
        node = open_node(settings, clock=FixedClock())
        with node.database.read() as tx:
            feed = find_feed(tx, FeedName(node.node_id, "clear"))
            ((seq, _, record),) = records_after(tx, feed.feed_row, 0, 10)
        entry = json.loads(envelope_in(record).payload)
        assert (seq, entry["kind"], entry["policy"]["relay"]) == (1, "put", "public")
        (value,) = entry["objects"]
        check_object(value)
        assert value["id"] == node.identity
        assert value["object_marking_refs"] == [Tlp.CLEAR.marking_id]
        assert node.identity in view_ids(node, Tlp.CLEAR)
        check_invariants(node)
        node.database.close()

    def test_a_peer_takes_that_entry(self, tmp_path):
        a, b = make_node(tmp_path, "a"), make_node(tmp_path, "b")
        join(b, a)
        assert [(page.accepted, page.rejected) for page in sync(a, b, "clear")] == [(1, 0)]

    def test_both_collections_are_there_with_their_views(self, settings):
        create(settings)
        node = open_node(settings)
        rows = rows_of(node, "SELECT collection_id, count(*) AS n FROM views GROUP BY 1")
        assert {row["collection_id"]: row["n"] for row in rows} == {ORIGINALS_ID: 5, VERDICTS_ID: 5}
        node.database.close()

    def test_two_nodes_are_two(self, tmp_path):
        ids = {create(load_settings(tmp_path / name)).node_id for name in "ab"}
        assert len(ids) == 2

    def test_it_is_done_once(self, settings):
        first = create(settings)
        with pytest.raises(Conflict, match="E_ALREADY_INITIALISED"):
            create(settings)
        assert open_node(settings).node_id == first.node_id

    @pytest.mark.parametrize("left_behind", ["root-current.key", "root-next.key", "keys/entry.key"])
    def test_a_key_file_that_is_there_is_never_overwritten(self, settings, left_behind):
        path = settings.home / left_behind
        path.parent.mkdir(parents=True)
        path.write_text("precious")
        with pytest.raises(Conflict, match="E_KEY_FILE_EXISTS"):
            create(settings)
        assert path.read_text() == "precious"
        keys = [p for p in settings.home.rglob("*.key") if p != path]
        assert keys == []

    @pytest.mark.parametrize(
        "profile",
        [
            NodeProfile("X", "cert.example", "ftp://127.0.0.1/"),
            NodeProfile("X", "cert.example", "http://127.0.0.1:8001/path"),
        ],
    )
    def test_what_no_peer_would_pin_is_refused_before_a_key_is_written(self, settings, profile):
        with pytest.raises(WireFormatError):
            create(settings, profile)
        assert list(settings.home.rglob("*.key")) == []
        assert create(settings).node_id


class TestOpening:
    def test_a_home_without_a_node(self, settings):
        with pytest.raises(Misconfigured, match="E_NOT_INITIALISED"):
            open_node(settings)
        assert not settings.home.exists()

    def test_what_it_is_comes_back(self, settings):
        created = create(settings)
        node = open_node(settings)
        assert (node.node_id, node.identity) == (created.node_id, created.identity)
        assert node.identity == own_stix_id(node.node_id, "identity", f"identity-of-{node.node_id}")
        assert node.own.roles == ("cert",)
        node.database.close()

    def test_a_lost_key_file_is_named(self, settings):
        create(settings)
        (settings.home / "keys" / "entry.key").unlink()
        with pytest.raises(Misconfigured, match="E_KEY_FILE"):
            open_node(settings)

    def test_a_node_of_the_demo_is_no_node(self, tmp_path):
        demo = load_settings(tmp_path / "demo", demo=True)
        create(demo, NodeProfile("D", "d.example", "http://127.0.0.1:8001/", demo=True))
        assert open_node(demo).own.demo
        with pytest.raises(Misconfigured, match="E_DEMO_NODE"):
            open_node(load_settings(tmp_path / "demo"))
