"""Elastic Agent, integration "Custom Threat Intelligence" in TAXII mode.

Source, read: elastic/integrations,
``packages/ti_custom/data_stream/indicator/agent/stream/cel.yml.hbs`` at a2494ed (its first years)
and 0b97ab0 (with a cursor), and pull requests 12084 and 19303 of the same repository.

What it does, word for word of its CEL programs:
* ``Content-Type`` on GET; ``Accept`` from the settings; Basic, or ``Bearer`` with an API key;
* page 1 is ``url`` without its last slash, ``/?`` and ``added_after`` (and, later, ``limit``);
  a further page has ``next`` (and ``limit``) and nothing else: ``added_after`` is dropped;
* it goes on while there is a ``next``, whatever ``more`` says;
* ``body.objects.map(…)``: until June 2026 an envelope without ``objects`` ends the evaluation,
  which keeps the state as it was; the cursor is ``X-Taxii-Date-Added-Last`` of the last answer;
* the first ``added_after`` is its own clock less an interval, in whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.taxii.media_types import TAXII
from tests.conformance.clients.ground import Ground, ids, moment_ago, to_rfc3339

HOUR = {"hours": 1.0}


@dataclass
class Elastic:
    """One input of the agent with its state, which survives from one interval to the next."""

    ground: Ground
    limit: str = ""
    bearer: bool = False
    has_cursor: bool = True
    last_timestamp: str | None = None
    events: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        authorization = f"Bearer {self.ground.token}" if self.bearer else self.ground.basic()
        return {"Accept": TAXII, "Content-Type": TAXII, "Authorization": authorization}

    def poll(self) -> list[str]:
        """Run one interval: page after page while ``want_more``."""
        seen = len(self.events)
        since = self.last_timestamp if self.has_cursor else None
        query = {"added_after": since or to_rfc3339(moment_ago(**HOUR))} | self._limit()
        for _ in range(1_000):
            following = self._page(query)
            if not following:
                return self.events[seen:]
            query = {"next": following} | self._limit()
        raise AssertionError("it loops")

    def _limit(self) -> dict[str, str]:
        return {"limit": self.limit} if self.limit else {}

    def _page(self, query: dict[str, str]) -> str:
        self.asked.append(query)
        answer = self.ground.get(f"{self.ground.path}objects/", self.headers, query)
        assert answer.status == 200, answer
        body = answer.document
        if "objects" not in body:
            return ""  # "no such key: objects": the state stays as it was
        self.events += ids(body["objects"])
        self.last_timestamp = answer.header("X-Taxii-Date-Added-Last")
        return str(body.get("next") or "")


def test_it_gets_all_pages_though_it_drops_the_filters_after_the_first(ground: Ground) -> None:
    added = ground.add(25)
    elastic = Elastic(ground, limit="10")

    assert elastic.poll() == added
    assert [sorted(query) for query in elastic.asked] == [
        ["added_after", "limit"], ["limit", "next"], ["limit", "next"],
    ]  # fmt: skip


def test_what_lies_before_added_after_stays_out_of_the_later_pages(ground: Ground) -> None:
    """The cursor carries ``added_after``: page 2 may not begin at the first object."""
    ground.add(15)
    elastic = Elastic(ground, limit="10")
    elastic.poll()
    fresh = ground.add(15)

    assert elastic.poll() == fresh


def test_it_keeps_the_date_of_the_last_answer_and_gets_each_object_once(ground: Ground) -> None:
    elastic = Elastic(ground, limit="4", bearer=True)
    added = []
    for count in (9, 0, 1, 4):
        added += ground.add(count) if count else []
        elastic.poll()

    assert elastic.events == added
    assert elastic.poll() == []


def test_the_older_one_without_cursor_gets_everything_of_its_interval_again(ground: Ground) -> None:
    added = ground.add(3)
    elastic = Elastic(ground, has_cursor=False)

    assert elastic.poll() == added
    assert elastic.poll() == added
    assert all("limit" not in query for query in elastic.asked)


def test_the_last_page_has_no_next(ground: Ground) -> None:
    """It goes by ``next`` alone, so a ``next`` that leads to an empty page would be an error."""
    added = ground.add(10)
    elastic = Elastic(ground, limit="5")

    assert elastic.poll() == added
    assert len(elastic.asked) == 2
