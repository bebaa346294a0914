"""Names are sorted by their bytes, whatever order the database has for words (DNS 1)."""

from __future__ import annotations

import psycopg
import pytest

from hub.storage.engine import Database
from hub.storage.migrate import upgrade
from hub.verdicts.expand_sets import work_on_sets
from schemas.dns.domain_sets import SetLine, write_list
from schemas.markings import Tlp
from tests.support.databases import server_address
from tests.support.nodes import FixedClock, make_node
from tests.support.told_claims import authors, clock_of, confidences, make_verdicts
from tests.support.told_sets import tell_set

NAME = "tocsin_words"


@pytest.fixture
def node(tmp_path):
    """A node whose database sorts as words of English are sorted."""
    with psycopg.connect(server_address(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{NAME}"')
        try:
            connection.execute(
                f"CREATE DATABASE \"{NAME}\" TEMPLATE template0 ENCODING 'UTF8'"
                " LC_COLLATE 'en_US.UTF-8' LC_CTYPE 'en_US.UTF-8'"
            )
        except psycopg.Error as error:
            pytest.skip(f"this PostgreSQL has no other order than that of bytes: {error}")
    url = server_address().replace("postgresql://", "postgresql+psycopg://")
    url = url.replace("/postgres?", f"/{NAME}?")
    made = Database(url)
    upgrade(made)
    made.close()
    node = make_node(tmp_path, "hub", FixedClock(), database_url=url)
    yield node
    node.database.close()


ODD = ["0_.cc", "0a.cc", "0b.cc", "a-b.cc", "a.cc", "a0.cc", "a_b.cc", "aa.cc", "a-b.aa.cc"]


def test_no_name_of_a_set_is_lost_where_underscores_sort_before_digits(node):
    (cert,) = authors(node, 1)
    tell_set(node, cert, "green", write_list(map(SetLine, ODD)))
    while work_on_sets(node, lines_at_once=2):
        pass
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == set(ODD)
    clock_of(node).advance(minutes=1)
    tell_set(node, cert, "green", write_list(map(SetLine, ODD[2:])))
    while work_on_sets(node, lines_at_once=2):
        pass
    make_verdicts(node)
    assert confidences(node, Tlp.GREEN).keys() == set(ODD[2:])
