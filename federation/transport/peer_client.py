"""How one peer is asked and told things: the seam between the use-cases and the wire.

``PeerTransport`` has two true implementations, ``HttpPeer`` here and an in-memory one of the
simulator (ARCHITECTURE 2); its reading half, ``FeedSource``, is also what a carried file can do.
Every call is one request: nothing is tried again, since a second sending needs a new nonce and the
time for it is the caller's plan (``federation.delivery``).

Invariants:
* addresses are built from the pinned base and from names that we derived, never from anything
  that a peer wrote into an answer (THREATS 34);
* what needs no signature carries none; all else is signed anew, for this recipient alone;
* answers are read by ``peer_answers``; what they carry signed is verified by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

from federation.errors import PeerState, PeerUnreachable
from federation.identity.base_address import read_base
from federation.identity.node_document import read_node_document
from federation.signing.request_auth import sign_request
from federation.signing.signer import Signer
from federation.transport.blob_answers import (
    BLOB_TYPE,
    GOOD,
    BlobStream,
    bounded,
    read_stretch,
)
from federation.transport.bounded_body import BodyLimits, read_bounded
from federation.transport.guarded_http import GuardedHttp, HttpAnswer
from federation.transport.peer_answers import (
    JSON_TYPE,
    TAXII_ACCEPT,
    TAXII_TYPE,
    FeedPage,
    Pushed,
    date_of,
    read_answer,
    read_objects,
    read_page,
    read_pushed,
    read_refusal,
)
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId, is_node_id
from schemas.members import read_integer
from schemas.strict_json import MAX_BODY_BYTES, write_json

MAX_PAGE = 100
MAX_HEADS = 100
"""Of one wake-up (PROTOCOL 2.6)."""
MAX_CHAIN = 1_000
"""Node documents of one chain; monthly rotation makes some thirty a year."""

_OK, _CREATED, _ACCEPTED = 200, 201, 202
_ERROR_LIMITS = BodyLimits(max_bytes=65_536, max_ratio=1)
"""Of a refusal in the place of a blob."""


class FeedSource(Protocol):
    """Where feeds are read from: a peer that answers, or a file that one wrote.

    Every method raises ``PeerUnreachable`` when the wire fails, ``PeerState`` when the peer
    refuses, and ``WireFormatError`` when its answer is malformed.
    """

    def node_documents_chain(
        self,
        node_id: NodeId | None = None,
        *,
        max_bytes: int = MAX_BODY_BYTES,
        is_late: Callable[[], bool] = lambda: False,
    ) -> list[dict[str, Any]]:
        """Fetch all node documents 1 to n, for ``pin_chain``."""
        ...

    def heads(self, feed: FeedName | None = None) -> list[dict[str, Any]]:
        """Fetch the newest heads that the peer holds, of all feeds or of one."""
        ...

    def collections(self) -> list[dict[str, Any]]:
        """List the feeds that the peer shows to this node."""
        ...

    def page(self, feed: FeedName, after_seq: int, limit: int = MAX_PAGE) -> FeedPage:
        """Fetch the entries after ``after_seq``.

        Raises:
            ChainBroken: ``E_CURSOR_STALL`` or ``E_FEED`` (see ``read_page``).
        """
        ...


class PeerTransport(FeedSource, Protocol):
    """What a node can ask of one peer and tell it (PROTOCOL 2.6); errors as above."""

    def well_known(self) -> dict[str, Any]:
        """Ask who answers at this base: ``node_id`` and ``base``, a hint."""
        ...

    def node_document(
        self, version: int | None = None, node_id: NodeId | None = None
    ) -> dict[str, Any]:
        """Fetch a node document: the newest or nth, of this peer or of another node."""
        ...

    def wake(self, heads: Sequence[object]) -> None:
        """Tell the peer which heads there are now."""
        ...

    def push(self, feed: FeedName, records: Sequence[bytes], anchor: bytes | None = None) -> Pushed:
        """Post entries of an own feed, for a node that cannot be pulled from."""
        ...

    def evidence(self, body: bytes) -> None:
        """Send proofs with the documents of whom they accuse."""
        ...

    def post_documents(self, documents: Sequence[object]) -> int:
        """Post newer documents of this node; the answer is the version that the peer holds now."""
        ...

    def acks(self, acks: Sequence[object]) -> None:
        """Tell the peer what this node did with entries: signed acks, at most 100 at once."""
        ...

    def pair(self, body: bytes) -> dict[str, Any]:
        """Hand in a pairing body; the answer names the peer's node id."""
        ...


class HttpPeer:
    """One peer over HTTP; cheap to make, and as safe to share between threads as its parts.

    Args:
        base: the peer's base from its pinned document or the invitation, with the path ``/``.
        recipient: the peer's node id; a request signed for it is good nowhere else.
        signer: an own key of the purpose ``http``.
        http: the outbound module.
        now: the clock that signatures state.
        nonce: gives 16 to 48 new random bytes at each call.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a base that is not of the protocol's form.
    """

    def __init__(
        self,
        base: str,
        recipient: NodeId,
        *,
        signer: Signer,
        http: GuardedHttp,
        now: Callable[[], datetime],
        nonce: Callable[[], bytes],
    ) -> None:
        self._base = read_base(base)
        self._recipient = recipient
        self._signer = signer
        self._http = http
        self._now = now
        self._nonce = nonce
        self.received = self.sent = 0
        """Bytes of bodies on the wire so far, for the budget of a thin line."""
        self.answered = False
        """Whether the peer itself has answered, be it with a refusal."""
        self.clock_ahead: timedelta | None = None
        """How far its server's clock is ahead of ours, by the Date of its last answer."""

    def well_known(self) -> dict[str, Any]:
        """Ask who answers at this base; unsigned, and a hint only."""
        value = self._get(".well-known/tocsin", signed=False)
        if not is_node_id(value.get("node_id")) or not isinstance(value.get("base"), str):
            raise WireFormatError("E_SCHEMA", "not an answer of a Tocsin hub")
        return value

    def node_document(
        self, version: int | None = None, node_id: NodeId | None = None
    ) -> dict[str, Any]:
        """Fetch a node document.

        Args:
            version: the nth document instead of the newest.
            node_id: another node's, which only a paired reader of its feeds gets; so signed.
        """
        query = [] if version is None else [f"version={version}"]
        if node_id is not None:
            query.append(f"id={node_id}")
        path = "federation/v1/node" + ("?" + "&".join(query) if query else "")
        return self._get(path, signed=node_id is not None)

    def node_documents_chain(
        self,
        node_id: NodeId | None = None,
        *,
        max_bytes: int = MAX_BODY_BYTES,
        is_late: Callable[[], bool] = lambda: False,
    ) -> list[dict[str, Any]]:
        """Fetch all node documents 1 to n; the newest says what n is.

        Nothing is verified but the shape: the caller gives them to ``pin_chain``.

        Args:
            node_id: of another node, as far as the peer may tell of it.
            max_bytes: of all documents together (THREATS 36).
            is_late: asked between requests: a thousand slow answers are a day.
        """
        newest = self.node_document(node_id=node_id)
        last = read_node_document(newest).version
        if last > MAX_CHAIN:
            raise WireFormatError("E_SCHEMA", f"a chain of over {MAX_CHAIN} node documents")
        documents, size = [], len(write_json(newest))
        for version in range(1, last):
            if is_late():
                raise PeerUnreachable("E_HTTP_TIMEOUT", "the node documents did not come in time")
            documents.append(self.node_document(version, node_id))
            size += len(write_json(documents[-1]))
            if size > max_bytes:
                raise WireFormatError("E_TOO_BIG", f"node documents of over {max_bytes} bytes")
        return [*documents, newest]

    def heads(self, feed: FeedName | None = None) -> list[dict[str, Any]]:
        """Fetch the newest heads that the peer holds."""
        query = "" if feed is None else f"?feed={feed}"
        return read_objects(self._get(f"federation/v1/heads{query}"), "heads")

    def collections(self) -> list[dict[str, Any]]:
        """List the feeds that the peer shows to this node (TAXII 2.1 §5.1)."""
        value = self._get("taxii2/fed/collections/", media_type=TAXII_TYPE)
        return read_objects(value, "collections")

    def page(self, feed: FeedName, after_seq: int, limit: int = MAX_PAGE) -> FeedPage:
        """Fetch the entries after ``after_seq``, 1 to 100 of them (TAXII 2.1 §5.4)."""
        limit = max(1, min(limit, MAX_PAGE))
        value = self._get(
            f"taxii2/fed/collections/{feed.collection_id}/objects/?next=seq:{after_seq}&limit={limit}",
            media_type=TAXII_TYPE,
        )
        return read_page(value, feed=feed, after_seq=after_seq, limit=limit)

    def wake(self, heads: Sequence[object]) -> None:
        """Tell the peer which heads there are now; signed heads only, never a URL."""
        for start in range(0, len(heads), MAX_HEADS):
            body = write_json({"heads": list(heads[start : start + MAX_HEADS])})
            self._post("federation/v1/wake", body, expected=_ACCEPTED)

    def push(self, feed: FeedName, records: Sequence[bytes], anchor: bytes | None = None) -> Pushed:
        """Add entries to the peer's collection of an own feed (TAXII 2.1 §5.5, PROTOCOL 2.6).

        Args:
            records: their TAXII objects as they are served, in the order of their seqs.
            anchor: the signed head after which this peer's chain begins, beside its first entries.
        """
        begins = b"" if anchor is None else b',"x_tocsin_anchor":' + anchor
        value = self._post(
            f"taxii2/fed/collections/{feed.collection_id}/objects/",
            b'{"objects":[' + b",".join(records) + b"]" + begins + b"}",
            expected=_ACCEPTED,
            media_type=TAXII_TYPE,
        )
        return read_pushed(value, sent=len(records))

    def evidence(self, body: bytes) -> None:
        """Send proofs (PROTOCOL 2.6); a peer that finds them not to hold refuses."""
        self._post("federation/v1/evidence", body, expected=_ACCEPTED)

    def post_documents(self, documents: Sequence[object]) -> int:
        """Post newer documents of this node, ascending (PROTOCOL 2.6).

        Raises:
            PeerState: ``E_NODE_VERSION`` when they do not follow what the peer holds.
        """
        body = write_json({"node": list(documents)})
        return read_integer(
            self._post("federation/v1/node", body, expected=_OK), "version", least=1
        )

    def acks(self, acks: Sequence[object]) -> None:
        """Tell the peer what this node did with entries (PROTOCOL 2.6)."""
        self._post("federation/v1/acks", write_json({"acks": list(acks)}), expected=_ACCEPTED)

    @contextmanager
    def fetch_blob(
        self, sha256: str, start: int = 0, length: int | None = None
    ) -> Iterator[BlobStream]:
        """Fetch bytes of a blob by its digest, piece by piece (PROTOCOL 2.6, RFC 9110 §14).

        Args:
            sha256: the name, from an entry that was verified; its ``url`` is never looked at.
            start: the first byte that is not held yet.
            length: ask for so many at most, as a thin line bears.

        Raises:
            PeerState: ``E_NOT_FOUND`` and other refusals.
            PeerUnreachable: the wire failed, or more came than was said (``E_HTTP_TOO_BIG``).
            WireFormatError: ``E_SCHEMA`` or ``E_TOO_BIG``, see ``read_stretch``.
        """
        url = f"{self._base}federation/v1/blobs/{sha256}"
        end = "" if length is None else start + length - 1
        # Always a range, so that a server on a thin line may give less than all of the rest.
        headers = {"Accept": "*/*", "Range": f"bytes={start}-{end}"}
        headers |= self._sign("GET", url, None)
        with self._http.stream(url, headers=headers) as answer:
            self.answered = True
            came = self._counted(answer.chunks)
            if answer.status not in GOOD:
                body = read_bounded(came, encoding="", limits=_ERROR_LIMITS)
                raise read_refusal(HttpAnswer(answer.status, answer.headers, body))
            stretch = read_stretch(answer.headers, status=answer.status, start=start)
            yield BlobStream(stretch.total, bounded(came, stretch))

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.received += len(chunk)
            yield chunk

    def post_blob(self, sha256: str, start: int, size: int, data: bytes) -> int:
        """Post bytes of a blob that an own entry names, to a peer that cannot come for them.

        Returns:
            How many bytes of it the peer holds now.

        Raises:
            PeerState: ``E_NOT_FOUND`` when it wants no such blob, or ``E_GAP`` with ``expected``.
        """
        path = f"federation/v1/blobs/{sha256}?start={start}&size={size}"
        url = self._base + path
        headers = {"Accept": JSON_TYPE, "Content-Type": BLOB_TYPE, **self._sign("POST", url, data)}
        self.sent += len(data)
        answer = self._http.request("POST", url, headers=headers, body=data)
        value = self._read(answer, expected=_ACCEPTED, media_type=JSON_TYPE)
        return min(read_integer(value, "held"), size)

    def pair(self, body: bytes) -> dict[str, Any]:
        """Hand in a pairing body (PROTOCOL 4.5).

        Raises:
            WireFormatError: ``E_SCHEMA`` when the answer names another node than the invitation.
        """
        value = self._post("federation/v1/pair", body, expected=_CREATED)
        if value.get("v") != 1 or value.get("node_id") != self._recipient:
            raise WireFormatError("E_SCHEMA", "the answer to the pairing names another node")
        return value

    def _get(
        self, path: str, *, signed: bool = True, media_type: str = JSON_TYPE
    ) -> dict[str, Any]:
        accept = TAXII_ACCEPT if media_type == TAXII_TYPE else media_type
        headers = {"Accept": accept}
        url = self._base + path
        if signed:
            headers |= self._sign("GET", url, None)
        answer = self._http.request("GET", url, headers=headers)
        return self._read(answer, expected=_OK, media_type=media_type)

    def _post(
        self, path: str, body: bytes, *, expected: int, media_type: str = JSON_TYPE
    ) -> dict[str, Any]:
        url = self._base + path
        form = TAXII_ACCEPT if media_type == TAXII_TYPE else media_type
        headers = {"Accept": form, "Content-Type": form, **self._sign("POST", url, body)}
        self.sent += len(body)
        answer = self._http.request("POST", url, headers=headers, body=body)
        return self._read(answer, expected=expected, media_type=media_type)

    def _read(self, answer: HttpAnswer, *, expected: int, media_type: str) -> dict[str, Any]:
        self.received += answer.wire_bytes
        said = date_of(answer.headers)
        if said is not None:
            self.clock_ahead = said - self._now()
        try:
            value = read_answer(answer, expected=expected, media_type=media_type)
        except PeerState:
            self.answered = True
            raise
        self.answered = True
        return value

    def _sign(self, method: str, url: str, body: bytes | None) -> Mapping[str, str]:
        return sign_request(
            method=method,
            url=url,
            body=body,
            recipient=self._recipient,
            signer=self._signer,
            created=self._now(),
            nonce=self._nonce(),
        )
