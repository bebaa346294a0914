"""Feeds that release 0.1 stopped relaying are relayed again, with stubs in their places."""

from __future__ import annotations

from hub.exchange.relaying_again import relay_again
from hub.storage.tables.feeds import ENTRIES, FEEDS
from tests.support.joined_nodes import entry_states
from tests.support.nodes import FixedClock, make_node
from tests.support.publications import Author, indicator, stix_id
from tests.support.stored_state import check_invariants, rows_of


def test_what_was_taken_back_before_stubs_existed_gets_its_stub(tmp_path):
    node = make_node(tmp_path, "receiver", FixedClock())
    author = Author(1)
    author.meets(node)
    author.put("green", indicator(1))
    author.put("green", indicator(2))
    author.write("green", kind="erase", seqs=[2])
    one = stix_id("indicator", 1)
    author.write("green", kind="restrict", ids=[one], tlp="amber", stop_relay=True, seqs=[1])
    author.deliver(node, "green")
    with node.database.write() as tx:
        # As release 0.1 left it: no bytes, no stub, no relaying.
        tx.connection.execute(
            ENTRIES.update().where(ENTRIES.c.seq < 3).values(record=b"", state="stored")
        )
        name = str(author.feed("green").name)
        tx.connection.execute(FEEDS.update().where(FEEDS.c.feed == name).values(relay_stopped=True))
    assert relay_again(node) == 1
    assert relay_again(node) == 0
    assert [state for _, state, _ in entry_states(node, author.feed("green").name)] == [
        "stub", "stub", "stored", "stored",
    ]  # fmt: skip
    assert not any(row["relay_stopped"] for row in rows_of(node, "SELECT relay_stopped FROM feeds"))
    check_invariants(node)
    node.database.close()
