"""Who may hold what: the sharing rules of PROTOCOL 3.2 and 3.3 read a second time.

Imports nothing of the product, so that a mistake there does not repeat itself here. Nodes are
numbers, a feed is ``(origin, audience)`` with the audience ``clear``, ``green``, ``d<number>`` or
``@<number>``, and a *needle* stands for one plaintext: words that occur in one version of one
object and nowhere else.

For every needle there are two sets of nodes, and the truth lies between them at every moment:

* ``must``: they hold it, because they wrote it or made a pull that went well;
* ``may``: they can hold it, because somebody who might have had it was allowed to hand it over.

A node that was demoted keeps what it has: copies that were sent cannot be unsent (PROTOCOL 3.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.properties.federation_machine.nouns import (
    AMBER,
    CLEAR,
    DIRECT_TRUST,
    GREEN,
    RELAYED_TO,
    WIDENED,
    WITHDRAWN,
    Feed,
    Group,
    Needle,
    Relation,
    StixObject,
)


class Model:
    """What a federation may look like from the inside.

    Args:
        count: how many nodes.
        kept_from_relays: nodes whose green feed says ``relay: none``.
    """

    def __init__(self, count: int, kept_from_relays: Iterable[int] = ()) -> None:
        self.count = count
        self.relations: dict[tuple[int, int], Relation] = {}
        self.relay: dict[Feed, str] = {}
        self.highest: dict[Feed, int] = {}
        self.highest_perhaps: dict[Feed, int] = {}
        self.needles: dict[str, Needle] = {}
        self.objects: dict[str, StixObject] = {}
        self.members: dict[Feed, dict[int, int]] = {}
        self.once_members: dict[Feed, dict[int, int]] = {}
        self.groups: dict[str, Group] = {}
        self.erased_at: set[tuple[int, Feed]] = set()
        self.overread: set[tuple[int, Feed]] = set()
        self.moments = 0
        self.poisoned: set[Feed] = set()
        self.doubted: set[int] = set()
        self.confessed: set[tuple[int, int]] = set()
        self.cut: set[frozenset[int]] = set()
        kept = set(kept_from_relays)
        for node in range(count):
            self.relay[node, "clear"] = "public"
            self.relay[node, "green"] = "none" if node in kept else "community"

    # Relations -----------------------------------------------------------------------------

    def relation(self, of: int, about: int) -> Relation | None:
        """What a node has decided about another; None when it is no peer."""
        return self.relations.get((of, about))

    def stands(self, of: int, about: int) -> bool:
        """Whether a node takes another for a peer now."""
        relation = self.relation(of, about)
        return relation is not None and relation.stands

    # The decision table --------------------------------------------------------------------

    def may_have(self, origin: int, label: int, peer: int, *, named: bool) -> bool:
        """PROTOCOL 3.2 "direct to peer"."""
        relation = self.relation(origin, peer)
        if relation is None or label not in DIRECT_TRUST:
            return False
        if label >= AMBER and not named:
            return False
        return relation.counts >= DIRECT_TRUST[label] and label <= relation.lets_out

    def may_read(self, feed: Feed, reader: int, *, surely: bool = False) -> bool:
        """PROTOCOL 2.6: a peer reads a feed of its origin whole or not at all."""
        origin, audience = feed
        highest = self.highest.get(feed, CLEAR)
        if surely:
            highest = max(highest, self.highest_perhaps.get(feed, CLEAR))
        if audience == "clear":
            return self.may_have(origin, CLEAR, reader, named=False)
        if audience == "green":
            return self.may_have(origin, GREEN, reader, named=False)
        named = reader in self.named(feed)
        return named and self.may_have(origin, max(GREEN, highest), reader, named=True)

    def named(self, feed: Feed) -> set[int]:
        """Who is named in a direct or group feed."""
        audience = feed[1]
        if audience.startswith("d"):
            return {int(audience[1:])}
        return set(self.members.get(feed, ()))

    def may_relay(self, relay: int, feed: Feed, reader: int) -> bool:
        """PROTOCOL 3.2 "relay in clear", with the dials of the one who relays."""
        origin, audience = feed
        needed = RELAYED_TO.get((audience, self.relay.get(feed, "none")))
        towards = self.relation(relay, reader)
        if needed is None or towards is None:
            return False
        about = self.relation(relay, origin)
        if about is not None and not (about.stands and about.passed_on):
            return False
        label = CLEAR if audience == "clear" else GREEN
        return towards.counts >= needed and label <= towards.lets_out

    def may_pass(self, sender: int, feed: Feed, reader: int, *, is_lawless: bool = False) -> bool:
        """Tell whether a feed may go from one node to another now, if the sender has it.

        Args:
            is_lawless: the sender asks nobody's trust. Then a reader still takes nothing that its
                origin keeps from relays, and asks for no feed that is meant for another.
        """
        origin = feed[0]
        if not (self.stands(sender, reader) and self.stands(reader, sender)):
            return False
        if origin == reader:
            return False
        if origin == sender:
            is_for_another = feed[1].startswith("d") and feed[1] != f"d{reader}"
            return self.may_read(feed, reader) or (is_lawless and not is_for_another)
        about = self.relation(reader, origin)
        # What a node wrote that is blocked here is not taken through others either.
        if about is not None and not about.stands:
            return False
        if is_lawless:
            return (feed[1], self.relay.get(feed, "none")) in RELAYED_TO
        return self.may_relay(sender, feed, reader)

    def can_hand_over(
        self, sender: int, feed: Feed, reader: int, needle: Needle, *, is_lawless: bool = False
    ) -> bool:
        """Tell whether a reader may get a needle from a sender through a feed now."""
        if feed not in needle.may.get(sender, ()):
            return False
        if not self.may_pass(sender, feed, reader, is_lawless=is_lawless):
            return False
        # Who joined a group later reads what came after.
        if self.members.get(feed, {}).get(reader, 0) > needle.number and not is_lawless:
            return False
        # Where it stood, there is a stub at whoever has read that it was taken back.
        word = needle.taken.get(feed)
        if word is None:
            return True
        read = self.needles[word[0]].must
        return sender not in read and reader not in read

    def hands_over(self, sender: int, feed: Feed, reader: int, needle: Needle) -> bool:
        """Tell whether it certainly does when it is asked."""
        if sender == feed[0] and not self.may_read(feed, reader, surely=True):
            return False
        return (
            feed in needle.feeds
            and feed not in needle.shaky
            and feed in needle.must.get(sender, ())
            and feed not in needle.taken
            and feed not in self.poisoned
            and (reader, feed) not in self.overread
            and reader not in self.doubted
            and not any((sender, other) in self.erased_at for other in needle.feeds)
            and not any((reader, other) in self.erased_at for other in needle.feeds)
        )

    def may_hold(self, node: int, needle: Needle) -> bool:
        """Tell whether a node may hold a plaintext now: not once it has read that it is erased.

        But for a proof: both branches are kept (PROTOCOL 2.5), whatever their origin says later.
        It could erase what stands against it otherwise.
        """
        return node in needle.proven or any(
            not self._is_gone(node, feed, needle) for feed in needle.may.get(node, ())
        )

    def _is_gone(self, node: int, feed: Feed, needle: Needle) -> bool:
        word, erased = needle.taken.get(feed, ("", False))
        return (node, feed) in needle.lost or (erased and node in self.needles[word].must)

    def must_hold(self, node: int, needle: Needle) -> bool:
        """Tell whether a node holds a plaintext for certain."""
        if any(erased and node in self.needles[word].may for word, erased in needle.taken.values()):
            return False
        return any((node, feed) not in needle.lost for feed in needle.must.get(node, ()))

    def last_said(self, known: StixObject, node: int) -> tuple[int, bool]:
        """Return the label that binds a node for an object, and whether it was withdrawn for it.

        Of words that a node may have read and need not have read, none binds it; after one that
        widens, only what came later does (PROTOCOL 3.3).
        """
        label, withdrawn = CLEAR, False
        for words, what, stated in known.said:
            if what == WIDENED and node in self.needles[words].may:
                label = CLEAR
            if node in self.needles[words].must:
                label = max(label, stated)
                withdrawn = withdrawn or what == WITHDRAWN
        return label, withdrawn

    # What happens --------------------------------------------------------------------------

    def write(
        self,
        words: str,
        feeds: Iterable[Feed],
        label: int,
        stix_id: str,
        *,
        is_silent: bool = False,
    ) -> Needle:
        """A node wrote something new into feeds of its own."""
        where = set(feeds)
        origin = next(iter(where))[0]
        needle = Needle(
            words,
            self.next_number(),
            where,
            label,
            stix_id,
            {origin: set(where)},
            {origin: set(where)},
            is_silent=is_silent,
        )
        self.needles[words] = needle
        if not is_silent:
            for feed in where:
                self.raise_label(feed, label)
        return needle

    def hold_back(self, origin: int) -> None:
        """A key of an origin is revoked: what others hold counts once they reach a good position.

        Until they have read on, they may or may not show it (PROTOCOL 2.3).
        """
        for needle in self.needles.values():
            if origin in {writer for writer, _ in needle.feeds}:
                needle.must = {at: ways for at, ways in needle.must.items() if at == origin}

    def next_number(self) -> int:
        """Count what happens."""
        self.moments += 1
        return self.moments

    def carry_too(
        self, needle: Needle, feed: Feed, *, surely: bool, label: int | None = None
    ) -> None:
        """The origin put the same plaintext into one more of its feeds."""
        (needle.feeds if surely else needle.echoes).add(feed)
        needle.may[feed[0]].add(feed)
        if surely:
            needle.must[feed[0]].add(feed)
        self.raise_label(feed, needle.label if label is None else label, surely=surely)

    def raise_label(self, feed: Feed, label: int, *, surely: bool = True) -> None:
        """A feed carried a label; what it once carried stays its highest."""
        highest = self.highest if surely else self.highest_perhaps
        highest[feed] = max(highest.get(feed, CLEAR), label)

    # Groups --------------------------------------------------------------------------------

    def open_feed(self, group: Group, feed: Feed, members: dict[int, int]) -> None:
        """A group speaks through a new feed."""
        group.feeds.append(feed)
        self.members[feed] = dict(members)
        self.once_members[feed] = dict(members)

    def add_member(self, feed: Feed, member: int, begins: int) -> None:
        """A node is named in a group's feed, from a moment on."""
        self.members[feed][member] = begins
        self.once_members[feed][member] = begins

    def entitled(self, group: Group, needle: Needle) -> set[int]:
        """Members of a group, present or past, who could read something said to it."""
        return {
            member
            for feed in group.feeds
            if feed in needle.feeds
            for member, begins in self.once_members[feed].items()
            if begins <= needle.number
        }

    def later_ways(self, needle: Needle) -> tuple[set[Feed], set[Feed]]:
        """Where a later word on a needle goes: feeds that carry it surely, and perhaps.

        A closed feed takes no word any more, and who came to a group later is told nothing of
        what was before: then each who could read it hears it by itself.
        """
        surely = {feed for feed in needle.feeds if not feed[1].startswith("@")}
        perhaps: set[Feed] = set()
        for group in self.groups.values():
            if needle.feeds.isdisjoint(group.feeds):
                continue
            present = group.feeds[-1]
            entitled = self.entitled(group, needle)
            perhaps |= {(group.owner, f"d{member}") for member in entitled}
            if set(self.members[present]) <= entitled:
                (surely if present in needle.feeds else perhaps).add(present)
        return surely, perhaps - surely

    def poison(self, feeds: Iterable[Feed]) -> None:
        """An origin signed two histories of a feed.

        Whoever finds out freezes the feed and may turn the origin's dials down by itself.
        """
        told = set(feeds)
        self.poisoned |= told
        self.doubted |= {origin for origin, _ in told}

    def pull(
        self,
        reader: int,
        sender: int,
        *,
        went_well: bool,
        is_lawless: bool = False,
        by_hand: bool = False,
    ) -> None:
        """One node asked another for everything, or got it by hand.

        Args:
            went_well: the reader has seen the end of every feed that it was allowed.
        """
        if frozenset({reader, sender}) in self.cut and not by_hand:
            return
        for needle in self.needles.values():
            self._pass(needle, sender, reader, surely=went_well, is_lawless=is_lawless)

    def _pass(
        self,
        needle: Needle,
        sender: int,
        reader: int,
        *,
        surely: bool,
        is_lawless: bool = False,
    ) -> bool:
        """Hand one needle over where that may be; tell whether anything changed."""
        changed = False
        for feed in needle.feeds | needle.echoes:
            if self.can_hand_over(sender, feed, reader, needle, is_lawless=is_lawless):
                changed |= feed not in needle.may.setdefault(reader, set())
                needle.may[reader].add(feed)
                if feed in self.poisoned:
                    needle.proven.add(reader)  # it may be of the other branch
                if surely and self.hands_over(sender, feed, reader, needle):
                    changed |= feed not in needle.must.setdefault(reader, set())
                    needle.must[reader].add(feed)
        return changed

    def expect_pull(self, reader: int, sender: int) -> bool:
        """Tell whether a pull between honest nodes goes through at all."""
        link = frozenset({reader, sender})
        return link not in self.cut and self.stands(reader, sender) and self.stands(sender, reader)

    def heal(self) -> None:
        """Everybody has pulled everybody until nothing came any more."""
        changed = True
        while changed:
            changed = False
            for needle in self.needles.values():
                for sender in list(needle.may):
                    for reader in self.others(sender):
                        changed |= self._pass(needle, sender, reader, surely=True)

    def others(self, node: int) -> Iterator[int]:
        """Every node but one."""
        return (other for other in range(self.count) if other != node)
