"""Real nodes beside the model: what every rule works on, and what holds after each of them.

At every step, for every needle: the nodes that hold it are among those that may (THREATS section
2, invariant 2), and among them are those that must. Only the nodes that a step touched are looked
at; what nobody touched cannot have changed.

At the end of a run everything is healed: links, lies and suspensions are gone, everybody pulls
until nothing comes any more, and then the entitled set is complete and nodes that hold the same
feeds agree (invariant 4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from hub.errors import Conflict
from hub.peers.pull import PullOutcome
from hub.peers.trust import PeerChanges, set_peer
from schemas.errors import TocsinError
from tests.properties.federation_machine import checks
from tests.properties.federation_machine.choosing import Chooser, family_of, weight_of
from tests.properties.federation_machine.model import Model
from tests.properties.federation_machine.nouns import KNOWN, PARTNER, Feed, Needle, Relation
from tests.support.publications import stix_id
from tests.support.simulated_federation import KEPT_FROM_RELAYS, MOST_NODES, Federation

WORDS = ("blocked", "known", "member", "trusted", "partner")
LABELS = ("clear", "green", "amber", "amber+strict")
FEWEST_NODES = 3
MOST_ROUNDS = 12
"""Of healing: news crosses the longest chain of relays in fewer."""

LIVE = frozenset({"accepted", "quarantined", "refused", "suspended"})
"""States of what its origin has not taken back; which one, a node's trust in the origin says."""
STOPPED = frozenset({"E_SELF_CHECK", "E_FROZEN", "E_FEED"})
TRUSTS = range(KNOWN, PARTNER + 1)
ALWAYS = frozenset({"publish", "pull"})
"""Families of steps without which nothing happens."""


class FederationMachine(RuleBasedStateMachine):
    """What the rules share."""

    door_every = 1
    federation: Federation
    model: Model

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.gids: dict[str, str] = {}
        self.turned_roots: Counter[int] = Counter()
        self.has_new_keys: set[int] = set()
        self.revoked: set[int] = set()
        self.troubled: set[tuple[int, int]] = set()
        self.weeks = 0
        self.grown: Counter[int] = Counter()
        self.is_ready = False

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Some nodes, who is a peer of whom at which trust, and what will not happen at all."""
        choose = Chooser(data)
        count = choose.one("nodes", range(FEWEST_NODES, MOST_NODES + 1))
        self.federation = Federation(count, door_every=self.door_every)
        self.model = Model(count, KEPT_FROM_RELAYS)
        self.is_ready = True
        pairs = [(one, other) for one in range(count) for other in range(one)]
        for one, other in choose.some("peers", pairs, least=count - 1, most=2 * count):
            self.meet(one, other, choose.one("trust", TRUSTS), choose.one("and back", TRUSTS))
        families = {family_of(method) for method in self._methods()}
        left_out = data.draw(st.sets(st.sampled_from(sorted(families))), label="left out")
        self.awake = [
            method.__name__
            for method in self._methods()
            for _ in range(weight_of(method))
            if family_of(method) not in left_out - ALWAYS
        ]
        self.prepared()

    def _methods(self) -> list[Callable[..., None]]:
        names = sorted(name for name in dir(type(self)) if not name.startswith("__"))
        found = [getattr(self, name) for name in names]
        methods = [method for method in found if family_of(method)]
        # What a report is shrunk towards comes first: publishing is the plainest step.
        return sorted(methods, key=lambda method: family_of(method) != "publish")

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """Let one thing happen."""
        choose = Chooser(data)
        getattr(self, choose.one("step", self.awake))(choose)

    def prepared(self) -> None:
        """A place for what a test wants before the first rule."""

    def meet(self, one: int, other: int, there: int, back: int) -> None:
        """Make two nodes peers, unless they are."""
        if one == other or (one, other) in self.model.relations:
            return
        for of, about, trust in ((one, other, there), (other, one, back)):
            self.federation.join(of, about, WORDS[trust])
            self.model.relations[of, about] = Relation(trust)

    # What rules need -----------------------------------------------------------------------

    @property
    def everybody(self) -> range:
        """All nodes."""
        return range(self.model.count)

    def peers_of(self, number: int) -> list[int]:
        """The nodes that one has as peers."""
        return [other for other in self.model.others(number) if self.model.relation(number, other)]

    def pairs(self) -> list[tuple[int, int]]:
        """Every relation: who decides, and about whom."""
        return sorted(self.model.relations)

    def new_words(self, origin: int) -> str:
        """Words that occur nowhere else."""
        self.written += 1
        return f"needle-{self.written:05d}-of-n{origin}"

    def new_id(self, kind: str) -> str:
        """A STIX id that nobody has yet."""
        return stix_id(kind, self.written)

    def tick(self, seconds: float = 1) -> None:
        """Let a little time pass everywhere."""
        self.federation.clock.advance(seconds=seconds)

    def change(self, of: int, about: int, **changes: Any) -> None:
        """Let a node decide anew about a peer."""
        set_peer(self.federation.nodes[of], self.federation.peer(of, about), PeerChanges(**changes))

    def prepare_to_pull(self, reader: int, sender: int) -> None:
        """A place for what a worker does before it can pull."""

    @contextmanager
    def may_be_stopped(self, feeds: Collection[Feed]) -> Iterator[None]:
        """Let a node refuse to write in a feed of which it signed two histories."""
        try:
            yield
        except Conflict as refused:
            if refused.code not in STOPPED or self.model.poisoned.isdisjoint(feeds):
                raise

    def pull(
        self, reader: int, sender: int, *, honest: bool = True, is_lawless: bool = False
    ) -> PullOutcome | None:
        """Let one node pull another, and tell the model; None when the reader would not.

        Whether it goes through is the model's word, unless the sender lies.
        """
        self.tick()
        outcome: PullOutcome | None = None
        if self.model.relation(reader, sender) is None:
            return None
        self.prepare_to_pull(reader, sender)
        try:
            outcome = self.federation.pull(reader, sender)
        except TocsinError as refused:
            if refused.code != "E_PEER_BLOCKED" or self.model.stands(reader, sender):
                raise
        went_well = outcome is not None and outcome.error is None and not outcome.unfinished
        if honest and outcome is not None:
            expected = self.model.expect_pull(reader, sender)
            assert outcome.failed is not expected, f"{reader} pulls {sender}: {outcome.error}"
        self.troubled.discard((reader, sender))
        if honest and went_well is False and self.model.expect_pull(reader, sender):
            excused = self.model.poisoned or any(at == sender for at, _ in self.model.erased_at)
            excused = excused or any(
                at == reader and of == sender for at, (of, _) in self.model.overread
            )
            # A relay that has not heard of a revoked key yet is told from a good one.
            assert excused or self.revoked, f"{reader} pulls {sender}: {outcome}"
            if not excused:
                self.troubled.add((reader, sender))
        self.model.pull(reader, sender, went_well=went_well and honest, is_lawless=is_lawless)
        self.check(reader)
        if outcome is not None and outcome.entries:
            self.grown[reader] += 1
        return outcome

    # What holds ----------------------------------------------------------------------------

    def check(self, *nodes: int) -> None:
        """Hold these nodes against the model."""
        for number in nodes:
            held = checks.needles_held(self.federation.home(number))
            for words, needle in self.model.needles.items():
                if needle.is_silent:
                    continue
                if words in held:
                    assert self.model.may_hold(number, needle), f"n{number} may not hold {needle}"
                else:
                    assert not self.model.must_hold(number, needle), f"n{number} has lost {needle}"
            assert held <= self.model.needles.keys()
            for words in checks.needles_in_evidence(self.federation.home(number)):
                needle = self.model.needles[words]
                proven = number in needle.may or number in needle.proven
                assert proven or self.is_confessed(number, needle), f"proof: {words}"
            self.check_views(number)

    def is_confessed(self, number: int, needle: Needle) -> bool:
        """Whether a node may hold a needle as the proof that a relay served it unlawfully.

        The proof is the relay's word with the entry itself, so PROTOCOL 2.5 lets it be kept; it
        is for the origin and for no reader.
        """
        return any(
            reader == number and sender in needle.may for reader, sender in self.model.confessed
        )

    def check_views(self, number: int) -> None:
        """Hold what readers find against what the origins said last (invariants 8, 9, 11)."""
        home = self.federation.home(number)
        lowest: dict[tuple[str, str], int] = {}
        for row in checks.objects_of(home):
            if row["state"] == "accepted":
                claim = (row["stix_id"], row["origin"])
                lowest[claim] = min(row["tlp"], lowest.get(claim, row["tlp"]))
        rows = checks.shown_by(home)
        visible = {(row["ceiling"], row["stix_id"]) for row in rows}
        for row in rows:
            assert row["state"] == "accepted"
            assert row["tlp"] <= row["ceiling"], "shown below its label"
            for ref in checks.references_in(row["content"]):
                shown = (row["ceiling"], ref) in visible
                assert shown, f"{row['stix_id']} refers to {ref}, out of its view"
            known = self.model.objects.get(row["stix_id"])
            if known is None:
                continue
            owner = self.federation.nodes[known.origin].node_id
            if row["origin"] != owner:
                # Where the owner's claim is to be seen, nobody else's is.
                seen_from = lowest.get((row["stix_id"], owner), row["ceiling"] + 1)
                assert seen_from > row["ceiling"], "taken from its owner"
                continue
            label, is_withdrawn = self.model.last_said(known, number)
            assert row["ceiling"] >= label, f"n{number} shows {known} below its label"
            assert row["revoked"] or not is_withdrawn, f"n{number} shows {known}, withdrawn"

    def check_chains(self) -> None:
        """Accepted seqs are 1 to n without a gap, one hash each, everywhere (invariant 6).

        Who joined a group without its history begins later.
        """
        said: dict[tuple[str, int], str] = {}
        for number in self.everybody:
            for feed, rows in checks.chains_of(self.federation.home(number)).items():
                origin, audience = self.feed_of(feed)
                begin = rows[0][0] if audience.startswith("@") else 1
                seqs = [seq for seq, _ in rows]
                assert seqs == list(range(begin, begin + len(rows))), f"{feed} at n{number}: {seqs}"
                for seq, entry_hash in rows:
                    first = said.setdefault((feed, seq), entry_hash)
                    assert first == entry_hash or (origin, audience) in self.model.poisoned

    def feed_of(self, name: str) -> Feed:
        """Read a feed's name as the model calls it."""
        node_id, audience, _ = name.split("/")
        origin = self.federation.number_of(node_id)
        if audience.startswith("d-"):
            ids = [node.node_id for node in self.federation.nodes]
            reader = next(i for i, known in enumerate(ids) if known.startswith(audience[2:]))
            return origin, f"d{reader}"
        return origin, self.gids.get(audience, audience)

    # The end -------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Heal everything and see what came of it."""
        if not self.is_ready:
            return
        try:
            self.heal()
            self.check_end()
        finally:
            self.federation.close()

    def heal(self) -> None:
        """Take the disturbances away and let everybody pull until nothing comes any more."""
        self.federation.cut.clear()
        self.model.cut.clear()
        pairs = [pair for pair in self.pairs() if self.model.expect_pull(*pair)]
        seen: dict[tuple[int, int], int] = {}
        for _ in range(MOST_ROUNDS):
            # Only from whom there may be something new since the last time.
            waiting = [
                pair
                for pair in pairs
                if seen.get(pair) != self.grown[pair[1]] or pair in self.troubled
            ]
            outcomes = {}
            for reader, sender in waiting:
                seen[reader, sender] = self.grown[sender]
                outcomes[reader, sender] = self.pull(reader, sender)
            if not waiting:
                break
        else:
            raise AssertionError(f"the federation does not come to rest: {outcomes}")
        self.model.heal()

    def check_end(self) -> None:
        """The entitled set is complete, and who holds the same agrees."""
        self.check(*self.everybody)
        self.check_chains()
        self.check_agreement()
        for number in self.everybody:
            never = [
                words
                for words, needle in self.model.needles.items()
                if number not in needle.may
                and number not in needle.proven
                and not needle.is_silent
                and not self.is_confessed(number, needle)
            ]
            found = checks.traces_on_disk(self.federation.home(number), never)
            assert not found, f"on the disk of n{number}: {found}"
        note(f"{len(self.model.needles)} needles, {self.federation.requests} requests")

    def check_agreement(self) -> None:
        """Nodes that hold the same feeds of an origin have the same objects of it (invariant 4).

        But for what each decided for itself, whether an object waits for a person; for what is left
        of objects that were taken back, since who came later never had them; and for what refers
        to such an object, which who came later cannot resolve.
        """
        unresolved = {
            self.model.needles[words].stix_id
            for known in self.model.objects.values()
            for words in known.notes
            if known.is_over
        }
        seen: dict[tuple[str, Any], tuple[int, Any]] = {}
        for number in self.everybody:
            home = self.federation.home(number)
            chains = checks.chains_of(home)
            rows = checks.objects_of(home)
            for origin in {feed.partition("/")[0] for feed in chains}:
                writer = self.federation.number_of(origin)
                by_law = any(at == number and of == writer for at, (of, _) in self.model.erased_at)
                if writer == number or by_law:
                    continue
                held = frozenset(
                    (feed, *chain) for feed, chain in chains.items() if feed.startswith(origin)
                )
                said = [
                    (row["stix_id"], row["version"], row["tlp"], bytes(row["content"]))
                    for row in rows
                    if row["origin"] == origin
                    and (row["state"] in LIVE or row["revoked"])
                    and row["stix_id"] not in unresolved
                ]
                first, before = seen.setdefault((origin, held), (number, said))
                differ = set(before) ^ set(said)
                assert not differ, f"n{first} and n{number} differ on {origin}: {differ}"
