"""A node lies to one of its peers for the time of one pull (``tests.support.lies``)."""

from __future__ import annotations

import tests.support.lies  # noqa: F401 - puts every lie on the list
from federation.transport.guarded_http import HttpAnswer
from tests.properties.federation_machine.choosing import Chooser, happens
from tests.properties.federation_machine.machine import FederationMachine
from tests.properties.federation_machine.nouns import CLEAR
from tests.properties.federation_machine.proofs import keep_proofs
from tests.support.malicious import LIES, PAGE, Liar
from tests.support.simulated_federation import HEADS, JSON_HEADERS, Answering, Bend, Request

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
        is_careful = kind.own and kind.about == PAGE and choose.flag("keeps its heads to itself")
        if words is not None:
            feeds = {(sender, audience) for audience in ("clear", "green", f"d{reader}")}
            feeds |= {feed for feed in self.model.members if feed[0] == sender}
            needle = self.model.write(words, feeds, CLEAR, "a forked one")
            needle.must = {sender: set()}
        self.prepare_to_pull(reader, sender)
        self.federation.bends[sender] = _without_heads(liar) if is_careful else liar
        try:
            self.pull(reader, sender, honest=False, is_lawless=kind.name == LAWLESS)
        finally:
            del self.federation.bends[sender]
        if kind.own and liar.told:
            told = {self.feed_of(str(feed)) for feed in liar.told if feed is not None}
            self.model.poison(told)
            keep_proofs(self.model, reader, told)
        self.note_confession(reader, sender, kind.name)

    def note_confession(self, reader: int, sender: int, name: str) -> None:
        """A relay that served what it must not has signed that, and the proof holds the entry."""
        if name != LAWLESS:
            return
        self.model.confessed.add((reader, sender))
        # Who was given more of a group's feed than is for it, and is named there later from a
        # place further on, holds a chain with a gap before that place, and a gap is an omission
        # (PROTOCOL 1.2, 2.6 "anchor"): it does not read on.
        for feed, members in self.model.members.items():
            if feed[0] == sender and members.get(reader) != 0:
                self.model.overread.add((reader, feed))


def _without_heads(liar: Liar) -> Bend:
    """Let a liar be careful: the heads that it tells everybody would give it away at once."""

    def answer(request: Request, honest: Answering) -> HttpAnswer:
        if request.path == HEADS:
            return HttpAnswer(200, JSON_HEADERS, b'{"heads":[]}')
        return liar(request, honest)

    return answer
