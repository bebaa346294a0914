"""Vectors of groups: rosters, an anchor, a closed feed and the one after it (PROTOCOL 2.4, 2.6).

``python -m tests.support.group_vectors`` writes them anew; they come out the same to the last byte.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from federation.feeds.heads import head_payload
from federation.signing.signer import SeedSigner, seal
from schemas.identifiers import EntryHash, FeedName, NodeId
from schemas.markings import Tlp
from schemas.signed_envelope import HEAD_TYPE
from schemas.strict_json import strict_loads
from tests.support.publications import Author, indicator, marked, policy_of
from tests.support.signed_nodes import Owner

FILE = Path(__file__).parents[1] / "conformance" / "vectors" / "groups.json"
GID = "g-" + "b" * 26
NEXT_GID = "g-" + "c" * 26
HIDDEN_GID = "g-" + "d" * 26
ANCHOR_SEQ = 2


def group_vectors() -> dict[str, Any]:
    """Build the vectors from fixed seeds."""
    author, others = Author(7), [Author(8).node_id, Author(9).node_id]
    document = strict_loads(author.document.to_bytes())
    entries = [
        _roster(author, GID, "first entry: the roster", [others[0]]),
        _put(author, GID, 1),
        _roster(author, GID, "a member joins: a full new roster", others),
        _put(author, GID, 2),
        _entry(author, GID, "the feed is closed: nothing may follow", kind="retract", ids=[GID]),
    ]
    after = _entry(author, GID, "follows a closed feed", add=False)
    return {
        "about": "Groups of Tocsin's federation protocol; made by tests/support/group_vectors.py",
        "origin": {"node_id": author.node_id, "node_document": document},
        "feed": str(author.feed(GID).name),
        "collection_id": author.feed(GID).name.collection_id,
        "entries": entries,
        "must_not_follow": {"code": "E_FEED", **after},
        "anchor": {
            "what": "history join: the chain of who joined begins behind this head",
            "seq": ANCHOR_SEQ,
            "hash": entries[ANCHOR_SEQ - 1]["hash"],
            "envelope": _anchor(author, author.owner.entry, author.feed(GID).name),
        },
        "anchors_to_reject": [
            {
                "what": "signed by another node",
                "code": "E_KEY_UNKNOWN",
                "envelope": _anchor(author, Owner(200).entry, author.feed(GID).name),
            },
            {
                "what": "of another feed",
                "code": "E_FEED",
                "envelope": _anchor(author, author.owner.entry, author.feed(NEXT_GID).name),
            },
        ],
        "next_feed": {
            "feed": str(author.feed(NEXT_GID).name),
            "entries": [_roster(author, NEXT_GID, "after a removal: a new name", [others[1]])],
        },
        "hidden": {
            "feed": str(author.feed(HIDDEN_GID).name),
            "entries": [_roster(author, HIDDEN_GID, "a hidden roster names nobody", None)],
        },
    }


def _roster(author: Author, gid: str, what: str, members: list[NodeId] | None) -> dict[str, Any]:
    group: dict[str, Any] = {"gid": gid, "name": "Example group", "roster": "hidden"}
    if members is not None:
        group |= {"roster": "members", "members": sorted([author.node_id, *members])}
    return _entry(author, gid, what, kind="group", group=group | {"history": "join"})


def _put(author: Author, gid: str, number: int) -> dict[str, Any]:
    return _entry(
        author, gid, "an indicator at AMBER", kind="put",
        policy=policy_of(gid) | {"tlp": "amber"}, objects=[marked(indicator(number), Tlp.AMBER)],
    )  # fmt: skip


def _entry(
    author: Author, gid: str, what: str, *, add: bool = True, **members: Any
) -> dict[str, Any]:
    envelope = author.entry(gid, **members)
    seq = len(author.feed(gid).entries) + 1
    if add:
        author.write(gid, **members)
    return {"what": what, "seq": seq, "hash": envelope.hash, "envelope": envelope.to_json()}


def _anchor(author: Author, signer: SeedSigner, feed: FeedName) -> dict[str, Any]:
    stated = EntryHash(author.feed(GID).hashes[ANCHOR_SEQ - 1])
    return seal(signer, HEAD_TYPE, head_payload(feed, ANCHOR_SEQ, stated, author.at)).to_json()


def write_vectors() -> None:
    """Write the file."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(group_vectors(), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write_vectors()
