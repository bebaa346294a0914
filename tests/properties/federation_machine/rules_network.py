"""The wire and the machines: pulls, cut links, restarts, time."""

from __future__ import annotations

from hub.peers.bundles import export_bundle, import_bundle
from tests.properties.federation_machine.choosing import Chooser, happens
from tests.properties.federation_machine.machine import FederationMachine


class NetworkRules(FederationMachine):
    """What happens by itself."""

    @happens("pull", weight=6)
    def pull_one(self, choose: Chooser) -> None:
        """A node pulls one of its peers."""
        self.pull(*choose.one("who pulls whom", self.pairs()))

    @happens("pull")
    def all_pull(self, choose: Chooser) -> None:
        """All peers of a node pull it, as after a wake-up."""
        sender = choose.one("sender", self.everybody)
        for reader in self.peers_of(sender):
            self.pull(reader, sender)

    @happens("pull")
    def pull_all(self, choose: Chooser) -> None:
        """A node pulls all of its peers."""
        reader = choose.one("reader", self.everybody)
        for sender in self.peers_of(reader):
            self.pull(reader, sender)

    @happens("carry")
    def carry_by_file(self, choose: Chooser) -> None:
        """What a peer may read goes by hand, whatever link is cut."""
        reader, sender = choose.one("who gets a file from whom", self.pairs())
        self.tick()
        if not (self.model.stands(reader, sender) and self.model.stands(sender, reader)):
            return
        nodes = self.federation.nodes
        file = self.federation.folder / f"{self.federation.clock.at:%j%H%M%S}.tocsin"
        everything = choose.flag("everything")
        export_bundle(
            nodes[sender], self.federation.peer(sender, reader), file, everything=everything
        )
        import_bundle(nodes[reader], file)
        file.unlink()
        self.model.pull(reader, sender, went_well=False, by_hand=True)
        self.grown[reader] += 1
        self.check(reader)

    @happens("partition", weight=2)
    def cut(self, choose: Chooser) -> None:
        """A link breaks."""
        link = frozenset(choose.one("link", self.pairs()))
        self.federation.cut.add(link)
        self.model.cut.add(link)

    @happens("partition")
    def mend(self, choose: Chooser) -> None:
        """A broken link comes back."""
        if self.model.cut:
            link = choose.one("link", sorted(self.model.cut, key=sorted))
            self.federation.cut.discard(link)
            self.model.cut.discard(link)

    @happens("restart")
    def restart(self, choose: Chooser) -> None:
        """A node is closed and opened again."""
        number = choose.one("node", self.everybody)
        self.federation.restart(number)
        self.check(number)

    @happens("time")
    def wait(self, choose: Chooser) -> None:
        """Time passes."""
        self.tick(60 * choose.one("minutes", (1, 7, 60)))
