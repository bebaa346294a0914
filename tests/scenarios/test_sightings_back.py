"""Sightings out of the logs of the real BIND, Unbound and Suricata (DNS 3)."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from hub.exports.suricata import write_suricata
from hub.imports.eve_json import read_alert_line
from hub.imports.log_hits import Hit
from hub.imports.resolver_logs import read_bind_line, read_unbound_line
from hub.node import Node
from hub.verdicts.followed_sightings import LogSource, Tally, follow_log, list_who_asked
from hub.verdicts.sightings import list_sightings
from tests.support.forks import Forks
from tests.support.listed import context, listed
from tests.support.nodes import make_node
from tests.support.processes import Tocsin, until
from tests.support.resolver_network import (
    BLOCKED,
    Network,
    resolver_network,
)
from tests.support.suricata import alerts, dns_query, tls_hello, write_rules
from tests.support.told_claims import authors, claim, make_verdicts, tell


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with resolver_network(tmp_path_factory.mktemp("resolvers")) as running:
        yield running


def is_followed(node: Node, log: LogSource, hits: int, tally: Tally) -> bool:
    """Follow a log, and tell whether so many hits have been in it."""
    while follow_log(node, log, tally):
        pass
    return tally.hits >= hits


def test_what_was_blocked_comes_back_as_sightings(network: Network, tmp_path: Path) -> None:
    node = make_node(tmp_path, "operator")
    (who,) = authors(node, 1)
    rogue = claim("ns1.rogue.example", 3)
    rogue["extensions"][next(iter(rogue["extensions"]))]["match_on"] = "nsdname"
    tell(
        node, who, "green", claim("seen.example"), claim("fast.example", 2, scope="subtree"), rogue
    )
    make_verdicts(node)
    network.publish(
        [
            listed("seen.example"),
            listed("fast.example", match_scope="subtree"),
            listed("ns1.rogue.example", match_on="nsdname"),
            listed("nobody-claims.example"),
        ]
    )
    for resolver, source, reader in (
        (network.bind, "bind", read_bind_line),
        (network.unbound, "unbound", read_unbound_line),
    ):
        log = LogSource(resolver.log, source, reader)
        follow_log(node, log, Tally())  # what other tests asked for
        before = {(row.name, row.source): row.count for row in list_sightings(node)}
        for name in ("seen.example", "SEEN.example", "a.fast.example", r"\010\"b.fast.example"):
            assert resolver.ask(name) == BLOCKED
        resolver.wait_for("www.victim.example", BLOCKED)
        resolver.ask("nobody-claims.example")
        tally = Tally()
        seen = partial(is_followed, node, log, 6, tally)
        until(seen, "all of it is in the log")
        assert tally.kept == tally.hits - 1
        counts = Counter({(row.name, row.source): row.count for row in list_sightings(node)})
        counts.subtract(before)
        assert counts["seen.example", source] == 2
        assert counts["fast.example", source] == 2
        assert counts["nsdname:ns1.rogue.example", source] >= 1
        assert not +tally.misses or set(tally.misses) <= {"other"}


def test_follow_reads_on_until_sigterm_and_goes_on_where_it_stopped(
    network: Network, tmp_path: Path
) -> None:
    name = "followed.example"
    node = make_node(tmp_path, "operator")
    (who,) = authors(node, 1)
    tell(node, who, "green", claim(name))
    make_verdicts(node)
    network.publish([listed(name)])
    follow = ("sighting", "follow", network.bind.log, "--format", "bind")

    def seen() -> int:
        return sum(row.count for row in list_sightings(node, name))

    with Forks() as commands:
        tocsin = Tocsin("operator", tmp_path / "operator", commands)
        following = tocsin.begin(*follow, "--json")
        try:
            until(lambda: "Following" in tocsin.log.read_text(), "it follows")
            assert network.bind.ask(name) == BLOCKED
            until(lambda: seen() == 1, "it was seen")
            following.send_signal(signal.SIGTERM)
            assert following.wait() == 0
        finally:
            following.kill()
        said = json.loads(tocsin.log.read_text().partition("SIGTERM.\n")[2])
        assert (said["kept"], said["lost"]) == (1, {})
        network.bind.ask(name)
        again = tocsin.run(*follow, "--once", "--keep-clients")
        assert (again["lines"], again["kept"], seen()) == (1, 1, 2)
    (client,) = list_who_asked(node, name)
    assert (client.client, client.count) == ("127.0.0.1", 1)


def test_alerts_of_the_real_suricata_are_sightings(tmp_path: Path) -> None:
    write_rules(tmp_path, write_suricata([listed("evil.example")], context()))
    assert alerts(tmp_path, [dns_query("evil.example"), *tls_hello("evil.example", 2)])
    now = datetime(2026, 3, 1, tzinfo=UTC)
    said = [
        read_alert_line(line, now, UTC) for line in (tmp_path / "eve.json").read_text().splitlines()
    ]
    hits = [each for each in said if isinstance(each, Hit)]
    assert {hit.name for hit in hits} == {"evil.example"}
    assert {hit.client for hit in hits} == {"10.0.0.1"}
    assert len(hits) >= 2
