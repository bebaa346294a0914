"""PROTOCOL 2.3: how much of a held chain counts under newer documents."""

from __future__ import annotations

from datetime import timedelta

import pytest

from federation.feeds.held_chain import Link, count_good
from federation.identity.node_document import Position, RevokedKey, pin_chain
from schemas.identifiers import EntryHash
from tests.support.signed_nodes import T0, Owner, record_of, seeded

OWNER = Owner(1)
OLD, NEW, STRANGE = OWNER.entry.kid, seeded(40).kid, seeded(41).kid
FIRST = OWNER.document()


def hash_of(seq):
    return EntryHash(f"{seq:064x}")


def chain(*signers, begin=1):
    return [
        Link(seq, hash_of(seq), T0 + timedelta(minutes=seq), () if kid is None else (kid,))
        for seq, kid in enumerate(signers, begin)
    ]


def origin(*last_good, revoked=OLD):
    keys = [record_of(OWNER.entry, "entry"), record_of(seeded(40), "entry")]
    places = tuple(Position(seq, hash_of(at)) for seq, at in last_good)
    second = OWNER.after(
        FIRST, keys=keys, issued=T0 + timedelta(days=1), revoked=[RevokedKey(revoked, "r", places)]
    )
    values = [document.to_json() for document in (FIRST, second)]
    return pin_chain(values, expected=None, allow_demo=False)


@pytest.mark.parametrize(
    ("places", "good"),
    [
        ([], 0),
        ([(2, 2)], 2),
        ([(4, 4)], 4),
        ([(2, 9)], 0),
        ([(9, 9)], 0),
        ([(1, 1), (3, 3)], 3),
        ([(7, 1), (2, 2)], 2),
    ],
    ids=["none", "middle", "end", "other-feed", "beyond", "two", "of-several-feeds"],
)
def test_what_the_owner_vouches_for_counts(places, good):
    assert count_good(chain(OLD, OLD, OLD, OLD), origin(*places)) == good


def test_entries_of_the_next_key_count_behind_a_position():
    assert count_good(chain(OLD, OLD, NEW, NEW), origin((2, 2))) == 4
    assert count_good(chain(OLD, OLD, NEW, NEW), origin((1, 1))) == 1


def test_a_key_that_no_document_names_ends_the_chain():
    assert count_good(chain(OLD, STRANGE, OLD), origin((3, 3))) == 1


def test_a_key_outside_its_time_ends_the_chain():
    late = [Link(1, hash_of(1), T0 - timedelta(days=1), (OLD,))]
    assert count_good(late, origin((1, 1))) == 0


def test_an_erased_entry_is_taken_for_signed_like_its_neighbour():
    assert count_good(chain(OLD, None, OLD), origin((2, 2))) == 2
    assert count_good(chain(None, NEW), origin()) == 2
    assert count_good(chain(OLD, OLD, None), origin((3, 3))) == 3


def test_where_keys_change_an_erased_entry_may_be_of_either():
    assert count_good(chain(OLD, None, None, NEW), origin((1, 1))) == 4
    assert count_good(chain(OLD, None, STRANGE), origin((1, 1))) == 1
    assert count_good(chain(OLD, None, OLD), origin((1, 1))) == 1


def test_a_chain_that_was_erased_whole_counts_as_far_as_any_key_of_its_origin_does():
    assert count_good(chain(None, None), origin((2, 2))) == 2
    assert count_good([Link(1, hash_of(1), T0 - timedelta(days=1), ())], origin()) == 0


def test_a_chain_that_begins_at_an_anchor_begins_there():
    assert count_good(chain(OLD, OLD, begin=5), origin((5, 5))) == 1


def test_nothing_is_nothing():
    assert count_good([], origin()) == 0
