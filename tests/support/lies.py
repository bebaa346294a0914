"""The lies that a malicious peer can tell, each bending one answer (``tests.support.malicious``).

Grouped by what is done to the feed. A lie changes the page that an honest node would have given;
what it does not touch is as it should be, so that it is found out for itself.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from federation.errors import PeerUnreachable
from federation.feeds.heads import head_payload, relay_head_payload
from federation.signing.signer import seal
from federation.transport.guarded_http import HttpAnswer
from hub.node import Node
from hub.storage.queries.feeds import FeedRow, find_feed_of_collection, list_feeds, records_after
from schemas.identifiers import EntryHash, FeedName, NodeId
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE, RELAY_HEAD_TYPE
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import read_wire_time, write_wire_time
from tests.support.malicious import ANY, FEED_LIST, HEAD_LIST, Told, lie, write_lax
from tests.support.simulated_federation import LISTING, PAGES

_FAR_AHEAD = 2**53 - 1
_NEEDLE = re.compile(r"needle-[0-9]{5}-of-n[0-9]")


# Omit ---------------------------------------------------------------------------------------


@lie("the first entry is left out", "omit", least=1)
def _omit_first(told: Told) -> None:
    told.objects.pop(0)


@lie("an entry in the middle is left out", "omit", least=3)
def _omit_middle(told: Told) -> None:
    told.objects.pop(len(told.objects) // 2)


@lie("the last entry is left out", "omit", least=1)
def _omit_last(told: Told) -> None:
    told.objects.pop()
    told.page.pop("next", None)
    told.page["more"] = False


@lie("everything is left out", "omit", least=1)
def _omit_all(told: Told) -> None:
    told.page.pop("objects")
    told.page.pop("next", None)
    told.page["more"] = False


@lie("no feed is listed", "omit", about=FEED_LIST)
def _list_nothing(told: Told) -> None:
    told.page.clear()


# Reorder ------------------------------------------------------------------------------------


@lie("two entries are exchanged", "reorder", least=2)
def _swap(told: Told) -> None:
    told.objects[0], told.objects[1] = told.objects[1], told.objects[0]


@lie("the page is backwards", "reorder", least=2)
def _reverse(told: Told) -> None:
    told.objects.reverse()


# Fork ---------------------------------------------------------------------------------------


@lie("another entry stands in the place of the last", "fork", own=True, forks=True, least=1)
def _fork(told: Told) -> None:
    changes: dict[str, Any] = {"nonce": base64.b64encode(b"another history!").decode()}
    payload = told.payload(-1)
    if told.liar.words is not None and "objects" in payload:
        text = _NEEDLE.sub(told.liar.words, json.dumps(payload["objects"]))
        changes["objects"] = json.loads(text)
    told.sign(-1, **changes)


@lie("the last entry follows another one", "fork", own=True, least=1)
def _other_prev(told: Told) -> None:
    told.sign(-1, prev="1" * 64)


@lie("the head names another last entry", "fork", own=True, least=1)
def _other_head(told: Told) -> None:
    told.set_head(told.payload(-1)["seq"], EntryHash("2" * 64))


# Replay -------------------------------------------------------------------------------------


@lie("an entry comes twice", "replay", least=1)
def _twice(told: Told) -> None:
    told.objects.append(dict(told.objects[-1]))


@lie("the first page comes again and again", "replay", least=1)
def _first_again(told: Told) -> None:
    key = told.request.path
    first = told.liar.kept.setdefault(key, HttpAnswer(200, {}, write_lax(told.page)))
    told.page.clear()
    told.page.update(json.loads(first.body))


# Retag --------------------------------------------------------------------------------------


@lie("the hints name another feed", "retag", least=1)
def _other_hint(told: Told) -> None:
    assert told.feed is not None
    audience = "clear" if told.feed.audience != "clear" else "green"
    told.objects[-1]["feed"] = str(FeedName(told.feed.node_id, audience))


@lie("entries of a narrower feed come in a wider one", "retag")
def _narrower(told: Told) -> None:
    assert told.feed is not None
    narrow = _held_feeds(told.liar.node, lambda row: row.audience[:2] in {"d-", "g-"})
    for row in narrow:
        for value in _records(told.liar.node, row):
            value["feed"] = str(told.feed)
            told.objects.append(value)


@lie("the label is written lower", "retag", least=1)
def _lower_label(told: Told) -> None:
    payload = told.payload(-1)
    payload["policy"] = {"tlp": "clear", "relay": "public"}
    told.objects[-1]["dsse"]["payload"] = base64.b64encode(write_json(payload)).decode()


@lie("the entry claims another origin", "retag", least=1)
def _other_origin(told: Told) -> None:
    assert told.feed is not None
    payload = told.payload(-1) | {"feed": str(FeedName(told.liar.node.node_id, "clear"))}
    envelope = seal(told.liar.node.keys.entry, ENTRY_TYPE, write_json(payload))
    told.objects[-1]["dsse"] = envelope.to_json()


# Strip --------------------------------------------------------------------------------------


@lie("the signatures are taken off", "strip", least=1)
def _no_signatures(told: Told) -> None:
    told.objects[-1]["dsse"]["signatures"] = []


@lie("the signatures are left out", "strip", least=1)
def _without_signatures(told: Told) -> None:
    told.objects[-1]["dsse"].pop("signatures")


@lie("plain STIX stands in the entry's place", "strip", least=1)
def _plain_stix(told: Told) -> None:
    told.page["objects"] = told.payload(-1).get("objects", [])


@lie("the head is taken off", "strip")
def _no_head(told: Told) -> None:
    told.page.pop("x_tocsin_head", None)


@lie("the relay's own signature is taken off", "strip", least=1)
def _no_relay_head(told: Told) -> None:
    told.page.pop("x_tocsin_relay_head", None)


@lie("the marking is taken off", "strip", own=True, forks=True, least=1)
def _no_marking(told: Told) -> None:
    values = told.payload(-1).get("objects")
    if values is not None:
        bare = [
            {name: member for name, member in value.items() if name != "object_marking_refs"}
            for value in values
        ]
        told.sign(-1, objects=bare)


@lie("one byte is another", "strip", least=1)
def _one_byte(told: Told) -> None:
    text = told.objects[-1]["dsse"]["payload"]
    place = len(text) // 2
    told.objects[-1]["dsse"]["payload"] = (
        text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
    )


# Backdate -----------------------------------------------------------------------------------


@lie("an entry is older than the one before", "backdate", own=True, least=2)
def _backdate(told: Told) -> None:
    before = read_wire_time(told.payload(-2)["ts"])
    told.sign(-1, ts=write_wire_time(before - timedelta(milliseconds=500)))


@lie("an entry comes from the day after tomorrow", "backdate", own=True, least=1)
def _postdate(told: Told) -> None:
    told.sign(-1, ts=write_wire_time(told.liar.node.now() + timedelta(days=2)))


@lie("an entry stands far ahead", "backdate", own=True, least=1)
def _far_ahead(told: Told) -> None:
    told.sign(-1, seq=_FAR_AHEAD)


# Flood --------------------------------------------------------------------------------------


@lie("a page of a thousand entries", "flood", least=1)
def _flood_page(told: Told) -> None:
    told.page["objects"] = told.objects * 1_000


@lie("a thousand feeds that nobody writes", "flood", about=FEED_LIST)
def _flood_listing(told: Told) -> None:
    made_up = [FeedName(_made_up(number), "green") for number in range(1_000)]
    told.page["collections"] = [*told.page.get("collections", []), *map(_listed, made_up)]


@lie("every feed that it holds is listed", "flood", about=FEED_LIST)
def _list_all(told: Told) -> None:
    every = _held_feeds(told.liar.node, lambda row: row.last_seq > 0)
    told.page["collections"] = [_listed(row.name) for row in every]


@lie("every head that it holds is told", "flood", about=HEAD_LIST)
def _tell_all(told: Told) -> None:
    every = _held_feeds(told.liar.node, lambda row: row.head is not None)
    told.page["heads"] = [strict_loads(row.head) for row in every if row.head is not None]


@lie("every feed that it holds is served", "flood", about=ANY)
def _serve_all(told: Told) -> None:
    """Serve whatever is asked for, whoever asks, with a relay head as the rules want one."""
    asked = PAGES.fullmatch(told.request.path)
    with told.liar.node.database.read() as tx:
        row = None if asked is None else find_feed_of_collection(tx, asked[1])
    if told.request.target == LISTING:
        _list_all(told)
    if asked is None:
        told.is_told = told.request.target == LISTING
        return
    if row is None or row.head is None:
        told.is_told = False
        return
    node = told.liar.node
    told.page = {"more": False, "x_tocsin_head": strict_loads(row.head)}
    after = int(told.request.query.partition("next=seq:")[2].partition("&")[0] or 0)
    objects = [value for value in _records(node, row) if value["seq"] > after]
    if objects:
        told.page["objects"] = objects
    if not row.own:
        payload = relay_head_payload(
            node.node_id, row.name, row.last_seq, row.last_hash, node.now()
        )
        head = seal(node.keys.entry, RELAY_HEAD_TYPE, payload)
        told.page["x_tocsin_relay_head"] = head.to_json()


# Stall and loop -----------------------------------------------------------------------------


@lie("nothing is answered", "stall", about=ANY)
def _stall(_told: Told) -> None:
    raise PeerUnreachable("E_HTTP_TIMEOUT", "it did not answer in time")


@lie("there is always more", "loop")
def _always_more(told: Told) -> None:
    told.page["more"] = True
    told.page.setdefault("next", "seq:0")


@lie("the cursor goes back", "loop", least=1)
def _cursor_back(told: Told) -> None:
    told.page |= {"more": True, "next": "seq:0"}


@lie("the cursor leaps", "loop", least=1)
def _cursor_leaps(told: Told) -> None:
    told.page |= {"more": True, "next": f"seq:{_FAR_AHEAD}"}


# Bombs --------------------------------------------------------------------------------------


@lie("brackets without end", "bomb")
def _deep(told: Told) -> None:
    told.raw = b'{"more":false,"objects":' + b"[" * 50_000


@lie("a number beyond all numbers", "bomb")
def _infinite(told: Told) -> None:
    told.raw = b'{"more":false,"x":1e400}'


@lie("a member twice", "bomb", least=1)
def _twice_named(told: Told) -> None:
    told.raw = b'{"more":true,' + write_lax(told.page)[1:]


@lie("a pattern of many brackets", "bomb", own=True, forks=True, least=1)
def _pattern(told: Told) -> None:
    values = told.payload(-1).get("objects")
    if values is not None:
        nested = "(" * 2_000 + "[domain-name:value = 'a.example']" + ")" * 2_000
        told.sign(-1, objects=[value | {"pattern": nested} for value in values])


# Heads --------------------------------------------------------------------------------------


@lie("heads that it cannot sign", "fork", about=HEAD_LIST)
def _forged_heads(told: Told) -> None:
    node = told.liar.node
    forged = []
    for row in _held_feeds(node, lambda row: row.last_seq > 0):
        payload = head_payload(row.name, row.last_seq + 5, EntryHash("3" * 64), node.now())
        forged.append(seal(node.keys.entry, HEAD_TYPE, payload).to_json())
    told.page["heads"] = [head for head in forged if _origin_of(head) != node.node_id]


# --------------------------------------------------------------------------------------------


def _held_feeds(node: Node, wanted: Callable[[FeedRow], bool]) -> list[FeedRow]:
    with node.database.read() as tx:
        return [row for row in list_feeds(tx) if wanted(row)]


def _records(node: Node, row: FeedRow) -> list[dict[str, Any]]:
    with node.database.read() as tx:
        return [strict_loads(raw) for _, _, raw in records_after(tx, row.feed_row, 0, 100) if raw]


def _listed(feed: FeedName) -> dict[str, Any]:
    return {
        "id": feed.collection_id,
        "title": str(feed),
        "can_read": True,
        "can_write": False,
        "x_tocsin_feed": str(feed),
    }


def _made_up(number: int) -> NodeId:
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    name = ""
    for _ in range(4):
        number, digit = divmod(number, 32)
        name += digits[digit]
    return NodeId(name.rjust(52, "a"))


def _origin_of(head: dict[str, Any]) -> str:
    payload = json.loads(base64.b64decode(head["payload"]))
    return str(payload["feed"]).partition("/")[0]
