"""TAXII 2.1 servers of others, read on a schedule into imports of this node.

Invariants:
* nothing is lost between two readings: what was added at the instant of the last position, or came
  late into it, is read again by an overlap and found published already;
* a position is never ahead of this node's clock: a server cannot make us pass over what comes;
* the position moves after the objects are stored; a reading that ends in the middle reads again;
* an object that refers to what a later page brings waits a while, and is then refused by name;
* a password is a file of this home with mode 0600, never in the database, a log or an argument.

Does not: run by itself (``hub.workers``), or judge what it reads (``importing``).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from federation.errors import PeerUnreachable
from federation.transport.guarded_http import GuardedHttp, read_url
from federation.transport.taxii_reader import (
    MAX_PAGE_BYTES,
    MAX_RATIO,
    PAGE_OBJECTS,
    PAGE_SECONDS,
    TaxiiPage,
    TaxiiReader,
)
from hub.errors import Conflict, Misconfigured, NotFound
from hub.exchange.import_marks import ImportMark
from hub.exchange.importing import (
    DANGLING,
    ImportRequest,
    import_input,
    new_mark,
    read_feed_name,
)
from hub.imports.inputs import objects_input
from hub.monitoring.alarms import IMPORT_FAILED, end_alarm, raise_alarm
from hub.node import Node
from hub.storage.queries import import_servers as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.import_servers import ServerRow
from hub.storage.queries.jobs import drop_jobs, request_job
from hub.storage.queries.peers import find_peer
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import NodeId
from schemas.markings import Tlp
from schemas.strict_json import write_json

IMPORT: Final = "import"
"""The kind of its job; the subject is the server's name."""
OVERLAP: Final = timedelta(minutes=5)
PAGES_OF_PATIENCE: Final = 20
"""After so many pages what was referred to is not waited for any longer."""
MOST_WAITING: Final = 5_000
MOST_OBJECTS: Final = 1_000_000
"""In one reading; a page counts as ``LEAST_A_PAGE`` at least. What is more comes with the next."""
LEAST_A_PAGE: Final = 100
MOST_IDLE_PAGES: Final = 2
"""Pages in a row that bring nothing new and say that there is more."""
_COLLECTION: Final = 250
_SECRETS: Final = "imports"


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """A server to be asked; members as in ``ServerRow``.

    Args:
        password: kept as a file of the home.
    """

    name: str
    url: str
    collection: str
    tlp: Tlp | None = None
    to: tuple[NodeId, ...] = ()
    groups: tuple[str, ...] = ()
    share: bool = False
    pap: str | None = None
    user: str | None = None
    password: str | None = None
    every_minutes: int = 60
    private_network: bool = False


@dataclass(slots=True)
class ServerRun:
    """What one reading did.

    Args:
        import_id: the number of the import; None when nothing new came.
        counts: of objects, as an import's.
        refused: by code.
        unfinished: more is there, and the caller asked to stop.
    """

    name: str
    import_id: int | None = None
    pages: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unfinished: bool = False


def add_server(node: Node, request: ServerRequest, *, actor: str = "operator") -> ServerRow:
    """Add a server; it is asked at once, and then every so many minutes.

    Raises:
        WireFormatError: ``E_IMPORT_NAME``; ``E_SCHEMA`` for a collection that is none.
        PeerUnreachable: ``E_HTTP_URL``, ``E_HTTP_SCHEME``.
        Conflict: ``E_IMPORT_SERVER_EXISTS``.
    """
    name = read_feed_name(request.name)
    read_url(request.url if request.url.endswith("/") else f"{request.url}/")
    if not request.collection.isascii() or not 1 <= len(request.collection) <= _COLLECTION:
        raise WireFormatError("E_SCHEMA", "a collection is named by its id or alias")
    with node.database.write() as tx:
        if stored.find_server(tx, name) is not None:
            raise Conflict(
                "E_IMPORT_SERVER_EXISTS", f"there is a server {name}", "Remove it first."
            )
        now = node.now()
        row = ServerRow(
            name=name,
            url=request.url,
            collection=request.collection,
            user=request.user,
            private_network=request.private_network,
            every_minutes=request.every_minutes,
            tlp=None if request.tlp is None else int(request.tlp),
            audience={
                "to": list(request.to), "groups": list(request.groups), "share": request.share,
                "pap": request.pap,
            },
            added_at=now,
        )  # fmt: skip
        if request.password is not None:
            _keep_password(node, name, request.password)
        stored.store_server(tx, row)
        request_job(tx, IMPORT, name, now)
        store_event(
            tx, now, actor, "IMPORT_SERVER_ADDED", name=name, url=request.url,
            collection=request.collection,
        )  # fmt: skip
    return row


def list_servers(node: Node) -> tuple[ServerRow, ...]:
    """List the servers by name."""
    with node.database.read() as tx:
        return stored.list_servers(tx)


def require_server(node: Node, name: str) -> ServerRow:
    """Find a server.

    Raises:
        NotFound: ``E_IMPORT_SERVER_UNKNOWN``.
    """
    with node.database.read() as tx:
        row = stored.find_server(tx, name.strip().lower())
    if row is None:
        raise NotFound(
            "E_IMPORT_SERVER_UNKNOWN",
            f"no server has the name {name}",
            "See `tocsin import taxii list`.",
        )
    return row


def remove_server(node: Node, name: str, *, actor: str = "operator") -> ServerRow:
    """Forget a server, its password and its position; what was imported stays.

    Raises:
        NotFound: ``E_IMPORT_SERVER_UNKNOWN``.
    """
    row = require_server(node, name)
    with node.database.write() as tx:
        now = node.now()
        stored.delete_server(tx, row.name)
        drop_jobs(tx, row.name)
        end_alarm(tx, IMPORT_FAILED, row.name, now, by=actor)
        store_event(tx, now, actor, "IMPORT_SERVER_REMOVED", name=row.name)
    _password_file(node, row.name).unlink(missing_ok=True)
    return row


def run_server(
    node: Node,
    name: str,
    *,
    http: GuardedHttp | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
    actor: str = "operator",
    page_objects: int = PAGE_OBJECTS,
    most_objects: int = MOST_OBJECTS,
) -> ServerRun:
    """Read what is new at a server and import it.

    Args:
        page_objects: how many are asked for at once.
        most_objects: after how many a reading ends, if the server says that there is still more.
        is_stopping: asked between pages; the rest is left for the next time.

    Raises:
        NotFound: ``E_IMPORT_SERVER_UNKNOWN``.
        TocsinError: why it failed; it is noted, and an alarm is open until it works again.
    """
    row = require_server(node, name)
    try:
        with _http_for(node, row, http) as way:
            reading = _Reading(node, row, way, actor, page_objects)
            run = reading.read(is_stopping, most_objects)
    except TocsinError as error:
        _note_failure(node, row, error)
        raise
    with node.database.write() as tx:
        now = node.now()
        stored.update_server(tx, row.name, last_run_at=now, last_good_at=now, last_error=None)
        end_alarm(tx, IMPORT_FAILED, row.name, now)
    return run


def _note_failure(node: Node, row: ServerRow, error: TocsinError) -> None:
    with node.database.write() as tx:
        now = node.now()
        stored.update_server(tx, row.name, last_run_at=now, last_error=error.code)
        raise_alarm(tx, IMPORT_FAILED, row.name, now, error=error.code, url=row.url)


class _Reading:
    """One reading of a server's collection."""

    def __init__(
        self, node: Node, row: ServerRow, http: GuardedHttp, actor: str, page_objects: int
    ) -> None:
        self._limit = page_objects
        self._node = node
        self._row = row
        self._reader = TaxiiReader(
            row.url,
            row.collection,
            http=http,
            user=row.user,
            password=_read_password(node, row) if row.user is not None else None,
        )
        self._request = _request_of(node, row, actor)
        self._mark: ImportMark = new_mark(node, self._request, "taxii")
        self._run = ServerRun(row.name)
        self._waiting: list[dict[str, Any]] = []
        self._patience = PAGES_OF_PATIENCE
        self._position = row.position_at
        self._last: datetime | None = None
        self._is_sorted = True
        self._seen: set[int] = set()

    def read(self, is_stopping: Callable[[], bool], most_objects: int) -> ServerRun:
        began = self._position
        after = None if began is None else began - OVERLAP
        next_page: str | None = None
        idle = 0
        left = most_objects
        while True:
            page = self._reader.page(added_after=after, next_page=next_page, limit=self._limit)
            idle = 0 if self._has_news(page) else idle + 1
            self._take(page)
            if not page.more:
                break
            if idle == MOST_IDLE_PAGES:
                raise PeerUnreachable(
                    "E_TAXII_STALL",
                    "the server gives what it gave before and says that there is more",
                    "Ask its operator; nothing after this page can be read.",
                )
            left -= max(len(page.objects), LEAST_A_PAGE)
            if self._may_stop(began) and (left <= 0 or is_stopping()):
                self._run.unfinished = True
                break
            if left <= 0:
                raise PeerUnreachable(
                    "E_TAXII_STALL",
                    f"the server has more than {most_objects} objects and does not say, in order, "
                    "when they were added, so that no reading could go on where another ended",
                    "Ask its operator for X-TAXII-Date-Added-Last and a sorted collection.",
                )
            next_page = page.next_page
            if next_page is None:
                # TAXII 2.1 lets a server leave `next` out. From the last one's own instant on,
                # for more may have been added in it.
                after = None if page.last_added is None else page.last_added - timedelta.resolution
        with self._node.database.write(durable=False) as tx:
            stored.update_server(tx, self._row.name, position_at=self._position)
        return self._run

    def _has_news(self, page: TaxiiPage) -> bool:
        """Tell whether a page holds what this reading has not seen.

        Not by `next`: medallion gives one word for a whole reading and moves on behind it.
        """
        keys = {hash(write_json(value)) for value in page.objects}
        fresh = keys - self._seen
        self._seen |= fresh
        return bool(fresh)

    def _may_stop(self, began: datetime | None) -> bool:
        """Tell whether the next reading would begin later than this one did, and miss nothing.

        `next` is not kept for it: behind it the server may have moved on past what was not stored.
        """
        moved = self._position is not None and (began is None or self._position > began)
        return moved and self._is_sorted and not self._waiting

    def _take(self, page: TaxiiPage) -> None:
        self._run.pages += 1
        waiting, self._waiting = self._waiting, []
        given = objects_input([*waiting, *page.objects])
        done = import_input(self._node, self._request, given, mark=self._mark)
        # What waited was counted with its own page already.
        counts = Counter(done.counts)
        counts.subtract({"total": len(waiting), "refused": len(waiting)})
        self._run.counts.update(counts)
        self._run.refused.update(done.refused)
        self._run.refused.subtract({DANGLING: len(waiting)} if waiting else {})
        self._run.refused += Counter()  # drops what is zero
        self._run.import_id = done.import_id
        if page.last_added is not None:
            # TAXII 2.1 §3.4: ascending. Of a server that does otherwise no part is ever the first.
            self._is_sorted &= self._last is None or page.last_added >= self._last
            self._last = page.last_added
            newest = min(page.last_added, self._node.now())
            self._position = newest if self._position is None else max(self._position, newest)
        self._patience = self._patience - 1 if waiting else PAGES_OF_PATIENCE
        if page.more and self._patience > 0:
            self._waiting = [draft.value for draft in done.dangling[:MOST_WAITING]]


def _request_of(node: Node, row: ServerRow, actor: str) -> ImportRequest:
    """Turn what was settled when the server was added into a request; peers may have gone since."""
    with node.database.read() as tx:
        peers = [find_peer(tx, NodeId(node_id)) for node_id in row.audience.get("to", ())]
    return ImportRequest(
        feed=row.name,
        tlp=None if row.tlp is None else Tlp(row.tlp),
        to=tuple(peer for peer in peers if peer is not None),
        groups=tuple(row.audience.get("groups", ())),
        share=bool(row.audience.get("share", False)),
        pap=row.audience.get("pap"),
        actor=actor,
    )


@contextmanager
def _http_for(node: Node, row: ServerRow, http: GuardedHttp | None) -> Iterator[GuardedHttp]:
    if http is not None:
        yield http
        return
    ca_file = node.settings.ca_file
    with GuardedHttp(
        allow_loopback=node.settings.allow_loopback_peers,
        ca_file=None if ca_file is None else str(ca_file),
        allow_private=lambda _host: row.private_network,
        total_seconds=PAGE_SECONDS,
        max_bytes=MAX_PAGE_BYTES,
        max_ratio=MAX_RATIO,
    ) as own:
        yield own


def _password_file(node: Node, name: str) -> Path:
    # A feed's name holds no separator and begins with a letter or digit.
    return node.settings.home / _SECRETS / f"{name}.password"


def _keep_password(node: Node, name: str, password: str) -> None:
    file = _password_file(node, name)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as sink:
        sink.write(password)


def _read_password(node: Node, row: ServerRow) -> str:
    try:
        return _password_file(node, row.name).read_text()
    except (OSError, UnicodeError):
        raise Misconfigured(
            "E_IMPORT_PASSWORD",
            f"the password of {row.name} cannot be read",
            "Remove the server and add it again with --password-file.",
        ) from None
