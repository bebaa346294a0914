"""What nodes sign beside entries: acks, heads, proofs and vouches (PROTOCOL 2.5, 2.6, 4.2)."""

from __future__ import annotations

from typing import Any

from tests.support.wire.feeds import Feed, add_story, holds, pull, stored
from tests.support.wire.organisations import Organisation, Subject, at, hash_of, signed

# Acks.


def build_acks() -> Subject:
    subject = Subject("Handling acks (PROTOCOL 2.6)")
    origin, acker = (subject.organisation(name) for name in ("acked origin", "acker"))
    feed = Feed(origin, "green")
    entry = feed.write()
    good: list[tuple[str, dict[str, Any]]] = [
        *(
            (f"it was {did}", {"did": did})
            for did in ("stored", "restricted", "retracted", "erased")
        ),
        ("the terms were accepted", {"did": "accepted", "terms": "a" * 64}),
        ("a relay counts who reads through it", {"passed_on": {"readers": 3, "confirmed": 2}}),
        ("a relay that nobody reads through", {"passed_on": {"readers": 0, "confirmed": 0}}),
        ("an optional member that is unknown is ignored", {"later": {"names": []}}),
    ]
    for what, changes in good:
        stated = _ack(acker, feed, entry, changes)
        value = {name: stated[name] for name in ("did", "terms", "passed_on") if name in stated}
        given = _stated(acker, signed("ack", stated, acker.key("entry")), origin=origin.name)
        subject.add(what, "ack", given, {"value": value})
    bad: list[tuple[str, dict[str, Any], str]] = [
        ("did what is unknown", {"did": "read"}, "E_SCHEMA"),
        ("terms without acceptance", {"terms": "a" * 64}, "E_SCHEMA"),
        ("acceptance without terms", {"did": "accepted"}, "E_SCHEMA"),
        ("terms that are no hash", {"did": "accepted", "terms": "ours"}, "E_SCHEMA"),
        ("more confirmed than read", {"passed_on": {"readers": 1, "confirmed": 2}}, "E_SCHEMA"),
        ("counts below nothing", {"passed_on": {"readers": -1, "confirmed": -1}}, "E_SCHEMA"),
        ("names in the place of counts", {"passed_on": ["somebody"]}, "E_SCHEMA"),
        ("a critical member", {"!later": 1}, "E_SCHEMA"),
        ("of version 2", {"v": 2}, "E_SCHEMA"),
        ("of no entry", {"seq": 0}, "E_SCHEMA"),
        ("for somebody else", {"node": origin.node_id}, "E_KEY_UNKNOWN"),
        ("of another node's feed", {"feed": f"{acker.node_id}/green/1"}, "E_FEED"),
        ("from before its key began", {"ts": at(-1)}, "E_KEY_REVOKED"),
    ]
    for what, changes, code in bad:
        dsse = signed("ack", _ack(acker, feed, entry, changes), acker.key("entry"))
        subject.add(what, "ack", _stated(acker, dsse, origin=origin.name), {"code": code})
    stated = _ack(acker, feed, entry, {})
    for what, dsse, code in [
        ("under an http key", signed("ack", stated, acker.key("http")), "E_KEY_PURPOSE"),
        ("signed as a head", signed("head", stated, acker.key("entry")), "E_TYPE"),
    ]:
        subject.add(what, "ack", _stated(acker, dsse, origin=origin.name), {"code": code})
    return subject


def _stated(by: Organisation, dsse: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"by": by.name, "dsse": dsse} | more


def _ack(
    acker: Organisation, feed: Feed, entry: dict[str, Any], members: dict[str, Any]
) -> dict[str, Any]:
    changes = dict(members)
    did, more = changes.pop("did", "stored"), {}
    if "terms" in changes:
        more["terms"] = changes.pop("terms")
    if "passed_on" in changes:
        more["passed_on"] = changes.pop("passed_on")
    stated = {"v": 1, "node": acker.node_id, "feed": feed.name, "seq": 1, "hash": hash_of(entry)}
    return stated | {"did": did} | more | {"ts": at(100)} | changes


# Heads, forks and proofs.


def build_proofs() -> Subject:
    subject = Subject("Heads, relay heads, fork proofs and relay proofs (PROTOCOL 2.5)")
    relay = subject.organisation("proved relay")
    _ends(subject)
    _relay_pages(subject)
    _fork_proofs(subject, relay)
    _relay_proofs(subject, relay)
    return subject


def _feed(subject: Subject, what: str, audience: str = "green", entries: int = 2) -> Feed:
    feed = Feed(subject.organisation(what), audience)
    for _ in range(entries):
        feed.write()
    return feed


def _ends(subject: Subject) -> None:
    what = "head: an omission at the end shows"
    feed = _feed(subject, what, entries=3)
    page = feed.page(0, 2, more=False, next=None)
    add_story(subject, what, pull(feed, page), came_to=["E_GAP"], holds=stored(feed, 2))

    what = "head: one that contradicts the chain"
    feed = _feed(subject, what)
    page = feed.page(x_tocsin_head=feed.head(2, hash="e" * 64))
    add_story(subject, what, pull(feed, page), came_to=["E_FORK"], holds=stored(feed, 2))

    what = "head: one that lives longer than 48 hours"
    feed = _feed(subject, what)
    page = feed.page(x_tocsin_head=feed.head(2, expires=at(91, days=2)))
    add_story(subject, what, pull(feed, page), came_to=["E_SCHEMA"], holds=stored(feed, 2))

    what = "head: two histories, and the feed is frozen"
    feed, other = _feed(subject, what), Feed(subject.organisations[what][0], "green")
    other.write()
    other.write(src=["analyst"])
    other.write()
    second = pull(feed, other.page(2))
    second["pull"]["pages"] = {"2": other.page(2)}
    add_story(
        subject, what, pull(feed), second, second,
        came_to=[None, "E_FORK", "E_FROZEN"], holds=stored(feed, 2),
    )  # fmt: skip


def _relay_pages(subject: Subject) -> None:
    def refused(how: str, code: str | None, now: str = at(120), **changes: Any) -> None:
        what = f"relay head: {how}"
        feed = _feed(subject, what, entries=3)
        relay = subject.organisation(f"relay of {what}")
        key = relay.key(changes.pop("key", "entry"))
        head = feed.relay_head(relay, changes.pop("at_seq", 3), key, **changes)
        step = pull(feed, feed.page(x_tocsin_relay_head=head), sender=relay)
        kept = {} if code else stored(feed, 3)
        add_story(subject, what, step, came_to=[code], now=now, holds=kept)

    refused("a page with one", None)
    refused("with an optional member that is unknown", None, later=1)
    refused("from 48 hours ago", None, ts=at(120), now=at(120, days=2))
    refused("from over 48 hours ago", "E_RELAY_FORBIDDEN", ts=at(120), now=at(121, days=2))
    refused("below the page's last entry", "E_RELAY_FORBIDDEN", at_seq=2)
    refused("with another hash than the page", "E_RELAY_FORBIDDEN", hash="e" * 64)
    refused("from over 48 hours ahead", "E_RELAY_FORBIDDEN", ts=at(121, days=2))
    refused("of another relay", "E_RELAY_FORBIDDEN", relay="a" * 52)
    refused("of another feed", "E_RELAY_FORBIDDEN", feed=f"{'a' * 52}/green/1")
    refused("with a critical member", "E_RELAY_FORBIDDEN", **{"!later": 1})
    refused("under an http key", "E_RELAY_FORBIDDEN", key="http")
    what = "relay head: none"
    feed = _feed(subject, what)
    relay = subject.organisation("relay without a relay head")
    step = pull(feed, feed.page(), sender=relay)
    add_story(subject, what, step, came_to=["E_RELAY_FORBIDDEN"], holds={})
    what = "relay head: of an entry that its origin keeps to itself"
    feed = Feed(subject.organisation(what), "green")
    feed.write(policy=feed.policy | {"relay": "none"})
    relay = subject.organisation("relay of what is not for relays")
    step = pull(feed, feed.page(relay=relay), sender=relay)
    add_story(subject, what, step, came_to=["E_RELAY_FORBIDDEN"], holds={})


def _branches(origin: Organisation) -> tuple[Feed, Feed]:
    """Two histories of one feed, which part at seq 2."""
    ours, theirs = Feed(origin, "green"), Feed(origin, "green")
    for feed, tag in ((ours, "own-sensor"), (theirs, "analyst")):
        feed.write()
        feed.write(src=[tag])
        feed.write()
    return ours, theirs


def _fork_proofs(subject: Subject, other: Organisation) -> None:
    origin = subject.organisation("forked origin")
    ours, theirs = _branches(origin)
    one, two, three = ours.entries
    _, other_two, other_three = theirs.entries
    heads = ours.head(2), theirs.head(2)

    def add(what: str, a: object, b: object, expect: dict[str, Any], accused: str) -> None:
        proof = {"type": "fork", "a": a, "b": b}
        subject.add(what, "proof", {"accused": accused, "origin": accused, "proof": proof}, expect)

    for what, a, b in [
        ("two entries", two, other_two),
        ("an entry, and the prev of another", two, other_three),
        ("two prevs", three, other_three),
        ("two heads", *heads),
        ("a head and an entry", heads[0], other_two),
        ("a head and a prev", other_three, heads[0]),
    ]:
        add(f"fork proof: {what}", a, b, {"seq": 2}, origin.name)
    last = other_two["signatures"][0]["sig"]
    forged = other_two | {
        "signatures": [
            {"keyid": origin.key("entry").kid, "sig": ("B" if last[0] == "A" else "A") + last[1:]}
        ]
    }
    elsewhere = Feed(origin, "clear")
    elsewhere.write()
    elsewhere.write()
    for what, a, b, because in [
        ("entries that follow each other", one, two, "E_SCHEMA"),
        ("a head and what follows it", heads[0], three, "E_SCHEMA"),
        ("one statement twice", two, two, "E_SCHEMA"),
        ("heads of one hash at two times", heads[0], ours.head(2, ts=at(91)), "E_SCHEMA"),
        ("statements of two feeds", two, elsewhere.entries[1], "E_FEED"),
        ("a statement of another node", two, ours.head(2, other.key("entry"), hash="e" * 64),
         "E_KEY_UNKNOWN"),
        ("a statement under an http key", two, ours.head(2, origin.key("http"), hash="e" * 64),
         "E_KEY_PURPOSE"),
        ("a signature that does not hold", two, forged, "E_SIG_BAD"),
        ("a statement that is missing", two, None, "E_FEED"),
    ]:  # fmt: skip
        refused = {"code": "E_PROOF", "because": because}
        add(f"fork proof: {what}", a, b, refused, origin.name)

    robbed = Organisation("robbed origin")
    ours, theirs = _branches(robbed)
    good = {"seq": 2, "hash": hash_of(ours.entries[1])}
    revoked = [{"kid": robbed.key("entry").kid, "reason": "compromise", "last_good": [good]}]
    keys = [robbed.key("entry 2").record("entry"), robbed.key("http").record("http")]
    robbed.publish(revoked=revoked, keys=keys)
    subject.knows(robbed)
    void = {"code": "E_PROOF", "because": "E_KEY_REVOKED"}
    add(
        "fork proof: a thief's entry is void", ours.entries[1], theirs.entries[1], void, robbed.name
    )
    add("fork proof: a thief's head is void", ours.head(2), theirs.head(2), void, robbed.name)


def _relay_proofs(subject: Subject, relay: Organisation) -> None:
    origin = subject.organisation("origin that keeps to itself")
    kept, allowed = Feed(origin, "green", 2, prev="e" * 64), Feed(origin, "green")
    group = Feed(origin, "g-" + "c" * 26)
    entry = kept.write(policy=kept.policy | {"relay": "none"})
    free = allowed.write()
    group.write()

    def add(
        what: str,
        head: dict[str, Any],
        shown: object,
        expect: dict[str, Any],
        of: Organisation = origin,
    ) -> None:
        proof = {"type": "relay", "relayhead": head} | ({} if shown is None else {"entry": shown})
        given = {"accused": relay.name, "origin": of.name, "proof": proof}
        subject.add(f"relay proof: {what}", "proof", given, expect)

    def refused(because: str) -> dict[str, Any]:
        return {"code": "E_PROOF", "because": because}

    holds_ = {"relay": relay.node_id}
    add("an entry of relay none", kept.relay_head(relay), entry, holds_)
    add("a group's feed, without an entry", group.relay_head(relay), None, holds_)
    add("no entry beside the relay head", kept.relay_head(relay), None, refused("E_TYPE"))
    add("an entry that may be relayed", allowed.relay_head(relay), free, refused("E_SCHEMA"))
    add("another entry than the head names", kept.relay_head(relay, hash="d" * 64), entry,
        refused("E_SCHEMA"))  # fmt: skip
    add("an entry of another feed", kept.relay_head(relay), free, refused("E_FEED"))
    add("a relay head of somebody else", kept.relay_head(relay, 1, origin.key("entry")), entry,
        refused("E_KEY_UNKNOWN"))  # fmt: skip
    named = kept.relay_head(relay, relay=origin.node_id)
    add("a relay head that names somebody else", named, entry, refused("E_RELAY_FORBIDDEN"))
    add("an entry of another origin than is said", kept.relay_head(relay), entry,
        refused("E_KEY_UNKNOWN"), relay)  # fmt: skip


# Vouches.


def build_vouches() -> Subject:
    subject = Subject("Vouches (PROTOCOL 4.2)")
    voucher, newcomer = (subject.organisation(name) for name in ("voucher", "newcomer"))
    rotated, moved = Organisation("rotated newcomer"), Organisation("newcomer with a new root")
    rotated.publish(
        keys=[rotated.key("entry 2").record("entry"), rotated.key("http").record("http")]
    )
    moved.documents.append(moved.rotation())
    for organisation in (rotated, moved):
        subject.knows(organisation)

    def add(
        what: str,
        expect: dict[str, Any],
        key: str = "entry",
        of: Organisation = newcomer,
        now: str = at(120),
        **changes: Any,
    ) -> None:
        dsse = signed("vouch", _vouch(voucher, of) | changes, voucher.key(key))
        given = _stated(voucher, dsse, subject=of.name, now=now)
        subject.add(what, "vouch", given, expect)

    def read(of: Organisation = newcomer, *, counts: bool = True) -> dict[str, Any]:
        return {"value": {"subject": of.node_id, "scopes": ["zone:fr."]}, "counts": counts}

    add("a vouch", read())
    add("with an optional member that is unknown", read(), later=1)
    add("for the first document of who turned its keys since", read(rotated), of=rotated)
    expires = at(1440)
    add("that has expired", read(counts=False), expires=expires, now=at(1440))
    add("that has not quite", read(), expires=expires, now=at(1439))
    add("that is taken back: it ends as it begins", read(counts=False), expires=at(60))
    add("for another document than the subject has", read(counts=False), node_doc_hash="e" * 64)
    add("for the root keys before they were rotated", read(moved, counts=False), of=moved)
    add("dated ahead of the clock", read(counts=False), now=at(54))
    add("for oneself", {"code": "E_SCHEMA"}, subject=voucher.node_id)
    add("of another voucher than the signer", {"code": "E_KEY_UNKNOWN"}, voucher=newcomer.node_id)
    add("longer than a year", {"code": "E_SCHEMA"}, expires=at(61, days=366))
    add("that ends before it begins", {"code": "E_SCHEMA"}, expires=at(59))
    add("for a level that is none", {"code": "E_SCHEMA"}, max_preset="friend")
    add("with scopes that are no texts", {"code": "E_SCHEMA"}, scopes=[1])
    add("with a critical member", {"code": "E_SCHEMA"}, **{"!later": 1})
    add("under an http key", {"code": "E_KEY_PURPOSE"}, key="http")
    _carried_vouches(subject, newcomer)
    return subject


def _vouch(voucher: Organisation, subject: Organisation) -> dict[str, Any]:
    return {
        "v": 1,
        "voucher": voucher.node_id,
        "subject": subject.node_id,
        "node_doc_hash": hash_of(subject.documents[0]),
        "max_preset": "member",
        "scopes": ["zone:fr."],
        "ts": at(60),
        "expires": at(60, days=180),
    }


def _carried_vouches(subject: Subject, newcomer: Organisation) -> None:
    for what, audience, changes, heard, state in [
        ("in a noop of the green feed", "green", {}, True, "stored"),
        ("in a noop of the clear feed, where none is heard", "clear", {}, False, "stored"),
        ("one that does not hold costs the entry nothing", "green", {"v": 2}, False, "stored"),
    ]:
        voucher = subject.organisation(what)
        feed = Feed(voucher, audience)
        vouch = signed("vouch", _vouch(voucher, newcomer) | changes, voucher.key("entry"))
        feed.write(vouches=[vouch])
        found = [[voucher.node_id, newcomer.node_id]] if heard else []
        add_story(subject, what, pull(feed), holds=holds(feed, state), vouches=found)
    what = "vouches that are no array"
    feed = Feed(subject.organisation(what), "green")
    feed.write(vouches={})
    add_story(subject, what, pull(feed), holds=holds(feed, "rejected E_SCHEMA"), vouches=[])
