"""Widen the label of an own object: a later version in the wide feed (PROTOCOL 3.3).

Only the origin widens, and receivers keep the narrow word until a later entry of the wide feed
names it: by ``supersedes``, the ``restrict`` that made the object narrow, or the entry that carried
it in a narrow feed. An entry names one, so an object of several narrow feeds is said once for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.errors import Conflict
from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.exchange.putting_again import say_again
from hub.exchange.restrict import RESTRICTED, next_version, own_versions
from hub.node import Node
from hub.storage.queries import objects as stored
from hub.storage.queries.acks import recalls_of
from hub.storage.queries.feeds import STUB, find_entry, find_feed
from hub.storage.queries.objects import ObjectRow
from hub.storage.transaction import Transaction
from schemas.identifiers import ZERO_HASH, EntryHash, FeedName
from schemas.markings import Tlp


def widen_object(node: Node, stix_id: str, tlp: Tlp, *, actor: str = "operator") -> PublishOutcome:
    """Publish an own object again at a laxer label, for everybody whom that reaches.

    Raises:
        NotFound: ``E_NOT_FOUND``. Conflict: ``E_WITHDRAWN``, ``E_ERASED``, ``E_UNVERSIONED``, or
            ``E_NOT_WIDER`` for a label that is not laxer than its own.
        SharingRefused: see ``publish_objects``.
    """
    with node.database.read() as tx:
        rows = own_versions(tx, node, stix_id)
        if tlp >= rows[-1].tlp:
            raise Conflict(
                "E_NOT_WIDER",
                f"TLP:{tlp.wire.upper()} is not wider than the label of {stix_id}",
                "A label is tightened by `tocsin restrict`.",
            )
        draft = next_version(tx, node, rows)
        # Where nothing is left to name, no receiver holds anything narrow.
        first, *others = _what_made_it_narrow(tx, rows) or (ZERO_HASH,)
    outcome = publish_objects(
        node, PublishRequest(drafts=[draft], tlp=tlp, supersedes=first, actor=actor)
    )
    if not outcome.entries or not others:
        return outcome
    _say_again(node, FeedName.read(outcome.feeds[0]), others)
    return replace(outcome, entries=outcome.entries + len(others))


def _say_again(node: Node, name: FeedName, others: Sequence[EntryHash]) -> None:
    with node.database.write() as tx:
        feed = find_feed(tx, name)
        if feed is not None:
            for superseded in others:
                say_again(tx, node, feed, feed.last_seq, node.now(), supersedes=superseded)


def _what_made_it_narrow(tx: Transaction, rows: Sequence[ObjectRow]) -> tuple[EntryHash, ...]:
    """Name the entries that a wider version has to override, for each kind of reader.

    The readers of a wide feed know its ``restrict``; those of each narrow feed the entry there.
    """
    newest = rows[-1]
    # Of each feed the last one: nobody knows the restriction of a feed that he does not read.
    restricts = {r.feed: r.hash for r in recalls_of(tx, newest.stix_id) if r.did == RESTRICTED}
    carriages = stored.carriages_of(tx, [newest.object_row])
    entries = [find_entry(tx, carriage.feed_row, carriage.seq) for carriage in carriages]
    carriers = [entry.hash for entry in entries if entry is not None and entry.state != STUB]
    return tuple(dict.fromkeys([*reversed(restricts.values()), *carriers]))
