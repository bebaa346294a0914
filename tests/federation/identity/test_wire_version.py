"""Which protocol version two nodes speak (PROTOCOL 2.3)."""

from __future__ import annotations

import pytest

from federation.errors import PeerState
from federation.identity.wire_version import SPOKEN, highest_common, require_common


@pytest.mark.parametrize(
    ("ours", "theirs", "used"),
    [
        ((1,), (1,), 1),
        ((1, 2), (1,), 1),
        ((1,), (2, 1), 1),
        ((1, 2, 3), (2, 3, 4), 3),
        ((1,), (2,), None),
        ((1,), (), None),
    ],
)
def test_the_highest_that_both_have_is_used(ours, theirs, used):
    assert highest_common(ours, theirs) == used
    assert highest_common(theirs, ours) == used


def test_this_release_speaks_version_one():
    assert require_common("peer", (1, 7)) == 1
    assert SPOKEN == (1,)


@pytest.mark.parametrize(("theirs", "who"), [((2,), "Update this node"), ((), "administrator")])
def test_without_a_common_version_it_says_who_has_to_update(theirs, who):
    with pytest.raises(PeerState) as refused:
        require_common("peer", theirs)
    assert refused.value.code == "E_WIRE_VERSION"
    assert who in refused.value.remedy
    assert refused.value.params["wanted"] == sorted(theirs)
