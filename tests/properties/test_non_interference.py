"""Non-interference: what a reader may not see changes nothing that it sees (PROTOCOL 3.5).

Two nodes hear the same visible actions; one of them hears hidden ones in between. Views, their
order, their dates and so every cursor and count are equal, byte for byte.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.exchange.reading import read_manifest, read_objects
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from schemas.identifiers import direct_audience
from schemas.taxii.paging import Matches, PageRequest
from tests.properties.test_chain import FEW, receiver
from tests.support.joined_nodes import views
from tests.support.publications import Author

WIDE = ("clear", "green")
CLAIM = st.sampled_from(["provisional", "identity", "proven"])
VISIBLE = st.tuples(
    st.just("visible"), st.sampled_from([0, 1]), st.sampled_from(WIDE), st.integers(0, 3), CLAIM
)
HIDDEN = st.tuples(
    st.just("hidden"), st.sampled_from([0, 1]), st.just("direct"), st.integers(0, 3), CLAIM
)
HIDDEN_WORD = st.tuples(
    st.sampled_from(["hidden-retract", "hidden-restrict"]),
    st.sampled_from([0, 1]),
    st.just("direct"),
    st.integers(0, 3),
    CLAIM,
)


def say(authors: list[Author], action: Any, direct: str, moment: int) -> tuple[Author, str]:
    """One author speaks of one of four ids. What is hidden never is a word on its own visible ids:
    tightening one's own object is meant to be seen.
    """
    kind, who, place, number, claim = action
    author = authors[who]
    audience = direct if place == "direct" else place
    # Visible ids of one author are hidden ids of the other.
    owner = authors[who if kind == "visible" else 1 - who]
    value, idn = owner.proven(number, modified=f"2026-03-01T09:{moment:02d}:00.000Z")
    changes: dict[str, Any] = {"name": f"{kind}-{moment}"}
    if claim == "identity":
        changes["created_by_ref"] = author.identity
    proof = {"idn": idn} if claim == "proven" and owner is author else {}
    if kind == "hidden-retract":
        author.write(audience, kind="retract", ids=[value["id"]])
    elif kind == "hidden-restrict":
        author.write(audience, kind="restrict", ids=[value["id"]], tlp="amber+strict")
    else:
        policy = {"policy": {"tlp": "amber"}} if place == "direct" else {}
        author.put(audience, value | changes, **proof, **policy)
    return author, audience


def pages(node: Any, name: str) -> list[bytes]:
    """Every page of objects and of the manifest as a reader gets them, with their dates."""
    reader = next(Reader.of(token) for token in list_tokens(node) if token.name == name)
    every = PageRequest(limit=100, added_after=None, matches=Matches(), following=None)
    found = []
    for read in (read_objects, read_manifest):
        page = read(node, reader, "originals", every)
        found += [page.body, repr((page.first, page.last)).encode()]
    return found


@settings(max_examples=FEW)
@given(st.lists(st.one_of(VISIBLE, VISIBLE, HIDDEN, HIDDEN_WORD), min_size=2, max_size=12))
def test_t22_hidden_objects_change_no_wider_view(actions):
    authors = [Author(1), Author(2)]
    with receiver(*authors) as node, receiver(Author(1), Author(2)) as quiet:
        direct = direct_audience(node.node_id)
        for at in (node, quiet):
            add_token(at, "web", "public", originals=True)
            add_token(at, "member", "subscriber", originals=True)
        for moment, action in enumerate(actions):
            author, audience = say(authors, action, direct, moment)
            author.deliver(node, audience)
            if action[0] == "visible":
                author.deliver(quiet, audience)
        heard, unheard = views(node), views(quiet)
        for label in WIDE:
            assert heard[label] == unheard[label]
        for name in ("web", "member"):
            assert pages(node, name) == pages(quiet, name)
