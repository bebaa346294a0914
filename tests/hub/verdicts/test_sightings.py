"""Sightings: without whom they hit, of claimed names alone, told to whom the operator chose."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hub.exchange.publish import PublishRequest, publish_objects
from hub.node import Node
from hub.peers.trust import PeerChanges, set_peer
from hub.verdicts.sightings import (
    Seen,
    add_sightings,
    list_sightings,
    read_sightings_csv,
    read_sightings_json,
    tell_sightings,
)
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from schemas.strict_json import strict_loads
from tests.support.joined_nodes import direct, sync
from tests.support.nodes import make_node, peer_of
from tests.support.publications import drafts, join
from tests.support.stored_state import rows_of
from tests.support.told_claims import EVIL, authors, claim, clock_of, make_verdicts, tell

VICTIM = "192.0.2.77"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = make_node(tmp_path, "cert")
    (who,) = authors(made, 1)
    tell(made, who, "green", claim(EVIL), claim("fast.example", 2, scope="subtree"))
    make_verdicts(made)
    return made


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-01T{text}:00+00:00")


def test_sightings_are_summed_by_name_and_hour(node: Node) -> None:
    seen = [
        Seen(EVIL, 2, at("08:10"), at("08:20")),
        Seen(EVIL, 3, at("08:05"), at("08:50")),
        Seen(EVIL, 1, at("09:01")),
        Seen("a.b.fast.example", 7, at("09:01")),
        Seen("www." + EVIL, 1, at("09:01")),  # of EVIL the name alone is claimed
        Seen("innocent.example", 9, at("09:01")),
    ]
    added = add_sightings(node, seen)
    assert (added.taken, added.kept) == (6, 4)
    add_sightings(node, seen[:1])
    told = {(row.name, row.hour.hour): row for row in list_sightings(node)}
    assert {key: row.count for key, row in told.items()} == {
        (EVIL, 8): 7,
        (EVIL, 9): 1,
        ("fast.example", 9): 7,
    }
    assert (told[EVIL, 8].first_at, told[EVIL, 8].last_at) == (at("08:05"), at("08:50"))
    # What people look up that nobody claims is not kept.
    assert rows_of(node, "SELECT * FROM sightings WHERE name = 'innocent.example'") == []


def test_a_table_s_other_columns_are_not_read(node: Node) -> None:
    table = f"Client,Name,count,user\n{VICTIM},{EVIL},4,alice\n{VICTIM},{VICTIM},1,bob\n,x y,1,c\n"
    read = read_sightings_csv(table.encode())
    assert read.dropped == ("client", "user")
    assert [(seen.name, seen.count) for seen in read.seen] == [(EVIL, 4)]
    assert [line for line, _ in read.skipped] == [3, 4]
    add_sightings(node, read.seen)
    kept = str(rows_of(node, "SELECT * FROM sightings"))
    assert VICTIM not in kept
    assert "alice" not in kept


@pytest.mark.parametrize("table", [b"", b"a,b\n1,2\n", b"name\n\xff\n", b"na\0me\nx\n"])
def test_what_is_no_table_of_names_is_rejected(table: bytes) -> None:
    with pytest.raises(WireFormatError):
        read_sightings_csv(table)


@pytest.mark.parametrize(
    "body",
    [
        {"sightings": [{"name": EVIL, "client": VICTIM}]},
        {"sightings": [{"name": VICTIM}]},
        {"sightings": [{"name": EVIL, "count": 0}]},
        {"sightings": [{"name": EVIL, "count": True}]},
        {"sightings": [{"name": EVIL, "first": "yesterday"}]},
        {"sightings": [{"name": EVIL, "first": {}}]},
        {"sightings": [{"name": [EVIL]}]},
        {"sightings": ["x"]},
        {"sightings": {}},
        [],
    ],
)
def test_json_that_says_more_or_something_else_is_rejected(body: Any) -> None:
    with pytest.raises(WireFormatError):
        read_sightings_json(json.dumps(body).encode())


def test_what_was_seen_ahead_of_the_clock_was_seen_now(node: Node) -> None:
    add_sightings(node, [Seen(EVIL, 1, at("23:00"), at("23:30"))])
    (row,) = list_sightings(node, EVIL)
    assert row.last_at == row.first_at == node.now()


def test_an_origin_is_told_only_where_the_operator_opted_in(tmp_path: Path) -> None:
    origin, node = make_node(tmp_path / "a", "origin"), make_node(tmp_path / "b", "seer")
    join(origin, node, name="seer")
    join(node, origin, name="origin")
    (other,) = authors(node, 1, "partner")
    tell(node, other, "green", claim("others.example", 5))
    publish_objects(origin, PublishRequest(drafts=drafts(claim(EVIL, 9)), tlp=Tlp.GREEN))
    sync(origin, node, "green")
    make_verdicts(node)
    add_sightings(node, [Seen(EVIL, 4), Seen("others.example", 1)])
    clock_of(node).advance(hours=2)
    assert tell_sightings(node) == 0, "nobody opted in"
    set_peer(node, peer_of(node, origin.node_id), PeerChanges(sightings=True))
    clock_of(node).advance(hours=1)
    assert tell_sightings(node) == 0, "what was seen before is not told"
    add_sightings(node, [Seen(EVIL, 4), Seen("others.example", 1)])
    assert tell_sightings(node) == 0, "the hour is not over"
    clock_of(node).advance(hours=1)
    clock_of(origin).advance(hours=4)
    assert tell_sightings(node) == 1
    assert tell_sightings(node) == 0, "once"
    (page,) = sync(node, origin, direct(origin))
    assert (page.rejected, page.error) == (0, None)
    (row,) = rows_of(origin, "SELECT content, tlp, state FROM objects WHERE stix_type = 'sighting'")
    value = strict_loads(bytes(row["content"]))
    assert (value["count"], Tlp(row["tlp"]), row["state"]) == (4, Tlp.AMBER_STRICT, "accepted")
    (subject,) = rows_of(
        origin, "SELECT content, stix_id FROM objects WHERE stix_type = 'infrastructure'"
    )
    assert value["sighting_of_ref"] == subject["stix_id"]
    assert strict_loads(bytes(subject["content"]))["name"] == EVIL
    feeds = rows_of(node, "SELECT feed FROM feeds WHERE own")
    assert {row["feed"].split("/")[1] for row in feeds} == {"clear", direct(origin)}
    set_peer(node, peer_of(node, origin.node_id), PeerChanges(sightings=False))
    add_sightings(node, [Seen(EVIL, 4)])
    clock_of(node).advance(hours=2)
    assert tell_sightings(node) == 0
