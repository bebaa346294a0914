"""Non-interference of verdicts: what a reader may not see moves no verdict that it sees.

Two nodes hear the same visible words at the same times; one of them hears hidden ones in between.
Verdicts, their order, dates, counts, cursors and explanations are equal, byte for byte
(PROTOCOL 3.5, THREATS 22).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from hub.exchange.reading import read_manifest, read_objects
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.peers.trust import PeerChanges, set_peer
from hub.verdicts.explain_verdict import explain_to
from hub.verdicts.fuse import refresh_verdicts
from schemas.dns.domain_sets import SealedList
from schemas.dns.extensions import DNS_THREAT
from schemas.identifiers import direct_audience
from schemas.markings import Tlp
from schemas.taxii.paging import Matches, PageRequest
from tests.properties.test_chain import receiver
from tests.support.nodes import peer_of
from tests.support.publications import Author
from tests.support.told_claims import claim, clock_of, make_verdicts, tell, verdicts_seen
from tests.support.told_sets import adopt, listed, tell_set

NAMES = ("one.example", "two.example", "three.example")
WHO, NAME = st.integers(0, 2), st.integers(0, 2)
SAYING = st.tuples(
    st.just("says"), WHO, NAME, st.sampled_from(["clear", "green"]), st.sampled_from([40, 70, 95])
)
LISTING = st.tuples(st.just("lists"), WHO, NAME, st.sampled_from(["clear", "green"]), st.just(90))
HIDDEN_LISTING = st.tuples(
    st.just("hidden lists"), WHO, NAME, st.just("amber"), st.sampled_from([90, 0])
)
SERVER = st.tuples(st.just("says of server"), WHO, NAME, st.just("green"), st.just(90))
HIDDEN_SERVER = st.tuples(st.just("hidden of server"), WHO, NAME, st.just("amber"), st.just(90))
ADOPTING = st.tuples(
    st.sampled_from(["adopts", "hidden adopts"]), st.just(0), NAME, st.just(""), st.just(0)
)
HIDDEN = st.tuples(st.just("hidden"), WHO, NAME, st.just("amber"), st.sampled_from([40, 70, 95]))
TAKING_BACK = st.tuples(
    st.sampled_from(["takes back", "hidden takes back"]), WHO, NAME, st.just("green"), st.just(0)
)
TIME = st.tuples(
    st.just("time"), st.just(0), st.just(0), st.just(""), st.sampled_from([1, 30, 24 * 5, 24 * 9])
)
TRUST = st.tuples(
    st.just("trust"), WHO, st.just(0), st.sampled_from(["trusted", "partner"]), st.just(0)
)


SERVER_FACTS = {
    "threat_type": "delegation-hijack", "match_on": "nsdname", "match_scope": "exact",
}  # fmt: skip


def list_of(name: int, *, hidden: bool) -> SealedList:
    """A list of the names from one on; what is hidden may be the very same, or another."""
    return listed(*NAMES[name:], *(["hidden.example"] if hidden else []))


def number_of(who: int, name: int, *, hidden: bool) -> int:
    """Ids of hidden objects are no visible ones: tightening one's own word is meant to be seen."""
    return 100 * (who + 1) + name + (50 if hidden else 0)


def act(node: Any, authors: list[Author], action: Any) -> None:
    kind, who, name, label, value = action
    author = authors[who]
    if kind.endswith("lists"):
        number = number_of(who, name, hidden=kind != "lists")
        tell_set(node, author, label, list_of(name, hidden=value == 0), number)
    elif kind.endswith("adopts"):
        adopt(node, list_of(name, hidden=kind != "adopts"))
    elif kind.endswith("of server"):
        number = 300 + number_of(who, name, hidden=kind.startswith("hidden"))
        facts = {**SERVER_FACTS, "extension_type": "property-extension"}
        said = claim(NAMES[name], number, confidence=value, extensions={DNS_THREAT: facts})
        tell(node, author, label, said)
    elif kind in {"says", "hidden"}:
        number = number_of(who, name, hidden=kind == "hidden")
        tell(node, author, label, claim(NAMES[name], number, confidence=value))
    elif kind.endswith("takes back"):
        hidden = kind != "takes back"
        audience = direct_audience(node.node_id) if hidden else "green"
        author.at = node.now()
        number = number_of(who, name, hidden=hidden)
        author.write(audience, kind="retract", ids=[claim(number=number)["id"]])
        author.deliver(node, audience)
    elif kind == "time":
        clock_of(node).advance(hours=value)
    else:
        set_peer(node, peer_of(node, author.node_id), PeerChanges(trust=label, verified=True))


def request(limit: int) -> PageRequest:
    return PageRequest(limit=limit, added_after=None, matches=Matches(), following=None)


def every_page(node: Any, name: str) -> list[Any]:
    """Pages of two at a time with their cursors, and the manifest, as a reader gets them."""
    reader = next(Reader.of(token) for token in list_tokens(node) if token.name == name)
    found: list[Any] = []
    for read in (read_objects, read_manifest):
        page = read(node, reader, "verdicts", request(100))
        found.append((page.body, page.first, page.last))
    small = read_objects(node, reader, "verdicts", request(2))
    return [*found, small.first, small.last, b'"more"' in small.body]


STORIES = (
    st.lists(
        st.one_of(
            SAYING,
            HIDDEN,
            LISTING,
            HIDDEN_LISTING,
            SERVER,
            HIDDEN_SERVER,
            ADOPTING,
            TAKING_BACK,
            TIME,
            TRUST,
        ),
        min_size=3,
        max_size=10,
    ),
    st.sampled_from([1, 3, 500]),
)
NO_SHRINKING = [Phase.explicit, Phase.generate]
"""Each example makes two nodes: shrinking one takes minutes, and the story says it all."""


OF_SETS = [
    ("hidden lists", 0, 0, "amber", 90), ("adopts", 0, 0, "", 0), ("lists", 1, 0, "green", 90),
    ("hidden lists", 2, 1, "amber", 0), ("hidden adopts", 0, 1, "", 0), ("time", 0, 0, "", 1),
    ("says of server", 0, 1, "green", 90), ("hidden of server", 1, 1, "amber", 90),
    ("adopts", 0, 0, "", 0), ("takes back", 0, 2, "green", 0), ("time", 0, 0, "", 30),
]  # fmt: skip


@settings(max_examples=3, phases=NO_SHRINKING)
@example(OF_SETS, 1)
@given(*STORIES)
def test_t22_hidden_claims_move_no_wider_verdict(actions, at_once):
    compare(actions, at_once)


@pytest.mark.long
@settings(max_examples=25, phases=NO_SHRINKING)
@given(*STORIES)
def test_t22_of_many_stories_none_moves_a_wider_verdict(actions, at_once):
    compare(actions, at_once)


def compare(actions: list[Any], at_once: int) -> None:
    """Tell one story to two nodes, its hidden part to one of them alone."""
    told, untold = ([Author(number) for number in (1, 2, 3)] for _ in range(2))
    with receiver(*told) as node, receiver(*untold) as quiet:
        for at in (node, quiet):
            add_token(at, "web", "public")
            add_token(at, "member", "subscriber")
        for action in actions:
            for at in (node, quiet):
                clock_of(at).advance(minutes=1)
            act(node, told, action)
            if not action[0].startswith("hidden"):
                act(quiet, untold, action)
            if action[0] == "time":
                for at in (node, quiet):
                    while not refresh_verdicts(at, at_once).is_finished:
                        pass
        for at in (node, quiet):
            make_verdicts(at)
        for label in (Tlp.CLEAR, Tlp.GREEN):
            assert verdicts_seen(node, label) == verdicts_seen(quiet, label)
        for name in ("web", "member"):
            assert every_page(node, name) == every_page(quiet, name)
            for asked in NAMES:
                assert explain_to(node, asked, name) == explain_to(quiet, asked, name)
