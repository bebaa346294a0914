"""Entries that an origin posts to a peer, and the status that answers (PROTOCOL 2.6 Push)."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.support.wire.feeds import Feed, add_story, holds, stored
from tests.support.wire.organisations import Organisation, Subject, at, b32

Members = dict[str, Any]


def build() -> Subject:
    subject = Subject("Add Objects on the fed root, and its status (PROTOCOL 2.6 Push)")
    origin = subject.organisation("pushing origin")
    other = subject.organisation("pushing other")
    _whole_pushes(subject, origin)
    _ended_pushes(subject, origin)
    _refused_pushes(subject, origin, other)
    return subject


def _group(origin: Organisation, what: str, entries: int = 2) -> Feed:
    """A group's feed of its own for each vector."""
    random = b32(hashlib.sha256(what.encode()).digest())[:26]
    feed = Feed(origin, f"g-{random}")
    feed.write("group", group={
        "gid": feed.audience, "name": "Pushed", "roster": "hidden", "history": "join"})  # fmt: skip
    for number in range(2, entries + 1):
        feed.put(f"pushed-{what}-{number}")
    return feed


def push(feed: Feed, *records: object, sender: Organisation | None = None, **more: Any) -> Members:
    """The step in which an origin posts to the reader's collection of its feed."""
    return {
        "push": {
            "feed": feed.name,
            "collection_id": feed.collection_id,
            "sender": (sender or feed.origin).name,
            "body": {"objects": list(records)} | more,
        }
    }


def _records(feed: Feed, *seqs: int) -> list[Members]:
    return [feed.record(seq) for seq in seqs or range(1, len(feed.entries) + 1)]


def _status(successes: list[tuple[Members, str]], failures: list[tuple[Members, str]]) -> Members:
    """The status, without its id and its time, which are the answerer's."""

    def listed(results: list[tuple[Members, str]]) -> list[Members]:
        return [{"id": r["id"], "version": r["created"], "message": m} for r, m in results]

    resource = {
        "status": "complete",
        "total_count": len(successes) + len(failures),
        "success_count": len(successes),
        "successes": listed(successes),
        "failure_count": len(failures),
        "failures": listed(failures),
        "pending_count": 0,
    }
    kept = {name: value for name, value in resource.items() if value != []}
    return {"status": 202, "resource": kept}


def _done(records: list[Members], *messages: str) -> Members:
    return _status(list(zip(records, messages, strict=True)), [])


def _whole_pushes(subject: Subject, origin: Organisation) -> None:
    what = "push: stored, and repeated"
    feed = _group(origin, what)
    records = _records(feed)
    step = push(feed, *records)
    came_to = [_done(records, "stored", "stored"), _done(records, "dup", "dup")]
    add_story(subject, what, step, step, came_to=came_to, holds=stored(feed, 2))

    what = "push: one whose content is rejected advances the chain"
    feed = _group(origin, what)
    feed.write("later")
    feed.write()
    records = _records(feed)
    messages = ["stored", "stored", "rejected E_SCHEMA", "stored"]
    states = holds(feed, *messages)
    add_story(
        subject, what, push(feed, *records), came_to=[_done(records, *messages)], holds=states
    )

    what = "push: with the stub of an entry that was erased"
    feed = _group(origin, what, 3)
    feed.write("erase", seqs=[2])
    records = [feed.record(1), feed.stub(2, 4), feed.record(3), feed.record(4)]
    came_to = [_done(records, *["stored"] * 4)]
    states = holds(feed, "stored", "stub", "stored", "stored")
    add_story(subject, what, push(feed, *records), came_to=came_to, holds=states)

    what = "push: of a group that was joined later, with its anchor (docs/adr/0011)"
    feed = _group(origin, what, 3)
    records = _records(feed, 3)
    step = push(feed, *records, x_tocsin_anchor=feed.head(2))
    came_to = [_done(records, "stored")]
    add_story(subject, what, step, came_to=came_to, holds=holds(feed, "stored", begins=3))


def _ended_pushes(subject: Subject, origin: Organisation) -> None:
    what = "push: the first chain-level failure ends it"
    feed = _group(origin, what, 5)
    records = _records(feed, 1, 2, 4, 5)
    ended = _status(
        [(records[0], "stored"), (records[1], "stored")], [(r, "E_GAP") for r in records[2:]]
    )
    add_story(subject, what, push(feed, *records), came_to=[ended], holds=stored(feed, 2))

    what = "push: nothing stored, so the failure's own error"
    feed = _group(origin, what, 3)
    gap = {"code": "E_GAP", "details": {"expected": 1}}
    add_story(subject, what, push(feed, *_records(feed, 2, 3)), came_to=[gap], holds={})

    what = "push: an entry that is not due yet is E_FUTURE at once"
    feed = _group(origin, what, 1)
    feed.write(ts=at(125))
    feed.write(ts=at(126))
    records = _records(feed)
    late = _status([(r, "stored") for r in records[:2]], [(records[2], "E_FUTURE")])
    add_story(subject, what, push(feed, *records), came_to=[late], holds=stored(feed, 2))

    what = "push: two histories"
    feed = _group(origin, what)
    fork = feed.record(2, _group(origin, what, 1).entry("noop"))
    first = push(feed, *_records(feed))
    came_to = [_done(_records(feed), "stored", "stored"), {"code": "E_FORK"}]
    add_story(subject, what, first, push(feed, fork), came_to=came_to, holds=stored(feed, 2))


def _refused_pushes(subject: Subject, origin: Organisation, other: Organisation) -> None:
    def refused(what: str, code: str, *records: object, **more: Any) -> None:
        name = f"push: {what}"
        feed = _group(origin, name)
        step = push(feed, *_records(feed, 1), *records, **more)
        add_story(subject, name, step, came_to=[{"code": code}], holds={})

    elsewhere = _group(origin, "elsewhere")
    stranger = elsewhere.record(1, elsewhere.entry("noop", other.key("entry")))
    plain = {name: value for name, value in elsewhere.record(1).items() if name != "dsse"}
    refused("plain STIX has no signed envelope", "E_TYPE", plain)
    refused("an object of another node's", "E_KEY_UNKNOWN", stranger)
    refused("a number in the place of an object", "E_SCHEMA", 1)

    what = "push: a later bad signature, and nothing of the body is stored"
    feed = _group(origin, what)
    records = _records(feed)
    dsse = records[1]["dsse"]
    signature = {**dsse["signatures"][0], "sig": _records(feed)[0]["dsse"]["signatures"][0]["sig"]}
    records[1] = records[1] | {"dsse": dsse | {"signatures": [signature]}}
    came_to = [{"code": "E_SIG_BAD"}]
    add_story(subject, what, push(feed, *records), came_to=came_to, holds={})

    what = "push: a wrong hint"
    feed = _group(origin, what)
    hint = feed.record(1) | {"created": at(9), "modified": at(9)}
    add_story(subject, what, push(feed, hint), came_to=[{"code": "E_FEED"}], holds={})

    what = "push: another node's feed is unknown, whoever may read it"
    feed = _group(origin, what)
    step = push(feed, *_records(feed), sender=other)
    add_story(subject, what, step, came_to=[{"code": "E_NOT_FOUND"}], holds={})

    what = "push: a direct feed to another node is unknown"
    direct = Feed(origin, f"d-{other.node_id[:26]}")
    direct.write()
    step = push(direct, *_records(direct))
    add_story(subject, what, step, came_to=[{"code": "E_NOT_FOUND"}], holds={})
