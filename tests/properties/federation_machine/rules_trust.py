"""Decisions about peers: trust up and down, the words compared or not, dials, suspension."""

from __future__ import annotations

from hub.peers.suspend import resume_peer, suspend_peer
from tests.properties.federation_machine.choosing import Chooser, happens
from tests.properties.federation_machine.machine import LABELS, TRUSTS, WORDS, FederationMachine


class TrustRules(FederationMachine):
    """What an operator sets."""

    @happens("trust", weight=3)
    def set_trust(self, choose: Chooser) -> None:
        """Promote, demote or block a peer; a preset turns its dials back."""
        pair = choose.one("who decides on whom", self.pairs())
        trust = choose.one("trust", range(len(WORDS)))
        self.change(*pair, trust=WORDS[trust])
        relation = self.model.relations[pair]
        relation.trust, relation.outbound = trust, None
        self.check(pair[0])

    @happens("trust")
    def compare_words(self, choose: Chooser) -> None:
        """Say whether the eight words were compared."""
        pair = choose.one("who compares with whom", self.pairs())
        verified = choose.flag("verified")
        self.change(*pair, verified=verified)
        self.model.relations[pair].verified = verified
        self.check(pair[0])

    @happens("trust")
    def turn_outbound(self, choose: Chooser) -> None:
        """Say how strict a label a peer may read."""
        pair = choose.one("who decides on whom", self.pairs())
        label = choose.one("label", range(len(LABELS)))
        self.change(*pair, outbound=LABELS[label])
        self.model.relations[pair].outbound = label

    @happens("trust")
    def turn_relay(self, choose: Chooser) -> None:
        """Say whether what a peer wrote goes further from here."""
        pair = choose.one("who decides on whom", self.pairs())
        passed_on = choose.flag("passed on")
        self.change(*pair, relay=passed_on)
        self.model.relations[pair].passed_on = passed_on

    @happens("suspension")
    def suspend(self, choose: Chooser) -> None:
        """Break a relation off for a while."""
        pair = choose.one("who suspends whom", self.pairs())
        self.tick()
        suspend_peer(self.federation.nodes[pair[0]], self.federation.peer(*pair))
        self.model.relations[pair].suspended = True

    @happens("suspension", weight=2)
    def resume(self, choose: Chooser) -> None:
        """Take a relation up again."""
        stopped = [pair for pair in self.pairs() if self.model.relations[pair].suspended]
        if stopped:
            pair = choose.one("who resumes whom", stopped)
            self.tick()
            resume_peer(self.federation.nodes[pair[0]], self.federation.peer(*pair))
            self.model.relations[pair].suspended = False

    @happens("pairing")
    def pair(self, choose: Chooser) -> None:
        """Two nodes more become peers."""
        pairs = [(one, other) for one in self.everybody for other in range(one)]
        strangers = [pair for pair in pairs if pair not in self.model.relations]
        if strangers:
            one, other = choose.one("strangers", strangers)
            self.meet(one, other, choose.one("trust", TRUSTS), choose.one("and back", TRUSTS))
