"""Groups: their documents, their end, and the anchors of who joined later (PROTOCOL 2.4, 2.6)."""

from __future__ import annotations

from typing import Any

from tests.support.wire.feeds import Feed, add_entries, add_story, clock, holds, pull, stored
from tests.support.wire.organisations import Organisation, Subject, at, b32, random_looking


def build() -> Subject:
    subject = Subject("Groups and anchors (PROTOCOL 2.4, 2.6)")
    origin, relay = (subject.organisation(name) for name in ("group owner", "group relay"))
    _documents(subject, origin)
    _places(subject, origin, relay)
    _anchors(subject, origin, relay)
    return subject


def _feed(origin: Organisation, what: str) -> Feed:
    """A group's feed of its own for each vector."""
    return Feed(origin, "g-" + b32(random_looking("group", what))[:26])


def _group(feed: Feed, **changes: Any) -> dict[str, Any]:
    stated = {
        "gid": feed.audience,
        "name": "Example group",
        "roster": "members",
        "members": [feed.origin.node_id],
        "history": "all",
    } | changes
    return {name: value for name, value in stated.items() if value is not None}


def _begun(origin: Organisation, what: str, **changes: Any) -> Feed:
    feed = _feed(origin, what)
    feed.write("group", group=_group(feed, **changes))
    return feed


def _documents(subject: Subject, origin: Organisation) -> None:
    good = [
        ("a roster of members", {}),
        ("a hidden roster names nobody", {"roster": "hidden", "members": None}),
        ("a history from joining on", {"history": "join"}),
        ("an optional member that is unknown is ignored", {"later": True}),
    ]
    for what, changes in good:
        feed = _begun(origin, what, **changes)
        add_entries(subject, what, feed, "stored")
    bad = [
        ("a hidden roster that names members", {"roster": "hidden"}),
        ("a roster of members without members", {"members": None}),
        ("members that are no node ids", {"members": ["somebody"]}),
        ("the gid of another group", {"gid": "g-" + "a" * 26}),
        ("a history of another kind", {"history": "some"}),
        ("no name", {"name": None}),
    ]
    for what, changes in bad:
        feed = _begun(origin, what, **changes)
        add_entries(subject, what, feed, "rejected E_SCHEMA")


def _places(subject: Subject, origin: Organisation, relay: Organisation) -> None:
    what = "a roster, an object at AMBER, a full new roster, and the end"
    feed = _begun(origin, what)
    feed.put("group-one", tlp="amber")
    feed.write("group", group=_group(feed, members=[origin.node_id, relay.node_id]))
    feed.write("retract", ids=[feed.audience])
    add_story(subject, what, pull(feed), holds=stored(feed, 4), closed=[feed.name])

    what = "nothing follows a closed feed"
    feed = _begun(origin, what)
    feed.write("retract", ids=[feed.audience])
    feed.write()
    add_story(subject, what, pull(feed), came_to=["E_FEED"], holds=stored(feed, 2))

    what = "a retract of the gid and something else closes nothing"
    feed = _begun(origin, what)
    feed.write("retract", ids=[feed.audience, origin.stix_id("indicator", "x")])
    feed.write()
    add_story(
        subject, what, pull(feed),
        holds=holds(feed, "stored", "rejected E_SCHEMA", "stored"), closed=[],
    )  # fmt: skip

    what = "an object before the group document"
    feed = _feed(origin, what)
    feed.put("group-two")
    feed.write("group", group=_group(feed))
    add_entries(subject, what, feed, "rejected E_SCHEMA", "stored")

    what = "a group document in a green feed"
    feed = Feed(origin, "green")
    feed.write("group", group=_group(feed))
    add_entries(subject, what, feed, "rejected E_SCHEMA")

    what = "an entry without objects above the lowest label of the audience"
    feed = _feed(origin, what)
    feed.write("group", group=_group(feed), policy=feed.policy | {"tlp": "amber"})
    add_entries(subject, what, feed, "rejected E_POLICY")

    what = "RED in a group's feed, and an object marked less strictly than its entry"
    feed = _begun(origin, what)
    feed.put("group-red", tlp="red")
    green = feed.putting("group-green")
    feed.write("put", **green | {"policy": feed.policy | {"tlp": "amber"}})
    add_entries(subject, what, feed, "stored", "rejected E_POLICY", "rejected E_POLICY")

    what = "a group's feed that relays may carry is none"
    feed = _feed(origin, what)
    feed.write("group", group=_group(feed), policy=feed.policy | {"relay": "community"})
    add_story(subject, what, pull(feed), came_to=["E_POLICY"], holds={})

    what = "a group's feed from a relay"
    feed = _begun(origin, what)
    page = feed.page(relay=relay)
    step = pull(feed, page, sender=relay)
    add_story(subject, what, step, came_to=["E_RELAY_FORBIDDEN"], holds={})


def _joined(origin: Organisation, what: str) -> Feed:
    feed = _begun(origin, what, history="join")
    for _ in range(3):
        feed.write()
    return feed


def _anchors(subject: Subject, origin: Organisation, relay: Organisation) -> None:
    what = "anchor: the chain begins behind a head of the origin's"
    feed = _joined(origin, what)
    page = feed.page(2, x_tocsin_anchor=feed.head(2))
    behind = holds(feed, "stored", "stored", begins=3)
    add_story(subject, what, pull(feed, page), holds=behind)

    what = "anchor: one that has expired, since it is of no time"
    feed = _joined(origin, what)
    page = feed.page(2, x_tocsin_anchor=feed.head(2))
    fresh = page | {"x_tocsin_head": feed.head(ts=at(days=4), expires=at(days=6))}
    later = [clock(at(days=5)), pull(feed, fresh)]
    add_story(subject, what, *later, holds=holds(feed, "stored", "stored", begins=3))

    what = "anchor: a chain that is held is not cut"
    feed = _joined(origin, what)
    first = pull(feed, feed.page(0, 1, more=False, next=None, x_tocsin_head=feed.head(1)))
    page = feed.page(2, x_tocsin_anchor=feed.head(2))
    step = pull(feed, page)
    step["pull"]["pages"] = {"1": page}
    add_story(subject, what, first, step, came_to=[None, "E_GAP"], holds=stored(feed, 1))

    other = Feed(origin, "g-" + "b" * 26)
    other.write()
    other.write()
    wrong = [
        ("of another feed", lambda _: other.head(2), "E_FEED"),
        ("signed by another node", lambda feed: feed.head(2, relay.key("entry")), "E_KEY_UNKNOWN"),
        ("under an http key", lambda feed: feed.head(2, origin.key("http")), "E_KEY_PURPOSE"),
        (
            "with another hash than the next prev",
            lambda feed: feed.head(2, hash="e" * 64),
            "E_FORK",
        ),
        ("of a later seq than the page follows", lambda feed: feed.head(1), "E_GAP"),
        ("with a critical member", lambda feed: feed.head(2, **{"!later": 1}), "E_SCHEMA"),
        ("that is an entry", lambda feed: feed.entries[1], "E_TYPE"),
        ("that is missing", lambda _: None, "E_GAP"),
    ]
    for how, anchor_of, code in wrong:
        what = f"anchor {how}"
        feed = _joined(origin, what)
        page = feed.page(2, x_tocsin_anchor=anchor_of(feed))
        add_story(subject, what, pull(feed, page), came_to=[code], holds={})

    what = "anchor from another node than the origin"
    feed = _joined(origin, what)
    page = feed.page(2, relay=relay, x_tocsin_anchor=feed.head(2))
    step = pull(feed, page, sender=relay)
    add_story(subject, what, step, came_to=["E_GAP"], holds={})

    what = "anchor in a feed that is no group's"
    owner = subject.organisation("anchors in green")
    green = Feed(owner, "green")
    for _ in range(3):
        green.write()
    page = green.page(2, x_tocsin_anchor=green.head(2))
    add_story(subject, what, pull(green, page), came_to=["E_GAP"], holds={})
