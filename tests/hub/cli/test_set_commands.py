"""``tocsin set``: lists go out by registry, come back as names, and a person may stand for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hub.cli.conftest import Tocsin
from tests.support.nodes import make_node
from tests.support.publications import join

NAMES = "b.cc\nA.cc\nc.ws\n*.d.ws\nhttp://x.biz/y\n# c\n\nco.uk\na.cc\n"


@pytest.fixture
def names(tmp_path: Path) -> Path:
    file = tmp_path / "names.txt"
    file.write_text(NAMES)
    return file


@pytest.fixture
def peers(tocsin: Tocsin, tmp_path: Path) -> None:
    """A registry of .cc and a resolver operator, which nobody can reach from here."""
    node = tocsin.node()
    for name, authority in (("registry", ("zone:cc.",)), ("resolver", ())):
        other = make_node(tmp_path, name)
        join(node, other, name=name, authority=authority)
        other.database.close()
    node.database.close()


def publish(tocsin: Tocsin, names: Path, *words: str, code: int = 0):
    said = ("--family", "conficker", "--variant", "b", "--tlp", "green", *words)
    return tocsin.json("set", "publish", str(names), *said, code=code)


def test_a_list_goes_out_and_nothing_of_the_input_is_lost(tocsin: Tocsin, names: Path) -> None:
    done = publish(tocsin, names)
    (made,) = done["sets"]
    assert (made["tld"], made["state"], made["names"]) == (None, "new", 4)
    read = done["import"]
    assert (read["total"], read["taken"], read["comments"], read["blanks"]) == (9, 4, 1, 1)
    assert read["skipped"] == {"E_NAME_URL": 1, "E_NAME_SUFFIX": 1, "E_NAME_DUPLICATE": 1}
    (listed,) = tocsin.json("set", "list")
    assert (listed["id"], listed["own"], listed["state"]) == (made["stix_id"], True, "held")
    assert publish(tocsin, names)["sets"][0]["state"] == "unchanged"


@pytest.mark.usefixtures("peers")
def test_each_registry_its_part_and_the_table_says_so(tocsin, names) -> None:
    words = ("--split-by", "tld", "--to", "registry", "--to", "resolver", "--dry-run")
    done = publish(tocsin, names, *words)
    got = {(line["name"], s["tld"]): s["names"] for s in done["sets"] for line in s["audience"]}
    assert got == {("registry", "cc"): 2, ("resolver", None): 4}
    assert done["left_over"] == ["ws"]
    assert tocsin.json("set", "list") == []
    said = tocsin("set", "publish", str(names), "--family", "f", "--tlp", "green", *words)
    assert "Nobody was named for: .ws." in said.stderr
    assert ".cc" in said.stdout


@pytest.mark.usefixtures("peers")
def test_for_and_whole_say_it_outright(tocsin, names) -> None:
    words = ("--split-by", "tld", "--for", "registry=ws,biz", "--whole", "resolver", "--dry-run")
    done = publish(tocsin, names, *words)
    assert [(s["tld"], s["names"]) for s in done["sets"]] == [("ws", 2), (None, 4)]
    for wrong in (
        ("--for", "registry=cc"),
        ("--split-by", "tld", "--for", "registry"),
        ("--split-by", "tld", "--for", "registry=co.uk"),
        ("--split-by", "tld", "--for", "registry=cc", "--whole", "registry"),
        ("--valid-days", "3", "--valid-until", "2030-01-01"),
        ("--valid-from", "2030-01-02", "--valid-until", "2030-01-01"),
    ):
        assert publish(tocsin, names, *wrong, code=2)["error"]["code"] == "E_USAGE"


def test_names_come_out_again_also_those_of_one_day(tocsin, names, tmp_path) -> None:
    days = tmp_path / "days.csv"
    days.write_text(
        "name,first,last\na.cc,2026-04-01,2026-04-02\nA.cc,2026-05-01\nb.cc,2026-04-02\n"
        "zz.cc,2026-04-01\nd.ws,soon\n"
    )
    done = publish(tocsin, names, "--dates", str(days))
    assert done["import"]["skipped"]["E_SET_UNDATED"] == 2
    assert (done["dates"]["taken"], done["dates"]["skipped"]) == (4, {"E_SET_DATES": 1})
    assert done["unlisted"] == 1
    digest = done["sets"][0]["sha256"]
    shown = tocsin.json("set", "show", digest[:8])
    assert (shown["valid_from"][:10], shown["valid_until"][:10]) == ("2026-04-01", "2026-05-02")
    assert (shown["dated"], shown["names"]) == (True, 3)
    assert tocsin.json("set", "names", digest[:12])["lines"] == ["a.cc", "b.cc"]
    assert tocsin("set", "names", digest, "--on", "2026-05-01").stdout == "a.cc\n"
    file = tmp_path / "block.txt"
    tocsin.json("set", "names", shown["id"], "--on", "2026-04-02", "-o", str(file))
    assert file.read_text() == "a.cc\nb.cc\n"


def test_a_set_without_days_counts_on_the_days_of_its_validity(tocsin, names) -> None:
    done = publish(tocsin, names, "--valid-from", "2026-04-01", "--valid-until", "2026-04-03")
    digest = done["sets"][0]["sha256"]
    found = [
        tocsin.json("set", "names", digest, "--on", f"2026-{day}")["names"]
        for day in ("03-31", "04-01", "04-02", "04-03")
    ]
    assert found == [0, 4, 4, 0]


def test_exact_names_take_no_wildcard(tocsin, names) -> None:
    done = publish(tocsin, names, "--match-scope", "exact")
    assert (done["names"], done["import"]["skipped"]["E_SET_SCOPE"]) == (3, 1)


def test_a_person_may_stand_for_a_list(tocsin, names) -> None:
    digest = publish(tocsin, names)["sets"][0]["sha256"]
    assert tocsin.refusal("set", "release", digest, "--reason", "r", code=1) == "E_SET_NOT_ADOPTED"
    adopted = tocsin.json("set", "adopt", digest, "--reason", "Looked at 50 of them.")
    assert (adopted["names"], adopted["adopted"]["sha256"]) == (4, digest)
    assert tocsin.json("set", "list")[0]["adopted"]
    assert tocsin.refusal("set", "adopt", digest, "--reason", "r", code=1) == "E_SET_ADOPTED"
    tocsin.json("set", "release", digest, "--reason", "Two were wrong.")
    assert not tocsin.json("set", "list")[0]["adopted"]
    tocsin.json("set", "adopt", digest, "--reason", "Put right.")
    events = json.dumps(tocsin.json("audit", "list"))
    for word in ("SET_ADOPTED", "SET_RELEASED", "Two were wrong."):
        assert word in events


def test_what_is_no_set_is_said(tocsin, names) -> None:
    assert tocsin.refusal("set", "show", "0" * 64, code=1) == "E_SET_UNKNOWN"
    assert tocsin.refusal("set", "names", "conficker", code=1) == "E_SET_UNKNOWN"
    names.write_text("nothing here\n")
    assert publish(tocsin, names, code=1)["error"]["code"] == "E_SET_BIG"
    names.write_text("one.cc\n")
    assert publish(tocsin, names, "--to", "nobody", code=1)["error"]["code"] == "E_PEER_UNKNOWN"


def test_people_see_tables(tocsin, names) -> None:
    said = tocsin("set", "publish", str(names), "--family", "conficker", "--tlp", "green")
    assert "Names: read 9, took 4 (1 changed), skipped 3, comments 1, blank 1." in said.stdout
    assert "all names" in said.stdout
    assert "conficker" in tocsin("set", "list").stdout
    (listed,) = tocsin.json("set", "list")
    shown = tocsin("set", "show", listed["id"]).stdout
    assert "state" in shown
    assert listed["sha256"] in shown
    result = tocsin("set", "names", listed["id"])
    assert result.stdout == "a.cc\nb.cc\nc.ws\nd.ws\n"
    assert result.stderr == "4 names of conficker.\n"
    assert "Adopted 4 names" in tocsin("set", "adopt", listed["id"], "--reason", "r").stdout
    assert "Released 4 names" in tocsin("set", "release", listed["id"], "--reason", "r").stdout
