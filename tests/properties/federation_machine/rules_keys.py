"""Keys: new ones beside the old, the root, and a key that is revoked at the present positions."""

from __future__ import annotations

import hashlib
from pathlib import Path

from federation.identity.node_document import rootset
from federation.identity.rotation import RootSet
from federation.signing.signer import SeedSigner
from hub.errors import Conflict
from hub.peers.key_custody import read_key_file
from hub.peers.node_updates import tell_documents
from hub.peers.rotate_keys import revoke_key, rotate_key, rotate_root, turn_keys
from tests.properties.federation_machine.choosing import Chooser, happens
from tests.properties.federation_machine.machine import FederationMachine

MOST_WEEKS = 20
"""A node document is good for a year."""


class KeyRules(FederationMachine):
    """What an operator does with the keys of a node."""

    @happens("keys", weight=2)
    def rotate(self, choose: Chooser) -> None:
        """A new key waits beside the old one until the peers were told."""
        number = choose.one("node", self.everybody)
        use = choose.one("use", ("entry", "http"))
        self.tick()
        self.has_new_keys.add(number)
        try:
            rotate_key(self.federation.nodes[number], use, [self._root(number)])
        except Conflict as waiting:
            if waiting.code != "E_ROTATION_WAITS":
                raise
        self.check(number)

    @happens("keys")
    def rotate_root(self, choose: Chooser) -> None:
        """The committed root becomes the current one."""
        number = choose.one("node", self.everybody)
        self.turned_roots[number] += 1
        root, following = self._root(number), self._next_root(number)
        self.tick()
        self.has_new_keys.add(number)
        rotate_root(
            self.federation.nodes[number],
            [root],
            RootSet(1, (root.public_key,)),
            rootset(1, [following.public_key]).hex(),
        )

    @happens("keys")
    def revoke(self, choose: Chooser) -> None:
        """The entry key was lost: what was signed is good, and the feeds go on in new epochs."""
        number = choose.one("node", self.everybody)
        if number in self.model.doubted:
            return
        self.revoked.add(number)
        node = self.federation.nodes[number]
        self.tick()
        self.has_new_keys.add(number)
        revoke_key(node, node.keys.entry.kid, "lost", [self._root(number)])
        self.model.hold_back(number)
        self.check(number)

    @happens("keys", weight=2)
    def let_a_week_pass(self, choose: Chooser) -> None:
        """The overlap of two keys goes by, everywhere."""
        del choose
        self.weeks += 1
        if self.weeks <= MOST_WEEKS:
            self.tick(8 * 24 * 3600)
            for node in self.federation.nodes:
                turn_keys(node)

    def prepare_to_pull(self, reader: int, sender: int) -> None:
        """Each tells the other of new keys before they are used, as their workers do."""
        super().prepare_to_pull(reader, sender)
        if sender in self.federation.bends or not self.model.expect_pull(reader, sender):
            return
        for one, other in ((reader, sender), (sender, reader)):
            if one in self.has_new_keys:
                peer = self.federation.peer(one, other)
                way = self.federation.way(one)
                tell_documents(self.federation.nodes[one], peer, http=way)

    def _root(self, number: int) -> SeedSigner:
        """The root key that signs now."""
        turned = self.turned_roots[number]
        home = self.federation.home(number)
        if turned == 0:
            return _read(home / "root-current.key")
        return _read(home / "root-next.key") if turned == 1 else _made(number, turned)

    def _next_root(self, number: int) -> SeedSigner:
        """The root key to which the next document commits."""
        return _made(number, self.turned_roots[number] + 1)


def _read(file: Path) -> SeedSigner:
    return read_key_file(file)


def _made(number: int, turned: int) -> SeedSigner:
    return SeedSigner(hashlib.sha256(f"root {turned} of n{number}".encode()).digest())
