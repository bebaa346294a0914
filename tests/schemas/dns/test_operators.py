"""What an identity says of itself as an operator of DNS."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.dns.extensions import DNS_OPERATOR
from schemas.dns.operators import DnsOperator, read_operator
from schemas.strict_json import strict_loads
from tests.support.shared_data import shared_path


def said(**members: Any) -> DnsOperator | None:
    return read_operator({"name": "R", "extensions": {DNS_OPERATOR: members}})


def test_the_shared_registrar_is_read() -> None:
    bundle = strict_loads(shared_path("stix/avalanche.json").read_bytes())
    (found,) = [each for value in bundle["objects"] if (each := read_operator(value))]
    assert found == DnsOperator(
        "Demo Registrar", ("registrar",), (), 9999, "abuse@registrar.example"
    )


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"tlds": ["ORG.", "a..b", 7]}, DnsOperator("R", tlds=("org",))),
        ({"roles": "registry", "iana_registrar_id": True}, DnsOperator("R")),
        ({"abuse_contact": "a\x1b[2J@b"}, DnsOperator("R", abuse_contact="a[2J@b")),
        ({"abuse_contact": ["x"]}, DnsOperator("R")),
    ],
)
def test_what_is_odd_is_left_out(members: dict[str, Any], found: DnsOperator) -> None:
    assert said(**members) == found


def test_who_says_nothing_operates_nothing() -> None:
    assert read_operator({"name": "R"}) is None
