"""A malicious peer: a node's own keys, data and door, and a lie in what it answers.

A ``Liar`` asks its honest door and bends the answer by one lie of ``tests.support.lies``. It signs
with its own keys wherever a lie needs a signature, so that each lie is found out for what it says
and not for a signature that a liar would have. It speaks through memory (a ``Bend`` of a simulated
federation) or through a real socket (``LiarOnHttp``).

The lies, by what PROTOCOL 2.4 to 2.6 calls the step: what is **left out**, put in another
**order**, **forked**, **replayed**, **retagged** (another feed, label or origin), **stripped** (of
signatures, heads, markings), **backdated**, a **flood**, a **stall**, a **loop** of cursors, a
**bomb**. Those with ``own`` need the origin's key; those that ``fork`` leave whoever believes them
with another history than everybody else's.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from federation.feeds.heads import head_payload
from federation.feeds.records import entry_record
from federation.signing.signer import seal
from federation.transport.guarded_http import HttpAnswer
from hub.node import Node
from hub.storage.queries.feeds import find_feed_of_collection
from schemas.identifiers import EntryHash, FeedName
from schemas.signed_envelope import ENTRY_TYPE, HEAD_TYPE
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import read_wire_time
from tests.support.http_server import Connection, ReceivedRequest, write_answer
from tests.support.simulated_federation import (
    HEADS,
    JSON_HEADERS,
    LISTING,
    PAGES,
    TAXII_HEADERS,
    Answering,
    Request,
)

_ON_THE_WIRE = frozenset({"accept-encoding", "content-length", "content-encoding"})
PAGE, HEAD_LIST, FEED_LIST, ANY = "page", "heads", "listing", "any"
_FAR_AHEAD = 2**53 - 1


@dataclass
class Told:
    """One answer while it is bent.

    Args:
        page: the members of the answer's body, to be changed in place.
        feed: whose page it is; None for other answers.
        raw: what is sent instead of the members, when a lie sets it.
        is_told: unset by a lie that finds nothing to lie about here.
    """

    liar: Liar
    request: Request
    page: dict[str, Any]
    feed: FeedName | None = None
    raw: bytes | None = None
    is_told: bool = True

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The page's entries; a page without any has a list of its own."""
        found: list[dict[str, Any]] = self.page.setdefault("objects", [])
        return found

    @property
    def is_own(self) -> bool:
        """Whether the liar is the feed's origin, so that it can sign its entries."""
        return self.feed is not None and self.feed.node_id == self.liar.node.node_id

    def payload(self, place: int) -> dict[str, Any]:
        """What an entry of the page says."""
        value: dict[str, Any] = json.loads(base64.b64decode(self.objects[place]["dsse"]["payload"]))
        return value

    def sign(self, place: int, **changes: Any) -> None:
        """Put an entry that says something else, well signed, in the place of one; None leaves out.

        Hints and the head go along, so that only what is said is wrong.
        """
        stated = {
            name: value
            for name, value in (self.payload(place) | changes).items()
            if value is not None
        }
        envelope = seal(self.liar.node.keys.entry, ENTRY_TYPE, write_json(stated))
        assert self.feed is not None
        ts = read_wire_time(stated["ts"])
        record = entry_record(self.feed, stated["seq"], ts, envelope)
        self.objects[place] = strict_loads(record)
        self.set_head(stated["seq"], envelope.hash)

    def set_head(self, seq: int, entry_hash: EntryHash) -> None:
        """State, well signed, that the feed ends with this entry."""
        assert self.feed is not None
        payload = head_payload(self.feed, seq, entry_hash, self.liar.node.now())
        self.page["x_tocsin_head"] = seal(self.liar.node.keys.entry, HEAD_TYPE, payload).to_json()


Lie = Callable[[Told], None]


@dataclass(frozen=True)
class LieKind:
    """One lie and what it needs.

    Args:
        step: the verb of the kit: omit, reorder, fork and so on.
        about: which answers it bends.
        own: only the origin can tell it.
        forks: whoever believes it holds another history.
        least: how many entries the page must have.
    """

    name: str
    step: str
    tell: Lie
    about: str = PAGE
    own: bool = False
    forks: bool = False
    least: int = 0


LIES: dict[str, LieKind] = {}


def lie(
    name: str,
    step: str,
    *,
    about: str = PAGE,
    own: bool = False,
    forks: bool = False,
    least: int = 0,
) -> Callable[[Lie], Lie]:
    """Put a lie on the list."""

    def put(tell: Lie) -> Lie:
        LIES[name] = LieKind(name, step, tell, about, own, forks, least)
        return tell

    return put


@dataclass
class Liar:
    """A node that tells one lie wherever it can, and is honest where it cannot.

    Args:
        node: whose keys and data it has.
        kind: the lie.
        words: what a forked entry says in the place of its needle.
        told: the feeds of which it lied; None stands for what is of no feed.
    """

    node: Node
    kind: LieKind
    words: str | None = None
    told: set[FeedName | None] = field(default_factory=set)
    kept: dict[str, HttpAnswer] = field(default_factory=dict)

    def __call__(self, request: Request, honest: Answering) -> HttpAnswer:
        """Answer a request, as a ``Bend``."""
        answer = honest(request)
        about, feed = self._about(request)
        if self.kind.about not in {about, ANY} or (answer.status != 200 and self.kind.about != ANY):
            return answer
        page = json.loads(answer.body) if answer.status == 200 else {}
        telling = Told(self, request, page, feed)
        if len(page.get("objects", ())) < self.kind.least or (self.kind.own and not telling.is_own):
            return answer
        self.told.add(feed)
        self.kind.tell(telling)
        if not telling.is_told:
            return answer
        headers = TAXII_HEADERS if about in {PAGE, FEED_LIST} else JSON_HEADERS
        body = write_lax(telling.page) if telling.raw is None else telling.raw
        return HttpAnswer(200, headers, body)

    def _about(self, request: Request) -> tuple[str | None, FeedName | None]:
        if request.target == LISTING:
            return FEED_LIST, None
        if request.path == HEADS:
            return HEAD_LIST, None
        page = PAGES.fullmatch(request.path)
        if page is None or request.method != "GET":
            return None, None
        with self.node.database.read() as tx:
            held = find_feed_of_collection(tx, page[1])
        return PAGE, None if held is None else held.name


def write_lax(value: Any) -> bytes:
    """Write JSON without the care that an honest node takes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )


class LiarOnHttp:
    """A liar on a real socket, under the very address that its node's document names.

    The address is there before the node is, so the liar is put in afterwards. Without one, the
    door's own answers go out.
    """

    def __init__(self) -> None:
        self.liar: Liar | None = None
        self.honest: Answering | None = None
        self._one_at_a_time = threading.Lock()

    def play(self, received: ReceivedRequest, connection: Connection) -> bool:
        """Answer one request; a ``Script``."""
        assert self.honest is not None
        # Nothing is packed, so that a lie finds the members that it bends.
        headers = {k: v for k, v in received.headers.items() if k not in _ON_THE_WIRE}
        request = Request(received.method, received.target, headers, received.body or None)
        with self._one_at_a_time:
            answer = self.honest(request) if self.liar is None else self.liar(request, self.honest)
        told = {k: v for k, v in answer.headers.items() if k not in _ON_THE_WIRE}
        connection.send(write_answer(answer.status, answer.body, told))
        return True
