"""When an object is dated: no reader's clock may be ahead of what is not seen yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hub.exchange.add_objects import add_objects
from hub.exchange.collections import add_collection, grant_collection
from hub.exchange.reading import read_manifest
from hub.node import Node
from hub.operators.readers import Reader
from hub.operators.tokens import add_token, list_tokens
from hub.storage.view_dates import LEAD
from schemas.strict_json import write_json
from schemas.taxii.paging import read_page_request
from tests.hub.api.taxii.conftest import indicator
from tests.support.nodes import NOW, make_node

MINUTE = timedelta(minutes=1)


@dataclass
class TickingClock:
    """A clock that a minute passes by between any two looks."""

    at: datetime = NOW

    def now(self) -> datetime:
        self.at += MINUTE
        return self.at


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = make_node(tmp_path, "hub")
    add_collection(made, "Shared", alias="shared")
    add_token(made, "feeder", "writer")
    grant_collection(made, "shared", "feeder", can_read=True, can_write=True)
    yield made
    made.database.close()


def test_class17_a_date_is_of_the_commit_and_not_of_the_request(node: Node) -> None:
    clock = TickingClock()
    slow = replace(node, clock=clock)
    feeder = Reader.of(list_tokens(node)[0])
    body = write_json({"objects": [indicator("a.example")]})

    status = json.loads(add_objects(slow, feeder, "shared", body).body)

    page = read_manifest(node, feeder, "shared", read_page_request([]))
    assert page.last is not None
    assert datetime.fromisoformat(status["request_timestamp"]) <= clock.at - MINUTE
    assert page.last >= clock.at + timedelta(microseconds=LEAD)
