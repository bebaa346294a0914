"""Schemathesis on the OpenAPI document, against a real server, by every kind of token.

It makes requests from the document, right ones and wrong ones. Mutations of real TAXII requests,
which know what is in the collections, are ``test_taxii_fuzz``'s.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from tests.fuzz.taxii_world import World, served_world

OPERATIONS = {
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/taxii2/"), ("GET", "/taxii2/intel/"),
}  # fmt: skip
"""Some that have to be in the document, so that an empty one passes nothing."""


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    with served_world(tmp_path_factory.mktemp("openapi")) as made:
        yield made


def ask_by_schema(world: World, examples: int) -> int:
    """Run the examples of every operation; return how many requests went out."""
    base = world.server.base.rstrip("/")
    schema = schemathesis.openapi.from_url(f"{base}/api/v1/openapi.json")
    asked = 0
    seen = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        seen.add((operation.method.upper(), operation.path))
        right = operation.as_strategy()
        wrong = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

        @settings(max_examples=examples, database=None, suppress_health_check=list(HealthCheck))
        @given(
            case=right | wrong if operation.path.count("{") else right,
            reader=st.sampled_from(sorted(world.authorizations)),
        )
        def ask(case: schemathesis.Case, reader: str) -> None:
            nonlocal asked
            asked += 1
            said = world.authorizations[reader]
            latin = said.encode("latin-1", "replace")
            answer = case.call(headers={"Authorization": latin} if said else {})
            case.validate_response(answer, checks=[not_a_server_error])
            leaked = [needle for needle in world.needles[reader] if needle in answer.content]
            assert not leaked, (reader, answer.request.url)
            assert reader[0] != "?" or "/intel/" not in case.path or answer.status_code >= 400

        ask()
    assert seen >= OPERATIONS
    return asked


def test_requests_made_from_the_openapi_document_do_no_harm(world):
    assert ask_by_schema(world, examples=8) > 60


@pytest.mark.long
@pytest.mark.timeout(900)
def test_thousands_of_requests_made_from_the_openapi_document_do_no_harm(world):
    assert ask_by_schema(world, examples=600) > 3_000
