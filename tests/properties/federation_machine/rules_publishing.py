"""Publishing: to everybody, to named peers, new versions, references, squatting."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from federation.errors import SharingRefused
from hub.exchange.publish import PublishRequest, publish_objects
from schemas.markings import Tlp
from schemas.timestamps import write_wire_time
from tests.properties.federation_machine.choosing import Chooser, happens
from tests.properties.federation_machine.machine import LABELS, FederationMachine
from tests.properties.federation_machine.nouns import (
    AMBER,
    CLEAR,
    GREEN,
    SAID,
    STRICT,
    Feed,
    StixObject,
)
from tests.support.publications import drafts, indicator, note

REFUSED = frozenset({"E_AUDIENCE_REFUSED", "E_GROUP_EMPTY"})


@dataclass(frozen=True)
class Audience:
    """Whom a publication is for: the feeds that carry it, and how they are called there."""

    feeds: AbstractSet[Feed]
    named: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()


class PublishingRules(FederationMachine):
    """What a node says in its own feeds."""

    @happens("publish", weight=3)
    def publish_to_all(self, choose: Chooser) -> None:
        """CLEAR or GREEN to whomever trust reaches."""
        origin = choose.one("origin", self.everybody)
        label = choose.one("label", (GREEN, CLEAR))
        self.publish_new(origin, label, Audience(frozenset({(origin, LABELS[label])})))

    @happens("publish", weight=4)
    def publish_to_named(self, choose: Chooser) -> None:
        """To one or two peers by name."""
        origin = choose.one("origin", sorted({of for of, _ in self.pairs()}))
        label = choose.one("label", (AMBER, STRICT, GREEN))
        named = choose.some("named", self.peers_of(origin), most=2)
        feeds = frozenset((origin, f"d{peer}") for peer in named)
        self.publish_new(origin, label, Audience(feeds, tuple(named)))

    @happens("more")
    def name_one_more(self, choose: Chooser) -> None:
        """Give what was published to some to one peer more."""
        live = [known for known in self.living() if known.words and self._named_in(known)]
        if not live:
            return
        known = choose.one("object", live)
        peer = choose.one("peer", self.peers_of(known.origin))
        feed = (known.origin, f"d{peer}")
        if self.publish(known.origin, known.value, known.label, Audience({feed}, (peer,))):
            self.model.carry_too(self.model.needles[known.words[-1]], feed, surely=True)
            known.feeds.add(feed)
        self.check(known.origin)

    @happens("more", weight=2)
    def publish_a_version(self, choose: Chooser) -> None:
        """A new version where the old one stands."""
        live = self.living()
        if not live:
            return
        known = choose.one("object", live)
        words = self.new_words(known.origin)
        value = self._value(known, words)
        audience = self.audience_of(known)
        if self.publish(known.origin, value, known.label, audience):
            self._note_version(known, value, words, audience)
        self.check(known.origin)

    @happens("more")
    def refer(self, choose: Chooser) -> None:
        """A note about an own object, for the same readers."""
        live = self.living()
        if not live:
            return
        known = choose.one("object", live)
        words = self.new_words(known.origin)
        value = note(self.written, known.stix_id, content=words, **self._by(known.origin))
        audience = self.audience_of(known)
        if self.publish(known.origin, value, known.label, audience):
            self.model.write(words, audience.feeds, known.label, value["id"])
            known.notes.append(words)
        self.check(known.origin)

    @happens("squat")
    def squat(self, choose: Chooser) -> None:
        """Publish under an id that is another's (THREATS 25)."""
        origin = choose.one("squatter", self.everybody)
        others = [known for known in self.model.objects.values() if known.origin != origin]
        if others:
            known = choose.one("object", others)
            label = choose.one("label", (CLEAR, GREEN))
            words = self.new_words(origin)
            value = indicator(0, id=known.stix_id, name=words, **self._times())
            feeds = frozenset({(origin, LABELS[label])})
            if self.publish(origin, value, label, Audience(feeds)):
                self.model.write(words, feeds, label, "another's")
            self.check(origin)

    # ----------------------------------------------------------------------------------------

    def living(self) -> list[StixObject]:
        """Objects of which their origin may still say something new."""
        return [known for known in self.model.objects.values() if not known.is_over]

    def _named_in(self, known: StixObject) -> list[int]:
        """To whom an object went by name."""
        return sorted(int(audience[1:]) for _, audience in known.feeds if audience[0] == "d")

    def audience_of(self, known: StixObject) -> Audience:
        """Those to whom an object went so far, in the feeds in which they are spoken to now."""
        feeds = {feed for feed in known.feeds if not feed[1].startswith("@")}
        feeds |= {self.model.groups[name].feeds[-1] for name in known.groups}
        return Audience(feeds, tuple(self._named_in(known)), tuple(sorted(known.groups)))

    def publish_new(self, origin: int, label: int, audience: Audience) -> StixObject | None:
        """Publish a new object; None when that was refused."""
        words = self.new_words(origin)
        feeds = set(audience.feeds)
        known = StixObject(
            self.new_id("indicator"), origin, label, feeds, groups=set(audience.groups)
        )
        value = self._value(known, words)
        published = self.publish(origin, value, label, audience)
        if published:
            self.model.objects[known.stix_id] = known
            self._note_version(known, value, words, audience)
        self.check(origin)
        return known if published else None

    def _note_version(
        self, known: StixObject, value: dict[str, Any], words: str, audience: Audience
    ) -> None:
        known.words.append(words)
        known.value = value
        known.feeds |= audience.feeds
        known.said.append((words, SAID, known.label))
        self.model.write(words, audience.feeds, known.label, known.stix_id)

    def publish(self, origin: int, value: dict[str, Any], label: int, audience: Audience) -> bool:
        """Publish one object; False when policy refused, which is the model's word too."""
        self.tick()
        allowed, certain = self.may_be_named(origin, label, audience)
        node = self.federation.nodes[origin]
        to = tuple(self.federation.peer(origin, peer) for peer in audience.named)
        request = PublishRequest(
            drafts(value), Tlp.read(LABELS[label]), to=to, groups=audience.groups
        )
        outcome = None
        try:
            with self.may_be_stopped(audience.feeds):
                outcome = publish_objects(node, request)
        except SharingRefused as refused:
            if refused.code not in REFUSED or (allowed and certain):
                raise
            return False
        assert allowed or not certain, f"{origin} could publish to {audience}"
        return outcome is not None and not outcome.refused

    def may_be_named(self, origin: int, label: int, audience: Audience) -> tuple[bool, bool]:
        """Tell whether a publication may go out, and whether the model is sure of that."""
        allowed, certain = True, True
        feeds = [(origin, f"d{peer}") for peer in audience.named]
        feeds += [self.model.groups[name].feeds[-1] for name in audience.groups]
        for feed in feeds:
            readers = self.model.named(feed)
            answers = {
                any(
                    self.model.may_have(origin, max(label, highest), peer, named=True)
                    for peer in readers
                )
                for highest in (
                    self.model.highest.get(feed, GREEN),
                    self.model.highest_perhaps.get(feed, GREEN),
                )
            }
            allowed = allowed and all(answers)
            # A fork that somebody proved turns dials by itself.
            certain = certain and len(answers) == 1 and self.model.doubted.isdisjoint(readers)
        return allowed, certain

    def _value(self, known: StixObject, words: str) -> dict[str, Any]:
        return indicator(0, id=known.stix_id, name=words, **self._by(known.origin))

    def _by(self, origin: int) -> dict[str, Any]:
        return {"created_by_ref": self.federation.nodes[origin].identity, **self._times()}

    def _times(self) -> dict[str, Any]:
        return {"modified": write_wire_time(self.federation.clock.now())}
