from __future__ import annotations

import json

import pytest

from schemas.dns.extensions import (
    DNS_BATCH,
    DNS_DELEGATION_CHANGE,
    DNS_OPERATOR,
    DNS_THREAT,
    EMBARGO,
    EXTENSION_IDS,
    THREAT_TYPES,
    check_extension,
    dns_threat,
)
from schemas.errors import WireFormatError
from schemas.stix.validation import check_object
from tests.schemas.stix.examples import indicator
from tests.support.shared_data import shared_path

KIND = {"extension_type": "property-extension"}
THREAT = KIND | {"threat_type": "dga", "match_scope": "exact"}


def test_what_we_build_is_valid():
    extension = dns_threat(
        "dga",
        "subtree",
        match_on="qname",
        requested_actions=["block-nxdomain", "registry-block"],
        tld="cc",
        dga={"family": "conficker"},
        techniques=[],
        u_label=None,
    )
    assert extension == {
        "extension_type": "property-extension",
        "threat_type": "dga",
        "match_scope": "subtree",
        "match_on": "qname",
        "requested_actions": ["block-nxdomain", "registry-block"],
        "tld": "cc",
        "dga": {"family": "conficker"},
    }
    check_object(indicator(extensions={DNS_THREAT: extension}))


@pytest.mark.parametrize("threat_type", sorted(THREAT_TYPES))
def test_each_threat_type_can_be_built(threat_type):
    assert dns_threat(threat_type, "exact")["threat_type"] == threat_type


@pytest.mark.parametrize(
    "build",
    [
        lambda: dns_threat("something-new", "exact"),
        lambda: dns_threat("dga", "everywhere"),
        lambda: dns_threat("dga", "exact", match_on="payload"),
        lambda: dns_threat("dga", "exact", requested_actions=["destroy"]),
        lambda: dns_threat("dga", "exact", made_up="x"),
        lambda: dns_threat("dga", "exact", tld=5),
    ],
)
def test_we_never_write_outside_the_vocabulary(build):
    with pytest.raises(WireFormatError) as caught:
        build()
    assert caught.value.code == "E_SCHEMA"


@pytest.mark.parametrize(
    ("extension_id", "value", "path"),
    [
        (DNS_THREAT, [], DNS_THREAT),
        (DNS_THREAT, THREAT | {"extension_type": "new-sdo"}, ".extension_type"),
        (DNS_THREAT, KIND | {"threat_type": "dga"}, ".match_scope"),
        (DNS_THREAT, THREAT | {"threat_type": ""}, ".threat_type"),
        (DNS_THREAT, THREAT | {"requested_actions": []}, ".requested_actions"),
        (DNS_THREAT, THREAT | {"requested_actions": [1]}, ".requested_actions"),
        (DNS_THREAT, THREAT | {"dga": "conficker"}, ".dga"),
        (DNS_DELEGATION_CHANGE, KIND | {"zone": "x"}, ".change_kinds"),
        (DNS_BATCH, KIND | {"domain_count": True}, ".domain_count"),
        (EMBARGO, KIND | {"acknowledge_required": 1}, ".acknowledge_required"),
        (DNS_OPERATOR, KIND | {"roles": "registry"}, ".roles"),
    ],
)  # fmt: skip
def test_an_ill_formed_extension_is_rejected_at_its_path(extension_id, value, path):
    with pytest.raises(WireFormatError) as caught:
        check_extension(extension_id, value)
    assert caught.value.code == "E_SCHEMA"
    assert path in caught.value.detail.split(": ")[0]


def test_new_words_and_foreign_extensions_pass():
    check_extension(DNS_THREAT, THREAT | {"threat_type": "newer", "unknown_property": []})
    check_extension("extension-definition--90ae7a15-b38f-4f8d-abcd-7d43606af969", 5)


def test_the_ids_are_those_of_the_shared_extension_definitions():
    objects = json.loads(shared_path("stix/conficker.json").read_bytes())["objects"]
    defined = {value["id"] for value in objects if value["type"] == "extension-definition"}
    assert defined == EXTENSION_IDS
