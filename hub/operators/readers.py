"""Who reads, and as what: from a request's credentials to a reader, from a reader to a view.

Invariants:
* reading starts from the reader (ARCHITECTURE 5): the view that it gets follows from the decision
  table of PROTOCOL 3.2 by ``decide_reader``, and from nothing else;
* an unknown, wrong, expired and revoked token are one refusal;
* a token is looked up by its digest and compared in constant time; a name that comes with it must
  be its own.

What it does not do: read HTTP (``hub.api.dependencies``), or read objects (``exchange.reading``).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from federation.policy.sharing import ReaderStanding, decide_reader
from hub.errors import NotPermitted, StorageBusy
from hub.exchange.collection_kinds import OPERATOR, ORIGINALS_ID, SELECTION
from hub.node import Node
from hub.storage.queries.collections import GrantedCollection
from hub.storage.queries.tokens import (
    TokenRow,
    find_token,
    find_token_by_digest,
    set_last_used,
)
from schemas.markings import Tlp

_USE_RECORDED_EVERY: Final = timedelta(minutes=1)
_LONGEST_SECRET: Final = 256

ViewKey = tuple[str, int, str]
"""A view's collection, ceiling and organisation ("" where none counts)."""
NO_KEY: Final[ViewKey] = ("", -1, "")
"""Matches no view; asked for all the same, so that a refusal does the same work."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request presented; ``name`` is None with Bearer."""

    name: str | None
    secret: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the starting point of every query for objects."""

    standing: ReaderStanding
    organisation_id: str
    last_used_at: datetime | None = None

    @classmethod
    def of(cls, row: TokenRow) -> Reader:
        """Return the reader that a token stands for."""
        standing = ReaderStanding(
            name=row.name,
            kind=row.kind,
            max_tlp=Tlp(row.max_tlp),
            groups=row.groups,
            zones=row.zones,
            prefixes=row.prefixes,
            originals=row.originals,
        )
        return cls(standing, row.organisation_id, row.last_used_at)

    @property
    def name(self) -> str:
        """The token's name."""
        return self.standing.name

    @property
    def has_own_view(self) -> bool:
        """Whether AMBER is shown to it that touches its zones, or that its groups carry."""
        standing = self.standing
        touches, in_group = bool(standing.zones or standing.prefixes), bool(standing.groups)
        if not touches and not in_group:
            return False
        # Whether touching and following make the difference is the decision table's to say.
        return _may_read(standing, Tlp.AMBER, touches=touches, in_group=in_group) and not _may_read(
            standing, Tlp.AMBER, touches=False
        )


def authenticate_reader(node: Node, credentials: Credentials) -> Reader:
    """Find the reader that presented these credentials.

    Raises:
        NotPermitted: ``E_TOKEN``, one refusal for every reason.
    """
    refused = NotPermitted(
        "E_TOKEN", "no valid token", "Use the token's name and the token, or the token as Bearer."
    )
    # (1) Its form: bounded before it is hashed.
    if len(credentials.secret) > _LONGEST_SECRET:
        raise refused
    digest = hashlib.sha256(credentials.secret.encode()).hexdigest()
    with node.database.read() as tx:
        row = find_token_by_digest(tx, digest)
    # (2) The digest. The index was asked first; what its timing tells of a digest helps nobody to
    #     find the 256 random bits behind it.
    if row is None or not hmac.compare_digest(row.digest, digest):
        raise refused
    # (3) The name, where one came along.
    if credentials.name is not None and not hmac.compare_digest(
        credentials.name.encode(), row.name.encode()
    ):
        raise refused
    # (4) Revocation and expiry, read from the store at every request, so they count at once.
    now = node.now()
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        raise refused
    return Reader.of(row)


def use_is_recorded(node: Node, reader: Reader) -> bool:
    """Tell whether the record of a token's use is fresh enough, by what was read to admit it.

    Else each request would cost a second look at the store, after its answer (0.3 ms).
    """
    return _is_fresh(reader.last_used_at, node.now())


def _is_fresh(last_used_at: datetime | None, now: datetime) -> bool:
    return last_used_at is not None and now - last_used_at < _USE_RECORDED_EVERY


def record_use(node: Node, name: str) -> None:
    """Record that a token was used, at most once a minute.

    Called after the answer has gone: a reader never waits for the writers' lock, and a use that
    could not be recorded is not worth an error.
    """
    now = node.now()
    try:
        with node.database.read() as tx:
            row = find_token(tx, name)
        if row is None or _is_fresh(row.last_used_at, now):
            return
        with node.database.write(durable=False) as tx:
            set_last_used(tx, name, now)
    except StorageBusy:
        return


def view_key(reader: Reader, granted: GrantedCollection | None) -> ViewKey | None:
    """Name the view of a collection that a reader gets; None when it reads nothing there.

    Args:
        reader: who reads.
        granted: the collection with the reader's grant; None when there is no such collection.
    """
    if granted is None:
        return None
    collection = granted.collection
    standing = reader.standing
    if collection.kind in {OPERATOR, SELECTION}:
        if not granted.can_read:
            return None
        if standing.kind == "writer" and collection.kind == OPERATOR:
            # A producer that the operator let read back what stands in this one collection. It is
            # the operator's own system there, up to its clearance.
            standing = replace(standing, kind="own")
    elif collection.collection_id == ORIGINALS_ID and reader.has_own_view:
        return organisation_view(reader)
    ceiling = _ceiling(standing, collection.kind)
    return None if ceiling is None else (collection.collection_id, int(ceiling), "")


def organisation_view(reader: Reader) -> ViewKey:
    """Name the view of ``originals`` with what is for this organisation beside GREEN."""
    return (ORIGINALS_ID, int(Tlp.GREEN), reader.organisation_id)


def _ceiling(standing: ReaderStanding, kind: str) -> Tlp | None:
    """Find the strictest label up to which the decision table lets this reader read everything."""
    ceiling = None
    for tlp in Tlp:
        if not _may_read(standing, tlp, touches=False, collection=kind):
            break
        ceiling = tlp
    return ceiling


def _may_read(
    standing: ReaderStanding,
    tlp: Tlp,
    *,
    touches: bool,
    in_group: bool = False,
    collection: str = "originals",
) -> bool:
    # A RED view holds only what is for machines (``ceilings_for``), hence ``machine`` here.
    return decide_reader(
        tlp,
        reader=standing,
        machine=True,
        touches=touches,
        in_group=in_group,
        collection=collection,
    ).allowed
