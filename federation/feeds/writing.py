"""Build the payload of an own entry: the bytes that get signed (PROTOCOL 2.4).

Invariants:
* an object's bytes go in as they are kept, so what its author stored is what is signed;
* what is built reads back, by the same strict reader that peers use: a payload that they could
  not parse would stop the feed for ever, since the seq is then taken.

What it does not do: choose ``seq``, ``prev``, ``ts`` or the nonce, sign, or judge the policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from federation.errors import ContentRejected
from federation.feeds.carried_objects import MAX_OBJECTS, read_objects
from federation.feeds.entry import read_header
from federation.feeds.payload_members import Members
from federation.feeds.sharing_policy import policy_members
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, b64
from schemas.strict_json import MAX_PAYLOAD_BYTES, strict_loads, write_json
from schemas.timestamps import write_wire_time

__all__ = ["entry_payload", "policy_members"]


def entry_payload(
    *,
    feed: FeedName,
    seq: int,
    prev: EntryHash,
    ts: datetime,
    nonce: bytes,
    kind: str,
    policy: Members,
    objects: Sequence[bytes] = (),
    **members: object,
) -> bytes:
    """Build an entry's payload.

    Args:
        feed: the own feed.
        seq: the entry's place.
        prev: the hash of the entry before, or what the first entry of the feed follows.
        ts: the time of publishing, not before that of the entry before.
        nonce: 16 random bytes.
        kind: what is done.
        policy: as ``sharing_policy.policy_members`` gives it.
        objects: each object's JSON, spliced in unchanged; at most 64.
        **members: the kind's other members, such as ``idn`` and ``src``; None is left out.

    Raises:
        WireFormatError: ``E_TOO_BIG``, or ``E_JSON_*`` and ``E_SCHEMA`` for what no peer could
            read.
        ContentRejected: ``E_SCHEMA`` for more than 64 objects.
    """
    if len(objects) > MAX_OBJECTS:
        raise ContentRejected(
            "E_SCHEMA",
            f"{len(objects)} objects, an entry takes {MAX_OBJECTS}",
            "Publish them in several entries.",
        )
    stated: dict[str, object] = {
        "v": 1,
        "feed": str(feed),
        "seq": seq,
        "prev": prev,
        "ts": write_wire_time(ts),
        "nonce": b64(nonce),
        "kind": kind,
        "policy": policy,
        **{name: value for name, value in members.items() if value is not None},
    }
    payload = write_json(stated)
    if objects:
        payload = b'%b,"objects":[%b]}' % (payload[:-1], b",".join(objects))
    _check_readable(payload, stated, objects)
    return payload


def _check_readable(payload: bytes, stated: Members, objects: Sequence[bytes]) -> None:
    """Read the payload as a peer will.

    It also catches bytes that are no single object each: they could close the array and add
    members of their own to what we sign.
    """
    body = strict_loads(payload, max_bytes=MAX_PAYLOAD_BYTES)
    read_header(body)
    found = [carried.raw for carried in read_objects(body, payload)] if objects else []
    named = body.keys() - {"objects"} if objects else body.keys()
    if named != stated.keys() or found != list(objects):
        raise WireFormatError("E_SCHEMA", "an object's bytes are not exactly one JSON object")
