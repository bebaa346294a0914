"""Vectors of vouches and of carried files, from fixed seeds (PROTOCOL 2.10, 4.2; ADR on carrying).

``python -m tests.support.carriage_vectors`` writes ``tests/conformance/vectors/carriage.json``
anew. A change of that file is a change of the wire.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from federation.delivery.carried_file import (
    Carriage,
    begin_line,
    document_line,
    end_line,
    end_payload,
    page_line,
)
from federation.feeds.heads import head_payload
from federation.feeds.records import entry_record
from federation.signing.signer import SeedSigner, seal
from federation.trust.presets import TrustLevel
from federation.trust.vouching import Vouch, vouch_payload
from schemas.signed_envelope import CARRIED_TYPE, HEAD_TYPE, VOUCH_TYPE, SignedEnvelope
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import read_wire_time
from tests.federation.feeds.feed_writer import OWNER, FeedWriter, at, feed_of
from tests.support.signed_nodes import Owner

FILE = Path(__file__).parents[1] / "conformance" / "vectors" / "carriage.json"
SUBJECT, READER = Owner(40), Owner(50)


def build() -> dict[str, Any]:
    """Build every vector: what holds, and what must be refused for which reason."""
    good = _vouch()
    return {
        "node_document": OWNER.document().to_json(),
        "subject_document": SUBJECT.document().to_json(),
        "reader": READER.node_id,
        "vouches": [
            {"what": "a member of the zone fr.", "vouch": good.to_json()},
            {"what": "one that is taken back", "vouch": _vouch(expires=at(0)).to_json()},
        ],
        "must_refuse": [
            _refused("another voucher than the signer", "E_KEY_UNKNOWN", voucher=READER.node_id),
            _refused("a vouch for oneself", "E_SCHEMA", subject=OWNER.node_id),
            _refused("longer than a year", "E_SCHEMA", expires="2028-01-01T00:00:00.000Z"),
            _refused("no level", "E_SCHEMA", max_preset="friend"),
            _refused("a critical member", "E_SCHEMA", **{"!later": 1}),
            _refused("under an http key", "E_KEY_PURPOSE", OWNER.http),
        ],
        "carried": _carried(),
    }


def text() -> str:
    """Write the vectors as the file has them."""
    return json.dumps(build(), indent=1) + "\n"


def _vouch(**changes: Any) -> SignedEnvelope:
    members: dict[str, Any] = {
        "voucher": OWNER.node_id,
        "subject": SUBJECT.node_id,
        "document_hash": SUBJECT.document().hash,
        "max_preset": TrustLevel.MEMBER,
        "scopes": ("zone:fr.",),
        "ts": at(0),
        "expires": at(0) + timedelta(days=180),
    }
    return seal(OWNER.entry, VOUCH_TYPE, vouch_payload(Vouch(**(members | changes))))


def _refused(
    what: str, code: str, signer: SeedSigner = OWNER.entry, /, **changes: Any
) -> dict[str, Any]:
    payload = write_json(strict_loads(_vouch().payload) | changes)
    return {"what": what, "code": code, "vouch": seal(signer, VOUCH_TYPE, payload).to_json()}


def _carried() -> dict[str, Any]:
    """A file of one feed of one entry, as its lines."""
    writer = FeedWriter()
    entry = writer.write(reason="carried").envelope
    stated = strict_loads(entry.payload)
    record = entry_record(feed_of(), 1, read_wire_time(stated["ts"]), entry)
    head = seal(OWNER.entry, HEAD_TYPE, head_payload(feed_of(), 1, entry.hash, at(30)))
    page = b'{"more":false,"objects":[%b],"x_tocsin_head":%b}' % (record, head.to_bytes())
    carriage = Carriage(OWNER.node_id, READER.node_id, at(60))
    lines = [
        begin_line(carriage),
        document_line(OWNER.document().to_bytes()),
        page_line(feed_of(), page),
    ]
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    payload = end_payload(carriage, lines=len(lines), digest=digest)
    lines.append(end_line(seal(OWNER.entry, CARRIED_TYPE, payload)))
    return {"digest": digest, "lines": [line.decode() for line in lines]}


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text())
