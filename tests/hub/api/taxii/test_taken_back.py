"""What was taken back stands at no address, for no reader (THREATS section 3, class 1)."""

from __future__ import annotations

import pytest

from hub.exchange.collections import add_collection, grant_collection
from hub.exchange.erase import erase_everywhere
from hub.exchange.publish import PublishRequest, publish_objects
from hub.exchange.restrict import restrict_object
from schemas.markings import Tlp
from tests.support.publications import drafts, indicator, stix_id

NEEDLE = "needle-in-a-name.example"
ONE = stix_id("indicator", 1)


def take_back(node, how):
    if how == "restrict":
        restrict_object(node, ONE, Tlp.AMBER)
    else:
        erase_everywhere(node, "green/2", "personal data")


@pytest.mark.parametrize("how", ["restrict", "erase"])
def test_no_reader_finds_it_anywhere(intel, how):
    value = indicator(1, name=NEEDLE)
    for given in (indicator(9), value):
        publish_objects(intel.node, PublishRequest(drafts(given), Tlp.GREEN))
    readers = [
        intel.add("siem", "own", max_tlp=Tlp.RED, originals=True),
        intel.add("member", "subscriber", originals=True),
        intel.add("zone", "constituent", originals=True),
    ]
    add_collection(intel.node, "Ours", alias="ours", select="origin=self")
    for reader in readers:
        grant_collection(intel.node, "ours", reader, can_read=True)
    pages = [
        f"collections/{collection}/{path}"
        for collection in ("originals", "ours")
        for path in ("objects/", "manifest/", f"objects/{ONE}/", f"objects/{ONE}/versions/")
    ]
    before = {(r, p): intel.ask(r, p).content for r in readers for p in pages}
    assert all(NEEDLE.encode() in before[reader, pages[0]] for reader in readers)
    take_back(intel.node, how)
    for reader in readers:
        for page in pages:
            answer = intel.ask(reader, page)
            assert NEEDLE.encode() not in answer.content
            assert ONE.encode() not in answer.content, (reader, page)
