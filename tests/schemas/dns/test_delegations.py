"""What an incident says of a delegation is read in one spelling, and never breaks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dns.delegations import MOST, change_kinds, read_delegation_change, read_ds
from schemas.dns.extensions import DNS_DELEGATION_CHANGE

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
MEMBERS = (
    "old_ns", "new_ns", "old_ds", "new_ds", "registrar", "vector", "changed_at", "reverted_at",
    "authorised", "change_kinds",
)  # fmt: skip


def incident(**members: Any) -> dict[str, Any]:
    change = {"zone": "Bank.Example.", "change_kinds": ["ns-replaced"]} | members
    return {"type": "incident", "extensions": {DNS_DELEGATION_CHANGE: change}}


def test_names_and_keys_are_read_in_one_spelling() -> None:
    found = read_delegation_change(
        incident(
            old_ns=["NS1.Bank.Example.", "ns1.bank.example", "not a name", "192.0.2.1"],
            new_ns=["ns1.rogue.example."],
            old_ds=["020326 8 2 E06D 44B8", "20326 8 2 e06d44b8", "20326 8", "1 2 3 abc"],
            registrar={"name": "R\x00", "iana_id": 9999},
            reverted_at="2026-03-01T00:00:00Z",
            changed_at="yesterday",
        )
    )
    assert found is not None
    assert (found.zone, found.old_ns) == ("bank.example", ("ns1.bank.example",))
    assert found.old_ds == ("20326 8 2 e06d44b8",)
    assert (found.registrar, found.registrar_id) == ("R", 9999)
    assert (found.reverted_at, found.changed_at) == (datetime(2026, 3, 1, tzinfo=UTC), None)
    assert found.rogue_ns == ("ns1.rogue.example",)


@pytest.mark.parametrize(
    "value",
    [{}, {"extensions": []}, {"extensions": {DNS_DELEGATION_CHANGE: 1}}, incident(zone="a b")],
)
def test_an_incident_without_a_zone_is_no_claim(value: dict[str, Any]) -> None:
    assert read_delegation_change(value) is None


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_whatever_stands_there_is_read_and_bounded(members: dict[str, Any]) -> None:
    found = read_delegation_change(incident(**members))
    assert found is not None
    assert len(found.old_ns) <= MOST
    assert found.registrar is None or found.registrar.isprintable()


@pytest.mark.parametrize("text", ["", "1 2 3", "99999999 8 2 ab", "1 8 2 xyz", "1 8 2 abc"])
def test_what_is_no_key_is_none(text: str) -> None:
    assert read_ds(text) is None


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ((("a",), ()), (("b",), ()), ("ns-replaced",)),
        ((("a",), ()), (("a",), ()), ()),
        ((("a", "b"), ()), (("a",), ()), ("ns-replaced",)),
        (((), ()), (("a",), ()), ("ns-replaced",)),
        ((("a",), ("1",)), ((), ()), ("ds-removed",)),
        (((), ("1",)), ((), ("1",)), ()),
        (((), ()), ((), ("1",)), ("ds-replaced",)),
    ],
)
def test_what_changed_follows_from_before_and_after(
    before: tuple[Any, Any], after: tuple[Any, Any], kinds: tuple[str, ...]
) -> None:
    (old_ns, old_ds), (new_ns, new_ds) = before, after
    assert change_kinds(old_ns, new_ns, old_ds, new_ds) == kinds
