"""Taking back: withdraw, restrict and widen again, erase everywhere and at one node alone."""

from __future__ import annotations

from federation.errors import SharingRefused
from hub.exchange.erase import erase_everywhere, erase_here
from hub.exchange.restrict import Audience as Named
from hub.exchange.restrict import restrict_object
from hub.exchange.widen import widen_object
from hub.exchange.withdraw import withdraw_object
from schemas.markings import Tlp
from tests.properties.federation_machine import checks
from tests.properties.federation_machine.choosing import Chooser, happens
from tests.properties.federation_machine.machine import LABELS
from tests.properties.federation_machine.nouns import (
    CLEAR,
    GREEN,
    RESTRICTED,
    STRICT,
    WIDENED,
    WITHDRAWN,
    Feed,
    StixObject,
)
from tests.properties.federation_machine.rules_publishing import Audience, PublishingRules

REASON = "it was wrong"


class RecallRules(PublishingRules):
    """What an origin does to what it said, and a node to what it holds."""

    @happens("recall")
    def withdraw(self, choose: Chooser) -> None:
        """Take an object back for good."""
        live = self.living()
        if not live:
            return
        known = choose.one("object", live)
        self.tick()
        with self.may_be_stopped(known.feeds):
            withdraw_object(self.federation.nodes[known.origin], known.stix_id, REASON)
            known.is_over = True
            self._say(known, WITHDRAWN, CLEAR)
        self.check(known.origin)

    @happens("recall")
    def restrict(self, choose: Chooser) -> None:
        """Tighten the label; one peer may be named who gets it still."""
        live = [known for known in self.living() if known.label < STRICT]
        if not live:
            return
        known = choose.one("object", live)
        label = choose.one("label", range(known.label + 1, STRICT + 1))
        named = choose.one("named", [None, *self.peers_of(known.origin)])
        node = self.federation.nodes[known.origin]
        feed = (known.origin, f"d{named}")
        to = () if named is None else (self.federation.peer(known.origin, named),)
        self.tick()
        with self.may_be_stopped(known.feeds | {feed}):
            try:
                restrict_object(node, known.stix_id, Tlp.read(LABELS[label]), Named(to))
            except SharingRefused:
                chosen = Audience(frozenset({feed}), () if named is None else (named,))
                allowed, certain = self.may_be_named(known.origin, label, chosen)
                if allowed and certain:
                    raise
                return
            self._say(known, RESTRICTED, label)
            self._take(known, set(), set())
            known.label = label
            known.is_over = True
            if named is not None:
                needle = self.model.needles[known.words[-1]]
                # The same words, in a version that prints the new label.
                needle.taken.pop(feed, None)
                needle.shaky.add(feed)
                self.model.carry_too(needle, feed, surely=False, label=label)
                self.model.raise_label(feed, label)
        self.check(known.origin)

    @happens("recall")
    def widen(self, choose: Chooser) -> None:
        """Say it again for everybody, at a laxer label."""
        live = [known for known in self.living() if known.label > GREEN]
        if not live:
            return
        known = choose.one("object", live)
        feed = (known.origin, LABELS[GREEN])
        self.tick()
        with self.may_be_stopped(known.feeds | {feed}):
            node = self.federation.nodes[known.origin]
            if widen_object(node, known.stix_id, Tlp.GREEN).entries:
                self._say(known, WIDENED, GREEN, {feed})
                needle = self.model.needles[known.words[-1]]
                self.model.carry_too(needle, feed, surely=True, label=GREEN)
                known.feeds.add(feed)
                known.label = GREEN
                known.is_over = True
        self.check(known.origin)

    @happens("erase")
    def erase_everywhere(self, choose: Chooser) -> None:
        """Have every node delete an object."""
        live = self.living()
        if not live:
            return
        known = choose.one("object", live)
        found = self._place_of(known.origin, known.words[-1])
        if found is None:
            return
        self.tick()
        with self.may_be_stopped(known.feeds):
            node = self.federation.nodes[known.origin]
            erased = erase_everywhere(node, found[0], REASON, [known.stix_id])
            # A feed's first entry is not erased (PROTOCOL 2.4) but restricted, with the wish that
            # its bytes go too (ADR 18). In a closed or frozen feed nothing can be said any more.
            kept = {self.feed_of(feed) for feed, _, _, kind in erased.entries if kind != "erase"}
            unreached = {self.feed_of(feed) for feed in erased.unreached}
            self._say(known, RESTRICTED, CLEAR, self._that_carry(known))
            self._take(known, known.feeds, unreached)
            kept |= unreached
            for words in known.words:
                needle = self.model.needles[words]
                needle.must[known.origin].clear()
                # Of a feed of which only some entries could be erased, nothing is certain.
                for place in needle.must.values():
                    place.difference_update(known.feeds if known.origin in self.revoked else kept)
            known.is_over = True
        self.check(known.origin)

    @happens("erase")
    def erase_at_one(self, choose: Chooser) -> None:
        """A node deletes what another wrote, at itself alone."""
        number = choose.one("node", self.everybody)
        held = checks.needles_held(self.federation.home(number))
        foreign = [words for words in sorted(held) if not words.endswith(f"n{number}")]
        if not foreign:
            return
        words = choose.one("needle", foreign)
        found = self._place_of(number, words)
        if found is None:
            return
        entry, feed = found
        self.tick()
        erase_here(self.federation.nodes[number], entry, REASON)
        self.model.erased_at.add((number, feed))
        # What else stood in that entry is not held for certain either.
        for other in self.model.needles.values():
            other.must.get(number, set()).discard(feed)
        assert entry not in [place[1] for place in checks.entries_of(self.federation.home(number))]
        self.check(number)

    # ----------------------------------------------------------------------------------------

    def _say(
        self, known: StixObject, what: str, label: int, feeds: set[Feed] | None = None
    ) -> None:
        """The origin said a word on an object, to all who could read it.

        By a way of their own it repeats the object to those whose group has changed since.
        """
        words = f"{what} {self.new_words(known.origin)}"
        surely: set[Feed] = set()
        perhaps: set[Feed] = set()
        for each in [*known.words, *known.notes]:
            needle = self.model.needles[each]
            now, maybe = self.model.later_ways(needle)
            surely |= now if each in known.words else set()
            perhaps |= maybe
            for feed in maybe:
                self.model.carry_too(needle, feed, surely=False)
        where = surely if feeds is None else feeds
        if not where:
            where, perhaps = {(known.origin, "nowhere")}, set()
        word = self.model.write(words, where, label, known.stix_id, is_silent=True)
        for feed in perhaps - where:
            self.model.carry_too(word, feed, surely=False, label=CLEAR)
        known.said.append((words, what, label))

    def _that_carry(self, known: StixObject) -> set[Feed]:
        """The feeds of an object that still take entries.

        An erasure stands in each of them, whoever joined since (PROTOCOL 2.4: an ``erase`` names
        entries of its own feed); it tells who came later no more than a number.
        """
        ended = {feed for group in self.model.groups.values() for feed in group.feeds[:-1]}
        carried = {feed for words in known.words for feed in self.model.needles[words].feeds}
        return carried - ended

    def _take(self, known: StixObject, erased: set[Feed], unreached: set[Feed]) -> None:
        """Entries that carried an object are stubs from now on, at whoever reads the last word.

        But where nothing can be said any more, in an epoch that has ended or in a closed feed, no
        stub may stand (PROTOCOL 2.4: an entry's right to be one comes from a later entry of its
        feed). There its origin has it no more and says so, and nobody reads on from that place.
        """
        word = known.said[-1][0]
        has_ended = known.origin in self.revoked
        for words in known.words:
            needle = self.model.needles[words]
            for feed in needle.feeds | needle.echoes:
                is_said = feed in self.model.needles[word].feeds and feed not in unreached
                if is_said and not has_ended:
                    needle.taken[feed] = (word, feed in erased)
                else:
                    needle.shaky.add(feed)
                    self.model.erased_at.add((known.origin, feed))

    def _place_of(self, number: int, words: str) -> tuple[str, Feed] | None:
        """Find an entry that holds a needle at a node: its hash, and its feed."""
        home = self.federation.home(number)
        for feed, entry_hash, needles in checks.entries_of(home):
            if words in needles:
                return entry_hash, self.feed_of(feed)
        return None
