"""Carried files, and what an older or newer release says (PROTOCOL 2.1, 2.6)."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Any

from tests.support.wire.feeds import (
    Feed,
    add_entries,
    add_story,
    clock,
    id_of,
    pull,
    stored,
)
from tests.support.wire.organisations import (
    Organisation,
    Subject,
    as_json,
    at,
    b64,
    payload_of,
    signed,
)

Members = dict[str, Any]

# Carried files.


def build_carried() -> Subject:
    subject = Subject("Files that carry feeds by hand (docs/carry.md)")
    maker, reader = (subject.organisation(name) for name in ("maker", "file reader"))
    feed = Feed(maker, "green")
    feed.put("carried-1")
    feed.write()
    lines = _lines(maker, reader, feed)

    def add(what: str, made: list[bytes], expect: Members, *, cut: int = 0) -> None:
        raw = b"".join(_member(line) for line in made)
        given = {"by": maker.name, "file": b64(raw[: len(raw) - cut])}
        subject.add(what, "file", given, expect)

    def ended(before: list[bytes], key: str = "entry", **changes: Any) -> list[bytes]:
        return [*before, _end(maker, reader, before, key, **changes)]

    whole = {
        "from": maker.node_id,
        "to": reader.node_id,
        "made_at": at(120),
        "lines": 3,
        "feeds": {feed.name: 2},
        "acks": 0,
    }
    add("a whole file", ended(lines), whole)
    unknown = as_json({"later": [1, 2]})
    add("a line of an unknown kind is passed over", ended([*lines, unknown]), whole | {"lines": 4})
    acks = as_json({"acks": [signed("ack", {"v": 1}, maker.key("entry"))]})
    add("with acks", ended([*lines, acks]), whole | {"lines": 4, "acks": 1})
    optional = ended(lines, later=True)
    add("an optional member of the end that is unknown is ignored", optional, whole)

    bad = {"code": "E_CARRIED_FILE"}
    critical = as_json({"!later": 1, "node": maker.documents[0]})
    other = as_json({**_beginning(maker, reader), "tocsin": "something-else"})
    add("a critical member of a line", ended([*lines, critical]), {"code": "E_SCHEMA"})
    add("a critical member of the end", ended(lines, **{"!later": 1}), {"code": "E_SCHEMA"})
    add("without its end", lines, bad)
    add("cut off", ended(lines), bad, cut=20)
    add("a line behind its end", [*ended(lines), unknown], bad)
    add("a line changed", [*lines[:2], lines[2].replace(b"more", b"less"), ended(lines)[3]], bad)
    add("a line left out", [*lines[:1], *lines[2:], ended(lines)[3]], bad)
    add("the end of another file", ended(lines, made_at=at(121)), bad)
    add("of another form", ended([other, *lines[1:]]), bad)
    add("of version 2", ended([as_json(_beginning(maker, reader) | {"v": 2}), *lines[1:]]), bad)
    add("signed by an http key", ended(lines, "http"), {"code": "E_KEY_PURPOSE"})
    add("two lines in one gzip member", [lines[0] + b"\n" + lines[1], *lines[2:]], bad)
    return subject


def _beginning(maker: Organisation, reader: Organisation) -> Members:
    parties = {"from": maker.node_id, "to": reader.node_id, "made_at": at(120)}
    return {"tocsin": "carried-feeds", "v": 1} | parties


def _lines(maker: Organisation, reader: Organisation, feed: Feed) -> list[bytes]:
    return [
        as_json(_beginning(maker, reader)),
        as_json({"node": maker.documents[0]}),
        as_json({"feed": feed.name, "page": feed.page()}),
    ]


def _end(
    maker: Organisation, reader: Organisation, before: list[bytes], key: str, **changes: Any
) -> bytes:
    stated = {
        "v": 1,
        "from": maker.node_id,
        "to": reader.node_id,
        "made_at": at(120),
        "lines": len(before),
        "digest": hashlib.sha256(b"".join(line + b"\n" for line in before)).hexdigest(),
    } | changes
    return as_json({"end": signed("carried", stated, maker.key(key))})


def _member(line: bytes) -> bytes:
    """One line as a gzip member of one stored block: the same bytes by whatever zlib."""
    data = line + b"\n"
    size = len(data)
    block = b"\x01" + struct.pack("<HH", size, size ^ 0xFFFF) + data
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + block + struct.pack("<II", zlib.crc32(data), size)


# Versions and critical members.


def build_versions() -> Subject:
    subject = Subject("Wire versions, unknown and critical members (PROTOCOL 2.1, 2.3)")
    for what, spoken, version in [
        ("no wire member is version 1", None, 1),
        ("the highest common version", [1, 2, 3], 1),
        ("no common version", [2], None),
        ("no version at all", [], None),
    ]:
        origin = subject.organisation(f"wire: {what}", wire=spoken)
        expect = {"code": "E_WIRE_VERSION"} if version is None else {"version": version}
        subject.add(f"wire: {what}", "wire", {"of": origin.name}, expect)
    _unknown_in_entries(subject)
    _unknown_on_pages(subject)
    return subject


def _unknown_in_entries(subject: Subject) -> None:
    origin = subject.organisation("of a later release")
    later: list[tuple[str, str, Members]] = [
        ("an unknown optional member is ignored", "stored", {"later": {"a": [1]}}),
        ("an unknown critical member", "rejected E_SCHEMA", {"!later": 1}),
        ("a critical member that is null", "rejected E_SCHEMA", {"!later": None}),
        ("an unknown kind", "rejected E_SCHEMA", {"kind": "later"}),
        ("an unknown member of the policy", "rejected E_POLICY", {"policy": {
            "tlp": "green", "relay": "community", "later": 1}}),
        ("an unknown word of the policy", "rejected E_POLICY", {"policy": {
            "tlp": "green", "relay": "community", "urgency": "later"}}),
        ("a sealed entry outside a sealed feed", "rejected E_SCHEMA", {"kind": "sealed"}),
        ("a release entry outside a sealed feed", "rejected E_SCHEMA", {"kind": "release"}),
    ]  # fmt: skip
    for what, state, members in later:
        feed = Feed(origin, "green")
        given = {"kind": "noop"} | members
        # Null stays: a member that is there is there.
        stated = {name: value for name, value in given.items() if name != "kind"}
        entry = _with_members(feed, str(given["kind"]), stated)
        feed.entries.append(entry)
        feed.write()
        add_entries(subject, f"an entry: {what}", feed, state, "stored")

    what = "an entry of version 2 stops the feed"
    feed = Feed(subject.organisation(what), "green")
    feed.write()
    feed.write(v=2)
    add_story(subject, what, pull(feed), came_to=["E_SCHEMA"], holds=stored(feed, 1))

    what = "an unknown relay word stops the feed"
    feed = Feed(subject.organisation(what), "green")
    feed.write(policy={"tlp": "green", "relay": "friends"})
    add_story(subject, what, pull(feed), came_to=["E_SCHEMA"], holds={})


def _with_members(feed: Feed, kind: str, members: Members) -> Members:
    plain = feed.entry(kind)
    return signed("entry", payload_of(plain) | members, feed.origin.key("entry"))


def _unknown_on_pages(subject: Subject) -> None:
    what = "what a later release adds to an entry is kept and served byte for byte"
    feed = Feed(subject.organisation(what), "green")
    feed.put("later-1", later={"a": 1}, src=["own-sensor"])
    shows = {"green": [id_of(feed.origin, "later-1")]}
    kept = {f"{feed.name}#1": feed.record(1)}
    add_story(subject, what, pull(feed), holds=stored(feed, 1), shows=shows, serves=kept)

    what = "unknown members of a page, and beside an entry, are ignored"
    feed = Feed(subject.organisation(what), "green")
    feed.write()
    page = feed.page(objects=[feed.record(1) | {"x_later": 1}], x_tocsin_later={"a": 1})
    kept = {f"{feed.name}#1": feed.record(1)}
    add_story(subject, what, pull(feed, page), holds=stored(feed, 1), serves=kept)

    what = "an entry that is also signed under a key that nobody knows yet"
    origin = subject.organisation(what)
    feed = Feed(origin, "green")
    feed.write("noop", origin.key("entry"), origin.key("entry 9"))
    add_story(subject, what, pull(feed), holds=stored(feed, 1))

    what = "a head with a critical member"
    feed = Feed(subject.organisation(what), "green")
    feed.write()
    page = feed.page(x_tocsin_head=feed.head(1, **{"!later": 1}))
    add_story(subject, what, pull(feed, page), came_to=["E_SCHEMA"], holds=stored(feed, 1))

    what = "entries from the future wait without an alarm, for 24 hours"
    feed = Feed(subject.organisation(what), "green")
    feed.write(ts=at(125))
    feed.write(ts=at(126))
    feed.write(ts=at(127, days=1))
    page = feed.page()
    steps = pull(feed, page), clock(at(121)), pull(feed, page)
    steps[2]["pull"]["pages"] = {"1": feed.page(1)}
    came_to = [None, None, "E_FUTURE"]
    add_story(subject, what, *steps, came_to=came_to, holds=stored(feed, 2))
