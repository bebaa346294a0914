"""Decides what a peer's answer means: a value, a refusal by the peer, or a failure of the wire.

Invariants:
* every body goes through ``strict_loads`` (PROTOCOL 2.1), and only when its type is right;
* a refusal counts as the peer's word (``PeerState``) only if it is a TAXII error resource; what
  a proxy in between wrote is a failure of the wire (``PeerUnreachable``);
* no text of the peer gets into ``detail``, ``remedy`` or a code: codes have a fixed form;
* every page raises the cursor or ends, and ``next`` is the last seq (PROTOCOL 2.6, THREATS 35).

It verifies no signature and believes no hint: entries, heads and anchors go on as they came, to
``federation.feeds``.

>>> retry_after_seconds({"retry-after": "120"})
120
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

from federation.errors import ChainBroken, PeerState, PeerUnreachable
from federation.transport.guarded_http import HttpAnswer
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import FeedName
from schemas.strict_json import MAX_BODY_BYTES, MAX_INTEGER, strict_loads

JSON_TYPE = "application/json"
TAXII_TYPE = "application/taxii+json"
TAXII_ACCEPT = "application/taxii+json;version=2.1"

LONGEST_RETRY_SECONDS = 86_400
"""A peer cannot ask us to stay away for longer than a day."""
_MAX_ERROR_BYTES = 65_536
_CODE = re.compile(r"E_[A-Z0-9_]{1,40}")
_TAXII_PARAMETERS = frozenset({"version=2.1", "charset=utf-8"})
_NOT_FOUND = 404
_REQUEST_TIMEOUT = 408
_TOO_MANY = 429
_UNAVAILABLE = 503
_SERVER_ERRORS = 500

_REMEDIES = {
    "E_NOT_FOUND": "It does not exist there or is not shared with this node; ask the peer which.",
    "E_HTTP_TIME": "Compare this machine's clock with the peer's; 300 seconds apart are allowed.",
    "E_HTTP_SIG": "Check that the pairing stands and the peer has this node's newest document.",
    "E_HTTP_TO": "Check the peer's base address: another node answers there.",
    "E_QUOTA": "Nothing to do: it is tried again when the peer said so.",
    "E_WIRE_VERSION": "The two releases have no version of the protocol in common: update one.",
}


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A page of a feed as it came, with only its progress checked (PROTOCOL 2.6).

    Attributes:
        more: the feed goes on at this peer.
        next_seq: the cursor to go on with; None when ``more`` is false.
        objects: ``x-tocsin-entry`` objects whose ``seq`` rises; everything outside their ``dsse``
            is a hint that the reader of the chain recomputes.
        head: the origin's newest head, unverified.
        relay_head: the relay's own head, unverified; needed for a foreign feed (PROTOCOL 2.5).
        anchor: where this reader's chain begins, unverified.
        made_at: of a page that was carried by file, when its sender signed that it made the file;
            None for one that was just answered.
    """

    more: bool
    next_seq: int | None
    objects: list[dict[str, Any]]
    head: dict[str, Any]
    relay_head: dict[str, Any] | None
    anchor: dict[str, Any] | None
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a push.

    Attributes:
        taken: how many entries the peer holds now, of those that were posted, from the first on.
        error: the code of what ended it before the last; None when it took them all.
    """

    taken: int
    error: str | None


def read_answer(answer: HttpAnswer, *, expected: int, media_type: str) -> dict[str, Any]:
    """Read the JSON object of an answer that has the expected status.

    Args:
        answer: as the wire gave it.
        expected: the one status that means success here.
        media_type: ``JSON_TYPE`` or ``TAXII_TYPE``.

    Raises:
        PeerState: the peer refused; the code is its own.
        PeerUnreachable: 408, 429, 5xx and whatever is no answer of a hub: ``E_HTTP_STATUS``,
            ``E_HTTP_TYPE`` or the code of the peer's error resource.
        WireFormatError: ``E_JSON_*`` or ``E_SCHEMA``.
    """
    if answer.status != expected:
        raise read_refusal(answer)
    if not _has_type(answer, media_type):
        raise PeerUnreachable(
            "E_HTTP_TYPE",
            f"the answer is not {media_type}",
            "Check that the base address names a Tocsin hub, and the proxies in front of it.",
        )
    value = strict_loads(answer.body, max_bytes=MAX_BODY_BYTES)
    if not isinstance(value, dict):
        raise WireFormatError("E_SCHEMA", "the answer is not a JSON object")
    return value


def read_objects(value: Mapping[str, Any], member: str) -> list[dict[str, Any]]:
    """Read a member that is a list of JSON objects; absent means empty, as TAXII has it.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    found = value.get(member, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise WireFormatError("E_SCHEMA", f"{member} is not a list of objects")
    return found


def read_object(value: Mapping[str, Any], member: str) -> dict[str, Any]:
    """Read a member that is a JSON object and has to be there.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    found = value.get(member)
    if not isinstance(found, dict):
        raise WireFormatError("E_SCHEMA", f"{member} is missing or not an object")
    return found


def read_page(value: Mapping[str, Any], *, feed: FeedName, after_seq: int, limit: int) -> FeedPage:
    """Read a page and check that it gets us on (PROTOCOL 2.6).

    Args:
        value: the TAXII envelope.
        feed: the feed that was asked for.
        after_seq: the cursor that was sent.
        limit: the limit that was sent.

    Raises:
        ChainBroken: ``E_CURSOR_STALL`` when the page says that there is more and does not raise the
            cursor to its own last seq, or its seqs do not rise; ``E_FEED`` when an entry names
            another feed.
        WireFormatError: ``E_SCHEMA``.
    """
    more = value.get("more", False)  # absent is false (TAXII 2.1 §3.7)
    if not isinstance(more, bool):
        raise WireFormatError("E_SCHEMA", "more is not true or false")
    objects = read_objects(value, "objects")
    if len(objects) > limit:
        raise WireFormatError("E_SCHEMA", f"a page of over {limit} objects")
    # 1. Hints of sound type. The reader of the chain compares them with what was signed.
    seqs = [_read_seq(item) for item in objects]
    if any(item.get("feed") != str(feed) for item in objects):
        raise ChainBroken("E_FEED", "the page holds an entry of another feed")
    # 2. Progress. Holes are not looked for here: they are the chain's to name (E_GAP), and a
    #    beginning beyond the cursor may be a feed with an anchor. What we hold already is passed
    #    over there as a duplicate, if the page is the last one.
    if any(later <= seq for seq, later in pairwise(seqs)):
        raise _stalled("the seqs of a page do not rise")
    if more and (not seqs or seqs[-1] <= after_seq):
        raise _stalled("the page promises more and does not raise the cursor")
    if more and value.get("next") != f"seq:{seqs[-1]}":
        raise _stalled("next is not the last seq of the page")
    return FeedPage(
        more=more,
        next_seq=seqs[-1] if more else None,
        objects=objects,
        head=read_object(value, "x_tocsin_head"),
        relay_head=_read_optional(value, "x_tocsin_relay_head"),
        anchor=_read_optional(value, "x_tocsin_anchor"),
    )


def read_pushed(value: Mapping[str, Any], *, sent: int) -> Pushed:
    """Read the status of a push (TAXII 2.1 §4.3): how many were taken, and what ended it.

    Args:
        value: the status resource.
        sent: how many entries were posted.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    taken = value.get("success_count")
    if isinstance(taken, bool) or not isinstance(taken, int) or not 0 <= taken <= sent:
        raise WireFormatError("E_SCHEMA", "the status does not say how many entries were taken")
    failures = read_objects(value, "failures")
    said = failures[0].get("message") if failures else None
    code = said if isinstance(said, str) and _CODE.fullmatch(said) else None
    return Pushed(taken, code or ("E_SCHEMA" if taken < sent else None))


def retry_after_seconds(headers: Mapping[str, str]) -> int | None:
    """Read Retry-After (RFC 9110 §10.2.3) in seconds, at most a day; None when it says nothing.

    A date counts from the answer's own ``Date``, so that our clock has no part in it.
    """
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(int(text[:12]), LONGEST_RETRY_SECONDS)
    try:
        until = parsedate_to_datetime(text)
        sent = parsedate_to_datetime(headers.get("date", ""))
        seconds = int((until - sent).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0, min(seconds, LONGEST_RETRY_SECONDS))


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Read an answer's Date (RFC 9110 §6.6.1); None when it says nothing."""
    try:
        found = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else None


def read_refusal(answer: HttpAnswer) -> TocsinError:
    """Build the error for an answer that is not the expected one, told apart by blame."""
    code = _error_code(answer)
    params: dict[str, object] = {"http_status": answer.status}
    if answer.status in (_TOO_MANY, _UNAVAILABLE):
        seconds = retry_after_seconds(answer.headers)
        if seconds is not None:
            params["retry_after"] = seconds
    passing = answer.status in (_REQUEST_TIMEOUT, _TOO_MANY) or answer.status >= _SERVER_ERRORS
    if code is None or passing:
        return PeerUnreachable(
            code or "E_HTTP_STATUS",
            f"the peer's server answered {answer.status}",
            _REMEDIES.get(code or "", "It is tried again later. If it lasts, ask the peer."),
            **params,
        )
    expected = _details(answer).get("expected")
    if isinstance(expected, int) and not isinstance(expected, bool):
        params["expected"] = expected
    return PeerState(
        code, f"the peer refused with {answer.status}", _REMEDIES.get(code, ""), **params
    )


def _error_code(answer: HttpAnswer) -> str | None:
    """Find the ``error_code`` of a TAXII error resource (PROTOCOL 2.9), None if it is none."""
    code = _error_resource(answer).get("error_code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _details(answer: HttpAnswer) -> Mapping[str, Any]:
    details = _error_resource(answer).get("details")
    return details if isinstance(details, dict) else {}


def _error_resource(answer: HttpAnswer) -> Mapping[str, Any]:
    if answer.status < 400 or not _has_type(answer, TAXII_TYPE):  # noqa: PLR2004
        return {}
    try:
        value = strict_loads(answer.body, max_bytes=_MAX_ERROR_BYTES)
    except WireFormatError:
        # A broken error body changes nothing: the status alone decides then.
        return {}
    return value if isinstance(value, dict) else {}


def _has_type(answer: HttpAnswer, media_type: str) -> bool:
    """Compare the Content-Type; parameters other than TAXII's version and a charset are wrong."""
    essence, *parameters = answer.headers.get("content-type", "").lower().split(";")
    said = {parameter.strip().replace('"', "") for parameter in parameters}
    return essence.strip() == media_type and said <= _TAXII_PARAMETERS


def _read_seq(item: Mapping[str, Any]) -> int:
    seq = item.get("seq")
    if isinstance(seq, bool) or not isinstance(seq, int) or not 1 <= seq <= MAX_INTEGER:
        raise WireFormatError("E_SCHEMA", "an object of the page has no seq")
    return seq


def _read_optional(value: Mapping[str, Any], member: str) -> dict[str, Any] | None:
    return read_object(value, member) if member in value else None


def _stalled(detail: str) -> ChainBroken:
    return ChainBroken(
        "E_CURSOR_STALL", detail, "Tell the peer; this feed is pulled again later, from here."
    )
