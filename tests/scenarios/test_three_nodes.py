"""Three organisations in three processes share under TLP; all by command and over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.scenarios.needles import LABELS, MARKING_IDS, Needle, needles
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
OBJECTS = "/taxii2/intel/collections/originals/objects/"
MANIFEST = "/taxii2/intel/collections/originals/manifest/"
NOT_FOUND = b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}'


def test_three_nodes_share_under_tlp(tmp_path: Path) -> None:
    names = ("a", "b", "c", "c-from-a", "c-from-b", "c-member-from-a", "c-member-from-b")
    with organisations(tmp_path, *names) as nodes:
        a, b, *pullers = nodes
        c, from_a, from_b, member_from_a, member_from_b = pullers
        start_all(a, b, c)
        pair_by_command(a, b)
        give_trust_by_command(a, b, "trusted")
        give_trust_by_command(b, a, "trusted")
        for puller in pullers:
            for other in (a, b):
                pair_by_command(other, puller)
                give_trust_by_command(other, puller, "trusted")
                mutual = "member" if "member" in puller.name else "trusted"
                give_trust_by_command(puller, other, mutual)

        published = publish_every_label(a, b, tmp_path)
        refuse_red(a, tmp_path)
        # Nobody pulls: both were woken.
        until(lambda: states(b, published) == dict.fromkeys(LABELS, "accepted"), "B has all four")
        until(lambda: states(c, published) == wide("accepted"), "C has CLEAR and GREEN")
        explain(a, b, c, published)

        pull_whole(from_a, a)
        pull_whole(member_from_a, a)
        check_readers(b, published)
        withdraw_one(a, b, c, tmp_path)

        a.stop()
        refused = from_b.give("pull", a.node_id)
        assert (refused.code, refused.document[0]["error"]) == (1, "E_HTTP_CONNECT")
        pull_whole(from_b, b)
        pull_whole(member_from_b, b)

        assert states(from_a, published) == states(from_b, published) == wide("accepted")
        assert states(member_from_a, published) == wide("quarantined")
        assert states(member_from_b, published) == wide("quarantined")
        for puller in pullers:
            stored = puller.everything_on_disk()
            assert published["clear"].traces[0] in stored
            for label in ("amber", "amber+strict"):
                assert not any(trace in stored for trace in published[label].traces)


def wide(state: str) -> dict[str, str]:
    """What somebody holds whom nobody named."""
    return dict.fromkeys(("clear", "green"), state)


def publish_every_label(a: Tocsin, b: Tocsin, folder: Path) -> dict[str, Needle]:
    """A publishes CLEAR, GREEN, and AMBER and AMBER+STRICT to B alone."""
    published = needles()
    for label, needle in published.items():
        to = ("--to", b.node_id) if label.startswith("amber") else ()
        outcome = a.run("publish", needle.file(folder), "--tlp", label, *to)
        assert (outcome["objects"], outcome["entries"], outcome["refused"]) == (1, 1, [])
        allowed = {line["name"] for line in outcome["audience"] if line["decision"] == "allowed"}
        assert (allowed == {"b"}) is bool(to)
    return published


def refuse_red(a: Tocsin, folder: Path) -> None:
    """RED waits for sealed feeds: refused by policy, and nothing is stored of it."""
    needle = Needle("clear", 9)
    refused = a.give("publish", needle.file(folder), "--tlp", "red")
    assert (refused.code, refused.document["error"]["code"]) == (3, "E_RED_UNSUPPORTED")
    assert not any(trace in a.everything_on_disk() for trace in needle.traces)


def states(node: Tocsin, published: dict[str, Needle]) -> dict[str, str]:
    """What a node holds of the published, by label."""
    rows = {row["id"]: row for row in node.run("objects", "list", "--type", "indicator")}
    held = {
        label: rows[needle.stix_id] for label, needle in published.items() if needle.stix_id in rows
    }
    assert all(row["tlp"] == label for label, row in held.items())
    return {label: row["state"] for label, row in held.items()}


def pull_whole(node: Tocsin, sender: Tocsin) -> None:
    """Pull from one peer; nothing goes wrong and something comes."""
    (row,) = node.run("pull", sender.node_id)
    assert (row["error"], row["rejected"]) == (None, 0)
    assert row["entries"] >= 2


def explain(a: Tocsin, b: Tocsin, c: Tocsin, published: dict[str, Needle]) -> None:
    """`why` says what happened, in sentences, for the one who got it and the one who did not."""
    amber = published["amber"].stix_id
    given, kept = a.run("why", amber, b.node_id), a.run("why", amber, c.node_id)
    assert given["decision"] == "allowed"
    assert (kept["decision"], kept["code"]) == ("refused", "REFUSED_NOT_NAMED")
    assert kept["sentences"]
    assert kept["rule"]
    assert kept["version"]


def withdraw_one(a: Tocsin, b: Tocsin, c: Tocsin, folder: Path) -> None:
    """A withdrawal arrives where the object went, and a reader sees it revoked."""
    needle = Needle("green", 2)
    a.run("publish", needle.file(folder), "--tlp", "green")
    for node in (b, c):
        until(lambda n=node: states_of(n, needle) == ["accepted"], "it came")  # type: ignore[misc]
    done = a.run("withdraw", needle.stix_id, "--reason", "false positive")
    assert {receipt["name"] for receipt in done["receipts"]} >= {"b", "c"}
    for node in (b, c):
        until(lambda n=node: "withdrawn" in states_of(n, needle), "it went")  # type: ignore[misc]
        shown = node.run("objects", "show", needle.stix_id)
        assert shown[-1]["object"]["revoked"] is True


def states_of(node: Tocsin, needle: Needle) -> list[str]:
    rows = node.run("objects", "list", "--type", "indicator")
    return [row["state"] for row in rows if row["id"] == needle.stix_id]


def check_readers(b: Tocsin, published: dict[str, Needle]) -> None:
    """Each token at B sees up to its clearance; nothing in any answer tells of what is above."""
    for name, options, seen in (
        ("website", ("--kind", "public"), ("clear",)),
        ("customer", ("--kind", "constituent"), ("clear", "green")),
        ("siem", ("--kind", "own", "--max-tlp", "amber"), ("clear", "green", "amber")),
        ("desk", ("--kind", "own", "--max-tlp", "amber+strict"), LABELS),
    ):
        token = b.run("token", "add", name, *options, "--originals")["token"]
        check_reader(b, token, published, seen)
        for label, needle in published.items():
            answer = b.run("why", needle.stix_id, name)
            assert answer["decision"] == ("allowed" if label in seen else "refused")
    without = b.run("token", "add", "verdicts-only", "--kind", "own")["token"]
    assert ask(b, without, OBJECTS).body == NOT_FOUND


def ask(b: Tocsin, token: str, target: str) -> WireAnswer:
    return b.get(target, {"Accept": TAXII, "Authorization": f"Bearer {token}"})


def check_reader(
    b: Tocsin, token: str, published: dict[str, Needle], seen: tuple[str, ...]
) -> None:
    hidden = [needle for label, needle in published.items() if label not in seen]
    answers = list(every_answer(b, token, published))
    for answer in answers:
        for needle in hidden:
            assert not any(trace in answer.whole for trace in needle.traces)
            assert MARKING_IDS[needle.label].encode() not in answer.whole
    # Counts, in the page, in the walk and in the manifest.
    expected = {published[label].stix_id for label in seen}
    objects = ask(b, token, OBJECTS).document["objects"]
    manifest = ask(b, token, MANIFEST).document["objects"]
    walked = [value for page in walk(b, token, OBJECTS) for value in page.document["objects"]]
    assert {o["id"] for o in objects if o["type"] == "indicator"} == expected
    assert [o["id"] for o in objects] == [o["id"] for o in walked] == [m["id"] for m in manifest]
    # A hidden object and one that never was are one and the same answer.
    never = Needle("clear", 77)
    for suffix in ("", "versions/"):
        nothing = comparable(ask(b, token, f"{OBJECTS}{never.stix_id}/{suffix}"))
        assert nothing[0] == 404
        assert nothing[2] == NOT_FOUND
        for needle in hidden:
            assert comparable(ask(b, token, f"{OBJECTS}{needle.stix_id}/{suffix}")) == nothing
    empty = ask(b, token, f"{OBJECTS}?match[id]={never.stix_id}")
    for needle in hidden:
        found = ask(b, token, f"{OBJECTS}?match[id]={needle.stix_id}")
        assert comparable(found) == comparable(empty)


def comparable(answer: WireAnswer) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """All of an answer but the instant at which it was given."""
    return (
        answer.status,
        tuple(pair for pair in answer.headers if pair[0].lower() != "date"),
        answer.body,
    )


def every_answer(b: Tocsin, token: str, published: dict[str, Needle]) -> Iterator[WireAnswer]:
    """Ask everything that a token can be used for."""
    for target in ("/taxii2/", "/taxii2/intel/", "/taxii2/intel/collections/"):
        yield ask(b, token, target)
    yield ask(b, token, "/taxii2/intel/collections/originals/")
    for resource in (OBJECTS, MANIFEST):
        yield from walk(b, token, resource)
        for query in (
            "", "?match[type]=indicator", "?match[version]=all", "?limit=1",
            "?added_after=2020-01-01T00:00:00.000Z", "?added_after=2999-01-01T00:00:00.000Z",
            "?limit=nonsense", "?next=nonsense", "?match[spec_version]=2.0",
        ):  # fmt: skip
            yield ask(b, token, resource + query)
    for needle in published.values():
        for target in (
            f"{OBJECTS}{needle.stix_id}/", f"{OBJECTS}{needle.stix_id}/?match[version]=all",
            f"{OBJECTS}{needle.stix_id}/versions/", f"{OBJECTS}?match[id]={needle.stix_id}",
            f"{MANIFEST}?match[id]={needle.stix_id}",
        ):  # fmt: skip
            yield ask(b, token, target)


def walk(b: Tocsin, token: str, resource: str) -> Iterator[WireAnswer]:
    """Read a resource page by page, one object each."""
    following = ""
    while True:
        page = ask(b, token, f"{resource}?limit=1{following}")
        yield page
        document = json.loads(page.body)
        if not document.get("more"):
            return
        following = f"&next={document['next']}"
