"""Taking back: restrict, retract, erase, release, supersedes, and stubs (PROTOCOL 2.4, 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.wire.feeds import (
    Feed,
    add_entries,
    add_story,
    clock,
    holds,
    id_of,
    indicator,
    pull,
    random_name,
    stored,
)
from tests.support.wire.organisations import Organisation, Subject, at, hash_of


def build() -> Subject:
    subject = Subject("Restrict, retract, erase, supersedes and policy.release (PROTOCOL 2.4, 3.3)")
    _restricts(subject)
    _retracts(subject)
    _erases(subject)
    _releases(subject)
    _supersedes(subject)
    return subject


def _feed(subject: Subject, what: str, audience: str = "green", puts: int = 1) -> Feed:
    """A feed of a node of its own, with some indicators in it."""
    feed = Feed(subject.organisation(what), audience)
    for number in range(1, puts + 1):
        feed.put(f"name-{number}")
    return feed


def _ids(feed: Feed, *numbers: int) -> list[str]:
    return [id_of(feed.origin, f"name-{number}") for number in numbers]


def _restricts(subject: Subject) -> None:
    what = "restrict: the version waits, unserved, for one that prints the stricter label"
    feed = _feed(subject, what)
    feed.write("restrict", ids=_ids(feed, 1), tlp="amber")
    add_story(
        subject, what, pull(feed), holds=stored(feed, 2), shows={"green": [], "amber+strict": []}
    )

    what = "restrict: and is replaced by the put in the narrower feed"
    feed = _feed(subject, what)
    feed.write("restrict", ids=_ids(feed, 1), tlp="amber")
    narrow = Feed(feed.origin, "g-" + "a" * 26)
    narrow.write("group", group=_group(narrow))
    members = narrow.putting(tlp="amber")
    later = indicator(feed.origin, "name-1", "amber", modified=at(-30))
    narrow.write("put", **members | {"objects": [later], "idn": _idn(feed, 1)})
    add_story(
        subject, what, pull(feed), pull(narrow),
        holds=stored(feed, 2) | stored(narrow, 2), shows={"green": [], "amber": _ids(feed, 1)},
    )  # fmt: skip

    what = "restrict: a lower label than the live one changes nothing"
    feed = _feed(subject, what)
    feed.write("restrict", ids=_ids(feed, 1), tlp="clear")
    add_story(subject, what, pull(feed), holds=stored(feed, 2), shows={"green": _ids(feed, 1)})

    what = "restrict: stop_relay leaves stubs in the place of the seqs it names"
    feed = _feed(subject, what, puts=2)
    feed.write("restrict", ids=_ids(feed, 2), tlp="amber", stop_relay=True, seqs=[2])
    add_story(
        subject, what, pull(feed),
        holds=holds(feed, "stored", "stub", "stored"), shows={"amber+strict": _ids(feed, 1)},
        serves={f"{feed.name}#2": feed.stub(2, 3)},
    )  # fmt: skip

    what = "restrict: erase lets the bytes go where no erase can name the entry"
    feed = _feed(subject, what, puts=2)
    members = {"stop_relay": True, "seqs": [1], "erase": True}
    feed.write("restrict", ids=_ids(feed, 1), tlp="red", **members)
    add_story(
        subject, what, pull(feed), holds=holds(feed, "stub", "stored", "stored"),
        shows={"green": _ids(feed, 2), "red": _ids(feed, 2)},
    )  # fmt: skip

    what = "restrict: what was restricted before it came is bound as well"
    feed = _feed(subject, what)
    narrow = Feed(feed.origin, "g-" + "a" * 26)
    narrow.write("group", group=_group(narrow))
    narrow.write("restrict", ids=_ids(feed, 1), tlp="amber")
    add_story(
        subject, what, pull(narrow), pull(feed),
        holds=stored(feed, 1) | stored(narrow, 2), shows={"green": [], "amber+strict": []},
    )  # fmt: skip

    _rejected(
        subject,
        "restrict",
        [
            ("stop_relay without seqs", {"stop_relay": True}),
            ("stop_relay with no seqs", {"stop_relay": True, "seqs": []}),
            ("seqs that come later", {"stop_relay": True, "seqs": [2]}),
            ("no label", {"tlp": None}),
            ("a label that is none", {"tlp": "secret"}),
            ("no ids", {"ids": []}),
            ("erase that is no flag", {"erase": "yes"}),
            ("a critical member", {"!only": ["somebody"]}),
        ],
        lambda feed: {"ids": _ids(feed, 1), "tlp": "amber"},
    )


def _retracts(subject: Subject) -> None:
    what = "retract: the object is gone from every view"
    feed = _feed(subject, what, puts=2)
    feed.write("retract", ids=_ids(feed, 1), reason="false positive" * 73 + "!!")
    add_story(subject, what, pull(feed), holds=stored(feed, 3), shows={"green": _ids(feed, 2)})

    what = "retract: with a last version that says revoked"
    feed = _feed(subject, what)
    last = indicator(feed.origin, "name-1", "green", modified=at(-30), revoked=True)
    feed.write("retract", ids=_ids(feed, 1), objects=[last], idn=_idn(feed, 1))
    add_story(
        subject, what, pull(feed),
        holds=stored(feed, 2), revoked=_ids(feed, 1), shows={"green": _ids(feed, 1)},
    )  # fmt: skip

    what = "retract: and no later version brings it back"
    feed = _feed(subject, what)
    feed.write("retract", ids=_ids(feed, 1))
    again = indicator(feed.origin, "name-1", "green", modified=at(-30))
    feed.write("put", objects=[again], idn=_idn(feed, 1))
    add_story(subject, what, pull(feed), shows={"green": []})

    _rejected(
        subject,
        "retract",
        [
            ("a reason of 1,025 characters", {"reason": "x" * 1025}),
            ("a last version that is not revoked", {"objects": [1]}),
            ("ids that are none", {"ids": ["everything"]}),
            ("no ids", {"ids": None}),
        ],
        lambda feed: {"ids": _ids(feed, 1)},
    )


def _erases(subject: Subject) -> None:
    what = "erase: the bytes are gone, and a stub stands in their place"
    feed = _feed(subject, what, puts=3)
    feed.write("erase", seqs=[2], reason="personal data")
    add_story(
        subject, what, pull(feed),
        holds=holds(feed, "stored", "stub", "stored", "stored"), shows={"green": _ids(feed, 1, 3)},
        serves={f"{feed.name}#2": feed.stub(2, 4)},
    )  # fmt: skip

    what = "erase: what was taken in long before"
    feed = _feed(subject, what, puts=2)
    first = pull(feed, feed.page())
    feed.write("erase", seqs=[2])
    step = pull(feed, feed.page(2))
    step["pull"]["pages"] = {"2": feed.page(2)}
    add_story(
        subject, what, first, step,
        holds=holds(feed, "stored", "stub", "stored"), shows={"green": _ids(feed, 1)},
        serves={f"{feed.name}#2": feed.stub(2, 3)},
    )  # fmt: skip

    what = "erase: restrict and erase themselves cannot be erased"
    feed = _feed(subject, what, puts=2)
    feed.write("restrict", ids=_ids(feed, 2), tlp="amber")
    feed.write("erase", seqs=[2])
    feed.write("erase", seqs=[3, 4])
    states = ["stored", "stub", "stored", "stored", "stored"]
    add_story(subject, what, pull(feed), holds=holds(feed, *states))

    _rejected(
        subject,
        "erase",
        [
            ("the first entry", {"seqs": [1]}),
            ("itself", {"seqs": [2]}),
            ("nothing", {"seqs": []}),
            ("seqs that are none", {"seqs": [True]}),
        ],
        lambda _: {},
    )


def _releases(subject: Subject) -> None:
    def released(what: str, **release: str) -> Feed:
        feed = Feed(subject.organisation(what), "green")
        feed.put("name-1", policy={"release": {"at": at(180), "tlp": "clear"} | release})
        return feed

    what = "policy.release: not before its time and ten minutes"
    feed = released(what)
    fresh = clock(at(189))
    add_story(subject, what, pull(feed), fresh, shows={"clear": [], "green": _ids(feed, 1)})
    what = "policy.release: at its time and ten minutes"
    feed = released(what)
    add_story(subject, what, pull(feed), clock(at(190)), shows={"clear": _ids(feed, 1)})
    what = "policy.release: a restrict that came in between is the later word"
    feed = released(what)
    feed.write("restrict", ids=_ids(feed, 1), tlp="amber")
    add_story(subject, what, pull(feed), clock(at(190)), shows={"clear": [], "green": []})
    for how, release in [
        ("does not widen", {"tlp": "green"}),
        ("names no label", {"tlp": "everybody"}),
        ("has a member that is unknown", {"to": "everybody"}),
    ]:
        what = f"policy.release: one that {how}"
        feed = released(what, **release)
        add_entries(subject, what, feed, "rejected E_POLICY")


def _supersedes(subject: Subject) -> None:
    def conflicting(what: str, *, named: str | None) -> tuple[Feed, Feed]:
        """An object put at GREEN after CLEAR, and at CLEAR again."""
        clear, green = _feed(subject, what, "clear"), Feed(subject.organisations[what][0], "green")
        narrower = indicator(clear.origin, "name-1", "green", modified=at(-30))
        narrow = green.write("put", objects=[narrower], idn=_idn(clear, 1))
        wider = indicator(clear.origin, "name-1", "clear", modified=at(-15))
        names = hash_of(narrow) if named == "it" else named
        clear.write("put", objects=[wider], idn=_idn(clear, 1), supersedes=names)
        return clear, green

    for what, named, shown in [
        ("supersedes: without it the narrower version wins", None, False),
        ("supersedes: the entry that carried the narrower version", "it", True),
        ("supersedes: an entry that nobody knows", "e" * 64, False),
    ]:
        clear, green = conflicting(what, named=named)
        everywhere = holds(clear, "stored", "stored") | stored(green, 1)
        shows = {"clear": _ids(clear, 1) if shown else [], "green": _ids(clear, 1)}
        add_story(subject, what, pull(clear), pull(green), holds=everywhere, shows=shows)

    what = "supersedes: what is no hash"
    clear, green = conflicting(what, named="the one before")
    states = holds(clear, "stored", "rejected E_SCHEMA") | stored(green, 1)
    add_story(subject, what, pull(clear), pull(green), holds=states)


def _rejected(
    subject: Subject,
    kind: str,
    cases: list[tuple[str, dict[str, Any]]],
    members_of: Callable[[Feed], dict[str, Any]],
) -> None:
    """Entries of a kind whose content is rejected; the chain goes on and nothing changes."""
    origin = subject.organisation(f"{kind} that is rejected")
    for how, changes in cases:
        what, feed = f"{kind} with {how}", Feed(origin, "green")
        feed.put("name-1")
        members = members_of(feed) | changes
        if "objects" in members:
            members |= {
                "idn": _idn(feed, 1),
                "objects": [indicator(feed.origin, "name-1", "green")],
            }
        feed.write(kind, **members)
        feed.write()
        add_entries(subject, what, feed, "stored", "rejected E_SCHEMA", "stored")


def _idn(feed: Feed, number: int) -> dict[str, str]:
    return {_ids(feed, number)[0]: random_name(f"name-{number}")}


def _group(feed: Feed) -> dict[str, Any]:
    return {"gid": feed.audience, "name": "Example", "roster": "hidden", "history": "all"}


# Stubs.


def build_stubs() -> Subject:
    subject = Subject("Pages with stubs (PROTOCOL 2.4 Stub)")
    relay = subject.organisation("stub relay")
    for what, sender in [("from the origin", None), ("from a relay", relay)]:
        _good_stubs(subject, what, sender)
    _bad_stubs(subject)
    return subject


def _erased(subject: Subject, what: str, kind: str = "erase", **members: Any) -> Feed:
    """Three indicators, of which the fourth entry takes the second back."""
    feed = _feed(subject, what, puts=3)
    members = {"seqs": [2]} | members
    if kind == "restrict":
        members = {
            "ids": _ids(feed, *members["seqs"]),
            "tlp": "amber",
            "stop_relay": True,
        } | members
    feed.write(kind, **members)
    return feed


def _good_stubs(subject: Subject, how: str, sender: Organisation | None) -> None:
    for kind in ("erase", "restrict"):
        what = f"a stub of {kind} {how}"
        feed = _erased(subject, what, kind)
        step = pull(feed, feed.page(stubs={2: 4}, relay=sender), sender=sender)
        states = holds(feed, "stored", "stub", "stored", "stored")
        shows = {"green": _ids(feed, 1, 3), "amber+strict": _ids(feed, 1, 3)}
        add_story(subject, what, step, holds=states, shows=shows)

    what = f"two stubs in a row, of one entry on the next page, {how}"
    feed = _erased(subject, what, seqs=[2, 3])
    pages = [feed.page(0, 3, stubs={2: 4, 3: 4}, relay=sender), feed.page(3, relay=sender)]
    states = holds(feed, "stored", "stub", "stub", "stored")
    step = pull(feed, *pages, sender=sender)
    add_story(subject, what, step, holds=states, shows={"green": _ids(feed, 1)})

    what = f"a stub of the first entry by restrict {how}"
    feed = _erased(subject, what, "restrict", seqs=[1])
    step = pull(feed, feed.page(stubs={1: 4}, relay=sender), sender=sender)
    states = holds(feed, "stub", "stored", "stored", "stored")
    add_story(subject, what, step, holds=states, shows={"green": _ids(feed, 2, 3)})


def _bad_stubs(subject: Subject) -> None:
    def refused(
        how: str,
        code: str,
        page_of: Callable[[Feed], dict[str, Any]],
        kept: int = 1,
        kind: str = "erase",
        **members: Any,
    ) -> None:
        what = f"a stub {how}"
        feed = _erased(subject, what, kind, **members)
        shows = {"green": _ids(feed, *range(1, kept + 1))}
        step = pull(feed, page_of(feed))
        holding = stored(feed, kept) if kept else {}
        add_story(subject, what, step, came_to=[code], holds=holding, shows=shows)

    def with_stub(seq: int = 2, by: int = 4, **changes: Any) -> Callable[[Feed], dict[str, Any]]:
        def page(feed: Feed) -> dict[str, Any]:
            objects = [feed.record(n) for n in range(1, len(feed.entries) + 1)]
            objects[seq - 1] = feed.stub(seq, 4) | {"stub": by} if not changes else feed.stub(
                seq, 4, **changes
            )  # fmt: skip
            return feed.page(objects=objects)

        return page

    refused("of another hash than the next prev names", "E_GAP", with_stub(hash="e" * 64))
    refused("that the entry it points to does not name", "E_GAP", with_stub(), seqs=[3])
    refused("that points to an entry that takes nothing back", "E_GAP", with_stub(by=3))
    refused("that points beyond the end of the feed", "E_GAP", with_stub(by=9))
    refused("whose erase was rejected", "E_GAP", with_stub(), **{"!later": 1})
    refused("whose restrict does not stop relaying", "E_GAP", with_stub(), kind="restrict",
            stop_relay=False)  # fmt: skip
    refused("of the first entry, which no erase may name", "E_GAP", with_stub(seq=1), kept=0,
            seqs=[1])  # fmt: skip
    refused("that points before itself", "E_SCHEMA", with_stub(by=1))
    refused("that points to itself", "E_SCHEMA", with_stub(by=2))
    refused("that names no entry", "E_SCHEMA", with_stub(stub=None))
    refused("with the id of another object", "E_FEED",
            with_stub(id="x-tocsin-entry--00000000-0000-4000-8000-000000000001"))  # fmt: skip
    refused("with a created that is no time", "E_SCHEMA", with_stub(created="yesterday"))
    refused("with a modified of another time", "E_FEED", with_stub(modified=at(9)))
    refused("with another created than the ts of the later entry", "E_GAP", with_stub(ts=at(9)))
