"""Feeds, their pages and what a reader does with them step by step (PROTOCOL 2.4 to 2.6)."""

from __future__ import annotations

import uuid
from typing import Any

from tests.support.wire.organisations import (
    MARKINGS,
    NAMESPACE,
    ZEROS,
    Key,
    Organisation,
    Subject,
    at,
    b32,
    b64,
    hash_of,
    payload_of,
    random_looking,
    signed,
)

EXTENSION = "extension-definition--90ae7a15-b38f-4f8d-abcd-7d43606af969"
NOON = at(120)
"""When the reader reads, if nothing else is said; entries are of the two hours before."""


class Feed:
    """One feed as its origin writes it."""

    def __init__(
        self, origin: Organisation, audience: str, epoch: int = 1, prev: str = ZEROS
    ) -> None:
        self.origin, self.audience = origin, audience
        self.name = f"{origin.node_id}/{audience}/{epoch}"
        self.begins_after = prev
        self.entries: list[dict[str, Any]] = []
        self.tlp = audience if audience in ("clear", "green") else "green"
        relay = {"clear": "public", "green": "community"}.get(audience, "none")
        self.policy = {"tlp": self.tlp, "relay": relay}

    @property
    def collection_id(self) -> str:
        return str(uuid.uuid5(NAMESPACE, f"feed:{self.name}"))

    def entry(self, kind: str = "noop", *keys: Key, **members: Any) -> dict[str, Any]:
        """The next entry, without writing on after it; a member that is None is left out."""
        seq = len(self.entries) + 1
        stated = {
            "v": 1,
            "feed": self.name,
            "seq": seq,
            "prev": hash_of(self.entries[-1]) if self.entries else self.begins_after,
            "ts": at(seq),
            "nonce": b64(random_looking(self.name, seq)[:16]),
            "kind": kind,
            "policy": self.policy,
        } | members
        kept = {name: value for name, value in stated.items() if value is not None}
        if "objects" in kept:
            kept["objects"] = kept.pop("objects")  # a reader finds the policy before them
        return signed("entry", kept, *(keys or (self.origin.key("entry"),)))

    def write(self, kind: str = "noop", *keys: Key, **members: Any) -> dict[str, Any]:
        """The next entry; those that come follow it."""
        self.entries.append(self.entry(kind, *keys, **members))
        return self.entries[-1]

    def putting(self, *names: str, tlp: str | None = None, **members: Any) -> dict[str, Any]:
        """The members of a ``put`` of indicators of these random names, or of whole objects."""
        policy = self.policy | ({} if tlp is None else {"tlp": tlp}) | members.pop("policy", {})
        objects = [indicator(self.origin, name, policy["tlp"]) for name in names]
        idn = {value["id"]: random_name(name) for value, name in zip(objects, names, strict=True)}
        return {"policy": policy, "idn": idn, "objects": objects} | members

    def put(self, *names: str, **members: Any) -> dict[str, Any]:
        keys = members.pop("keys", ())
        return self.write("put", *keys, **self.putting(*names, **members))

    def record(self, seq: int, dsse: dict[str, Any] | None = None) -> dict[str, Any]:
        """The TAXII object of an entry."""
        envelope = self.entries[seq - 1] if dsse is None else dsse
        return self._hints(seq, hash_of(envelope), payload_of(envelope)["ts"]) | {"dsse": envelope}

    def stub(self, seq: int, by: int, **changes: Any) -> dict[str, Any]:
        """What stands in the place of an entry that entry ``by`` took back."""
        stated = {
            "hash": hash_of(self.entries[seq - 1]),
            "ts": payload_of(self.entries[by - 1])["ts"],
        }
        stated |= {name: changes.pop(name) for name in ("hash", "ts") if name in changes}
        hints = self._hints(seq, stated["hash"], stated["ts"])
        return hints | {"dsse": None, "stub": by} | changes

    def _hints(self, seq: int, entry_hash: str, ts: str) -> dict[str, Any]:
        named = uuid.uuid5(NAMESPACE, f"{self.name}:{seq}:{entry_hash}")
        return {
            "type": "x-tocsin-entry",
            "spec_version": "2.1",
            "id": f"x-tocsin-entry--{named}",
            "created": ts,
            "modified": ts,
            "extensions": {EXTENSION: {"extension_type": "new-sdo"}},
            "feed": self.name,
            "seq": seq,
            "hash": entry_hash,
        }

    def head(self, seq: int | None = None, /, *keys: Key, **changes: Any) -> dict[str, Any]:
        """The origin's head at a seq, by default the last."""
        place = len(self.entries) if seq is None else seq
        stated = {
            "v": 1,
            "feed": self.name,
            "seq": place,
            "hash": hash_of(self.entries[place - 1]),
            "ts": at(90),
            "expires": at(90, days=2),
        } | changes
        return signed("head", stated, *(keys or (self.origin.key("entry"),)))

    def relay_head(
        self, relay: Organisation, seq: int | None = None, /, *keys: Key, **changes: Any
    ) -> dict[str, Any]:
        """A relay's signature under how far it serves this feed."""
        place = len(self.entries) if seq is None else seq
        stated = {
            "v": 1,
            "relay": relay.node_id,
            "feed": self.name,
            "seq": place,
            "hash": hash_of(self.entries[place - 1]),
            "ts": at(100),
        } | changes
        return signed("relayhead", stated, *(keys or (relay.key("entry"),)))

    def page(
        self,
        after: int = 0,
        until: int | None = None,
        *,
        relay: Organisation | None = None,
        stubs: dict[int, int] | None = None,
        objects: list[dict[str, Any]] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """A page of the entries after ``after``; a member that is None is left out.

        Args:
            stubs: in the place of which seq a stub stands, and by which later entry.
        """
        last = len(self.entries) if until is None else until
        if objects is None:
            by = stubs or {}
            objects = [
                self.stub(seq, by[seq]) if seq in by else self.record(seq)
                for seq in range(after + 1, last + 1)
            ]
        goes_on = last < len(self.entries)
        stated = {
            "more": goes_on,
            "next": f"seq:{last}" if goes_on else None,
            "objects": objects or None,
            "x_tocsin_head": self.head(),
            "x_tocsin_relay_head": None if relay is None else self.relay_head(relay),
        } | more
        return {name: value for name, value in stated.items() if value is not None}


def random_name(name: str) -> str:
    """A name of at least 12 random characters for ``idn``."""
    return b32(random_looking(name)[:10])


def indicator(origin: Organisation, name: str, tlp: str, **changes: Any) -> dict[str, Any]:
    """An indicator whose id its origin can prove, with its label printed; None leaves one out."""
    value = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": origin.stix_id("indicator", random_name(name)),
        "created": at(-60),
        "modified": at(-60),
        "name": f"Bücher {name}",
        "pattern": f"[domain-name:value = '{name}.example']",
        "pattern_type": "stix",
        "valid_from": at(-60),
        "object_marking_refs": [f"marking-definition--{MARKINGS[tlp]}"],
    } | changes
    return {member: found for member, found in value.items() if found is not None}


def id_of(origin: Organisation, name: str) -> str:
    return origin.stix_id("indicator", random_name(name))


def pull(
    feed: Feed, *pages: dict[str, Any], sender: Organisation | None = None
) -> dict[str, dict[str, Any]]:
    """The step of reading a feed at its origin or a relay; each page answers the one before."""
    cursors = ["0", *(page["next"].removeprefix("seq:") for page in pages[:-1])]
    return {
        "pull": {
            "feed": feed.name,
            "sender": (sender or feed.origin).name,
            "pages": dict(zip(cursors, pages or [feed.page()], strict=False)),
        }
    }


def learn(of: Organisation, *documents: dict[str, Any]) -> dict[str, Any]:
    """The step of getting further documents of a node."""
    return {"documents": {"of": of.name, "documents": list(documents)}}


def clock(now: str) -> dict[str, Any]:
    """The step of letting time pass, until what waited for it is done."""
    return {"clock": now}


def holds(feed: Feed, *states: str, begins: int = 1) -> dict[str, dict[str, str]]:
    """What the reader holds of a feed afterwards; a state stands for one seq, in order."""
    return {feed.name: {str(seq): state for seq, state in enumerate(states, begins)}}


def stored(feed: Feed, number: int) -> dict[str, dict[str, str]]:
    return holds(feed, *["stored"] * number)


def add_story(
    subject: Subject,
    what: str,
    *steps: dict[str, Any],
    came_to: list[Any] | None = None,
    now: str = NOON,
    **expect: Any,
) -> None:
    """A vector of steps.

    Args:
        came_to: of each step what it came to: None where nothing stopped it, else its code; of a
            push its status. By default nothing stopped any.
    """
    results = [None] * len(steps) if came_to is None else came_to
    given = {"now": now, "steps": list(steps)}
    subject.add(what, "steps", given, {"steps": results} | expect)


def add_entries(subject: Subject, what: str, feed: Feed, *states: str) -> None:
    """A vector of a feed's entries, each judged by itself once its place is right."""
    given = {"of": feed.origin.name, "feed": feed.name, "entries": feed.entries}
    subject.add(what, "entries", given, list(states))
