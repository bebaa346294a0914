"""Vectors of vouches and of carried files (PROTOCOL 2.10, 4.2)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from federation.delivery.carried_file import (
    CarriedDocument,
    CarriedEnd,
    CarriedPage,
    read_begin,
    read_line,
    require_whole,
)
from federation.errors import SignatureRejected
from federation.feeds.entry import open_entry
from federation.identity.node_document import pin_chain
from federation.trust.vouching import open_vouch, vouchable_documents
from schemas.errors import WireFormatError
from tests.support.carriage_vectors import FILE, text

VECTORS: dict[str, Any] = json.loads(FILE.read_text())
VOUCHER, SUBJECT = (
    pin_chain([VECTORS[name]], expected=None, allow_demo=False)
    for name in ("node_document", "subject_document")
)


def test_building_them_again_gives_the_same_file() -> None:
    assert text() == FILE.read_text()


@pytest.mark.parametrize("vector", VECTORS["vouches"], ids=lambda vector: vector["what"])
def test_a_vouch_holds_for_its_subject(vector: dict[str, Any]) -> None:
    vouch = open_vouch(vector["vouch"], voucher=VOUCHER)
    assert (vouch.subject, vouch.scopes) == (SUBJECT.node_id, ("zone:fr.",))
    assert vouch.document_hash in vouchable_documents(SUBJECT)


@pytest.mark.parametrize("vector", VECTORS["must_refuse"], ids=lambda vector: vector["what"])
def test_what_is_no_vouch_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises((SignatureRejected, WireFormatError)) as refused:
        open_vouch(vector["vouch"], voucher=VOUCHER)
    assert refused.value.code == vector["code"]


def test_a_carried_file_reads_line_by_line_to_its_signed_end() -> None:
    first, *rest = [line.encode() for line in VECTORS["carried"]["lines"]]
    carriage = read_begin(first)
    document, page, end = [read_line(line) for line in rest]
    assert (carriage.sender, carriage.recipient) == (VOUCHER.node_id, VECTORS["reader"])
    assert isinstance(document, CarriedDocument)
    assert isinstance(page, CarriedPage)
    assert isinstance(end, CarriedEnd)
    assert document.dsse == VECTORS["node_document"]
    open_entry(page.page["objects"][0]["dsse"], pinned=VOUCHER, feed=page.feed)
    digest = hashlib.sha256(b"".join(line + b"\n" for line in [first, *rest[:-1]])).hexdigest()
    assert digest == VECTORS["carried"]["digest"]
    require_whole(end, carriage, sender=VOUCHER, lines=3, digest=digest)
