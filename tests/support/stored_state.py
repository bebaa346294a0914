"""What a node's database holds: what always has to be true of it, and a form to compare.

Read with plain SQL and the schemas' readers, not with the queries of the product, so that a
defect there does not hide itself.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from hub.exchange.collection_kinds import ORIGINALS_ID
from hub.node import Node
from schemas.identifiers import ZERO_HASH
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE, SignedEnvelope, read_envelope

Rows = list[dict[str, Any]]
_OF_ORIGINALS = (
    "JOIN views USING (view_id) JOIN collections USING (collection_id)"
    " WHERE kind IN ('originals', 'selection')"
)


def rows_of(node: Node, statement: str) -> Rows:
    """Run one reading statement."""
    with node.database.engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.text(statement))]


def events_of(node: Node, code: str) -> list[dict[str, Any]]:
    """Return the params of the audit's events of a code, the oldest first."""
    rows = rows_of(node, "SELECT code, params FROM audit_events ORDER BY event_row")
    return [json.loads(row["params"]) for row in rows if row["code"] == code]


def envelope_in(record: bytes) -> SignedEnvelope:
    """Return the signed envelope of an entry as it is served."""
    return read_envelope(json.loads(bytes(record))["dsse"], ENTRY_TYPE)


def check_invariants(node: Node) -> None:
    """Assert that no entry is ahead of its objects and no cursor ahead of its data."""
    entries = rows_of(node, "SELECT * FROM entries ORDER BY feed_row, seq")
    feeds = rows_of(node, "SELECT * FROM feeds ORDER BY feed_row")
    objects = {row["object_row"]: row for row in rows_of(node, "SELECT * FROM objects")}
    carried = {
        (row["feed_row"], row["seq"], row["object_row"])
        for row in rows_of(node, "SELECT * FROM carried")
    }
    anchors = {row["feed_row"]: row for row in rows_of(node, "SELECT * FROM feed_anchors")}
    for feed in feeds:
        mine = [entry for entry in entries if entry["feed_row"] == feed["feed_row"]]
        _check_chain(feed, mine, anchors.get(feed["feed_row"]))
        _check_head(feed, mine)
    standing = {(entry["feed_row"], entry["seq"]) for entry in entries}
    assert {(feed_row, seq) for feed_row, seq, _ in carried} <= standing, "objects without an entry"
    for entry in entries:
        _check_objects(entry, carried, objects)
    _check_views(node, objects)
    _check_closure(node, objects)
    _check_counts(node, feeds, carried)


def _check_chain(feed: Mapping[str, Any], entries: Rows, anchor: Mapping[str, Any] | None) -> None:
    """The cursor stands at the last entry; each entry names the hash of the one before."""
    begins, before = (0, ZERO_HASH) if anchor is None else (anchor["seq"], anchor["hash"])
    assert [entry["seq"] for entry in entries] == list(range(begins + 1, feed["last_seq"] + 1))
    for entry in entries:
        if not _has_bytes(entry):
            before = entry["hash"]
            continue
        envelope = envelope_in(entry["record"])
        payload = json.loads(envelope.payload)
        assert envelope.hash == entry["hash"]
        assert (payload["feed"], payload["seq"]) == (feed["feed"], entry["seq"])
        # A later epoch begins where a node document says, in another feed's chain.
        begins_epoch = feed["epoch"] > 1 and entry["seq"] == 1
        assert payload["prev"] == before or begins_epoch
        before = envelope.hash
    assert feed["last_hash"] == before


def _has_bytes(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is here: a stub stands for what its origin took back, nothing for what was
    erased by law at this node alone."""
    record = bytes(entry["record"])
    if entry["state"] == "stub":
        value = json.loads(record)
        assert (value["dsse"], value["hash"]) == (None, entry["hash"])
        assert value["stub"] > entry["seq"]
        return False
    return bool(record)


def _check_head(feed: Mapping[str, Any], entries: Rows) -> None:
    """An own head names the last entry; a held one never names what we do not hold."""
    if feed["head"] is None:
        assert not (feed["own"] and entries), "an own entry without a head"
        return
    head = json.loads(read_envelope(json.loads(bytes(feed["head"])), HEAD_TYPE).payload)
    assert head["seq"] == feed["head_seq"] <= feed["last_seq"]
    assert not feed["own"] or head["seq"] == feed["last_seq"]
    assert head["hash"] == {entry["seq"]: entry["hash"] for entry in entries}[head["seq"]]


def _check_objects(
    entry: Mapping[str, Any], carried: set[tuple[int, int, int]], objects: Mapping[int, Any]
) -> None:
    """Every object of a stored entry is there, with the bytes that were signed."""
    if not _has_bytes(entry):
        return
    payload = envelope_in(entry["record"]).payload
    expected = sorted(value["id"] for value in json.loads(payload).get("objects", []))
    linked = [row for feed, seq, row in carried if (feed, seq) == (entry["feed_row"], entry["seq"])]
    if entry["state"] == "rejected":
        assert not linked, "a rejected entry shows objects"
        return
    assert sorted(objects[row]["stix_id"] for row in linked) == expected
    for row in linked:
        assert bytes(objects[row]["content"]) in payload


def _check_views(node: Node, objects: Mapping[int, Any]) -> None:
    """A view shows accepted objects alone, and its clock is not behind its rows."""
    shown = rows_of(node, f"SELECT * FROM view_rows {_OF_ORIGINALS}")
    clocks = {row["view_id"]: row["last_added"] for row in rows_of(node, "SELECT * FROM views")}
    for row in shown:
        assert objects[row["object_row"]]["state"] == "accepted"
        assert row["date_added"] <= clocks[row["view_id"]]
    visible = {row["object_row"] for row in shown}
    ready = {number for number, row in objects.items() if row["state"] == "accepted"}
    assert visible <= ready
    # Of two origins' claims to one id a view shows the stronger one (docs/adr/0005).
    shown_of_others = {(objects[row]["stix_id"], objects[row]["origin"]) for row in visible}
    ids = {objects[row]["stix_id"] for row in visible}
    for row in ready - visible:
        stix_id, origin = objects[row]["stix_id"], objects[row]["origin"]
        others = {other for found, other in shown_of_others if found == stix_id} - {origin}
        waits = not _references_in(bytes(objects[row]["content"])) <= ids
        assert others or waits, f"an accepted object that no view shows: {stix_id}"


def _check_closure(node: Node, objects: Mapping[int, Any]) -> None:
    """What a view shows refers to nothing that ``originals`` hides there (THREATS 2.11)."""
    places = rows_of(node, f"SELECT * FROM view_rows {_OF_ORIGINALS}")
    shown: dict[tuple[int, str], set[str]] = {}
    for row in places:
        if row["collection_id"] == ORIGINALS_ID:
            key = row["ceiling"], row["organisation_id"]
            shown.setdefault(key, set()).add(objects[row["object_row"]]["stix_id"])
    public = {
        identity
        for row in rows_of(node, "SELECT dsse FROM node_documents")
        for identity in _payload_of(row["dsse"])["identities"]
    }
    for row in places:
        found = objects[row["object_row"]]
        refs = _references_in(bytes(found["content"])) - public
        there = shown.get((row["ceiling"], row["organisation_id"]), set())
        assert refs <= there, f"{found['stix_id']} refers to {refs - there}, out of its view"


def _references_in(content: bytes) -> set[str]:
    """The ids in an object's properties of references, its markings excepted."""
    value = json.loads(content or b"{}")
    refs = [value[name] for name in value if name.endswith("_ref")]
    lists = [value[name] for name in value if name.endswith("_refs")]
    found = {ref for many in lists for ref in many} | set(refs)
    return {ref for ref in found if not ref.startswith("marking-definition--")}


def _payload_of(dsse: bytes) -> Any:
    return json.loads(base64.b64decode(json.loads(bytes(dsse))["payload"]))


def _check_counts(node: Node, feeds: Rows, carried: set[tuple[int, int, int]]) -> None:
    """What counts against an origin's daily limit is what came from it.

    Each entry counts as one at least, as what it carries, and as 64 at most.
    """
    of_feed = {feed["feed_row"]: feed["node_id"] for feed in feeds if not feed["own"]}
    objects: dict[str, int] = {}
    for feed_row, _, _ in carried:
        if feed_row in of_feed:
            objects[of_feed[feed_row]] = objects.get(of_feed[feed_row], 0) + 1
    entries: dict[str, int] = {}
    for row in rows_of(node, "SELECT feed_row FROM entries"):
        if row["feed_row"] in of_feed:
            origin = of_feed[row["feed_row"]]
            entries[origin] = entries.get(origin, 0) + 1
    counted = {
        row["node_id"]: int(row["objects"])
        for row in rows_of(
            node, "SELECT node_id, SUM(objects) AS objects FROM peer_days GROUP BY 1"
        )
    }
    for origin, came in entries.items():
        count = counted.get(origin, 0)
        assert max(came, objects.get(origin, 0)) <= count <= 64 * came


def comparable_state(node: Node) -> dict[str, Any]:
    """Return what a node holds without the numbers of its rows, its audit and its nonces."""
    feed_columns = (
        "feed, own, relay, highest_tlp, last_seq, last_hash, last_ts, state, relay_stopped, "
        "head, head_seq, head_ts"
    )
    feed_of = "SELECT feeds.feed, "
    return {
        "feeds": _sorted(rows_of(node, f"SELECT {feed_columns} FROM feeds")),
        "entries": _sorted(
            rows_of(
                node,
                f"{feed_of} seq, hash, kind, entries.tlp, entries.state, code, exercise, ts,"
                " record, sender, received_at FROM entries JOIN feeds USING (feed_row)",
            )
        ),
        "objects": _sorted(
            [
                {name: value for name, value in row.items() if name != "object_row"}
                for row in rows_of(node, "SELECT * FROM objects")
            ]
        ),
        "carried": _sorted(
            rows_of(
                node,
                f"{feed_of} seq, stix_id, version FROM carried JOIN feeds USING (feed_row)"
                " JOIN objects USING (object_row)",
            )
        ),
        "views": rows_of(
            node,
            "SELECT collection_id, ceiling, organisation_id, date_added, latest, origin, stix_id,"
            " version FROM view_rows JOIN views USING (view_id) JOIN objects USING (object_row)"
            " ORDER BY collection_id, ceiling, organisation_id, date_added",
        ),
        "documents": _sorted(rows_of(node, "SELECT node_id, version, hash FROM node_documents")),
        "days": _sorted(rows_of(node, "SELECT * FROM peer_days")),
        "jobs": _sorted(rows_of(node, "SELECT kind, subject, next_attempt_at FROM jobs")),
        "peers": _sorted(
            rows_of(node, "SELECT node_id, trust, verified, last_success_at, failures FROM peers")
        ),
    }


def _sorted(rows: Rows) -> Rows:
    plain = [
        {name: bytes(v) if isinstance(v, memoryview) else v for name, v in row.items()}
        for row in rows
    ]
    return sorted(plain, key=lambda row: str(sorted(row.items())))
