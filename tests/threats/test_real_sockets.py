"""The same liars over real sockets, and what only a socket can carry."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.support.lies  # noqa: F401 - puts every lie on the list
from hub.exchange.publish import PublishRequest, publish_objects
from hub.peers.pull import pull_peer
from schemas.markings import Tlp
from tests.support.http_server import Connection, ReceivedRequest, ScriptedServer, gzip_bomb
from tests.support.malicious import LIES, Liar, LiarOnHttp
from tests.support.nodes import FixedClock, make_node, peer_of
from tests.support.publications import drafts, indicator, join
from tests.support.simulated_federation import LISTING, Door
from tests.support.stored_state import check_invariants, rows_of

MEGABYTE = 1024 * 1024


class Stage:
    """A reader, and a sender whose answers a test bends on the wire."""

    def __init__(self, folder: Path, server: ScriptedServer, door: LiarOnHttp) -> None:
        self.server, self.door = server, door
        self.clock = FixedClock()
        self.sender = make_node(folder, "sender", self.clock, base_url=server.base)
        self.reader = make_node(folder, "reader", self.clock)
        self.loop = asyncio.new_event_loop()
        door.honest = Door(self.sender, self.loop).answer
        for one, other in ((self.sender, self.reader), (self.reader, self.sender)):
            join(one, other, "trusted")
        with self.reader.database.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE peers SET base = ?", (server.base,))

    def tell(self, lie: str | None) -> None:
        self.door.liar = None if lie is None else Liar(self.sender, LIES[lie])

    def publish(self, number: int) -> None:
        self.clock.advance(seconds=1)
        publish_objects(self.sender, PublishRequest(drafts(indicator(number)), Tlp.GREEN))

    def pull(self) -> str | None:
        self.clock.advance(seconds=1)
        outcome = pull_peer(self.reader, peer_of(self.reader, self.sender))
        check_invariants(self.reader)
        return None if outcome.error is None else outcome.error.code

    def held(self) -> int:
        rows = rows_of(self.reader, "SELECT count(*) AS n FROM entries WHERE sender IS NOT NULL")
        return int(rows[0]["n"])


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    door = LiarOnHttp()
    with ScriptedServer(door.play) as server:
        made = Stage(tmp_path, server, door)
        yield made
        made.loop.close()


def test_t10_an_omission_shows_through_a_real_socket(stage: Stage) -> None:
    for number in (1, 2, 3):
        stage.publish(number)
    stage.tell("an entry in the middle is left out")
    assert stage.pull() == "E_GAP"
    stage.tell(None)
    assert stage.pull() is None
    assert stage.held() == 4


def test_t31_a_gzip_bomb_in_the_place_of_a_page(stage: Stage) -> None:
    stage.publish(1)
    bomb, honest = gzip_bomb(64), stage.server.script

    def play(request: ReceivedRequest, connection: Connection) -> bool:
        is_page = request.target.startswith(LISTING) and "/objects/" in request.target
        return bomb(request, connection) if is_page else honest(request, connection)

    stage.server.script = play
    tracemalloc.start()
    code = stage.pull()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert code == "E_HTTP_TOO_BIG"
    assert peak < 20 * MEGABYTE
    assert stage.held() == 0
    stage.server.script = honest
    assert stage.pull() is None
