from __future__ import annotations

from datetime import timedelta

import pytest

from hub.cli.self_check import check_node
from hub.storage.queries.feeds import list_feeds
from hub.storage.tables.feeds import FEEDS
from tests.support.nodes import FixedClock, give_trust, make_node, pair, serving


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def node(tmp_path, clock):
    found = make_node(tmp_path, "cert", clock, base_url="https://hub.cert.example/")
    yield found
    found.database.close()


def states(node, clock):
    found = check_node(node.settings.home, clock=clock)
    return {finding.check: finding.state for finding in found}


def finding(node, clock, check):
    return next(f for f in check_node(node.settings.home, clock=clock) if f.check == check)


def test_a_fresh_node_needs_nobody_but_its_root_keys_moved(node, clock):
    found = states(node, clock)
    assert found.pop("root keys") == "warn"
    assert set(found.values()) == {"ok"}
    for name in ("root-current.key", "root-next.key"):
        (node.settings.home / name).unlink()
    assert states(node, clock)["root keys"] == "ok"


@pytest.mark.parametrize(("days", "state"), [(300, "ok"), (340, "warn"), (366, "fail")])
def test_a_document_that_ends_is_told_a_month_before(node, clock, days, state):
    clock.advance(days=days)
    assert states(node, clock)["node document"] == state


def test_a_clock_behind_what_was_signed_needs_a_person(node, clock):
    clock.advance(-timedelta(hours=1))
    assert states(node, clock)["clock"] == "fail"


def test_key_files_that_others_read_need_a_person(node, clock):
    (node.settings.home / "keys" / "http.key").chmod(0o640)
    assert finding(node, clock, "node").state == "fail"
    assert "chmod 600" in finding(node, clock, "node").remedy


def test_a_home_that_others_look_into_is_worth_a_look(node, clock):
    node.settings.home.chmod(0o755)
    assert states(node, clock)["home"] == "warn"


def test_settings_for_tests_are_worth_a_look(node, clock):
    (node.settings.home / "tocsin.toml").write_text('rate_limits = "off"\n')
    assert finding(node, clock, "settings").detail.startswith("rate_limits")


def test_settings_that_cannot_be_read_end_the_checks(node, clock):
    (node.settings.home / "tocsin.toml").write_text("nonsense")
    assert states(node, clock) == {"settings": "fail"}


def test_a_certificate_file_that_is_not_there_needs_a_person(node, clock):
    (node.settings.home / "tocsin.toml").write_text('ca_file = "/nowhere/ca.pem"\n')
    assert states(node, clock)["ca_file"] == "fail"


def test_a_home_that_is_not_there_is_told(tmp_path):
    found = {f.check: f.state for f in check_node(tmp_path / "absent")}
    assert found["home"] == "fail"
    assert found["node"] == "fail"


def test_a_frozen_feed_needs_a_person(node, clock):
    with node.database.write() as tx:
        feed = list_feeds(tx)[0]
        tx.connection.execute(FEEDS.update().values(state="frozen"))
    assert finding(node, clock, "feeds").state == "fail"
    assert feed.feed in finding(node, clock, "feeds").detail


def test_plain_http_is_worth_a_look(tmp_path, clock):
    node = make_node(tmp_path, "plain", clock)
    node.database.close()
    assert states(node, clock)["base URL"] == "warn"


def test_peers_are_told_by_what_they_last_gave(tmp_path, clock):
    a, b = make_node(tmp_path, "a", clock), make_node(tmp_path, "b", clock)
    with serving(a):
        pair(a, b)
    try:
        assert "eight words" in finding(b, clock, "peer a").detail
        give_trust(b, a, "member")
        assert states(b, clock)["peer a"] == "ok"
        clock.advance(hours=2)
        assert states(b, clock)["peer a"] == "warn"
    finally:
        a.database.close()
        b.database.close()
