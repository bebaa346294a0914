"""``/feeds/…``: who gets which export, and what is sent again (PROTOCOL 3.2, 3.5)."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from hub.app import create_app
from hub.exports.keep_current import keep_current
from hub.exports.serving import open_feed
from hub.node import Node
from hub.operators.readers import Credentials, authenticate_reader
from hub.operators.tokens import add_token
from hub.verdicts.guard_overrides import override_guard
from schemas.markings import Tlp
from tests.support.asked_blocks import ask_for_blocks, withdraw_verdicts
from tests.support.in_process import InProcess
from tests.support.nodes import FixedClock, make_node

TOKENS: dict[str, dict[str, Any]] = {
    "siem": {"kind": "own"},
    "soc-green": {"kind": "own", "max_tlp": Tlp.GREEN},
    "bank": {"kind": "constituent", "zones": ["bank.example"]},
    "shop": {"kind": "constituent"},
    "member": {"kind": "subscriber"},
    "anybody": {"kind": "public"},
    "feeder": {"kind": "writer"},
    "chief": {"kind": "admin"},
}


class Feeds:
    """A node with a token of each kind, and blocks at every label."""

    def __init__(self, path: Path) -> None:
        self.clock = FixedClock()
        self.node: Node = make_node(path, "hub", self.clock)
        self.tokens = {
            name: add_token(self.node, name, **more).token for name, more in TOKENS.items()
        }
        self.client = TestClient(create_app(self.node), raise_server_exceptions=False)
        self.client.__enter__()
        self.line = InProcess(self.client.app)

    def ask(self, who: str, path: str, method: str = "GET", **headers: str) -> Any:
        """Ask with Basic, as curl does for ``https://name:token@host/…``."""
        basic = base64.b64encode(f"{who}:{self.tokens[who]}".encode()).decode()
        sent = {"Authorization": f"Basic {basic}", "Accept-Encoding": "identity"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return self.line.request(method, f"/feeds/{path}", headers=sent)

    def names(self, who: str, path: str) -> list[str] | int:
        answer = self.ask(who, path)
        return answer.text.split() if answer.status_code == 200 else int(answer.status_code)

    def close(self) -> None:
        self.line.close()
        self.client.__exit__()
        self.node.database.close()


@pytest.fixture
def feeds(tmp_path: Path) -> Iterator[Feeds]:
    made = Feeds(tmp_path)
    ask_for_blocks(made.node, ["clear.example"], Tlp.CLEAR)
    ask_for_blocks(made.node, ["green.example"], Tlp.GREEN)
    ask_for_blocks(made.node, ["amber.example"], Tlp.AMBER)
    ask_for_blocks(made.node, ["strict.example"], Tlp.AMBER_STRICT)
    ask_for_blocks(made.node, ["red.example"], Tlp.RED)
    yield made
    made.close()


CLEAR, GREEN = ["clear.example"], ["clear.example", "green.example"]
ALL = ["amber.example", *GREEN, "strict.example"]


MAY: dict[str, tuple[list[str] | int, ...]] = {
    "siem": (ALL, GREEN, CLEAR),
    "soc-green": (404, GREEN, CLEAR),
    "bank": (404, GREEN, CLEAR),
    "shop": (404, GREEN, CLEAR),
    "member": (404, GREEN, CLEAR),
    "anybody": (404, 404, CLEAR),
    "feeder": (404, 404, 404),
    "chief": (404, 404, 404),
}
"""What each token gets for the organisation, the constituents and the public."""


def test_each_reader_gets_its_audiences_and_no_other(feeds: Feeds) -> None:
    found = {
        who: tuple(
            feeds.names(who, f"names/{audience}.txt")
            for audience in ("organisation", "constituents", "public")
        )
        for who in MAY
    }
    assert found == MAY


def test_a_constituent_gets_the_amber_that_touches_it(feeds: Feeds) -> None:
    name, until = "www.bank.example", feeds.clock.now() + timedelta(days=1)
    ask_for_blocks(feeds.node, [name, "www.other.example"], Tlp.AMBER)
    # Who registered a zone is guarded against blocks of it, until a person says otherwise.
    assert feeds.names("bank", "names/constituents.txt") == GREEN
    override_guard(feeds.node, name, reason="It is a kit.", until=until)
    feeds.clock.advance(minutes=1)
    keep_current(feeds.node)
    assert feeds.names("bank", "names/constituents.txt") == [*GREEN, name]
    assert feeds.names("shop", "names/constituents.txt") == GREEN


def test_the_passthru_zone_is_for_the_organisation_alone(feeds: Feeds) -> None:
    zone = feeds.ask("siem", "rpz/organisation/passthru.zone")
    assert "bank.example CNAME rpz-passthru." in zone.text
    assert feeds.ask("bank", "rpz/organisation/passthru.zone").status_code == 404
    assert feeds.ask("siem", "rpz/public/passthru.zone").status_code == 404


ABSENT = [
    "",
    "rpz",
    "rpz/",
    "rpz/organisation",
    "rpz/organisation.txt",
    "rpz/everybody.zone",
    "rpz/organisation/warez.zone",
    "rpz/organisation/../public.zone",
    "rpz/organisation/dga.zone/more",
    "doc/organisation.zone",
    "misp/organisation",
    "misp/organisation/",
    "misp/organisation/none.json",
    "misp/organisation/../../../tocsin.db",
    "misp/organisation/%2e%2e/names",
]


def test_t46_what_is_not_there_and_what_is_not_for_a_reader_is_one_answer(feeds: Feeds) -> None:
    refused = feeds.ask("anybody", "rpz/organisation.zone")
    assert refused.status_code == 404
    for path in ABSENT:
        absent = feeds.ask("siem", path)
        assert (absent.status_code, absent.content) == (404, refused.content), path


def test_t46_both_refusals_ask_the_store_the_same(feeds: Feeds) -> None:
    feeds.ask("anybody", "rpz/public.zone")
    seen: list[list[str]] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen[-1].append(statement)

    event.listen(feeds.node.database.engine, "before_cursor_execute", note)
    for path in ("rpz/organisation.zone", "doc/organisation.zone", "rpz/everybody.zone"):
        seen.append([])
        assert feeds.ask("anybody", path).status_code == 404
    event.remove(feeds.node.database.engine, "before_cursor_execute", note)
    assert seen[0] == seen[1] == seen[2] != []


def test_without_a_token_nothing_is_said(feeds: Feeds) -> None:
    for path in ("rpz/public.zone", "doc/none"):
        answer = feeds.line.request("GET", f"/feeds/{path}")
        assert answer.status_code == 401
        assert "Basic" in answer.headers["www-authenticate"]


def test_a_feed_of_several_files_is_served_by_its_names(feeds: Feeds) -> None:
    manifest = feeds.ask("siem", "misp/organisation/manifest.json")
    assert manifest.headers["content-type"] == "application/json"
    for name in manifest.json():
        assert feeds.ask("siem", f"misp/organisation/{name}.json").status_code == 200


def test_what_did_not_change_is_not_sent_again(feeds: Feeds) -> None:
    first = feeds.ask("siem", "rpz/organisation.zone")
    assert first.headers["content-type"] == "text/dns; charset=us-ascii"
    assert first.headers["last-modified"] == "Sun, 01 Mar 2026 10:00:00 GMT"
    tag, date = first.headers["etag"], first.headers["last-modified"]
    feeds.clock.advance(hours=1)
    for held in ({"If_None_Match": tag}, {"If_None_Match": f'"x", W/{tag}'},
                 {"If_Modified_Since": date}):  # fmt: skip
        again = feeds.ask("siem", "rpz/organisation.zone", **held)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = feeds.ask("siem", "rpz/organisation.zone", If_None_Match='"x"', If_Modified_Since=date)
    assert other.status_code == 200
    head = feeds.ask("siem", "rpz/organisation.zone", "HEAD")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    assert int(head.headers["content-length"]) == len(first.content)


def test_gzip_is_for_who_takes_it(feeds: Feeds) -> None:
    plain = feeds.ask("siem", "rpz/organisation.zone")
    packed = feeds.ask("siem", "rpz/organisation.zone", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content in {plain.content, gzip.compress(plain.content)}
    assert packed.headers["etag"] != plain.headers["etag"]
    again = feeds.ask(
        "siem", "rpz/organisation.zone", Accept_Encoding="gzip",
        If_None_Match=packed.headers["etag"],
    )  # fmt: skip
    assert again.status_code == 304


def test_what_was_fetched_is_kept_current_by_the_worker(feeds: Feeds) -> None:
    first = feeds.ask("siem", "rpz/organisation.zone")
    ask_for_blocks(feeds.node, ["late.example"], Tlp.GREEN)
    assert feeds.ask("siem", "rpz/organisation.zone").content == first.content
    feeds.clock.advance(minutes=1)
    keep_current(feeds.node)
    second = feeds.ask("siem", "rpz/organisation.zone", If_None_Match=first.headers["etag"])
    assert second.status_code == 200
    assert "late.example CNAME ." in second.text
    feeds.clock.advance(days=8)  # nobody fetched it for so long that it is kept no more
    keep_current(feeds.node)
    assert "late.example" not in feeds.ask("siem", "rpz/organisation.zone").text


def test_where_the_worker_is_behind_for_minutes_a_request_looks_itself(feeds: Feeds) -> None:
    """What was withdrawn is not served on for days, only because nobody renders."""
    first = feeds.ask("siem", "names/organisation.txt")
    assert "green.example" in first.text
    withdraw_verdicts(feeds.node, ["green.example"])
    feeds.clock.advance(minutes=4)
    assert feeds.ask("siem", "names/organisation.txt").content == first.content
    feeds.clock.advance(minutes=2)
    assert "green.example" not in feeds.ask("siem", "names/organisation.txt").text


def test_a_file_that_is_replaced_while_it_is_read_is_read_to_its_end(feeds: Feeds) -> None:
    reader = authenticate_reader(feeds.node, Credentials("siem", feeds.tokens["siem"]))
    served = open_feed(feeds.node, reader, "names/organisation.txt")
    for number in range(3):
        feeds.clock.advance(minutes=10)
        ask_for_blocks(feeds.node, [f"new-{number}.example"], Tlp.GREEN)
        keep_current(feeds.node)
    assert b"".join(served.chunks()).decode().split() == ALL
    assert served.stream.closed


def test_t22_what_a_reader_may_not_see_changes_nothing_that_it_does(feeds: Feeds) -> None:
    """Bytes, tag, date and serial of a view are a function of what its readers see."""
    before = feeds.ask("anybody", "rpz/public.zone")
    feeds.clock.advance(timedelta(minutes=10))
    ask_for_blocks(feeds.node, ["hidden.example"], Tlp.GREEN)
    ask_for_blocks(feeds.node, ["more.example"], Tlp.AMBER)
    keep_current(feeds.node)
    after = feeds.ask("anybody", "rpz/public.zone")
    seen = ("etag", "last-modified", "content-length")
    assert after.content == before.content
    assert [after.headers[name] for name in seen] == [before.headers[name] for name in seen]
