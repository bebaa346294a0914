"""Blobs and the sets that name them; what is in a blob does not matter to whoever carries it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.node import Node
from hub.peers.incoming_blobs import credit
from hub.storage.queries.blobs import BlobRow, blob_bytes, find_blob, store_blob
from hub.storage.queries.objects import claims_of
from hub.storage.queries.peers import PeerRow
from schemas.dns.extensions import DNS_BATCH
from schemas.markings import Tlp
from tests.support.nodes import peer_of
from tests.support.publications import AT, drafts, indicator, stix_id


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that do not pack, and are the same each time."""
    return random.Random(seed).randbytes(size)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def set_object(number: int, sha256: str, ref: str, **facts: Any) -> dict[str, Any]:
    """A grouping that stands for a list."""
    return {
        "type": "grouping",
        "spec_version": "2.1",
        "id": stix_id("grouping", number),
        "created": AT,
        "modified": AT,
        "context": "malware-analysis",
        "object_refs": [ref],
        "extensions": {
            DNS_BATCH: {
                "extension_type": "property-extension",
                "threat_type": "dga",
                "domain_count": 2,
                "canonical_form": "a-label-lowercase-lf-sorted",
                "encoding": "gzip",
                "hashes": {"SHA-256": sha256},
                "match_scope": "exact",
                **facts,
            }
        },
    }


def publish_set(
    node: Node,
    data: bytes | str,
    tlp: str = "green",
    to: Sequence[Node] = (),
    *,
    number: int = 1,
    facts: Mapping[str, Any] | None = None,
    value: Mapping[str, Any] | None = None,
    recipients: Sequence[PeerRow] = (),
    **request: Any,
) -> PublishOutcome:
    """Publish a set; its blob is stored first, unless it is named by its digest alone."""
    if isinstance(data, bytes):
        keep_blob(node, data)
    sha256 = digest(data) if isinstance(data, bytes) else data
    about = indicator(number)
    stands = set_object(number, sha256, about["id"], **(facts or {})) | dict(value or {})
    label = Tlp.read(tlp)
    outcome = publish_objects(
        node,
        PublishRequest(
            drafts=drafts(about, stands),
            tlp=label,
            to=(*(peer_of(node, other) for other in to), *recipients),
            **request,
        ),
    )
    assert not outcome.refused, outcome.refused
    return outcome


def keep_blob(node: Node, data: bytes, given_by: Node | None = None) -> str:
    """Let a node hold a blob: one of its own, or one that an origin gave it."""
    with node.database.write() as tx:
        store_blob(tx, digest(data), data, node.now())
        if given_by is not None:
            credit(tx, digest(data), given_by.node_id, given_by.node_id, node.now())
    return digest(data)


def blob_at(node: Node, data: bytes | str) -> BlobRow | None:
    """How a node holds a blob."""
    with node.database.read() as tx:
        return find_blob(tx, data if isinstance(data, str) else digest(data))


def bytes_at(node: Node, data: bytes) -> bytes:
    """What a node holds of a blob."""
    with node.database.read() as tx:
        return blob_bytes(tx, digest(data))


def set_states(node: Node, number: int = 1) -> list[str]:
    """The states of the versions of a set's object."""
    with node.database.read() as tx:
        found = claims_of(tx, [stix_id("grouping", number)])
    return [row.state for rows in found.values() for row in rows]
