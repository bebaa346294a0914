"""PROTOCOL 2.7: one spelling of a base address."""

from __future__ import annotations

import pytest

from federation.identity.base_address import read_base
from schemas.errors import WireFormatError


@pytest.mark.parametrize(
    "base",
    [
        "https://hub.example.fr/",
        "https://hub.example.fr:8443/",
        "http://localhost:8000/",
        "http://hub_a:443/",
        "https://192.0.2.7/",
        "https://[2001:db8::7]:8443/",
        "https://xn--bcher-kva.example/",
    ],
)
def test_a_base_is_read_as_it_is(base):
    assert read_base(base) == base


@pytest.mark.parametrize(
    "base",
    [
        None,
        "",
        "hub.example.fr",
        "https://hub.example.fr",
        "https://hub.example.fr/x/",
        "https://hub.example.fr/?a",
        "https://hub.example.fr/#a",
        "https://HUB.example.fr/",
        "HTTPS://hub.example.fr/",
        "https://hub.example.fr:443/",
        "http://hub.example.fr:80/",
        "https://hub.example.fr:0443/",
        "https://hub.example.fr:65536/",
        "https://hub.example.fr:/",
        "https://user@hub.example.fr/",
        "https://hub.example.fr/\n",
        "https://bücher.example/",
        "https://a..b/\\",
        "ftp://hub.example.fr/",
        "https:///",
        "https://" + "a" * 300 + "/",
    ],
)
def test_another_spelling_is_rejected(base):
    with pytest.raises(WireFormatError) as rejected:
        read_base(base)
    assert rejected.value.code == "E_SCHEMA"
