"""Domain sets: each registry its own names and no other, one list in one version, changes small."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta

import pytest

from federation.errors import SharingRefused
from hub.exchange.publish_sets import SetRequest, publish_sets
from hub.exchange.restrict import restrict_object
from hub.exchange.set_drafts import SetWords
from hub.exchange.set_parts import Recipients
from hub.exchange.withdraw import withdraw_object
from hub.peers.trust import PeerChanges, set_peer
from hub.storage.queries.blobs import blob_bytes
from hub.storage.queries.domain_sets import list_sets
from hub.storage.queries.objects import claims_of
from schemas.dns.domain_sets import SetLine, read_list
from schemas.dns.extensions import DNS_BATCH
from schemas.identifiers import read_b64
from schemas.markings import Tlp
from tests.support.joined_nodes import direct, sync
from tests.support.nodes import NOW, FixedClock, make_node, peer_of
from tests.support.publications import Author, join
from tests.support.stored_state import check_invariants, rows_of

GRANTED = {"cc": ("zone:cc.",), "ws": ("zone:ws.",)}
NAMES = ("a.cc", "b.cc", "c.ws", "d.biz")
WORDS = SetWords(
    family="conficker",
    variant="b",
    threat_type="dga",
    match_scope="subtree",
    requested_actions=("registry-block",),
    confidence=90,
    valid_from=NOW,
    valid_until=NOW + timedelta(days=90),
    lasting=True,
)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def cert(tmp_path, clock):
    made = make_node(tmp_path, "cert", clock)
    yield made
    check_invariants(made)
    made.database.close()


class Others(dict):
    """Peers of the CERT, each made when a test first names it."""

    def __init__(self, folder, clock, cert):
        self.made_in, self.clock, self.cert = folder, clock, cert

    def __missing__(self, name):
        node = make_node(self.made_in, name, self.clock)
        join(self.cert, node, name=name, authority=GRANTED.get(name, ()))
        join(node, self.cert)
        self[name] = node
        return node


@pytest.fixture
def others(tmp_path, clock, cert):
    """Registries, two of which were granted their TLD, and operators of resolvers."""
    made = Others(tmp_path, clock, cert)
    yield made
    for node in made.values():
        check_invariants(node)
        node.database.close()


def lines_of(*names):
    return [SetLine(name) for name in names]


def words(clock, **changes):
    values = {name: getattr(WORDS, name) for name in WORDS.__slots__}
    values |= {"valid_from": clock.at, "valid_until": clock.at + timedelta(days=90)}
    return SetWords(**values | changes)


def publish(node, *names, tlp=Tlp.AMBER, split=False, said=None, dry_run=False, **to):
    lines = lines_of(*names) if not names or isinstance(names[0], str) else list(names)
    recipients = Recipients(**to)
    request = SetRequest(lines, said or words(node.clock), tlp, recipients, split, dry_run)
    return publish_sets(node, request)


def peers(cert, others, *names):
    return tuple(peer_of(cert, others[name]) for name in names)


def sets_at(node):
    with node.database.read() as tx:
        return list_sets(tx)


def names_in(node, sha256, *, dated=False):
    with node.database.read() as tx:
        return [line.name for line in read_list(blob_bytes(tx, sha256), dated=dated)]


def said_of(node, stix_id):
    """What the newest version of a grouping says."""
    with node.database.read() as tx:
        newest = claims_of(tx, [stix_id])[stix_id][-1].object_row
    (row,) = rows_of(node, f"SELECT content FROM objects WHERE object_row = {newest}")
    return json.loads(row["content"])


def test_each_registry_gets_its_own_part_and_no_other(cert, others):
    to = peers(cert, others, "cc", "ws", "dns")
    done = publish(cert, *NAMES, split=True, to=to)
    assert {s.tld: (s.state, s.names) for s in done.sets} == {
        "cc": ("new", 2),
        "ws": ("new", 1),
        None: ("new", 4),
    }
    assert done.left_over == ("biz",)
    for name, tld, got in (
        ("cc", "cc", ["a.cc", "b.cc"]),
        ("ws", "ws", ["c.ws"]),
        ("dns", None, sorted(NAMES)),
    ):
        sync(cert, others[name], direct(others[name]))
        (held,) = sets_at(others[name])
        assert (held.row.tld, held.row.state, held.object_state) == (tld, "waits", "accepted")
        assert names_in(cert, held.row.sha256) == got
        assert all(other not in said_of(others[name], held.stix_id) for other in NAMES)


def test_an_own_set_has_its_list_at_once(cert, others):
    publish(cert, *NAMES, to=peers(cert, others, "dns"))
    (own,) = sets_at(cert)
    assert (own.row.state, own.blob_state, own.origin) == ("held", "held", cert.node_id)


def test_the_tlds_said_here_count_and_those_that_a_peer_says_do_not(tmp_path, cert, clock):
    registry = make_node(tmp_path, "reg", clock, profile={"roles": ["registry"]})
    peer = join(cert, registry, name="reg")
    join(registry, cert)
    sync(registry, cert, "clear")  # by now it is known what it says of itself
    with pytest.raises(SharingRefused) as refused:
        publish(cert, *NAMES, split=True, to=(peer,))
    assert refused.value.code == "E_SET_TLDS"
    assert not sets_at(cert)
    said = publish(cert, *NAMES, split=True, to=(peer,), tlds={peer.node_id: ("biz", "org")})
    assert [s.tld for s in said.sets] == ["biz"]
    whole = publish(cert, *NAMES, split=True, whole=(peer,))
    assert [(s.tld, s.names) for s in whole.sets] == [(None, 4)]
    registry.database.close()


def test_who_has_no_name_in_its_tlds_is_told(cert, others):
    done = publish(cert, "d.biz", split=True, to=peers(cert, others, "cc"))
    assert (done.sets, done.idle, done.left_over) == ((), ("cc",), ("biz",))


def test_the_grouping_is_as_the_story_has_it(cert, others):
    (done,) = publish(cert, *NAMES, to=peers(cert, others, "dns")).sets
    value = said_of(cert, done.stix_id)
    facts = value["extensions"][DNS_BATCH]
    assert value["object_marking_refs"] == [Tlp.AMBER.marking_id]
    assert (value["labels"], value["confidence"]) == (["dga", "conficker"], 90)
    assert facts["hashes"] == {"SHA-256": done.sha256}
    assert (facts["domain_count"], facts["encoding"]) == (4, "gzip")
    assert facts["requested_actions"] == ["registry-block"]
    assert "url" not in facts
    (malware,) = value["object_refs"]
    assert said_of(cert, malware)["name"] == "conficker.b"


def test_a_list_of_no_malware_refers_to_its_author(cert, others):
    said = words(cert.clock, family="shop-fakes", variant=None, threat_type="phishing")
    (done,) = publish(cert, *NAMES, said=said, to=peers(cert, others, "dns")).sets
    assert said_of(cert, done.stix_id)["object_refs"] == [cert.identity]


def test_the_same_names_again_publish_nothing(cert, others, clock):
    to = peers(cert, others, "cc", "dns")
    first = publish(cert, *NAMES, split=True, to=to)
    clock.advance(days=30)
    again = publish(cert, *reversed(NAMES), split=True, to=to)
    assert [s.state for s in again.sets] == ["unchanged", "unchanged"]
    assert [s.entries for s in again.sets] == [0, 0]
    assert [s.stix_id for s in again.sets] == [s.stix_id for s in first.sets]


def test_a_validity_is_renewed_when_half_of_it_is_over(cert, others, clock):
    to = peers(cert, others, "dns")
    (first,) = publish(cert, *NAMES, to=to).sets
    clock.advance(days=46)
    (again,) = publish(cert, *NAMES, to=to).sets
    assert (again.state, again.stix_id) == ("changed", first.stix_id)
    facts = said_of(cert, again.stix_id)["extensions"][DNS_BATCH]
    assert facts["valid_from"].startswith("2026-03-01")  # it began then
    assert "delta" not in facts


def test_one_peer_more_gets_the_very_same_object(cert, others):
    (first,) = publish(cert, *NAMES, to=peers(cert, others, "dns")).sets
    (again,) = publish(cert, *NAMES, to=peers(cert, others, "dns", "xx")).sets
    assert (again.state, again.entries, again.stix_id) == ("unchanged", 1, first.stix_id)
    sync(cert, others["xx"], direct(others["xx"]))
    assert [held.row.sha256 for held in sets_at(others["xx"])] == [first.sha256]


def test_a_change_is_a_new_version_with_a_small_delta(cert, others, clock):
    many = [f"{random.Random(n).getrandbits(60):x}.cc" for n in range(1500)]
    to = peers(cert, others, "dns")
    (first,) = publish(cert, *many, to=to).sets
    clock.advance(days=1)
    (second,) = publish(cert, *many[5:], "new.cc", to=to).sets
    assert (second.state, second.stix_id) == ("changed", first.stix_id)
    assert (second.added, second.removed) == (1, 5)
    assert second.delta_size < second.size / 20
    delta = said_of(cert, second.stix_id)["extensions"][DNS_BATCH]["delta"]
    assert delta["base_sha256"] == first.sha256
    assert names_in(cert, delta["added"]) == ["new.cc"]
    assert names_in(cert, delta["removed"]) == sorted(many[:5])
    sync(cert, others["dns"], direct(others["dns"]))
    newest = sets_at(others["dns"])[-1].row
    assert (newest.base_sha256, newest.added_sha256) == (first.sha256, delta["added"])


@pytest.mark.parametrize(
    ("asked", "said", "pap"),
    [
        (("registry-block",), None, "green"),
        (("monitor",), None, None),
        (("monitor", "block-nxdomain"), "red", "red"),
        ((), None, None),
    ],
)
def test_who_asks_for_a_block_permits_it_unless_he_says_otherwise(
    cert, others, clock, asked, said, pap
):
    request = SetRequest(
        lines_of("a.cc"),
        words(clock, requested_actions=asked),
        Tlp.AMBER,
        Recipients(to=peers(cert, others, "cc")),
        pap=said,
    )
    publish_sets(cert, request)
    (record,) = rows_of(
        cert,
        "SELECT record FROM entries e JOIN feeds f ON f.feed_row = e.feed_row"
        " WHERE f.audience LIKE 'd-%' AND kind = 'put'",
    )
    payload = json.loads(read_b64(json.loads(record["record"])["dsse"]["payload"]))
    assert payload["policy"].get("pap") == pap


def test_a_list_that_is_all_new_is_no_delta(cert, others, clock):
    to = peers(cert, others, "dns")
    publish(cert, "a.cc", "b.cc", to=to)
    clock.advance(days=1)
    (second,) = publish(cert, "c.cc", "d.cc", to=to).sets
    assert (second.state, second.added, second.removed) == ("changed", 2, 2)
    assert second.delta_size is None


def test_days_are_days_of_the_list(cert, others):
    first = date(2026, 3, 1)
    dated = [SetLine("a.cc", first, first), SetLine("b.cc", first, date(2026, 3, 7))]
    said = words(cert.clock, lasting=False, valid_until=datetime(2026, 3, 8, tzinfo=UTC))
    (done,) = publish(cert, *dated, said=said, to=peers(cert, others, "dns")).sets
    facts = said_of(cert, done.stix_id)["extensions"][DNS_BATCH]
    assert facts["canonical_form"] == "a-label-dates-lf-sorted"
    assert sets_at(cert)[0].row.dated
    assert names_in(cert, done.sha256, dated=True) == ["a.cc", "b.cc"]
    cert.clock.advance(days=3)
    (again,) = publish(cert, *dated, said=said, to=peers(cert, others, "dns")).sets
    assert again.state == "unchanged"


def test_a_dry_run_stores_nothing(cert, others):
    to = peers(cert, others, "cc", "dns")
    done = publish(cert, *NAMES, split=True, to=to, dry_run=True)
    assert [(s.tld, s.names) for s in done.sets] == [("cc", 2), (None, 4)]
    assert [[line.name for line in s.audience] for s in done.sets] == [["cc"], ["dns"]]
    assert not sets_at(cert)
    assert rows_of(cert, "SELECT count(*) AS n FROM blobs")[0]["n"] == 0


def test_what_a_peer_may_not_have_stops_all_before_anything_is_kept(cert, others):
    set_peer(cert, peer_of(cert, others["ws"]), PeerChanges(trust="known"))
    with pytest.raises(SharingRefused) as refused:
        publish(cert, *NAMES, split=True, to=peers(cert, others, "cc", "ws"))
    assert refused.value.code == "E_AUDIENCE_REFUSED"
    with pytest.raises(SharingRefused) as nobody:
        publish(cert, *NAMES)
    assert nobody.value.code == "E_NOBODY"
    with pytest.raises(SharingRefused) as red:
        publish(cert, *NAMES, tlp=Tlp.RED, to=peers(cert, others, "cc"))
    assert red.value.code == "E_RED_UNSUPPORTED"
    assert rows_of(cert, "SELECT count(*) AS n FROM blobs")[0]["n"] == 0


def test_a_live_set_is_not_given_another_label(cert, others):
    (first,) = publish(cert, *NAMES, to=peers(cert, others, "dns")).sets
    with pytest.raises(SharingRefused) as refused:
        publish(cert, *NAMES, tlp=Tlp.GREEN)
    assert refused.value.code == "E_LABEL_LIVE"
    withdraw_object(cert, first.stix_id, "wider now")
    (second,) = publish(cert, *NAMES, tlp=Tlp.GREEN).sets
    assert second.state == "new"
    assert second.stix_id != first.stix_id


def test_restricted_it_goes_on_at_the_stricter_label(cert, others, clock):
    (first,) = publish(cert, *NAMES, tlp=Tlp.GREEN).sets
    restrict_object(cert, first.stix_id, Tlp.AMBER)
    clock.advance(minutes=1)
    (second,) = publish(cert, *NAMES, to=peers(cert, others, "dns")).sets
    assert (second.stix_id, second.state, second.refused) == (first.stix_id, "changed", ())
    for audience in ("green", direct(others["dns"])):
        sync(cert, others["dns"], audience)
    assert sets_at(others["dns"])[-1].object_state == "accepted"


def test_withdrawn_it_is_a_set_no_more(cert, others):
    (done,) = publish(cert, *NAMES, to=peers(cert, others, "dns")).sets
    withdraw_object(cert, done.stix_id, "false positives")
    sync(cert, others["dns"], direct(others["dns"]))
    assert [held.object_state for held in sets_at(others["dns"])] == ["withdrawn"]


def test_everybody_gets_each_tld_of_an_open_set(cert, others):
    peers(cert, others, "cc", "dns")
    done = publish(cert, *NAMES, tlp=Tlp.GREEN, split=True)
    assert [s.tld for s in done.sets] == ["biz", "cc", "ws"]
    assert all(len(s.audience) == len(others) for s in done.sets)


def grouping(**facts):
    extension = {"extension_type": "property-extension"} | facts
    return {
        "type": "grouping",
        "spec_version": "2.1",
        "id": "grouping--46fe70b0-698b-547b-8951-76f66522aa6a",
        "created": "2026-03-01T09:00:00.000Z",
        "modified": "2026-03-01T09:00:00.000Z",
        "context": "suspicious-activity",
        "object_marking_refs": [Tlp.CLEAR.marking_id],
        "extensions": {DNS_BATCH: extension},
    }


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"domain_count": 0, "hashes": {"SHA-256": "0" * 64}}, None),
        ({"domain_count": 3, "hashes": {"SHA-256": "x"}}, None),
        ({"domain_count": 3, "hashes": {"SHA-256": "0" * 64}}, ("waits", None)),
        (
            {"domain_count": 3, "hashes": {"SHA-256": "0" * 64}, "canonical_form": "other"},
            ("refused", "E_SET_FORM"),
        ),
        (
            {"domain_count": 3, "hashes": {"SHA-256": "0" * 64}, "family": "nul\0" * 200},
            ("waits", None),
        ),
    ],
)
def test_a_malformed_set_is_rejected_and_a_foreign_form_noted(cert, facts, state):
    author = Author()
    author.meets(cert)
    author.put("clear", grouping(**facts) | {"object_refs": [author.identity]})
    assert author.deliver(cert, "clear").error is None
    noted = [(held.row.state, held.row.code) for held in sets_at(cert)]
    assert noted == ([] if state is None else [state])
    if state is None:
        (entry,) = rows_of(cert, "SELECT code FROM entries WHERE state = 'rejected'")
        assert entry["code"] == "E_SCHEMA"
