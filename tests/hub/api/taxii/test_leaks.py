"""What a reader may not see does not exist for it (PROTOCOL 3.5; THREATS 3.1, 3.11).

Every address of the intel root, taken from the app itself, is asked by every kind of reader about
objects of every label, carried by one group, by another or by none. The same questions go to a
second hub from which everything hidden from that reader was left out: every answer has to be the
same, byte for byte, headers and dates included. So a new endpoint is in this test without anybody
remembering it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from hub.bootstrap import open_node
from hub.exchange.collections import VERDICTS_ID, add_collection, grant_collection
from hub.peers.groups import create_group
from hub.settings import load_settings
from schemas.markings import Tlp
from tests.hub.api.taxii.conftest import LATER, Intel, indicator, make_intel, open_intel, place
from tests.support.nodes import FixedClock

C, G, A, S, R = Tlp
EARLIER = "2026-03-01T09:00:00.500Z"


@dataclass(frozen=True)
class Thing:
    """An object of the world; its name is the needle."""

    name: str
    tlp: Tlp
    where: str = "originals"
    modified: str = "2026-03-01T09:00:01.000Z"
    by: str = "feeder"
    id_of: str = ""
    more: tuple[tuple[str, Any], ...] = ()
    picked: bool = False
    """Whether it matches the selection of the filtered collection ``picked``."""
    group: str = ""
    """The group whose feed carried it."""

    @property
    def value(self) -> Any:
        # What counts is inside: the id must not name the needle where two versions share it.
        labels = {"labels": ["dga", "phishing"] if self.picked else ["dga"]}
        named = {"name": self.name} | labels
        return indicator(self.id_of or self.name, self.tlp, self.modified) | named


WORLD = [
    Thing("red-1.example", R, picked=True),
    Thing("amber-strict-1.example", S, picked=True),
    Thing("clear-1.example", C, picked=True),
    Thing("www.bank.example", A, picked=True),
    Thing("green-1.example", G, picked=True),
    Thing("machine.example", R, more=(("machine", True),), picked=True),
    Thing("amber-1.example", A, picked=True),
    Thing("drill.example", C, more=(("exercise", True),), picked=True),
    Thing("waiting.example", C, more=(("state", "quarantined"),), picked=True),
    Thing("clear-2.example", C, picked=True),
    Thing("strict-version.example", S, modified=LATER, id_of="clear-2.example", picked=True),
    Thing("mail.bank.example", A),
    *[Thing(f"shared-{tlp.name.lower()}.example", tlp, "shared") for tlp in (R, S, A, G, C)],
    Thing("shared-strict-version.example", S, "shared", LATER, id_of="shared-clear.example"),
    *[Thing(f"secret-{tlp.name.lower()}.example", tlp, "secret") for tlp in (C, G, A)],
    Thing("strict-before.example", S, "shared", EARLIER, id_of="shared-green.example"),
    Thing("amber-before.example", A, modified=EARLIER, id_of="clear-3.example"),
    Thing("clear-3.example", C),
    Thing("green-2.example", G),
    Thing("shared-other.example", G, "shared", by="other-feeder", picked=True),
    Thing("banks-strict.example", S, group="banks"),
    Thing("hospitals-amber.example", A, group="hospitals", picked=True),
    Thing("banks-amber.example", A, group="banks"),
    Thing("hospitals-green.example", G, group="hospitals"),
]

GROUPS = ("banks", "hospitals")
READERS: dict[str, tuple[str, dict[str, Any], set[Tlp], set[Tlp]]] = {
    # name: kind, options, labels that it sees in originals, and in `shared`
    "public": ("public", {"originals": True}, {C}, {C}),
    "subscriber": ("subscriber", {"originals": True}, {C, G}, {C, G}),
    "constituent": ("constituent", {"originals": True}, {C, G}, {C, G}),
    "bank": ("constituent", {"originals": True, "zones": ["bank.example"]}, {C, G}, {C, G}),
    "own-green": ("own", {"originals": True, "max_tlp": G}, {C, G}, {C, G}),
    "own-amber": ("own", {"originals": True, "max_tlp": A}, {C, G, A}, {C, G, A}),
    "own": ("own", {"originals": True}, {C, G, A, S}, {C, G, A, S}),
    "own-red": ("own", {"originals": True, "max_tlp": R}, {C, G, A, S, R}, {C, G, A, S}),
    "without-originals": ("own", {}, set(), {C, G, A, S}),
    "ungranted": ("own", {"originals": True}, {C, G, A, S}, set()),
    "admin": ("admin", {"originals": True}, set(), set()),
    "feeder": ("writer", {"originals": True}, set(), set()),
    "producer": ("writer", {"max_tlp": G}, set(), {C, G}),
    "of-banks": ("subscriber", {"originals": True, "groups": ["banks"]}, {C, G}, {C, G}),
    "of-both": (
        "subscriber", {"originals": True, "groups": [*GROUPS], "max_tlp": A}, {C, G}, {C, G},
    ),
}  # fmt: skip
GRANTED_READ = set(READERS) - {"ungranted", "admin", "feeder"}
GRANTED_WRITE = {"feeder", "producer"}
GRANTED_PICKED = GRANTED_READ - {"producer"}


def is_visible(reader: str, thing: Thing) -> bool:
    """The rules of PROTOCOL 3.2 once more, by hand."""
    _, _, originals, shared = READERS[reader]
    if thing.where == "secret":
        return False
    if thing.where == "shared":
        return thing.tlp in shared
    more = dict(thing.more)
    if more.get("exercise") or more.get("state") == "quarantined":
        return False
    if thing.tlp is R and not more.get("machine"):
        return False
    options = READERS[reader][1]
    follows = thing.group in options.get("groups", ()) and thing.tlp <= options.get("max_tlp", S)
    touches = reader == "bank" and thing.tlp is A and thing.name.endswith(".bank.example")
    # In a filtered collection the clearance counts, and no leave to read originals is asked for.
    cleared = shared | originals if reader in GRANTED_PICKED else set()
    return thing.tlp in originals or touches or follows or (thing.picked and thing.tlp in cleared)


def fill(intel: Intel, things: list[Thing]) -> None:
    """Place what is in ``things``, in the order of the world, each a second after the other."""
    for thing in WORLD:
        intel.clock.advance(seconds=1)
        if thing not in things:
            continue
        if thing.where == "originals":
            more = dict(thing.more) | {"group": thing.group}
            place(intel.node, thing.value, tlp=thing.tlp, **more)
        else:
            answer = intel.post(thing.by, thing.where, thing.value)
            assert answer.json()["success_count"] == 1


def equip(intel: Intel) -> None:
    """Make collections, groups and readers, and nothing in them."""
    for alias in ("shared", "secret"):
        add_collection(intel.node, alias.title(), alias=alias)
    add_collection(intel.node, "Picked", alias="picked", select="threat_type=phishing")
    for name in GROUPS:
        create_group(intel.node, name)
    for name, (kind, options, _, _) in READERS.items():
        intel.add(name, kind, **options)
    intel.add("other-feeder", "writer")
    for name in GRANTED_READ:
        grant_collection(intel.node, "shared", name, can_read=True, can_write=name in GRANTED_WRITE)
    for name in GRANTED_PICKED:
        grant_collection(intel.node, "picked", name, can_read=True)
    for name, alias in (("feeder", "shared"), ("other-feeder", "shared"), ("feeder", "secret")):
        grant_collection(intel.node, alias, name, can_write=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Iterator[Intel]:
    """A hub with its readers and collections and nothing in them."""
    intel = make_intel(tmp_path_factory.mktemp("leaks"), FixedClock().at)
    equip(intel)
    yield intel
    intel.close()


def copy_of(base: Intel, home: Path) -> Intel:
    """The same hub once more: same keys, same tokens, its own database."""
    with base.node.database.write():  # nobody writes while the files are copied
        shutil.copytree(base.node.settings.home, home)
    clock = FixedClock(base.clock.at)
    node = open_node(load_settings(home, allow_loopback_peers=True), clock=clock)
    return open_intel(node, clock, base.tokens)


@pytest.fixture(scope="module")
def whole(base, tmp_path_factory) -> Iterator[Intel]:
    """The hub with everything in it."""
    intel = copy_of(base, tmp_path_factory.mktemp("whole") / "home")
    fill(intel, WORLD)
    yield intel
    intel.close()


@pytest.fixture
def narrow(base, tmp_path, reader) -> Iterator[Intel]:
    """The hub with only what the reader may see."""
    intel = copy_of(base, tmp_path / "home")
    fill(intel, [thing for thing in WORLD if is_visible(reader, thing)])
    yield intel
    intel.close()


IDS = sorted({thing.value["id"] for thing in WORLD})
COLLECTIONS = ["originals", VERDICTS_ID, "shared", "picked", "secret", "unknown"]
PARAMETERS = {
    "collection_id": COLLECTIONS,
    "object_id": IDS,
    "status_id": ["00000000-0000-4000-8000-000000000000"],
}
NOTHING_IN = {VERDICTS_ID, "unknown"}
"""Collections in which none of the world stands; there every fourth object is asked for."""
QUERIES = {
    "objects/": [
        "", "?limit=1", "?limit=2&match[version]=all",
        "?match[type]=indicator&match[version]=first",
        "?added_after=2026-03-01T10:00:05Z", "?match[id]=" + ",".join(IDS[::2]),
    ],
    "manifest/": ["", "?limit=3&match[version]=all"],
    "{object_id}/": ["?match[version]=all"],
}  # fmt: skip


def questions(intel: Intel) -> list[tuple[str, str]]:
    """Every method and address of the intel root, with every value for what is in braces."""
    asked = []
    for path, operations in intel.client.get("/api/v1/openapi.json").json()["paths"].items():
        if not path.startswith("/taxii2/intel/"):
            continue
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        queries = next((q for end, q in QUERIES.items() if path.endswith(end)), [""])
        for values in product(*(PARAMETERS[name] for name in names)):
            chosen_values = dict(zip(names, values, strict=True))
            of_nothing = chosen_values.get("collection_id") in NOTHING_IN
            if of_nothing and chosen_values.get("object_id", IDS[0]) not in IDS[::4]:
                continue
            address = path.format(**chosen_values)
            for method in operations:
                chosen = queries if method == "get" else [""]
                asked += [(method.upper(), address + query) for query in chosen]
    return asked


def ask(intel: Intel, reader: str, method: str, address: str) -> tuple[Any, ...]:
    """Ask, and follow ``next`` to the end; everything of each answer that goes over the wire."""
    answers: list[Any] = []
    separator = "&" if "?" in address else "?"
    following = ""
    while True:
        answer = intel.ask(
            reader, address + following, method, content=b"{}" if method == "POST" else None
        )
        answers.append((answer.status_code, tuple(sorted(answer.headers.items())), answer.content))
        page = answer.json() if method == "GET" and answer.status_code == 200 else {}
        if not page.get("more"):
            return tuple(answers)
        following = f"{separator}next={page['next']}"


def changes_nothing(reader: str, method: str, address: str) -> bool:
    """Leave out what would delete an object that the reader may delete."""
    visible = {t.value["id"] for t in WORLD if t.where == "shared" and is_visible(reader, t)}
    return method != "DELETE" or not any(stix_id in address for stix_id in visible)


@pytest.mark.parametrize("reader", READERS)
def test_every_answer_is_what_it_were_if_the_hidden_were_not_there(whole, narrow, reader):
    visible = {thing.name for thing in WORLD if is_visible(reader, thing)}
    hidden = {thing.name for thing in WORLD} - visible
    seen = set()
    asked = [q for q in questions(whole) if changes_nothing(reader, *q)]
    assert len(asked) > 200
    for method, address in asked:
        answers = ask(whole, reader, method, address)
        assert answers == ask(narrow, reader, method, address), (method, address)
        everything = repr(answers)
        leaked = {needle for needle in hidden if f'"name":"{needle}"' in everything}
        assert not leaked, (method, address)
        seen |= {needle for needle in visible if f'"name":"{needle}"' in everything}
    assert seen == visible


@pytest.mark.parametrize("reader", ["other-feeder", "producer", "own-red"])
def test_a_status_is_for_its_submitter_alone(base, reader):
    status = base.post("feeder", "secret", indicator("status.example")).json()
    assert base.ask("feeder", f"status/{status['id']}/").json() == status
    assert base.ask(reader, f"status/{status['id']}/").status_code == 404
