"""Reads a collection of somebody else's TAXII 2.1 server, page by page.

taxii2-client builds the requests; they go out by ``GuardedHttp``: to pinned addresses, without
redirects, proxies or what the environment says, within one time and one size. The client library is
given a description of the collection, so that it never reads the server's own, and no session of
its own is ever opened.

Invariants:
* addresses are built from the address that the operator gave, never from an answer;
* every page moves on or ends the reading (``E_TAXII_STALL``): a server that repeats itself is asked
  no further;
* an answer is read by the strict parser alone (PROTOCOL 2.1).

What it does not do: judge objects, keep a position, or ask a second time.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from taxii2client.v21 import Collection

from federation.errors import PeerState, PeerUnreachable
from federation.transport.guarded_http import GuardedHttp, HttpAnswer, read_url
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads
from schemas.timestamps import read_stix_time

MAX_PAGE_BYTES: Final = 32 * 1024 * 1024
MAX_RATIO: Final = 100
"""STIX packs well; the size that a page may have unpacked is the bound that counts."""
PAGE_SECONDS: Final = 60.0
PAGE_OBJECTS: Final = 500
_TYPE: Final = "application/taxii+json"
_OK: Final = 200
_REFUSALS: Final = frozenset({400, 401, 403, 404})
_LONGEST_NEXT: Final = 2_048
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before it nobody added anything, and what is before the first year of all cannot be computed."""


@dataclass(frozen=True, slots=True)
class TaxiiPage:
    """One page of a collection.

    Args:
        objects: as they came, unjudged.
        next_page: the server's word for the next page, None at the end.
        more: whether the server has more.
        last_added: when the last of them was added there; None where the server does not say.
    """

    objects: list[Any]
    more: bool
    next_page: str | None
    last_added: datetime | None


class TaxiiReader:
    """One collection of one server.

    Args:
        root: the address of the API root.
        collection: the collection's id or alias.
        http: the way out.
        user: for Basic; None asks without.
        password: never in an error's text.

    Raises:
        PeerUnreachable: ``E_HTTP_URL`` for an address that would have to be rewritten.
    """

    def __init__(
        self,
        root: str,
        collection: str,
        *,
        http: GuardedHttp,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        base = root if root.endswith("/") else f"{root}/"
        url = f"{base}collections/{collection}/"
        read_url(url)
        self._way = _GuardedConnection(http, user, password)
        told = {"id": collection, "title": collection, "can_read": True, "can_write": False}
        self._collection = Collection(url, conn=self._way, collection_info=told)

    def page(
        self, *, added_after: datetime | None, next_page: str | None, limit: int = PAGE_OBJECTS
    ) -> TaxiiPage:
        """Fetch one page (TAXII 2.1 §5.4).

        Raises:
            PeerUnreachable: the wire failed, or the server did (``E_HTTP_*``, ``E_TAXII_FAILED``).
            PeerState: ``E_TAXII_REFUSED``: the server does not let us read.
            WireFormatError: ``E_JSON_*``, ``E_TOO_BIG`` or ``E_ENVELOPE`` for a malformed answer.
        """
        asked: dict[str, Any] = {"limit": limit}
        if added_after is not None:
            asked["added_after"] = added_after
        if next_page is not None:
            asked["next"] = next_page
        value = self._collection.get_objects(**asked)
        return _read_page(value, self._way.headers)


class _GuardedConnection:
    """What taxii2-client takes for its connection; it has no session behind it."""

    version = "2.1"

    def __init__(self, http: GuardedHttp, user: str | None, password: str | None) -> None:
        self._http = http
        self._credentials: dict[str, str] = {}
        self.headers: Mapping[str, str] = {}
        if user is not None:
            pair = f"{user}:{password or ''}".encode()
            self._credentials["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        """Send a GET; the caller's headers and ours."""
        target = f"{url}?{urlencode(params, doseq=True)}" if params else url
        answer = self._http.request("GET", target, headers={**(headers or {}), **self._credentials})
        self.headers = answer.headers
        return _read_body(answer)

    def close(self) -> None:
        """Nothing to close: the way out is the caller's."""


def _read_body(answer: HttpAnswer) -> dict[str, Any]:
    if answer.status in _REFUSALS:
        raise PeerState(
            "E_TAXII_REFUSED",
            f"the server answered {answer.status}",
            "Check the address, the collection's id, the user and the password.",
        )
    if answer.status != _OK:
        raise PeerUnreachable(
            "E_TAXII_FAILED",
            f"the server answered {answer.status}",
            "Nothing to do at first: it is asked again later. If it lasts, ask its operator.",
        )
    said = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said != _TYPE:
        raise PeerUnreachable(
            "E_TAXII_FAILED",
            f"the answer is not {_TYPE}",
            "Check that the address is the API root of a TAXII 2.1 server, not of 2.0 or 1.x.",
        )
    value = strict_loads(answer.body, max_bytes=MAX_PAGE_BYTES)
    if not isinstance(value, dict):
        raise WireFormatError("E_ENVELOPE", "the answer is not an envelope")
    return value


def _read_page(value: Mapping[str, Any], headers: Mapping[str, str]) -> TaxiiPage:
    objects, more, next_page = value.get("objects", []), value.get("more", False), value.get("next")
    if not isinstance(objects, list) or not isinstance(more, bool):
        raise WireFormatError("E_ENVELOPE", "objects is not a list, or more not true or false")
    if next_page is not None and (
        not isinstance(next_page, str) or not 1 <= len(next_page) <= _LONGEST_NEXT
    ):
        raise WireFormatError("E_ENVELOPE", f"next is not text of 1 to {_LONGEST_NEXT} characters")
    return TaxiiPage(objects, more, next_page if more else None, _last_added(headers))


def _last_added(headers: Mapping[str, str]) -> datetime | None:
    try:
        at = read_stix_time(headers.get("x-taxii-date-added-last"))
    except WireFormatError:
        return None
    return None if at < _EARLIEST else at
