"""Any client whose answer is lost on the way, and cursors in the wrong place.

Source: issue 3, "Kind to real clients"; RFC 9110 §9.2.2 (GET may be repeated). A client that lost
an answer asks again with the ``next`` or ``added_after`` that it still has; one that lost the
answer to an Add Objects sends the same objects again.
"""

from __future__ import annotations

import socket
from typing import Any

import pytest

from schemas.taxii.media_types import TAXII
from tests.conformance.clients.ground import Ground, ids, indicator, new_ground


def read(ground: Ground, who: str = "", resource: str = "objects/", **query: str) -> Any:
    headers = {"Accept": TAXII, "Authorization": ground.basic(who)}
    return ground.get(ground.path + resource, headers, query)


def ask_and_hang_up(ground: Ground, target: str, take: int) -> None:
    """Send a request, take some bytes of the answer, and cut the connection."""
    with socket.create_connection(("127.0.0.1", ground.node.port), timeout=30) as line:
        request = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {ground.basic()}\r\n\r\n"
        line.sendall(request.encode())
        if take:
            line.recv(take)


@pytest.mark.parametrize("take", [0, 1, 300])
def test_a_lost_answer_loses_no_page(ground: Ground, take: int) -> None:
    added = ground.add(20)
    got: list[str] = []
    query: dict[str, str] = {"limit": "6"}
    for _ in range(10):
        target = f"{ground.path}objects/?" + "&".join(f"{n}={v}" for n, v in query.items())
        ask_and_hang_up(ground, target, take)
        page = read(ground, **query).document
        assert page == read(ground, **query).document
        got += ids(page["objects"])
        if not page["more"]:
            break
        query["next"] = page["next"]

    assert got == added


def test_an_old_next_still_leads_to_the_same_page_after_more_came(ground: Ground) -> None:
    added = ground.add(9)
    following = read(ground, limit="3").document["next"]
    before = read(ground, limit="3", next=following).document
    ground.add(5)
    after = read(ground, limit="3", next=following).document

    assert ids(before["objects"]) == ids(after["objects"]) == added[3:6]


def test_objects_sent_again_after_a_lost_answer_are_there_once(ground: Ground) -> None:
    values = [indicator(n) for n in range(5)]
    first, again = ground.post(values), ground.post(values)

    assert first["success_count"] == again["success_count"] == 5
    assert ids(read(ground, **{"match[version]": "all"}).document["objects"]) == ids(values)


def test_a_cursor_is_refused_wherever_it_does_not_belong(ground: Ground) -> None:
    ground.add(4)
    other = new_ground(ground.node)
    other.add(4)
    for reader in (ground.reader, ground.writer):
        ground.node.run("collection", "grant", ground.collection_id, reader, "--read")
        ground.node.run("collection", "grant", other.collection_id, reader, "--read")
    other.tokens |= ground.tokens
    following = read(ground, limit="1").document["next"]
    filtered = read(ground, limit="1", **{"match[type]": "indicator"}).document["next"]

    wrong = [
        read(other, ground.reader, next=following),
        read(ground, ground.writer, next=following),
        read(ground, resource="manifest/", next=following),
        read(ground, next=following, **{"match[type]": "malware"}),
        read(ground, next=filtered, **{"match[type]": "malware"}),
        read(ground, next=following[:-1] + ("A" if following[-1] != "A" else "B")),
    ]
    assert {(answer.status, answer.code) for answer in wrong} == {(400, "E_CURSOR")}
    assert all(b"indicator--" not in answer.body for answer in wrong)
    assert len(read(ground, next=following).document["objects"]) == 3
