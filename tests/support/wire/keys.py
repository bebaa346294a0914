"""The life of keys: documents, revocation by position, epochs and the root (PROTOCOL 2.3)."""

from __future__ import annotations

from typing import Any

from tests.support.wire.feeds import Feed, add_story, id_of, learn, pull, stored
from tests.support.wire.organisations import (
    Key,
    Organisation,
    Subject,
    at,
    b64,
    hash_of,
    kid_of,
    payload_of,
    signed,
)


def build() -> Subject:
    subject = Subject("Key life cycle: documents, revocation, epochs, the root (PROTOCOL 2.3)")
    _documents(subject)
    _roots(subject)
    _rotated_keys(subject)
    _revoked_keys(subject)
    _epochs(subject)
    return subject


def _add(
    subject: Subject, what: str, origin: Organisation, *offered: dict[str, Any], **expect: Any
) -> None:
    """A vector of documents that a node hands over to who holds its first."""
    given = {"held": origin.documents[:1], "offered": list(offered)}
    subject.add(what, "documents", given, expect)


def _renewed(origin: Organisation, *new: str) -> list[dict[str, Any]]:
    """The key records of a document that lists a new entry key beside the old, or instead."""
    uses = {"entry": "entry", "entry 2": "entry", "http": "http", "http 2": "http"}
    return [origin.key(name).record(uses[name]) for name in new]


def _documents(subject: Subject) -> None:
    origin = Organisation("documents")

    def accepted(what: str, *signers: Key, **changes: Any) -> None:
        document = origin.document(*signers, **changes)
        _add(subject, what, origin, document, version=2, newest=hash_of(document), frozen=False)

    def refused(what: str, code: str, *signers: Key, **changes: Any) -> None:
        _add(subject, what, origin, origin.document(*signers, **changes), code=code)

    accepted("a new entry key beside the old", keys=_renewed(origin, "entry", "entry 2", "http"))
    accepted("a new http key", keys=_renewed(origin, "entry", "http 2"))
    accepted("an optional member that is unknown is ignored", later={"a": 1})
    accepted("issued at the same time as the one before", issued=at())
    accepted("a key of an algorithm to come", keys=[*_renewed(origin, "entry", "http"), _coming()])
    accepted("signed by an unknown key too", origin.key("root"), origin.key("http"))

    other = Organisation("another node")
    refused("signed by no root key", "E_KEY_UNKNOWN", origin.key("entry"))
    refused("of another node", "E_KEY_UNKNOWN", node_id=other.node_id)
    refused("a version is left out", "E_NODE_VERSION", version=3)
    refused("another prev", "E_NODE_VERSION", prev="e" * 64)
    refused("issued before the one before", "E_NODE_VERSION", issued=at(-1))
    refused("a kid that is not its key's", "E_SCHEMA", keys=[_renewed(origin, "entry")[0] | {
        "kid": origin.key("http").kid}])  # fmt: skip
    refused("two records of one kid", "E_SCHEMA", keys=_renewed(origin, "entry", "entry"))
    refused("65 keys", "E_SCHEMA", keys=[
        Key(bytes([number]) * 32).record("entry") for number in range(1, 66)])  # fmt: skip
    refused("a key of an unknown use", "E_SCHEMA", keys=[origin.key("entry").record("later")])
    refused("an ed25519 key for sealing", "E_SCHEMA", keys=[origin.key("entry").record("seal")])
    refused("a key that libsodium refuses", "E_KEY_UNKNOWN", keys=[_small_order()])
    refused("a critical member", "E_SCHEMA", **{"!later": 1})
    refused("made for a demonstration", "E_SCHEMA", demo=True)
    refused("revoked without positions", "E_SCHEMA", revoked=[{"kid": "a" * 26, "reason": "lost"}])
    refused("a time of another form", "E_SCHEMA", issued="2026-03-02T10:00:00Z")
    document = origin.document()
    stated = signed("entry", payload_of(document), origin.key("root"))
    _add(subject, "signed as an entry", origin, stated, code="E_TYPE")

    first, second = origin.document(name="One"), origin.document(name="Another")
    _add(subject, "held documents pass silently", origin, origin.documents[0], first,
         version=2, newest=hash_of(first), frozen=False)  # fmt: skip
    _add(subject, "of two documents under one root set the first stands", origin, first, second,
         code="E_NODE_VERSION")  # fmt: skip


def _small_order() -> dict[str, Any]:
    pub = b"\x01" + bytes(31)
    return Key(bytes(32)).record("entry", pub=b64(pub), kid=kid_of("ed25519", pub))


def _coming() -> dict[str, Any]:
    alg, pub = "ml-dsa-44", bytes(1312)
    return Key(bytes(32)).record("entry", alg=alg, pub=b64(pub), kid=kid_of(alg, pub))


def _roots(subject: Subject) -> None:
    origin = Organisation("roots")
    rotation = origin.rotation()
    thiefs = origin.document(keys=_renewed(origin, "entry 2", "http 2"))
    stands = {"version": 2, "newest": hash_of(rotation)}
    _add(subject, "the root that was committed to", origin, rotation, **stands, frozen=False)
    _add(
        subject, "rule (c): the thief comes first", origin, thiefs, rotation, **stands, frozen=True
    )
    _add(subject, "rule (c): the thief comes last", origin, rotation, thiefs, **stands, frozen=True)
    robbed = Organisation("roots")
    robbed.documents.append(thiefs)
    later = robbed.document(keys=_renewed(robbed, "entry 2", "http 2"), name="Thief")
    _add(subject, "rule (c): what the thief wrote after it falls with it", origin, thiefs, later,
         rotation, **stands, frozen=True)  # fmt: skip

    stranger = {"threshold": 1, "keys": [b64(origin.key("stranger").pub)]}
    uncommitted = origin.document(origin.key("stranger"), root=stranger)
    _add(subject, "a root set that nobody committed to", origin, uncommitted, code="E_KEY_UNKNOWN")
    new_root = payload_of(rotation)["root"]
    by_old = origin.document(origin.key("root"), root=new_root)
    _add(subject, "a new root set that the old one signed", origin, by_old, code="E_KEY_UNKNOWN")

    joint = Organisation("joint roots", roots=("root", "root b", "root c"), threshold=2)
    two = joint.document(joint.key("root"), joint.key("root c"))
    _add(
        subject, "two of three root keys", joint, two, version=2, newest=hash_of(two), frozen=False
    )
    one = joint.document(joint.key("root"))
    _add(subject, "one of three root keys where two are needed", joint, one, code="E_SIG_NONE")
    bad = two | {"signatures": [two["signatures"][0], two["signatures"][1] | {
        "sig": two["signatures"][0]["sig"]}]}  # fmt: skip
    _add(subject, "one good signature of a root key, and a bad one", joint, bad, code="E_SIG_BAD")


def _turned(origin: Organisation, minutes: int, *, keep: bool = True) -> dict[str, Any]:
    """The document with the second entry key, beside the first or in its place."""
    old = ("entry",) if keep else ()
    return origin.document(keys=_renewed(origin, *old, "entry 2", "http"), issued=at(minutes))


def _rotated_keys(subject: Subject) -> None:
    what = "rotation: entries under the old and the new key"
    origin = subject.organisation(what)
    feed = Feed(origin, "green")
    feed.write()
    first = pull(feed, feed.page())
    feed.write("noop", origin.key("entry 2"))
    page = feed.page(1)
    second = pull(feed, page)
    second["pull"]["pages"] = {"1": page}
    told = learn(origin, _turned(origin, 1))
    add_story(subject, what, first, told, second, holds=stored(feed, 2))

    what = "rotation: a new key of which nobody was told"
    origin = subject.organisation(what)
    feed = Feed(origin, "green")
    feed.write("noop", origin.key("entry 2"))
    add_story(subject, what, pull(feed), came_to=["E_KEY_UNKNOWN"], holds={})

    what = "rotation: a key that is listed no more ended when it was first left out"
    origin = subject.organisation(what)
    feed = Feed(origin, "green")
    feed.write(ts=at(10))
    feed.write(ts=at(10.0001))
    head = feed.head(2, origin.key("entry 2"))
    told = learn(origin, _turned(origin, 10, keep=False))
    step = pull(feed, feed.page(x_tocsin_head=head))
    add_story(subject, what, told, step, came_to=[None, "E_KEY_REVOKED"], holds=stored(feed, 1))

    for how, ts, code in [
        ("at its first instant", at(), None),
        ("before its time", at(-0.001), "E_KEY_REVOKED"),
        ("after its time", at(61), "E_KEY_REVOKED"),
        ("at its last instant", at(60), None),
    ]:
        what = f"an entry {how} of its key"
        origin = Organisation(what)
        record = origin.key("entry").record("entry", naf=at(60))
        named = [record, *_renewed(origin, "entry 2", "http")]
        origin.documents.clear()
        origin.publish(keys=named)
        subject.knows(origin)
        feed = Feed(origin, "green")
        feed.write(ts=ts)
        page = feed.page(x_tocsin_head=feed.head(1, origin.key("entry 2")))
        kept = {} if code else stored(feed, 1)
        add_story(subject, what, pull(feed, page), came_to=[code], holds=kept)

    what = "an entry after the document expired"
    origin = Organisation(what)
    origin.documents.clear()
    origin.publish(expires=at(30))
    subject.knows(origin)
    feed = Feed(origin, "green")
    feed.write(ts=at(30))
    feed.write(ts=at(31))
    page = feed.page(x_tocsin_head=feed.head(2, ts=at(29), expires=at(29)))
    add_story(subject, what, pull(feed, page), came_to=["E_NODE_EXPIRED"], holds=stored(feed, 1))


def _revoking(origin: Organisation, *last_good: tuple[int, str]) -> dict[str, Any]:
    """The document that revokes the first entry key; positions name no feed."""
    places = [{"seq": seq, "hash": found} for seq, found in last_good]
    revoked = [{"kid": origin.key("entry").kid, "reason": "compromise", "last_good": places}]
    keys = _renewed(origin, "entry 2", "http")
    return origin.document(revoked=revoked, keys=keys, issued=at(110))


def _robbed(subject: Subject, what: str, entries: int = 3) -> Feed:
    """A feed of which the thief wrote the last."""
    feed = Feed(subject.organisation(what), "green")
    for number in range(1, entries + 1):
        feed.put(f"name-{number}")
    return feed


def _place(feed: Feed, seq: int) -> tuple[int, str]:
    return seq, hash_of(feed.entries[seq - 1])


def _ids(feed: Feed, *numbers: int) -> dict[str, list[str]]:
    return {"green": [id_of(feed.origin, f"name-{number}") for number in numbers]}


def _revoked_keys(subject: Subject) -> None:
    what = "revoked: what came after the last good position is void"
    feed = _robbed(subject, what)
    told = learn(feed.origin, _revoking(feed.origin, _place(feed, 2)))
    came_to = [None, "E_KEY_REVOKED"]
    add_story(subject, what, told, pull(feed), came_to=came_to, holds=stored(feed, 2),
              shows=_ids(feed, 1, 2))  # fmt: skip

    what = "revoked: what was taken in before is voided out of every view"
    feed = _robbed(subject, what)
    told = learn(feed.origin, _revoking(feed.origin, _place(feed, 2)))
    add_story(subject, what, pull(feed), told, holds=stored(feed, 2), shows=_ids(feed, 1, 2))

    what = "revoked: without a position in this feed nothing of it is good"
    feed = _robbed(subject, what)
    told = learn(feed.origin, _revoking(feed.origin, (2, "e" * 64)))
    add_story(subject, what, pull(feed), told, holds={}, shows=_ids(feed))

    what = "revoked: a position further on than this page is waited for"
    feed = _robbed(subject, what)
    told = learn(feed.origin, _revoking(feed.origin, _place(feed, 3)))
    page = feed.page(0, 2)
    last = pull(feed, page, feed.page(2, x_tocsin_head=feed.head(3, feed.origin.key("entry 2"))))
    add_story(subject, what, told, last, holds=stored(feed, 3), shows=_ids(feed, 1, 2, 3))

    what = "revoked: a true later entry vouches for no forged one before it"
    feed = _robbed(subject, what)
    forged = Feed(feed.origin, "green")
    forged.put("name-1")
    forged.put("name-9")
    told = learn(feed.origin, _revoking(feed.origin, _place(feed, 3)))
    objects = [feed.record(1), forged.record(2), feed.record(3)]
    step = pull(feed, feed.page(objects=objects))
    add_story(subject, what, told, step, came_to=[None, "E_KEY_REVOKED"], holds={})

    what = "revoked: a later document that names the kid no more makes it no better"
    feed = _robbed(subject, what)
    first = _revoking(feed.origin, _place(feed, 2))
    origin = Organisation(feed.origin.name)
    origin.documents.append(first)
    keys = _renewed(origin, "entry", "entry 2", "http")
    second = origin.document(keys=keys, issued=at(111))
    told = learn(feed.origin, first, second)
    add_story(subject, what, told, pull(feed), came_to=[None, "E_KEY_REVOKED"],
              holds=stored(feed, 2))  # fmt: skip


def _epochs(subject: Subject) -> None:
    for what, following, code in [
        ("epoch: the next begins at a last good position", "last_good", None),
        ("epoch: or at a position of epochs", "epochs", None),
        ("epoch: a prev that no document names", "nothing", "E_FEED"),
        ("epoch: the prev of a first feed", "zeros", "E_FEED"),
    ]:
        feed = _robbed(subject, what)
        origin, place = feed.origin, _place(feed, 2)
        epochs = [{"seq": place[0], "hash": place[1]}]
        document = (
            origin.document(epochs=epochs, keys=_renewed(origin, "entry", "entry 2", "http"))
            if following == "epochs"
            else _revoking(origin, place)
        )
        prev = {"nothing": hash_of(feed.entries[2]), "zeros": "0" * 64}.get(following, place[1])
        after = Feed(origin, "green", 2, prev=prev)
        for name in ("name-3", "name-4"):
            after.put(name, keys=[origin.key("entry 2")])
        page = after.page(x_tocsin_head=after.head(2, origin.key("entry 2")))
        told = learn(origin, document)
        holding = {} if code else stored(after, 2)
        add_story(subject, what, told, pull(after, page), came_to=[None, code], holds=holding)

    what = "epoch: the thief cannot begin it"
    feed = _robbed(subject, what)
    after = Feed(feed.origin, "green", 2, prev=_place(feed, 2)[1])
    after.write()
    told = learn(feed.origin, _revoking(feed.origin, _place(feed, 2)))
    add_story(subject, what, told, pull(after), came_to=[None, "E_KEY_REVOKED"], holds={})

    what = "epoch: the one before is read to its end beside it"
    feed = _robbed(subject, what, entries=2)
    origin = feed.origin
    after = Feed(origin, "green", 2, prev=_place(feed, 2)[1])
    after.put("name-3", keys=[origin.key("entry 2")])
    told = learn(origin, _revoking(origin, _place(feed, 2)))
    steps = [
        pull(each, each.page(x_tocsin_head=each.head(None, origin.key("entry 2"))))
        for each in (feed, after)
    ]
    add_story(subject, what, told, *steps, holds=stored(feed, 2) | stored(after, 1),
              shows=_ids(feed, 1, 2, 3))  # fmt: skip
