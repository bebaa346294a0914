"""Which protected names a block would hit."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import pytest

from hub.node import Node
from hub.verdicts.guard_lists import ALONE, BELOW, GUARD_CODES, WHEEL_LISTS, Listed, read_wheel_list
from hub.verdicts.guard_names import add_guard, import_guards, remove_guard
from hub.verdicts.guard_words import guard_sentence
from hub.verdicts.guards import GuardHit, Guards, load_guards
from schemas.dns.names import is_public_suffix
from tests.house.sources import read_text
from tests.support.nodes import make_node
from tests.support.shared_data import shared_path


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    return make_node(tmp_path_factory.mktemp("guards"), "cert")


@pytest.fixture(scope="module")
def guards(node: Node) -> Guards:
    with node.database.read() as tx:
        return load_guards(tx, node)


def stops(guards: Guards, name: str, scope: str = "exact") -> set[str]:
    return {hit.code for hit in guards.hits(name, scope) if hit.grade != "warn"}


def grades(guards: Guards, name: str, scope: str = "exact") -> set[str]:
    return {hit.grade for hit in guards.hits(name, scope)}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("com", "GUARD_TLD"),
        ("no-such-tld-yet", "GUARD_TLD"),
        ("co.uk", "GUARD_PUBLIC_SUFFIX"),
        ("anything.ck", "GUARD_PUBLIC_SUFFIX"),
        ("xn--55qx5d.cn", "GUARD_PUBLIC_SUFFIX"),  # written in Chinese on the list
        ("duckdns.org", "GUARD_SHARED_SUFFIX"),
        ("google.com", "GUARD_CRITICAL"),
        ("m.root-servers.net", "GUARD_NAME_SERVER"),
        ("dns.google", "GUARD_RESOLVER"),
        ("sinkhole.cert.pl", "GUARD_SINKHOLE"),
        ("localhost", "GUARD_SPECIAL_USE"),
    ],
)
def test_every_kind_of_protected_name_is_known_without_the_extra(
    guards: Guards, name: str, code: str
) -> None:
    assert code in stops(guards, name)


@pytest.mark.parametrize(
    "name",
    [
        "evil-google.com",
        "google.com.evil.example",
        "xgoogle.com",
        "notroot-servers.net",
        "evil.co.uk",
        "evil.duckdns.org",
        "www.ck",  # the list excepts it
        "login-bank.example",
    ],
)
def test_names_are_compared_label_by_label(guards: Guards, name: str) -> None:
    assert stops(guards, name) == set()


def test_a_block_that_reaches_below_meets_what_is_protected_below() -> None:
    guards = Guards.of([("www.bank.example", Listed("refuse", "GUARD_OWN_LIST", "own", ALONE))])
    (hit,) = guards.hits("bank.example", "subtree")
    assert (hit.how, hit.matched) == ("above", "www.bank.example")
    assert guards.hits("bank.example", "wildcard-only") == guards.hits("bank.example", "subtree")
    assert guards.hits("bank.example", "exact") == ()
    assert guards.hits("other.bank.example", "subtree") == ()


def test_a_list_protects_a_name_alone_or_with_all_below() -> None:
    guards = Guards.of(
        [
            ("alone.example", Listed("refuse", "GUARD_OWN_LIST", "a", ALONE)),
            ("all.example", Listed("hold", "GUARD_OWN_LIST", "b", BELOW)),
        ]
    )
    assert grades(guards, "alone.example") == {"refuse"}
    assert grades(guards, "x.alone.example") == set()
    assert grades(guards, "all.example") == {"hold"}
    (hit,) = guards.hits("y.x.all.example", "exact")
    assert (hit.how, hit.matched) == ("below", "all.example")


def test_the_strongest_guard_below_is_the_one_that_is_told() -> None:
    guards = Guards.of(
        [
            ("a.zone.example", Listed("hold", "GUARD_OWN_LIST", "weak", ALONE)),
            ("b.zone.example", Listed("refuse", "GUARD_OWN_LIST", "firm", ALONE)),
        ]
    )
    (hit,) = guards.hits("zone.example", "subtree")
    assert (hit.grade, hit.matched) == ("refuse", "b.zone.example")


def test_below_a_large_provider_a_person_decides(guards: Guards) -> None:
    assert grades(guards, "kit.google.com") == {"hold"}


def test_every_public_suffix_is_guarded_like_the_library_reads_the_list(guards: Guards) -> None:
    """Our reading keeps the two sections apart; it must not lose a rule on the way."""
    for name in ("com", "co.uk", "k12.ca.us", "city.kawasaki.jp", "github.io", "x.compute.estate"):
        assert bool(stops(guards, name) & {"GUARD_PUBLIC_SUFFIX", "GUARD_SHARED_SUFFIX"}) == (
            is_public_suffix(name)
        ), name


def test_the_own_zone_is_refused_with_all_below(guards: Guards) -> None:
    assert "GUARD_MEMBER" in stops(guards, "cert.example")
    assert "GUARD_MEMBER" in stops(guards, "www.cert.example")
    assert "GUARD_MEMBER" in stops(guards, "example", "subtree")


def test_a_change_of_an_own_list_counts_at_once(node: Node) -> None:
    def found(name: str) -> set[str]:
        with node.database.read() as tx:
            return {hit.list_name for hit in load_guards(tx, node).hits(name, "exact")}

    add_guard(node, "*.Customer.example", grade="hold", list_name="customers")
    assert found("mail.customer.example") == {"customers"}
    remove_guard(node, "customer.example", list_name="customers")
    assert found("mail.customer.example") == set()


def test_guards_are_built_once_while_nothing_changes(node: Node) -> None:
    with node.database.read() as tx:
        assert load_guards(tx, node) is load_guards(tx, node)


def test_an_import_takes_the_place_of_the_list(node: Node) -> None:
    first = b"one.example\n*.two.example\nhttp://not.example/a/name\n"
    report = import_guards(node, first, list_name="imported", below=False)
    assert (report.taken, len(report.skipped)) == (2, 1)
    import_guards(node, b"two.example\n", list_name="imported", below=False)
    with node.database.read() as tx:
        guards = load_guards(tx, node)
    assert stops(guards, "one.example") == set()
    assert stops(guards, "two.example") == {"GUARD_OWN_LIST"}
    assert stops(guards, "x.two.example") == set()


@pytest.mark.parametrize("code", sorted(GUARD_CODES))
def test_every_kind_has_its_words_and_its_row(code: str) -> None:
    sentence = guard_sentence(GuardHit("hold", code, "a list", "a.example", "exact", None), "x")
    assert code not in sentence
    assert f"| `{code}` |" in read_text("docs/guards.md")


def lay_out_wheel(where: Path, lists: dict[str, object]) -> None:
    """An installed extra as its wheel lays it out, with code that must never run."""
    package = where / "pymispwarninglists"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('its object model takes 354 MB')")
    for name, content in lists.items():
        file = package / "data/misp-warninglists/lists" / name / "list.json"
        file.parent.mkdir(parents=True)
        file.write_bytes(orjson.dumps(content))


def test_lists_of_the_extra_are_read_as_plain_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = {
        "bank-website": {"list": [".bank.example", "Plain-Bank.example", "not a name", 7]},
        "tranco10k": {"list": ["popular.example"]},
        "cisco_top1000": ["another shape"],
    }
    lay_out_wheel(tmp_path, lists)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "pymispwarninglists", raising=False)
    guards = Guards.of(entry for wheel in WHEEL_LISTS for entry in read_wheel_list(wheel))
    assert grades(guards, "bank.example") == {"refuse"}
    assert grades(guards, "login.bank.example") == {"refuse"}
    assert grades(guards, "plain-bank.example") == {"refuse"}
    assert grades(guards, "popular.example") == {"hold"}
    assert grades(guards, "phishing.popular.example") == set()
    assert "pymispwarninglists" not in sys.modules


def test_the_real_lists_guard_real_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = {
        name: orjson.loads((shared_path("data/warninglists") / name / "list.json").read_bytes())
        for name in ("cisco_top20k", "dynamic-dns", "public-dns-hostname", "tranco10k")
    }
    lay_out_wheel(tmp_path, real)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    guards = Guards.of(entry for wheel in WHEEL_LISTS for entry in read_wheel_list(wheel))
    every = [text for text in real["tranco10k"]["list"] if "." in text]
    missed = [name for name in every if not stops(guards, name.lower())]
    assert len(every) > 9_000
    assert missed == []
