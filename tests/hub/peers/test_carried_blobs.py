"""The lists of domain sets in a carried file (issue 6 "domain sets", docs/carry.md)."""

from __future__ import annotations

import gzip
import shutil

import pytest

from federation.delivery.carried_file import (
    blob_line,
    end_line,
    end_payload,
    read_begin,
    read_line,
)
from federation.signing.signer import seal
from hub.bootstrap import open_node
from hub.peers.bundles import export_bundle, import_bundle
from hub.peers.carried import new_file
from hub.peers.wanted_blobs import plan_blobs
from hub.settings import load_settings
from schemas.errors import WireFormatError
from schemas.signed_envelope import CARRIED_TYPE
from schemas.strict_json import strict_loads, write_json
from tests.support.blobs import blob_at, bytes_at, digest, noise, publish_set, set_states
from tests.support.nodes import FixedClock, give_trust, make_node, peer_of
from tests.support.publications import join
from tests.support.stored_state import rows_of

DATA = noise(600_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two peers; no server runs in this module."""
    homes = tmp_path_factory.mktemp("made")
    a, b = (make_node(homes, name, FixedClock()) for name in ("alpha", "beta"))
    join(a, b)
    join(b, a)
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


@pytest.fixture
def stick(tmp_path):
    return tmp_path / "stick.carried"


def lines_of(file):
    with gzip.open(file) as lines:
        return [strict_loads(line) for line in lines]


def carry(a, b, file, **how):
    export_bundle(a, peer_of(a, b), file, **how)
    return import_bundle(b, file)


def test_what_the_entries_in_it_name_is_in_it(a, b, stick):
    publish_set(a, DATA, "green")
    done = carry(a, b, stick)
    assert (done.lists.taken, done.lists.error) == (1, None)
    assert bytes_at(b, DATA) == DATA
    parts = [line for line in lines_of(stick) if "blob" in line]
    assert [(line["blob"], line["part"]) for line in parts] == [
        (digest(DATA), number) for number in range(3)
    ]
    plan_blobs(b)
    (row,) = rows_of(b, "SELECT state FROM domain_sets")
    assert row["state"] == "held"


def test_it_weighs_little_more_than_the_list_itself(a, b, stick):
    publish_set(a, DATA, "green")
    export_bundle(a, peer_of(a, b), stick)
    assert stick.stat().st_size < len(DATA) * 1.03


def test_taking_it_twice_changes_nothing(a, b, stick):
    publish_set(a, DATA, "green")
    carry(a, b, stick)
    assert import_bundle(b, stick).lists.taken == 0


def test_it_holds_no_list_of_entries_that_it_does_not_hold(a, b, stick):
    publish_set(a, DATA, "amber", [b])
    give_trust(a, b, "member")
    publish_set(a, other := noise(10, 2), "green", number=2)
    carry(a, b, stick)
    assert blob_at(b, DATA) is None
    assert bytes_at(b, other) == other


def test_what_waits_in_quarantine_is_kept_for_it(a, b, stick):
    give_trust(b, a, "known")
    publish_set(a, DATA, "green")
    carry(a, b, stick)
    assert set_states(b) == ["quarantined"]
    assert bytes_at(b, DATA) == DATA
    plan_blobs(b)
    assert rows_of(b, "SELECT state FROM domain_sets") == [{"state": "waits"}]


def test_a_list_that_nothing_names_is_passed_over(a, b, stick):
    publish_set(a, DATA, "green")
    assert carry_with(a, b, stick, blob_line("0" * 64, 0, b"x")).lists.taken == 1
    assert blob_at(b, "0" * 64) is None


def test_other_bytes_are_dropped_and_the_list_is_still_wanted(a, b, stick):
    publish_set(a, digest(DATA), "green")
    lists = carry_with(a, b, stick, blob_line(digest(DATA), 0, b"other")).lists
    assert (lists.taken, lists.refused, lists.error) == (0, 1, "E_BLOB_DIGEST")
    assert (blob_at(b, DATA).state, blob_at(b, DATA).held) == ("wanted", 0)
    assert rows_of(b, "SELECT 1 FROM signature_failures") != []


def test_parts_out_of_order_make_it_no_whole_file(a, b, stick):
    publish_set(a, digest(DATA), "green")
    with pytest.raises(WireFormatError) as refused:
        carry_with(a, b, stick, blob_line(digest(DATA), 1, b"x"))
    assert refused.value.code == "E_CARRIED_FILE"


def carry_with(a, b, file, more):
    """Carry a file to which its maker added a line, under its own signature."""
    made = file.with_suffix(".made")
    export_bundle(a, peer_of(a, b), made)
    with gzip.open(made) as stream:
        lines = [line.rstrip(b"\n") for line in stream]
    with new_file(file) as writer:
        for line in (*lines[:-1], more):
            writer.write(line)
        payload = end_payload(read_begin(lines[0]), lines=writer.lines, digest=writer.digest)
        writer.write(end_line(seal(a.keys.entry, CARRIED_TYPE, payload)))
    return import_bundle(b, file)


@pytest.mark.parametrize(
    "change",
    [
        {"blob": "x"},
        {"blob": 5},
        {"part": -1},
        {"part": "0"},
        {"data": "eA"},
        {"data": None},
        {"data": "eB=="},
    ],
)
def test_a_line_that_is_no_part_is_refused(change):
    line = strict_loads(blob_line("0" * 64, 0, b"x"))
    with pytest.raises(WireFormatError):
        read_line(write_json(line | change))


def test_a_release_that_does_not_know_such_lines_passes_over_them():
    """``read_line`` of release 0.2 knew these four members, and nothing of any other."""
    line = strict_loads(blob_line("0" * 64, 0, b"x"))
    assert not line.keys() & {"node", "page", "acks", "end"}
    assert not any(name.startswith("!") for name in line)
