"""The worker: whatever jobs are due, and what peers tell each other of those who lied."""

from __future__ import annotations

from hub.peers.gossip import gossip_with
from hub.workers.jobs import run_due_jobs
from tests.properties.federation_machine import checks
from tests.properties.federation_machine.choosing import Chooser, happens
from tests.properties.federation_machine.machine import FederationMachine
from tests.properties.federation_machine.proofs import hear_proofs

JOBS_A_TURN = 4


class WorkRules(FederationMachine):
    """What happens in the background."""

    @happens("work", weight=3)
    def work(self, choose: Chooser) -> None:
        """A node's worker runs what is due: pulls, wake-ups, acks, documents, gossip."""
        number = choose.one("node", self.everybody)
        self.tick()
        way = self.federation.way(number)
        run_due_jobs(self.federation.nodes[number], http=way, limit=JOBS_A_TURN)
        for sender in self.peers_of(number):
            self.model.pull(number, sender, went_well=False)
            hear_proofs(self.model, number, sender)
        broken = checks.jobs_that_broke(self.federation.home(number))
        assert not broken, f"n{number}: {broken}"
        self.grown[number] += 1
        self.check(number, *self.peers_of(number))

    def check_end(self) -> None:
        """Who holds one history and could hear of the other has frozen the feed (invariant 7).

        Heads tell them apart where the shorter of the two ends. Behind a stub they agree again,
        for the bytes that named what stood before are gone: PROTOCOL 2.4 lets a stub's hash be
        checked by the next ``prev``, and nothing says the ``prev`` of a stub. So an origin that
        erases the entry behind its fork hides the fork from every exchange of heads.
        """
        self.exchange_proofs()
        super().check_end()
        for feed in self.model.poisoned:
            held = self.branches(feed)
            for one, (hashes, state) in held.items():
                for other, (others, other_state) in held.items():
                    end = max(hashes.keys() & others, default=None)
                    differ = end is not None and hashes[end] != others[end]
                    hears = self.model.may_pass(other, feed, one) and one not in self.model.doubted
                    if differ and hears and self.model.may_pass(one, feed, other):
                        states = (state, other_state)
                        assert states == ("frozen", "frozen"), f"{feed} at n{one}, n{other}"

    def exchange_proofs(self) -> None:
        """Everybody tells its peers what it has found out, until nobody has news."""
        for _ in range(self.model.count):
            told = 0
            for one, other in self.pairs():
                if self.model.poisoned and self.model.expect_pull(one, other):
                    node, peer = self.federation.nodes[one], self.federation.peer(one, other)
                    told += gossip_with(node, peer, http=self.federation.way(one)).proofs
                    hear_proofs(self.model, one, other)
            if not told:
                return

    def branches(self, feed: tuple[int, str]) -> dict[int, tuple[dict[int, str], str]]:
        """What each node but the origin holds of a feed: hashes by seq, and the feed's state."""
        found = {}
        for number in self.everybody:
            home = self.federation.home(number)
            for name, rows in checks.chains_of(home).items():
                if number != feed[0] and self.feed_of(name) == feed:
                    found[number] = dict(rows), checks.state_of_feed(home, name)
        return found
