"""No sequence of actions by others changes what readers see of A (THREATS, invariant 8)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identifiers import direct_audience
from schemas.markings import Tlp
from tests.properties.test_chain import FEW, receiver
from tests.support.joined_nodes import view_rows
from tests.support.publications import Author, indicator, stix_id
from tests.support.stored_state import rows_of

MINE = range(3)
ACTION = st.one_of(
    st.tuples(
        st.just("put"),
        st.sampled_from(["clear", "green", "direct"]),
        st.sampled_from(MINE),
        st.fixed_dictionaries(
            {},
            optional={
                "name": st.text(max_size=5),
                "revoked": st.just(True),
                "created_by_ref": st.just("mine"),
                "modified": st.sampled_from(
                    ["2026-03-01T09:00:00.001Z", "2026-03-01T09:59:00.000Z"]
                ),
            },
        ),
    ),
    st.tuples(
        st.sampled_from(["retract", "restrict", "erase"]),
        st.sampled_from(["clear", "green", "direct"]),
        st.sampled_from(MINE),
        st.just({}),
    ),
)


def act(author: Author, action: Any, ids: list[str], direct: str) -> str:
    what, place, number, changes = action
    audience = direct if place == "direct" else place
    if changes.get("created_by_ref") == "mine":
        changes = changes | {"created_by_ref": author.identity}
    if what == "put":
        author.put(audience, indicator(number, id=ids[number], **changes))
    elif what == "erase":
        author.write(audience, kind="erase", seqs=[max(1, len(author.feed(audience).entries))])
    elif what == "restrict":
        author.write(audience, kind="restrict", ids=[ids[number]], tlp="red")
    else:
        author.write(audience, kind="retract", ids=[ids[number]])
    return audience


def shown_of(node: Any, author: Author) -> Any:
    return {
        tlp: [row for row in view_rows(node, tlp) if row["origin"] == author.node_id] for tlp in Tlp
    }


@settings(max_examples=FEW)
@given(
    mine=st.lists(st.sampled_from(["clear", "green"]), min_size=3, max_size=3),
    actions=st.lists(ACTION, min_size=1, max_size=8),
    trust=st.sampled_from(["known", "trusted", "partner"]),
    before=st.integers(0, 8),
)
def test_nobody_changes_what_is_seen_of_the_owners_objects(mine, actions, trust, before):
    """Before A spoke or after it: A's proven objects stand as if nobody else were there."""
    a, b = Author(1), Author(2)
    with receiver(a) as node, receiver(Author(1)) as quiet:
        b.meets(node, trust)
        direct = direct_audience(node.node_id)
        proofs = [a.proven(number) for number in MINE]
        ids = [value["id"] for value, _ in proofs]

        def others(some: Any) -> None:
            for action in some:
                audience = act(b, action, ids, direct)
                b.deliver(node, audience)

        others(actions[:before])
        for (value, idn), audience in zip(proofs, mine, strict=True):
            a.put(audience, value, idn=idn)
            for receiving in (node, quiet):
                a.deliver(receiving, audience)
        others(actions[before:])
        states = [
            rows_of(
                at, f"SELECT stix_id, state, code, tlp FROM objects WHERE origin = '{a.node_id}'"
            )
            for at in (node, quiet)
        ]
        assert states[0] == states[1]
        alone = shown_of(quiet, a)
        for tlp, rows in shown_of(node, a).items():
            assert [_but_date(row) for row in rows] == [_but_date(row) for row in alone[tlp]]
        check_invariants_of_views(node, ids, a)
    assert stix_id("indicator", 0).startswith("indicator--")


def _but_date(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "date_added"}


def check_invariants_of_views(node: Any, ids: list[str], owner: Author) -> None:
    """Where the owner's object stands, nobody else's stands under its id."""
    for tlp in Tlp:
        rows = view_rows(node, tlp)
        owned = {row["stix_id"] for row in rows if row["origin"] == owner.node_id}
        others = {row["stix_id"] for row in rows if row["origin"] != owner.node_id}
        assert not owned & others & set(ids)
