"""Reading other makes of TAXII 2.1 servers: the real medallion 3.0.0, and this one's own."""

from __future__ import annotations

import json

import pytest

from hub.exchange.import_servers import ServerRequest, add_server, run_server
from hub.exchange.publish import PublishRequest, publish_objects
from hub.operators.tokens import add_token
from hub.storage.queries.objects import list_objects
from schemas.markings import Tlp
from tests.benchmarks.load import Connection
from tests.benchmarks.peer_servers import CannotStartError, medallion
from tests.support.nodes import make_node, port_of, serve_in_thread
from tests.support.publications import drafts, indicator

COUNT, PAGE = 103, 50


def own_indicators(node):
    with node.database.read() as tx:
        return list_objects(tx, origin=node.node_id, state="accepted", stix_type="indicator")


def test_a_real_medallion_is_read_to_its_end_and_then_for_what_is_new(tmp_path):
    node = make_node(tmp_path, "cert")
    try:
        with medallion(tmp_path / "medallion") as (target, _):
            connection = Connection(target)

            def post(*values):
                body = json.dumps({"objects": values}).encode()
                assert connection.ask("POST", target.objects, body)[0] == 202

            post(*(indicator(number) for number in range(1, COUNT + 1)))
            root, _, rest = target.objects.partition("collections/")
            add_server(
                node,
                ServerRequest(
                    "medallion", f"http://127.0.0.1:{target.port}{root}", rest.partition("/")[0],
                    user="bench", password="bench",
                ),
            )  # fmt: skip
            first = run_server(node, "medallion", page_objects=PAGE)
            assert (first.pages, first.counts["taken"]) == (3, COUNT)
            post(indicator(COUNT + 1))
            assert run_server(node, "medallion").counts["taken"] == 1
    except CannotStartError as why:
        pytest.skip(f"medallion does not run here: {why}")
    assert len({row.stix_id for row in own_indicators(node)}) == COUNT + 1


def test_our_own_server_is_read_as_any_other(tmp_path):
    ours, theirs = make_node(tmp_path, "cert"), make_node(tmp_path, "other")
    publish_objects(theirs, PublishRequest(drafts(indicator(1), indicator(2)), Tlp.GREEN))
    token = add_token(theirs, "cert", "own", max_tlp=Tlp.AMBER_STRICT, originals=True).token
    with serve_in_thread(theirs):
        add_server(
            ours,
            ServerRequest(
                "other", f"http://127.0.0.1:{port_of(theirs)}/taxii2/intel/", "originals",
                user="cert", password=token,
            ),
        )  # fmt: skip
        run = run_server(ours, "other")
        assert run_server(ours, "other").counts["taken"] == 0
    assert not run.refused
    assert len(own_indicators(ours)) == 2
    assert {row.tlp for row in own_indicators(ours)} == {Tlp.AMBER_STRICT}
