"""Groups: their names and what is said in them is for their members alone."""

from __future__ import annotations

from hub.peers.groups import OpenGroup, add_member, create_group, remove_member
from tests.properties.federation_machine.choosing import Chooser, happens
from tests.properties.federation_machine.nouns import AMBER, GREEN, STRICT, Feed, Group
from tests.properties.federation_machine.rules_publishing import Audience, PublishingRules


class GroupRules(PublishingRules):
    """What an owner does with its groups."""

    @happens("groups")
    def create_group(self, choose: Chooser) -> None:
        """Make a group without members; its name is a needle."""
        owner = choose.one("owner", sorted({of for of, _ in self.pairs()}))
        keeps_history = choose.flag("history for who joins later")
        roster = choose.one("roster", ("members", "hidden"))
        self.tick()
        words = self.new_words(owner)
        opened = create_group(
            self.federation.nodes[owner],
            words,
            roster=roster,
            history="all" if keeps_history else "join",
        )
        self.model.groups[words] = Group(words, owner, [], keeps_history)
        self._open(words, opened, {})
        self.check(owner)

    @happens("groups", weight=3)
    def add_to_group(self, choose: Chooser) -> None:
        """Name a peer in a group."""
        if not self.model.groups:
            return
        group = self.model.groups[choose.one("group", sorted(self.model.groups))]
        feed = group.feeds[-1]
        strangers = set(self.peers_of(group.owner)) - self.model.named(feed)
        if not strangers:
            return
        member = choose.one("member", sorted(strangers))
        self.tick()
        with self.may_be_stopped([feed]):
            peer = self.federation.peer(group.owner, member)
            add_member(self.federation.nodes[group.owner], group.name, peer)
            begins = 0 if group.keeps_history else self.model.next_number()
            self.model.add_member(feed, member, begins)
            # Who begins later finds the group's name in its own part of the feed.
            self.model.needles[group.name].number = self.model.next_number()
        self.check(group.owner)

    @happens("groups")
    def remove_from_group(self, choose: Chooser) -> None:
        """Close the feed and go on in another one without the member."""
        full = [name for name, group in self.model.groups.items() if self._members(group)]
        if not full:
            return
        group = self.model.groups[choose.one("group", sorted(full))]
        member = choose.one("member", sorted(self._members(group)))
        self.tick()
        with self.may_be_stopped([group.feeds[-1]]):
            peer = self.federation.peer(group.owner, member)
            opened = remove_member(self.federation.nodes[group.owner], group.name, peer)
            remaining = {other: 0 for other in self._members(group) if other != member}
            for feed in group.feeds:
                self.model.members[feed].pop(member, None)
            self._open(group.name, opened, remaining)
        self.check(group.owner)

    @happens("groups", weight=4)
    def publish_to_group(self, choose: Chooser) -> None:
        """Say something to the members of a group."""
        if self.model.groups:
            group = self.model.groups[choose.one("group", sorted(self.model.groups))]
            label = choose.one("label", (AMBER, STRICT, GREEN))
            feeds = frozenset({group.feeds[-1]})
            self.publish_new(group.owner, label, Audience(feeds, (), (group.name,)))

    def _members(self, group: Group) -> set[int]:
        return self.model.named(group.feeds[-1])

    def _open(self, name: str, opened: OpenGroup, members: dict[int, int]) -> None:
        """A group speaks through a feed of its own; its name stands in the roster."""
        group = self.model.groups[name]
        feed: Feed = (group.owner, f"@{len(self.gids) + 1}")
        self.gids[opened.gid] = feed[1]
        self.model.open_feed(group, feed, members)
        if name in self.model.needles:
            self.model.carry_too(self.model.needles[name], feed, surely=True)
        else:
            self.model.write(name, {feed}, GREEN, "the name of a group")
