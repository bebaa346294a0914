"""Avalanche: phishing names in bulk at one registrar, found by its share, and told to it alone.

``docs/stories/avalanche.md`` tells it to people.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.dns.extensions import DNS_OPERATOR, DNS_THREAT
from schemas.timestamps import write_wire_time
from tests.support.moved_clock import MovedClock
from tests.support.processes import Tocsin, organisations, start_all, until
from tests.support.shared_data import shared_path
from tests.support.told_stories import acquaint, open_alarms, wait_alarm

REGISTRARS = {9990: "Able Names", 9991: "Demo Registrar", 9992: "Charlie Domains"}
TARGET = 9991
DEMO = 9999
"""The registrar of the shared bundle."""
WEEKS, A_WEEK, BURST = 8, 3, 40
TAXII = "application/taxii+json;version=2.1"


def phishing(name: str, registrar: int, at: datetime) -> dict[str, Any]:
    """A claim on a phishing name, with who registered it and when."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": write_wire_time(at),
        "modified": write_wire_time(at),
        "name": name,
        "indicator_types": ["malicious-activity"],
        "pattern": f"[domain-name:value = '{name}']",
        "pattern_type": "stix",
        "valid_from": write_wire_time(at),
        "valid_until": write_wire_time(at + timedelta(days=30)),
        "confidence": 85,
        "extensions": {
            DNS_THREAT: {
                "extension_type": "property-extension",
                "threat_type": "phishing",
                "match_scope": "subtree",
                "registrar": {"name": REGISTRARS[registrar], "iana_id": registrar},
                "registration": {"created": write_wire_time(at)},
            }
        },
    }


def contact(registrar: int, at: datetime) -> dict[str, Any]:
    """Whom to write to at a registrar, as somebody says who has done so before."""
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": f"identity--{uuid.uuid4()}",
        "created": write_wire_time(at),
        "modified": write_wire_time(at),
        "name": REGISTRARS[registrar],
        "identity_class": "organization",
        "extensions": {
            DNS_OPERATOR: {
                "extension_type": "property-extension",
                "roles": ["registrar"],
                "iana_registrar_id": registrar,
                "abuse_contact": "abuse@registrar.example",
            }
        },
    }


def write_bundle(folder: Path, values: Iterable[dict[str, Any]]) -> Path:
    """Write a bundle as a bank's desk does."""
    file = folder / f"{uuid.uuid4()}.json"
    bundle = {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": list(values)}
    file.write_text(json.dumps(bundle))
    return file


@pytest.mark.timeout(400)
@pytest.mark.long
def test_a_burst_at_one_registrar_is_told_and_the_registrar_sees_its_own_names(
    tmp_path: Path,
) -> None:
    names: dict[int, set[str]] = {registrar: set() for registrar in REGISTRARS}
    with (
        MovedClock(tmp_path / "clock") as clock,
        organisations(tmp_path, "bank", "hub") as (bank, hub),
    ):
        start_all(bank, hub)
        acquaint(bank, hub)
        clock.take_over(bank, hub)

        def week(number: int, more: int) -> None:
            """The bank reports what it saw in a week, and the hub hears of it by itself."""
            found = []
            for registrar in names:
                count = A_WEEK + (more if registrar == TARGET else 0)
                made = {f"login-{registrar}-{number}-{n}.com" for n in range(count)}
                found += [phishing(name, registrar, clock.now()) for name in sorted(made)]
                names[registrar] |= made
            if number == 0:
                found.append(contact(TARGET, clock.now()))
            told = bank.run("publish", write_bundle(tmp_path, found), "--tlp", "green")
            assert told["refused"] == []
            every = sum(map(len, names.values()))
            until(
                lambda: hub.run("concentration", "--days", 365)["names"] == every,
                f"the hub counts the names of week {number}",
                120,
            )

        for number in range(WEEKS):
            week(number, 0)
            clock.move(weeks=1)
        assert open_alarms(hub, "CONCENTRATION") == []
        week(WEEKS, BURST)

        # Shares are looked at once a day.
        hub.stop()
        clock.move(days=1, minutes=1)
        start_all(hub)
        alarm = wait_alarm(hub, "CONCENTRATION")
        told = {name: alarm["params"][name] for name in ("iana_id", "threat_type", "names", "of")}
        assert told == {
            "iana_id": TARGET, "threat_type": "phishing",
            "names": A_WEEK + BURST, "of": 3 * A_WEEK + BURST,
        }  # fmt: skip
        assert len(open_alarms(hub, "CONCENTRATION")) == 1

        first = hub.run("concentration", "--threat-type", "phishing", "--days", 7)["rows"][0]
        assert (first["key"], first["name"]) == (str(TARGET), "Demo Registrar")
        view = hub.run("concentration", "--registrar", TARGET)
        assert view["names"] == len(names[TARGET])
        assert [(each["contact"], each["own"]) for each in view["contacts"]] == [
            ("abuse@registrar.example", False)
        ]
        the_registrar_reads_its_own_names(hub, names)


def test_a_registrar_without_a_node_reads_its_own_names_and_the_hub_knows_whom_to_tell(
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    names = {
        registrar: {f"login-{registrar}-{n}.com" for n in range(A_WEEK)} for registrar in REGISTRARS
    }
    names[TARGET] |= {f"burst-{n}.com" for n in range(BURST)}
    found = [phishing(name, which, now) for which, some in names.items() for name in sorted(some)]
    with organisations(tmp_path, "hub") as (hub,):
        start_all(hub)
        bundle = write_bundle(tmp_path, [*found, contact(TARGET, now)])
        assert hub.run("publish", bundle, "--tlp", "green")["refused"] == []
        until(lambda: hub.run("concentration")["names"] == len(found), "the names are counted")
        first = hub.run("concentration", "--threat-type", "phishing", "--days", 7)["rows"][0]
        assert (first["key"], first["names"]) == (str(TARGET), A_WEEK + BURST)
        view = hub.run("concentration", "--registrar", TARGET)
        assert [each["contact"] for each in view["contacts"]] == ["abuse@registrar.example"]
        the_registrar_reads_its_own_names(hub, names)
        assert open_alarms(hub, "CONCENTRATION") == [], "without a past there is no alarm"


def the_registrar_reads_its_own_names(hub: Tocsin, names: dict[int, set[str]]) -> None:
    """A registrar without a node has a token for a view of its own, and of nothing else."""
    token = give_view(hub, TARGET)
    assert read_names(hub, token, f"r{TARGET}") == names[TARGET]
    for other in ("originals", "r9990"):
        assert ask(hub, token, other).status == 404


def give_view(hub: Tocsin, registrar: int) -> str:
    """Make a registrar's view and a token for it."""
    alias = f"r{registrar}"
    select = ("--select", f"registrar={registrar}")
    hub.run("collection", "add", f"Registrar {registrar}", "--alias", alias, *select)
    token = hub.run("token", "add", alias, "--kind", "subscriber", "--max-tlp", "green")["token"]
    hub.run("collection", "grant", alias, alias, "--read")
    return str(token)


def ask(hub: Tocsin, token: str, alias: str) -> Any:
    """Ask for a collection's objects as a TAXII client does."""
    return hub.get(
        f"/taxii2/intel/collections/{alias}/objects/",
        {"Accept": TAXII, "Authorization": f"Bearer {token}"},
    )


def read_names(hub: Tocsin, token: str, alias: str) -> set[str]:
    """The names of all indicators that a collection shows."""
    answer = ask(hub, token, alias)
    assert answer.status == 200
    assert not answer.document.get("more")
    found = answer.document.get("objects", ())
    return {value["name"] for value in found if value["type"] == "indicator"}


def test_the_bundle_of_2009_names_the_registrar_and_whom_to_tell(tmp_path: Path) -> None:
    bundle = shared_path("stix/avalanche.json")
    with organisations(tmp_path, "cert") as (cert,):
        start_all(cert)
        assert cert.run("publish", bundle, "--tlp", "green")["refused"] == []
        view = until(
            lambda: (
                found
                if (found := cert.run("concentration", "--registrar", DEMO))["names"]
                else None
            ),
            "its names are counted",
        )
        assert (view["name"], view["names"], view["share"]) == ("Demo Registrar", 3, 1.0)
        assert [each["contact"] for each in view["contacts"]] == ["abuse@registrar.example"]
        token = give_view(cert, DEMO)
        assert read_names(cert, token, f"r{DEMO}") == {
            "www.melio823mn.com", "www.musicparadice.com", "www.somy-sony.com",
        }  # fmt: skip
