"""OpenCTI: its own ingestion of TAXII feeds, in three ages, and the external connector "taxii2".

Sources, read: OpenCTI-Platform/opencti,
``opencti-platform/opencti-graphql/src/manager/ingestionManager.ts`` at 0023fb5 and before, and its
issues 4246 (``Accept``), 4537 (paging by date alone), 5681 (``next`` with a moved
``added_after``), 7755 (no last slash); OpenCTI-Platform/connectors,
``external-import/taxii2/src/connector/`` ``client_taxii.py`` at 251f21b and ``connector.py`` at
18f0a49, and issues 4916, 7499 (what ``stream/taxii-post`` sends).

What they do:
* 5.10: axios' own ``Accept: application/json, text/plain, */*``; no last slash; one page a run;
  the next run asks with ``added_after`` from ``x-taxii-date-added-last``, through a JavaScript
  ``Date`` and so cut to milliseconds: objects of one date would come for ever;
* 5.12 to 6.2: the same, and ``next`` of the last page beside the moved ``added_after``;
* 6.8: ``Accept`` of TAXII, last slash, ``next`` with the *old* ``added_after`` while there is
  ``more``; at the end the date of the header, cut to milliseconds, or its own clock where there is
  none;
* the connector: taxii2-client, ``while True`` as long as ``more``; only its first page has
  ``added_after``; its cursor is its own clock at the start of the run, in whole seconds;
* ``taxii-post`` sends ``application/stix+json;version=2.1`` since May 2026, TAXII's type before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from taxii2client.v21 import Server

from schemas.taxii.media_types import TAXII
from tests.conformance.clients.ground import (
    Ground,
    encode_as_axios,
    ids,
    indicator,
    moment_ago,
    to_iso_string,
)
from tests.support.processes import WireAnswer

AXIOS = "application/json, text/plain, */*"


@dataclass
class Ingestion:
    """A TAXII feed of the platform; ``run`` is one turn of its manager."""

    ground: Ground
    accept: str = TAXII
    path: str = "objects/"
    limit: str = ""
    added_after: str = ""
    cursor: str = ""
    got: list[str] = field(default_factory=list)

    def ask(self) -> WireAnswer:
        """Send what axios sends; ``undefined`` is left out."""
        given = {"next": self.cursor, "added_after": self.added_after, "limit": self.limit}
        answer = self.ground.get(
            self.ground.path + self.path,
            {"Accept": self.accept, "Authorization": f"Bearer {self.ground.token}"},
            {name: value for name, value in given.items() if value},
            encode_as_axios,
        )
        assert answer.status == 200, answer
        return answer

    def run(self) -> list[str]:
        """Version 6.8."""
        answer = self.ask()
        body = answer.document
        fresh = ids(body.get("objects", []))
        self.got += fresh
        if fresh and body.get("more") and body.get("next"):
            self.cursor = body["next"]
        elif fresh:
            self.cursor, self.added_after = "", self._date(answer)
        else:
            self.cursor = ""
        return fresh

    def run_of_2023(self, *, with_next: bool) -> list[str]:
        """Versions 5.10 (by the date alone) and 5.12 to 6.2 (by both)."""
        answer = self.ask()
        fresh = ids(answer.document.get("objects", []))
        self.got += fresh
        if fresh:
            self.added_after = self._date(answer)
        self.cursor = answer.document.get("next", "") if with_next else ""
        return fresh

    @staticmethod
    def _date(answer: WireAnswer) -> str:
        text = answer.header("x-taxii-date-added-last")
        assert text is not None
        return to_iso_string(datetime.fromisoformat(text))


def run_until(ingestion: Ingestion, wanted: list[str], turn: Any) -> None:
    """Run until everything is there; a turn that brings nothing new for ever is a loop."""
    for _ in range(2 * len(wanted) + 2):
        if set(wanted) <= set(ingestion.got):
            return
        turn()
    raise AssertionError("it loops")


def test_6_8_walks_by_next_with_the_old_date_and_misses_nothing(ground: Ground) -> None:
    added = ground.add(23)
    feed = Ingestion(ground, limit="5", added_after=to_iso_string(moment_ago(hours=1)))

    run_until(feed, added, feed.run)

    assert feed.got == added
    fresh = ground.add(7)
    run_until(feed, fresh, feed.run)
    assert set(feed.got) == {*added, *fresh}
    assert len(feed.got) - len({*added, *fresh}) <= 20, "repeats of one millisecond at most"


def test_5_10_by_the_date_alone_never_loops_though_one_request_added_all(ground: Ground) -> None:
    """Issue 4537: a distinct date for each object, and at most 20 in a millisecond."""
    added = ground.add(130)
    feed = Ingestion(ground, accept=AXIOS, path="objects", limit="30")

    run_until(feed, added, lambda: feed.run_of_2023(with_next=False))

    assert set(feed.got) == set(added)


def test_5_12_with_next_and_a_moved_date_gets_each_object_once(ground: Ground) -> None:
    """Issue 5681: the moved date beside ``next`` may not skip a page."""
    added = ground.add(23)
    feed = Ingestion(ground, accept=AXIOS, path="objects", limit="5")

    run_until(feed, added, lambda: feed.run_of_2023(with_next=True))

    assert feed.got == added


def test_every_object_of_one_request_has_its_own_date(ground: Ground) -> None:
    added = ground.add(45)
    headers = {"Accept": "*/*", "Authorization": ground.basic()}
    records = ground.get(f"{ground.path}manifest", headers).document["objects"]
    dates = [record["date_added"] for record in records]

    assert ids(records) == added
    assert sorted(set(dates)) == dates


def test_the_connector_gets_each_object_once_and_its_own_clock_loses_none(ground: Ground) -> None:
    server = Server(f"{ground.node.base}taxii2/", user=ground.reader, password=ground.token)
    collection = next(c for c in server.default.collections if c.title == ground.title)
    last_run: datetime | None = None
    got: list[str] = []
    added: list[str] = []
    for count in (12, 5, 1):
        added += ground.add(count)
        started = datetime.now(UTC).replace(microsecond=0)
        since = moment_ago(hours=24) if last_run is None else last_run
        got += _poll(collection, {"limit": 5, "added_after": since})
        last_run = started

    assert set(got) == set(added)


def _poll(collection: Any, filters: dict[str, Any]) -> list[str]:
    """``Taxii2.poll`` for TAXII 2.1."""
    response = collection.get_objects(**filters)
    found: list[str] = []
    for _ in range(1_000):
        found += ids(response.get("objects", []))
        if response.get("more") is not True:
            return found
        filters.pop("added_after", None)
        filters["next"] = response["next"]
        response = collection.get_objects(**filters)
    raise AssertionError("it loops")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (TAXII, 202),
        ("application/taxii+json; version=2.1", 202),
        # The standard asks for 415 here (TAXII 2.1 §3.6, issue 7499): its user has to be told.
        ("application/stix+json;version=2.1", 415),
        ("application/vnd.oasis.stix+json; version=2.1", 415),
    ],
)
def test_taxii_post_is_taken_or_told_why_not(
    ground: Ground, content_type: str, status: int
) -> None:
    answer = ground.node.ask(
        "POST",
        f"{ground.path}objects/",
        {
            "Authorization": ground.basic(ground.writer),
            "Content-Type": content_type,
            "Accept": TAXII,
        },
        json.dumps({"objects": [indicator(1)]}).encode(),
    )
    assert answer.status == status
    assert answer.header("Content-Type") == TAXII
    if status == 415:
        assert answer.code == "E_CONTENT_TYPE"
        assert TAXII in answer.document["description"]
