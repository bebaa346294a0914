"""The lines of a file that carries feeds from one node to another by hand.

A file is what its recipient would have been answered, kept: the sender's and the origins' node
documents, and the pages of each feed that the recipient may read, relay heads included. Lines of
JSON, in this order:

1. ``{"tocsin":"carried-feeds","v":1,"from":…,"to":…,"made_at":…}``
2. ``{"node":<dsse>}``, each node's documents 1…n, before the pages that need them;
3. ``{"feed":…,"page":{…}}``, each feed's pages in their order;
4. ``{"blob":"<sha256>","part":n,"data":"<b64>"}``, the lists that entries name, from part 0 on;
5. ``{"acks":[<dsse>,…]}``, what the sender would post to the recipient's ``/acks``;
6. ``{"end":<dsse>}``, by which the sender signs, with its entry key, who made the file for whom,
   when, how many lines there are before and the SHA-256 of them.

Invariants:
* what is taken from a file is proved by what was signed inside it, entry by entry: the end only
  adds that the file is whole, whose it is and for whom. It lets a relay head be judged by the day
  on which the file was made, since it says that no other file's pages were put in;
* lines that this release does not know are passed over; those whose first member begins with
  ``!`` are refused.

What it does not do: read or write files (``hub.peers.carried``), or judge entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from federation.errors import SignatureRejected
from federation.feeds.entry import check_signing_time, kid_to_judge, open_signed
from federation.identity.node_document import PinnedNode
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId, b64, read_b64
from schemas.members import (
    read_hash,
    read_integer,
    read_list,
    read_node_id,
    read_object,
    read_signed_object,
    read_time,
    read_version,
)
from schemas.signed_envelope import CARRIED_TYPE, SignedEnvelope
from schemas.strict_json import MAX_BODY_BYTES, strict_loads, write_json
from schemas.timestamps import write_wire_time

FORM: Final = "carried-feeds"
MAX_LINE: Final = MAX_BODY_BYTES + 1_024
"""A page at its largest, and what stands around it."""


@dataclass(frozen=True, slots=True)
class Carriage:
    """Who made a file for whom, and when."""

    sender: NodeId
    recipient: NodeId
    made_at: datetime


@dataclass(frozen=True, slots=True)
class CarriedDocument:
    """One node document, unverified."""

    dsse: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CarriedPage:
    """One page of a feed as the sender would have answered it, unverified."""

    feed: FeedName
    page: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CarriedAcks:
    """What the sender confirms to the recipient, unverified."""

    values: list[object]


@dataclass(frozen=True, slots=True)
class CarriedBlob:
    """One part of a blob, unverified: the parts together have to have the digest."""

    sha256: str
    part: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CarriedEnd:
    """The signed last line, unverified."""

    dsse: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SignedExtent:
    """How much stands before the end, as the sender signed it.

    Args:
        lines: how many.
        digest: SHA-256 in hex of all of them, each with its line feed.
    """

    lines: int
    digest: str


Line = CarriedDocument | CarriedPage | CarriedBlob | CarriedAcks | CarriedEnd | None
"""None is a line of a kind that this release does not know."""


def begin_line(carriage: Carriage) -> bytes:
    """Write the first line."""
    return write_json(
        {
            "tocsin": FORM,
            "v": 1,
            "from": carriage.sender,
            "to": carriage.recipient,
            "made_at": write_wire_time(carriage.made_at),
        }
    )


def document_line(dsse: bytes) -> bytes:
    """Write the line of a node document, as its bytes are kept."""
    return b'{"node":%b}' % dsse


def page_line(feed: FeedName, page: bytes) -> bytes:
    """Write the line of a page, as its bytes are served."""
    return b'{"feed":"%b","page":%b}' % (str(feed).encode("ascii"), page)


def blob_line(sha256: str, part: int, data: bytes) -> bytes:
    """Write the line of one part of a blob."""
    text = b64(data).encode("ascii")
    return b'{"blob":"%b","part":%d,"data":"%b"}' % (sha256.encode("ascii"), part, text)


def acks_line(values: list[object]) -> bytes:
    """Write the line of some acks."""
    return write_json({"acks": values})


def end_line(envelope: SignedEnvelope) -> bytes:
    """Write the last line."""
    return b'{"end":%b}' % envelope.to_bytes()


def end_payload(carriage: Carriage, *, lines: int, digest: str) -> bytes:
    """Build what the sender signs at the end.

    Args:
        lines: how many stand before.
        digest: SHA-256 in hex of all of them, each with its line feed.
    """
    return write_json(
        {
            "v": 1,
            "from": carriage.sender,
            "to": carriage.recipient,
            "made_at": write_wire_time(carriage.made_at),
            "lines": lines,
            "digest": digest,
        }
    )


def read_begin(line: bytes) -> Carriage:
    """Read the first line.

    Raises:
        WireFormatError: ``E_CARRIED_FILE`` for anything but such a file's beginning.
    """
    try:
        body = read_object(strict_loads(line, max_bytes=MAX_LINE), "line")
        if body.get("tocsin") != FORM:
            raise not_carried("it does not begin as one")
        read_version(body)
        return _read_carriage(body)
    except WireFormatError as error:
        raise error if error.code == "E_CARRIED_FILE" else not_carried(error.detail) from None


def read_line(line: bytes) -> Line:
    """Read a line behind the first.

    Raises:
        WireFormatError: ``E_JSON_*`` or ``E_SCHEMA``.
    """
    body = strict_loads(line, max_bytes=MAX_LINE)
    if not isinstance(body, dict):
        raise WireFormatError("E_SCHEMA", "a line is not an object")
    if any(name.startswith("!") for name in body):
        raise WireFormatError("E_SCHEMA", "a line has a critical member that is unknown here")
    if "node" in body:
        return CarriedDocument(dict(read_object(body["node"], "node")))
    if "page" in body:
        page = dict(read_object(body["page"], "page"))
        return CarriedPage(FeedName.read(body.get("feed")), page)
    if "blob" in body:
        return _read_blob(body)
    if "acks" in body:
        return CarriedAcks(read_list(body, "acks"))
    if "end" in body:
        return CarriedEnd(dict(read_object(body["end"], "end")))
    return None


def _read_blob(body: Mapping[str, object]) -> CarriedBlob:
    text = body.get("data")
    if not isinstance(text, str):
        raise WireFormatError("E_SCHEMA", "data is missing or not a text")
    return CarriedBlob(read_hash(body, "blob"), read_integer(body, "part"), read_b64(text))


def open_end(end: CarriedEnd, carriage: Carriage, *, sender: PinnedNode) -> SignedExtent:
    """Verify the last line, which says what all before it have to be; so it is asked first.

    Args:
        carriage: as the first line says.
        sender: the node that the first line names as the maker.

    Raises:
        WireFormatError: the shape, or ``E_CARRIED_FILE`` when it is of another file.
        SignatureRejected: the keys or the signature, or ``E_KEY_REVOKED``.
    """
    _, parsed, signers = open_signed(end.dsse, CARRIED_TYPE, sender)
    body = read_signed_object(parsed, "end")
    # 1. A key that was good when the file was made, and that nobody revoked since: no position in
    #    a feed vouches for a file.
    check_signing_time(carriage.made_at, signers, sender)
    if sender.revocation(kid_to_judge(signers, sender)) is not None:
        raise SignatureRejected("E_KEY_REVOKED", "the file is signed with a revoked key")
    # 2. It says what the first line says.
    if _read_carriage(body) != carriage:
        raise not_carried("its end is of another file")
    return SignedExtent(read_integer(body, "lines"), read_hash(body, "digest"))


def require_whole(signed: SignedExtent, *, lines: int, digest: str) -> None:
    """Check that the sender signed exactly these lines.

    Raises:
        WireFormatError: ``E_CARRIED_FILE`` when lines are changed or missing.
    """
    if lines != signed.lines:
        raise not_carried("lines of it are missing, or were added")
    if digest != signed.digest:
        raise not_carried("it was damaged or changed on the way")


def not_carried(detail: str) -> WireFormatError:
    """Build the one refusal of a file as a whole."""
    return WireFormatError(
        "E_CARRIED_FILE",
        f"not a whole file of carried feeds: {detail}",
        "Copy it again; if that does not help, have it exported again.",
    )


def _read_carriage(body: Mapping[str, object]) -> Carriage:
    return Carriage(
        read_node_id(body, "from"), read_node_id(body, "to"), read_time(body, "made_at")
    )
