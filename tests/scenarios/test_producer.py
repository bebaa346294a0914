"""A producer without a node posts to its hub, and a peer has it: by HTTP, in real processes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.scenarios.needles import MARKING_IDS, Needle, needles
from tests.support.processes import (
    Tocsin,
    WireAnswer,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
    until,
)

TAXII = "application/taxii+json;version=2.1"


def test_what_a_producer_posts_arrives_where_its_label_allows(tmp_path: Path) -> None:
    with organisations(tmp_path, "a", "b", "c") as nodes:
        a, b, c = nodes
        start_all(*nodes)
        for other in (b, c):
            pair_by_command(a, other)
            give_trust_by_command(a, other, "trusted")
            give_trust_by_command(other, a, "trusted")
        a.run("collection", "add", "For B", "--alias", "for-b", "--publish-to", "b")
        a.run("collection", "add", "For all", "--alias", "for-all", "--publish-to", "green")
        token = a.run("token", "add", "sensor", "--kind", "writer")["token"]
        for alias in ("for-b", "for-all"):
            a.run("collection", "grant", alias, "sensor", "--write")
        secret, shared = needles(1), needles(2)

        told = post(a, token, "for-b", *secret.values())
        assert {told[needle.stix_id] for needle in secret.values()} == {
            "stored; queued for publication"
        }
        told = post(a, token, "for-all", *shared.values())
        assert "queued" in told[shared["green"].stix_id]
        assert "E_LABEL_STRICTER" in told[shared["amber"].stix_id]

        # Nobody publishes and nobody pulls: the worker does, and B and C were woken.
        everybody = {shared["clear"].stix_id: "green", shared["green"].stix_id: "green"}
        to_b = {
            secret["clear"].stix_id: "green",
            **{needle.stix_id: label for label, needle in secret.items() if label != "clear"},
        }
        until(lambda: accepted(b) == everybody | to_b, "B has its own and everybody's")
        until(lambda: accepted(c) == everybody, "C has everybody's")
        kept = [needle for label, needle in shared.items() if label.startswith("amber")]
        for node, hidden in ((b, kept), (c, [*kept, *secret.values()])):
            stored = node.everything_on_disk()
            assert not any(trace in stored for needle in hidden for trace in needle.traces)

        subscriber(c, a, everybody)


def post(node: Tocsin, token: str, alias: str, *needle_list: Needle) -> dict[str, str]:
    """Add objects as a producer does; return what its status says of each."""
    marked = [
        needle.value(object_marking_refs=[MARKING_IDS[needle.label]]) for needle in needle_list
    ]
    answer = node.ask(
        "POST",
        f"/taxii2/intel/collections/{alias}/objects/",
        {"Authorization": f"Bearer {token}", "Accept": TAXII, "Content-Type": TAXII},
        json.dumps({"objects": marked}).encode(),
    )
    assert answer.status == 202, answer
    assert answer.document["failure_count"] == 0
    return {line["id"]: line["message"] for line in answer.document["successes"]}


def accepted(node: Tocsin) -> dict[str, str]:
    """The labels of the indicators that a node accepted."""
    rows = node.run("objects", "list", "--type", "indicator", "--state", "accepted")
    return {row["id"]: row["tlp"] for row in rows}


def subscriber(node: Tocsin, origin: Tocsin, expected: dict[str, str]) -> None:
    """A member without a node reads what its hub has of one origin, and not the originals."""
    node.run("collection", "add", "Of A", "--alias", "of-a", "--select", f"origin={origin.name}")
    token = node.run("token", "add", "bank", "--kind", "subscriber")["token"]
    node.run("collection", "grant", "of-a", "bank", "--read")

    def get(alias: str) -> WireAnswer:
        headers = {"Authorization": f"Bearer {token}", "Accept": TAXII}
        return node.get(
            f"/taxii2/intel/collections/{alias}/objects/?match[type]=indicator", headers
        )

    assert {value["id"] for value in get("of-a").document["objects"]} == set(expected)
    assert get("originals").status == 404
