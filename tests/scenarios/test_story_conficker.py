"""Conficker: a dated list of generated names, each registry's part, and a resolver that blocks.

``docs/stories/conficker.md`` tells it to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.dns.set_lines import SetLine
from tests.support.moved_clock import MovedClock, clock_ahead, day_span
from tests.support.processes import Tocsin, organisations, start_all, until
from tests.support.resolvers import (
    ELSEWHERE,
    PolicyZone,
    require_programs,
    rest_of_the_world,
    running_bind,
)
from tests.support.told_stories import (
    DatedNames,
    acquaint,
    ask_as,
    open_alarms,
    sets_of,
    wait_alarm,
    zone_names,
)

TLDS = ("cc", "com", "net")
A_DAY = timedelta(days=1)
ZONE = "organisation.rpz"
BLOCKED = "NXDOMAIN"
NOT_FOUND = b'{"title":"Not found","http_status":"404","error_code":"E_NOT_FOUND"}'


def generated(
    days: tuple[date, ...], tlds: tuple[str, ...], a_day: int, span: timedelta
) -> DatedNames:
    """Names as an algorithm makes them: others each day.

    Args:
        span: how long a day of the story is.
    """
    return DatedNames(
        tuple(
            SetLine(f"{'aeiou'[n % 5]}{n:03}qz{on:%d}xk.{tld}", on, on + span - A_DAY)
            for on in days
            for tld in tlds
            for n in range(a_day)
        )
    )


def publish(
    cert: Tocsin, told: DatedNames, folder: Path, *recipients: str
) -> dict[str, dict[str, Any]]:
    """The CERT publishes its list; return what became of each list, by top-level domain."""
    names, days = told.write(folder)
    outcome = cert.run(
        "set", "publish", names, "--dates", days, "--family", "conficker", "--variant", "b",
        "--threat-type", "dga", "--tlp", "amber", "--pap", "green", *recipients,
    )  # fmt: skip
    assert (outcome["unlisted"], outcome["idle"]) == (0, [])
    return {row["tld"] or "all": row for row in outcome["sets"]}


def has_list(node: Tocsin, told: DatedNames) -> Any:
    """Wait until a node has fetched and read the list that just these lines make."""
    sealed = told.sealed()
    return until(
        lambda: [row for row in sets_of(node) if row["sha256"] == sealed.sha256],
        f"{node.name} has its list of {sealed.count} names",
    )[0]


def test_each_registry_gets_its_own_names_and_the_operator_all(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    span, today = day_span(), datetime.now(UTC).date()
    told = generated((today - span, today, today + span), TLDS, 45, span)
    recipients = (
        "--split-by", "tld", "--to", "cc", "--for", "com=com", "--for", "net=net",
        "--whole", "operator",
    )  # fmt: skip
    with organisations(tmp_path, "cert", "cc", "com", "net", "operator") as nodes:
        cert, *registries, operator = nodes
        registry = dict(zip(TLDS, registries, strict=True))
        start_all(*nodes)
        acquaint(cert, *registries, operator)
        cert.run("peer", "set", "cc", "--authority", "zone:cc.")

        sets = publish(cert, told, folder, *recipients)
        assert {tld: row["names"] for tld, row in sets.items()} == {
            **dict.fromkeys(TLDS, 135), "all": 405,
        }  # fmt: skip
        # Nobody pulls: all were woken, and fetch their lists by themselves.
        for tld, node in registry.items():
            own = told.of(tld)
            has_list(node, own)
            only_its_own_names_are_on_the_disk_of(node, tld, told, today)
            said = node.run("set", "names", sets[tld]["sha256"][:12], "--on", today)
            assert set(said["lines"]) == own.on(today)
        has_list(operator, told)
        lists_are_served_to_whom_they_are_for(cert, registry, sets, told)

        # The CERT has found some more of them in one top-level domain, and takes some back.
        more = tuple(SetLine(f"new{n}xk.com", today, today + span - A_DAY) for n in range(9))
        gone = tuple(sorted(told.of("com").on(today))[:7])
        kept = tuple(line for line in told.lines if line.name not in gone)
        changed = DatedNames((*kept, *more))
        again = publish(cert, changed, folder, *recipients)
        assert {tld: row["state"] for tld, row in again.items()} == {
            "cc": "unchanged", "com": "changed", "net": "unchanged", "all": "changed",
        }  # fmt: skip
        assert (again["all"]["added"], again["all"]["removed"]) == (9, 7)
        assert 0 < again["all"]["delta_size"] < again["all"]["size"] / 2
        has_list(registry["com"], changed.of("com"))
        has_list(operator, changed)
        now = registry["com"].run("set", "names", again["com"]["sha256"][:12], "--on", today)
        assert set(now["lines"]) == changed.of("com").on(today)
        only_its_own_names_are_on_the_disk_of(registry["net"], "net", changed, today)


def only_its_own_names_are_on_the_disk_of(
    node: Tocsin, tld: str, told: DatedNames, today: date
) -> None:
    """Of the other lists no byte is stored: no name, no digest, nothing of the list as it goes."""
    stored = node.everything_on_disk()
    own = told.of(tld)
    for part in (told, *(told.of(other) for other in TLDS)):
        sealed = part.sealed()
        traces = (sealed.sha256.encode(), sealed.data[30:70])
        is_own = part == own
        assert [trace in stored for trace in traces] == [is_own, is_own]
    assert not [name for name in told.names - own.names if name.encode() in stored]
    # Whoever looks finds what is there.
    assert all(name.encode() in stored for name in own.on(today))


def lists_are_served_to_whom_they_are_for(
    cert: Tocsin,
    registry: Mapping[str, Tocsin],
    sets: Mapping[str, Mapping[str, Any]],
    told: DatedNames,
) -> None:
    """Who asks for another's list by its digest is answered as of one that never was."""
    digests = {tld: row["sha256"] for tld, row in sets.items()} | {"never": "0" * 64}
    for tld, node in registry.items():
        for other, digest in digests.items():
            answer = ask_as(node, cert, f"/federation/v1/blobs/{digest}")
            right = (200, told.of(tld).sealed().data)
            assert (answer.status, answer.body) == (right if other == tld else (404, NOT_FOUND))


def test_the_operator_blocks_what_it_stands_for_and_never_a_protected_name(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    span, today = day_span(), datetime.now(UTC).date()
    last = today + span - A_DAY
    lines = generated((today - span, today, today + span), ("com", "cc"), 60, span)
    # Two names that must never be blocked have slipped into the list: a great one, and a zone of
    # the registry itself, which this operator knows by its token.
    slipped = ("google.com", "nic-demo.cc")
    told = DatedNames((*lines.lines, *(SetLine(name, today, last) for name in slipped)))
    zone = tmp_path / "organisation.zone"
    with organisations(tmp_path, "cert", "operator") as (cert, operator):
        start_all(cert, operator)
        acquaint(cert, operator)
        operator.run("token", "add", "registry", "--kind", "constituent", "--zones", "nic-demo.cc")
        operator.run("export", "target", "add", "rpz", zone)
        publish(cert, told, folder, "--to", "operator")
        held = has_list(operator, told)
        until(zone.exists, "the zone is written")
        assert zone_names(zone) == set(), "one CERT's word alone blocks nothing"

        operator.run("set", "adopt", held["id"], "--reason", "Looked at fifty of them.")
        in_force = lines.on(today)
        until(lambda: zone_names(zone) == in_force, "today's names are in force, and no others")
        alarm = wait_alarm(operator, "PROTECTED_NAME")
        assert set(slipped) <= set(alarm["params"]["names"])
        assert "None of them is blocked" in alarm["sentence"]

        # A later version is another list, which somebody has to look at again.
        more = tuple(SetLine(f"new{n}xk.com", today, last) for n in range(9))
        gone = set(sorted(in_force)[:7])
        kept = tuple(line for line in lines.lines if line.name not in gone)
        changed = DatedNames((*kept, *more))
        publish(cert, changed, folder, "--to", "operator")
        new = has_list(operator, changed)
        until(lambda: not zone_names(zone) & gone, "what the CERT took back is released")
        assert not zone_names(zone) & {line.name for line in more}, "nobody stands for these yet"
        operator.run("set", "adopt", new["id"], "--reason", "Nine more, seven fewer.")
        until(lambda: zone_names(zone) == changed.on(today), "the change is in force")
        assert not [name for name in slipped if name in zone.read_text()]
        assert open_alarms(operator, "EXPORT_JUMP") == []


@pytest.mark.long  # servers under a moved clock take five times their processor time
def test_names_come_into_force_and_are_released_day_by_day_at_a_real_resolver(
    tmp_path: Path,
) -> None:
    require_programs()
    folder = tmp_path / "files"
    folder.mkdir()
    span = day_span()
    today = datetime.now(UTC).date()
    days = (today, today + span, today + 2 * span)
    # More than a hundred names a day: exchanging them all would be a jump if nobody stood for them.
    told = generated(days, ("com",), 120, span)
    firsts, seconds, thirds = (min(told.on(day)) for day in days)
    zone = tmp_path / "organisation.zone"
    with (
        MovedClock(tmp_path / "clock", span) as clock,
        organisations(tmp_path, "cert", "operator") as (cert, operator),
    ):
        start_all(cert, operator)
        acquaint(cert, operator)
        # What is seen is told from the next whole hour on; this operator said so earlier.
        opted_in = ("peer", "set", "cert", "--sightings", "on")
        assert operator.give_apart(*opted_in, under=clock_ahead(-7200)).code == 0
        operator.run("export", "target", "add", "rpz", zone)
        publish(cert, told, folder, "--to", "operator")
        held = has_list(operator, told)
        operator.run("set", "adopt", held["id"], "--reason", "Looked at fifty of them.")
        until(lambda: zone_names(zone) == told.on(days[0]), "the first day's names are in force")
        with (
            rest_of_the_world(tmp_path / "world") as world,
            running_bind(tmp_path / "bind", world, [PolicyZone(ZONE, file=zone)]) as bind,
        ):
            assert bind.ask(firsts) == bind.ask(f"www.{firsts}") == BLOCKED
            assert bind.ask(seconds) == bind.ask(thirds) == ELSEWHERE
            # What was blocked is in the resolver's log, and goes back to whom it came from.
            log = bind.log
            until(lambda: f"www.{firsts}" in log.read_text(), "it is in the log")
            followed = operator.run("sighting", "follow", log, "--format", "bind", "--once")
            assert followed["kept"] >= 2

            # A day goes by.
            clock.take_over(cert, operator)
            until(lambda: zone_names(zone) == told.on(days[1]), "the next day's names are")
            bind.command("reload", ZONE)
            bind.wait_for(seconds, BLOCKED)
            assert bind.ask(firsts) == bind.ask(thirds) == ELSEWHERE
            assert open_alarms(operator, "EXPORT_JUMP") == []
        heard = until(lambda: cert.run("objects", "list", "--type", "sighting"), "the CERT hears")
        subjects = [
            cert.run("objects", "show", row["id"])[-1]["object"]["sighting_of_ref"] for row in heard
        ]
        assert [cert.run("objects", "show", each)[-1]["object"]["name"] for each in subjects] == [
            firsts
        ]
