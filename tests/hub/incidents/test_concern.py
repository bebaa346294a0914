"""Whose a hijack is to look at."""

from __future__ import annotations

import pytest

from hub.incidents.concern import OwnPart, is_within
from schemas.dns.delegations import DelegationChange
from schemas.dns.operators import DnsOperator

CHANGE = DelegationChange("shop-a.org", ("ns-replaced",), registrar_id=9999)


def part(*zones: str, roles: tuple[str, ...] = (), **said: object) -> OwnPart:
    return OwnPart(zones, roles, DnsOperator("x", **said))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "concern"),
    [
        (OwnPart(()), ()),
        (OwnPart(("shop-a.org",)), ("own-zone",)),
        (OwnPart(("org",)), ("own-zone",)),
        (OwnPart(("mail.shop-a.org",)), ("own-zone",)),
        (OwnPart(("a.org", "p-a.org")), ()),
        (OwnPart((), ("registry",)), ()),
        (part(roles=("registry",), tlds=("org",)), ("registry",)),
        (part(roles=("registry",), tlds=("net", "g")), ()),
        (part(roles=("cert",), tlds=("org",), iana_registrar_id=9999), ()),
        (part(roles=("registrar",), iana_registrar_id=9999), ("registrar",)),
        (part(roles=("registrar",), iana_registrar_id=9998), ()),
        (part("shop-a.org", roles=("registry",), tlds=("org",)), ("own-zone", "registry")),
        (part(roles=(), tlds=("org",)), ()),
    ],
)
def test_it_concerns_its_owner_its_registry_and_its_registrar(
    own: OwnPart, concern: tuple[str, ...]
) -> None:
    assert own.concerns(CHANGE) == concern


def test_names_are_compared_by_whole_labels() -> None:
    assert is_within("a.org", "a.org")
    assert is_within("b.a.org", "a.org")
    assert not is_within("ba.org", "a.org")
