"""The lines of a carried file; whole files are in ``tests/hub/peers/test_bundles.py``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from federation.delivery.carried_file import (
    Carriage,
    CarriedAcks,
    CarriedEnd,
    acks_line,
    begin_line,
    end_payload,
    open_end,
    read_begin,
    read_line,
    require_whole,
)
from federation.errors import SignatureRejected
from federation.identity.document_form import RevokedKey
from federation.identity.node_document import pin_chain
from federation.signing.signer import seal
from schemas.errors import WireFormatError
from schemas.signed_envelope import CARRIED_TYPE
from tests.support.signed_nodes import T0, Owner

MAKER, READER = Owner(1), Owner(11)
CARRIAGE = Carriage(MAKER.node_id, READER.node_id, datetime(2026, 6, 1, tzinfo=UTC))
DIGEST = "ab" * 32


def maker(**changes):
    first = MAKER.document()
    documents = [first] if not changes else [first, MAKER.after(first, **changes)]
    return pin_chain([one.to_json() for one in documents], expected=None, allow_demo=False)


def end(carriage=CARRIAGE, lines=3, digest=DIGEST):
    payload = end_payload(carriage, lines=lines, digest=digest)
    return CarriedEnd(seal(MAKER.entry, CARRIED_TYPE, payload).to_json())


def test_the_first_line_reads_back():
    assert read_begin(begin_line(CARRIAGE)) == CARRIAGE


MALFORMED = (
    b"[]",
    b"[{}]",
    b'{"node":1}',
    b'{"feed":"x","page":{}}',
    b'{"acks":{}}',
    b'{"end":[]}',
    b'{"!new":1,"node":{}}',
    b"\xff",
)


@pytest.mark.parametrize("line", MALFORMED)
def test_a_line_that_is_malformed_is_rejected(line):
    with pytest.raises(WireFormatError):
        read_line(line)


def test_acks_are_a_list_and_what_is_not_known_is_nothing():
    assert read_line(acks_line([{"a": 1}])) == CarriedAcks([{"a": 1}])
    assert read_line(b'{"later":1}') is None


def test_the_end_is_of_exactly_these_lines():
    signed = open_end(end(), CARRIAGE, sender=maker())
    require_whole(signed, lines=3, digest=DIGEST)
    for bent in ({"lines": 4, "digest": DIGEST}, {"lines": 3, "digest": "cd" * 32}):
        with pytest.raises(WireFormatError) as rejected:
            require_whole(signed, **bent)
        assert rejected.value.code == "E_CARRIED_FILE"


def test_the_end_is_of_this_file():
    later = Carriage(MAKER.node_id, READER.node_id, CARRIAGE.made_at + timedelta(seconds=1))
    with pytest.raises(WireFormatError) as rejected:
        open_end(end(later), CARRIAGE, sender=maker())
    assert rejected.value.code == "E_CARRIED_FILE"


def test_no_file_is_signed_with_a_key_that_was_revoked_or_had_ended():
    revoked = maker(revoked=[RevokedKey(MAKER.entry.kid, "compromise", ())])
    with pytest.raises(SignatureRejected) as rejected:
        open_end(end(), CARRIAGE, sender=revoked)
    assert rejected.value.code == "E_KEY_REVOKED"
    early = Carriage(MAKER.node_id, READER.node_id, T0 - timedelta(days=1))
    with pytest.raises(SignatureRejected):
        open_end(end(early), early, sender=maker())
