"""A node lies to one of its peers for the time of one pull (``tests.support.lies``)."""

from __future__ import annotations

import tests.support.lies  # noqa: F401 - puts every lie on the list
from tests.properties.federation_machine.choosing import Chooser, happens
from tests.properties.federation_machine.machine import FederationMachine
from tests.properties.federation_machine.nouns import CLEAR
from tests.support.malicious import LIES, Liar

LAWLESS = "every feed that it holds is served"


class MaliceRules(FederationMachine):
    """What a malicious peer does."""

    @happens("malice", weight=4)
    def lie(self, choose: Chooser) -> None:
        """A node is pulled and lies.

        What it signs against its own history poisons the feed: nobody can be sure of it any more,
        whoever believed what. All other lies change nothing for anybody.
        """
        reader, sender = choose.one("who pulls whom", self.pairs())
        kind = LIES[choose.one("lie", sorted(LIES))]
        words = self.new_words(sender) if kind.forks else None
        liar = Liar(self.federation.nodes[sender], kind, words)
        if words is not None:
            feeds = {(sender, audience) for audience in ("clear", "green", f"d{reader}")}
            feeds |= {feed for feed in self.model.members if feed[0] == sender}
            needle = self.model.write(words, feeds, CLEAR, "a forked one")
            needle.must = {sender: set()}
        self.prepare_to_pull(reader, sender)
        self.federation.bends[sender] = liar
        try:
            self.pull(reader, sender, honest=False, is_lawless=kind.name == LAWLESS)
        finally:
            del self.federation.bends[sender]
        if kind.own and liar.told:
            told = {self.feed_of(str(feed)) for feed in liar.told if feed is not None}
            self.model.poison(told)
        self.note_confession(reader, sender, kind.name)

    def note_confession(self, reader: int, sender: int, name: str) -> None:
        """A relay that served what it must not has signed that, and the proof holds the entry."""
        if name == LAWLESS:
            self.model.confessed.add((reader, sender))
