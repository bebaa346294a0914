"""Sightings out of logs: of claimed names, by hour, once each, and without whom they hit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.imports.eve_json import read_alert_line
from hub.imports.resolver_logs import read_bind_line, read_unbound_line
from hub.node import Node
from hub.verdicts.followed_sightings import LogSource, Tally, follow_log, list_who_asked
from hub.verdicts.sightings import list_sightings
from tests.support.nodes import FixedClock, make_node
from tests.support.stored_state import events_of, rows_of
from tests.support.told_claims import EVIL, authors, claim, make_verdicts, tell

VICTIM = "192.0.2.77"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = make_node(tmp_path, "operator")
    (who,) = authors(made, 1)
    rogue = claim("ns1.rogue.example", 3)
    rogue["extensions"][next(iter(rogue["extensions"]))]["match_on"] = "nsdname"
    tell(made, who, "green", claim(EVIL), claim("fast.example", 2, scope="subtree"), rogue)
    make_verdicts(made)
    return made


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "rpz.log"


def line(name: str, minute: int = 0, hour: int = 8) -> str:
    return (
        f"2026-03-01T{hour:02}:{minute:02}:00Z rpz: info: client @0x7f {VICTIM}#5 ({name}): "
        f"rpz QNAME NXDOMAIN rewrite {name}/A/IN via {name}.rpz.test\n"
    )


def add(log: Path, *lines: str) -> None:
    with log.open("a") as file:
        file.writelines(lines)


def follow(node: Node, source: LogSource) -> Tally:
    tally = Tally()
    while follow_log(node, source, tally):
        pass
    return tally


def counts(node: Node) -> dict[tuple[str, int], int]:
    return {(row.name, row.hour.hour): row.count for row in list_sightings(node)}


def test_hits_are_summed_by_claimed_name_and_hour(node: Node, log: Path) -> None:
    add(log, line(EVIL), line(EVIL, 59), line(EVIL, hour=9), line("a.b.fast.example"))
    add(log, line("innocent.example"), line("www." + EVIL), "nothing\n", "half a li")
    tally = follow(node, LogSource(log, "bind", read_bind_line))
    assert (tally.lines, tally.hits, tally.kept) == (7, 6, 4)
    assert +tally.misses == {"other": 1}
    assert counts(node) == {(EVIL, 8): 2, (EVIL, 9): 1, ("fast.example", 8): 1}
    # Neither whom it hit nor what nobody claims.
    kept = str([rows_of(node, f"SELECT * FROM {t}") for t in ("sightings", "sighting_clients")])
    assert VICTIM not in kept
    assert "innocent" not in kept


def test_a_restart_counts_nothing_twice_and_leaves_nothing_out(node: Node, log: Path) -> None:
    source = LogSource(log, "bind", read_bind_line)
    add(log, line(EVIL), line(EVIL)[:40])
    follow(node, source)
    add(log, line(EVIL)[40:], line(EVIL))
    assert follow(node, source).kept == 2
    assert follow(node, source).lines == 0
    log.rename(log.with_name("rpz.log.1"))
    add(log.with_name("rpz.log.1"), line(EVIL))
    add(log, line(EVIL))
    assert follow(node, source).kept == 2
    assert counts(node) == {(EVIL, 8): 5}
    assert [e["path"] for e in events_of(node, "LOG_FOLLOWED")] == [str(log)]


def test_a_rule_on_a_name_server_is_a_sighting_of_it(node: Node, log: Path) -> None:
    said = (
        "[1772352000] unbound[1:0] info: rpz: applied [rpz] {} rpz-nxdomain 192.0.2.7@9 {} A IN\n"
    )
    add(log, said.format("nsdname ns1.rogue.example.", "victim.example."))
    add(log, said.format("*.fast.example.", "x.fast.example."))
    # Of another's policy zone, with a rule on what nobody claims here.
    add(log, said.format("*.example.", EVIL + "."))
    follow(node, LogSource(log, "unbound", read_unbound_line))
    assert set(counts(node)) == {
        ("nsdname:ns1.rogue.example", 8), ("fast.example", 8), (EVIL, 8),
    }  # fmt: skip


def test_who_asked_is_kept_where_it_is_asked_for(node: Node, log: Path) -> None:
    add(log, line(EVIL), line(EVIL), line("innocent.example"))
    follow(node, LogSource(log, "bind", read_bind_line, keeps_clients=True))
    assert [(r.name, r.client, r.count) for r in list_who_asked(node, EVIL)] == [(EVIL, VICTIM, 2)]
    assert len(list_who_asked(node)) == 1


def test_the_addresses_of_an_hour_are_bounded(node: Node, log: Path) -> None:
    for n in range(130):
        add(log, line(EVIL).replace(VICTIM, f"198.51.100.{n}"))
    follow(node, LogSource(log, "bind", read_bind_line, keeps_clients=True))
    rows = {row.client: row.count for row in list_who_asked(node)}
    assert len(rows) == 101
    assert rows["others"] == 30


def test_several_alerts_on_one_query_are_one_sighting(node: Node, log: Path) -> None:
    event = (
        '{"timestamp":"2026-03-01T08:00:00+0000","flow_id":%d,"event_type":"alert","tx_id":0,'
        '"src_ip":"192.0.2.7","alert":{"signature_id":%d},"dns":{"query":[{"rrname":"%s"}]}}\n'
    )
    add(log, event % (1, 1, EVIL), event % (1, 2, EVIL), event % (2, 1, EVIL))
    tally = follow(node, LogSource(log, "eve", read_alert_line))
    assert (tally.kept, +tally.misses) == (2, {"again": 1})


def test_old_lines_and_lines_from_ahead(node: Node, log: Path) -> None:
    clock = node.clock
    assert isinstance(clock, FixedClock)
    add(log, line(EVIL), line(EVIL, hour=23))
    source = LogSource(log, "bind", read_bind_line)
    follow(node, source)
    assert set(counts(node)) == {(EVIL, 8), (EVIL, 10)}  # its clock is ahead: it was just now
    clock.advance(timedelta(days=91))
    add(log, line(EVIL))
    assert +follow(node, source).misses == {"old": 1}


def test_t43_a_forged_line_is_none(node: Node, log: Path) -> None:
    add(log, f"Mar  1 08:00:00 web1 httpd[7]: GET /?{line(EVIL)}", line(f"{EVIL}\\010client"))
    tally = follow(node, LogSource(log, "bind", read_bind_line))
    assert tally.kept == 0


def test_ten_thousand_names_are_written_in_bounded_pieces(node: Node, log: Path) -> None:
    add(log, *(line(f"n{n}.fast.example") for n in range(5_000)))
    tally, writes = Tally(), 1
    source = LogSource(log, "bind", read_bind_line)
    while follow_log(node, source, tally):
        writes += 1
    assert (tally.kept, counts(node)) == (5_000, {("fast.example", 8): 5_000})
    assert writes > 1
