"""IntelMQ's TAXII collector: one page a run.

Source, read: certtools/intelmq, ``intelmq/bots/collectors/taxii/collector.py`` at a7a5feb.

What it does: asks for the collection's title, then once ``get_objects(added_after=…,
type="indicator")`` with a naive local ``datetime`` of when the bot started, less an hour, and never
follows ``next``. What does not stand on the first page it never sees, so the default page is large.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from taxii2client.v21 import Collection

from tests.conformance.clients.ground import Ground, ids


def test_one_page_without_a_limit_holds_a_days_worth(ground: Ground) -> None:
    added = [stix_id for _ in range(8) for stix_id in ground.add(150)]
    collection = Collection(
        f"{ground.root}collections/{ground.collection_id}/",
        user=ground.reader,
        password=ground.token,
    )
    # Its clock is naive; on a collector that runs in UTC that is the instant itself.
    date_after = (datetime.now(UTC) - timedelta(seconds=3_600)).replace(tzinfo=None)

    assert collection.title == ground.title
    envelope = collection.get_objects(added_after=date_after, type="indicator")
    assert ids(envelope["objects"]) == added
    assert envelope["more"] is False
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)
    assert collection.get_objects(added_after=later, type="indicator").get("objects", []) == []
