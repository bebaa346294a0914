from schemas.stix.objects import (
    KNOWN_TYPES,
    META_TYPES,
    SCO_TYPES,
    SDO_TYPES,
    SRO_TYPES,
    version_of,
)
from tests.schemas.stix.examples import domain_name, indicator


def test_the_version_is_modified_else_created_else_nothing():
    value = indicator(modified="2026-03-02T10:00:00.000Z")
    assert version_of(value) == "2026-03-02T10:00:00.000Z"
    del value["modified"]
    assert version_of(value) == value["created"]
    assert version_of(domain_name()) == ""
    assert version_of({"modified": 5}) == ""


def test_every_known_type_is_of_one_kind():
    kinds = [SDO_TYPES, SRO_TYPES, SCO_TYPES, META_TYPES]
    assert sum(len(kind) for kind in kinds) == len(KNOWN_TYPES) == 42
