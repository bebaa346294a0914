"""Tokens: what may be given out, what is kept of it, and how it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from federation.errors import SharingRefused
from hub.errors import Conflict, NotFound, NotPermitted
from hub.exchange.collections import ORIGINALS_ID
from hub.operators.readers import Credentials, authenticate_reader
from hub.operators.tokens import WIDEST, add_token, digest_of, list_tokens, revoke_token
from hub.storage.queries.views import views_of
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from tests.support.nodes import make_node


@pytest.fixture
def node(tmp_path):
    made = make_node(tmp_path, "hub")
    yield made
    made.database.close()


def test_t45_a_token_is_256_random_bits_shown_once_and_kept_as_a_digest(node):
    added = add_token(node, "siem", "own")
    assert added.token.startswith("tocsin_")
    assert len(added.token) == len("tocsin_") + 52
    (row,) = list_tokens(node)
    assert row.digest == digest_of(added.token)
    node.database.close()
    for file in node.settings.home.glob("tocsin.db*"):
        assert added.token.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("public", Tlp.CLEAR), ("subscriber", Tlp.GREEN), ("constituent", Tlp.AMBER),
        ("own", Tlp.AMBER_STRICT), ("writer", Tlp.AMBER_STRICT), ("admin", Tlp.CLEAR),
    ],
)  # fmt: skip
def test_the_clearance_follows_the_kind_and_can_only_be_tightened(node, kind, default):
    add_token(node, "by-default", kind)
    add_token(node, "tight", kind, max_tlp=Tlp.CLEAR)
    rows = {row.name: row for row in list_tokens(node)}
    assert rows["by-default"].max_tlp == default
    assert rows["tight"].max_tlp == Tlp.CLEAR
    for tlp in Tlp:
        if tlp > WIDEST[kind]:
            with pytest.raises(SharingRefused) as refused:
                add_token(node, "wide", kind, max_tlp=tlp)
            assert refused.value.code == "E_CLEARANCE_TOO_WIDE"


@pytest.mark.parametrize(
    "zone", ["fr", "fr.", "co.uk", "zone:com", "*.fr", "github.io", "xn--p1ai"]
)
def test_a_zone_as_wide_as_a_public_suffix_needs_a_second_person(node, zone):
    with pytest.raises(SharingRefused) as refused:
        add_token(node, "tld", "constituent", zones=["bank.example", zone])
    assert refused.value.code == "E_ZONE_TOO_WIDE"
    assert "second person" in refused.value.detail
    assert list_tokens(node) == ()


@pytest.mark.parametrize("prefix", ["0.0.0.0/0", "10.0.0.0/7", "::/0", "2000::/3"])
def test_a_prefix_over_many_organisations_needs_a_second_person(node, prefix):
    with pytest.raises((SharingRefused, WireFormatError)) as refused:
        add_token(node, "wide", "constituent", prefixes=[prefix])
    assert refused.value.code in {"E_PREFIX_TOO_WIDE", "E_SCHEMA"}


def test_zones_and_prefixes_are_kept_in_one_form(node):
    add_token(
        node, "bank", "constituent",
        zones=["zone:Bank.Example.", "bücher.example"], prefixes=["prefix:192.0.2.0/24"],
    )  # fmt: skip
    (row,) = list_tokens(node)
    assert row.zones == ("bank.example", "xn--bcher-kva.example")
    assert row.prefixes == ("192.0.2.0/24",)


def test_only_a_constituent_has_zones(node):
    with pytest.raises(NotPermitted) as refused:
        add_token(node, "siem", "own", zones=["bank.example"])
    assert refused.value.code == "E_TOKEN_SCOPE"


@pytest.mark.parametrize("name", ["", "a:b", " a", "a b", "a\n", "ä", "-a", "a" * 65])
def test_a_name_fits_a_user_name_of_basic(node, name):
    with pytest.raises(WireFormatError) as refused:
        add_token(node, name, "own")
    assert refused.value.code == "E_SCHEMA"


@pytest.mark.parametrize("more", [{"kind": "root"}, {"expires_days": 0}, {"expires_days": 4_000}])
def test_what_cannot_be_is_rejected(node, more):
    with pytest.raises(WireFormatError) as refused:
        add_token(node, "siem", **{"kind": "own"} | more)
    assert refused.value.code == "E_SCHEMA"


def test_a_name_is_given_once_and_for_ever(node):
    add_token(node, "siem", "own")
    revoke_token(node, "siem")
    with pytest.raises(Conflict) as refused:
        add_token(node, "siem", "own")
    assert refused.value.code == "E_TOKEN_EXISTS"


def test_a_constituent_with_zones_has_a_view_as_long_as_its_token(node):
    def organisations():
        with node.database.read() as tx:
            return [v.organisation_id for v in views_of(tx, ORIGINALS_ID) if v.organisation_id]

    add_token(node, "bank", "constituent", originals=True, zones=["bank.example"])
    add_token(node, "no-originals", "constituent", zones=["bank.example"])
    add_token(node, "no-zones", "constituent", originals=True)
    add_token(node, "green", "constituent", originals=True, zones=["b.example"], max_tlp=Tlp.GREEN)
    assert organisations() == ["token:bank"]
    revoke_token(node, "bank")
    revoke_token(node, "bank")
    assert organisations() == []


def test_revoking_what_is_not_there_says_so(node):
    with pytest.raises(NotFound) as refused:
        revoke_token(node, "siem")
    assert refused.value.code == "E_TOKEN_UNKNOWN"


def test_a_token_ends_at_its_very_instant(node):
    token = add_token(node, "siem", "own", expires_days=1).token
    node.clock.advance(timedelta(days=1) - timedelta(microseconds=1))
    assert authenticate_reader(node, Credentials(None, token)).name == "siem"
    node.clock.advance(timedelta(microseconds=1))
    with pytest.raises(NotPermitted) as refused:
        authenticate_reader(node, Credentials(None, token))
    assert refused.value.code == "E_TOKEN"
