"""Restrict an own object: tighten its label in every feed that carried it (PROTOCOL 2.4, 3.3).

Order of work, in one write: (1) say again what else stood in the entries that carried it, (2) say
``restrict`` with ``stop_relay`` in each feed, so that stubs take the place of these entries
everywhere, (3) do the same here. Then, where somebody is named, a version that prints the stricter
label goes to them.

Widening again is a later version in the wide feed that names the ``restrict`` (3.3).

What it does not do: call back what readers have copied. Nobody can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from federation.errors import SharingRefused
from federation.feeds.sharing_policy import lowest_label
from federation.feeds.writing import policy_members
from hub.errors import Conflict, NotFound
from hub.exchange import taking_back
from hub.exchange.ended_feeds import TAKE_NO_MORE, TakingOut, take_out
from hub.exchange.held_versions import is_mark
from hub.exchange.later_words import words_on
from hub.exchange.own_feeds import AppendedEntry, append_entry, wake_readers
from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.exchange.putting_again import PutAgain, put_again
from hub.exchange.receipts import Receipt, note_taken_back, receipts_of
from hub.imports.drafts import Draft
from hub.node import Node
from hub.storage.queries import objects as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.claims import VERDICT_STATE
from hub.storage.queries.erasures import places_at
from hub.storage.queries.feeds import STUB, FeedRow, feed_of_row, find_entry, find_feed
from hub.storage.queries.objects import Carriage, ObjectRow
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.transaction import Transaction
from schemas.identifiers import EntryHash, FeedName
from schemas.markings import TLP_BY_MARKING_ID, Tlp
from schemas.strict_json import strict_loads
from schemas.timestamps import write_wire_time

RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Audience:
    """To whom a version goes that prints the new label; nobody by default."""

    to: tuple[PeerRow, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Restriction:
    """What restricts an object, and who is to confirm.

    Args:
        entries: the ``restrict`` of each feed.
        left_out: objects that refer to it and are kept from new readers for that.
        published: of the version that prints the stricter label; None where nobody was named.
    """

    stix_id: str
    entries: tuple[tuple[str, int, EntryHash], ...]
    receipts: tuple[Receipt, ...]
    left_out: tuple[str, ...] = ()
    published: PublishOutcome | None = field(default=None)


def restrict_object(
    node: Node,
    stix_id: str,
    tlp: Tlp,
    audience: Audience | None = None,
    *,
    actor: str = "operator",
) -> Restriction:
    """Restrict an object that this node published, and give it to those who are named.

    Raises:
        NotFound: ``E_NOT_FOUND`` when this node never published it.
        Conflict: ``E_WITHDRAWN``, ``E_ERASED``, ``E_NOT_STRICTER`` for a label that is not
            stricter than its own, ``E_UNVERSIONED`` when what has no versions has to print it.
        SharingRefused: ``E_AUDIENCE_REFUSED`` and the others of ``publish_objects``; nothing was
            restricted.
    """
    named = audience or Audience()
    wanted = bool(named.to or named.groups)
    with node.database.read() as tx:
        draft = next_version(tx, node, _stricter(tx, node, stix_id, tlp)) if wanted else None
    request = PublishRequest(
        drafts=[] if draft is None else [draft],
        tlp=tlp,
        to=named.to,
        groups=named.groups,
        actor=actor,
    )
    if wanted:
        _refuse_who_may_not(node, request)
    restriction = _restrict(node, stix_id, tlp, actor)
    if not wanted:
        return restriction
    return replace(restriction, published=publish_objects(node, request))


def _refuse_who_may_not(node: Node, request: PublishRequest) -> None:
    """Refuse before anything is said: else the object would be restricted and reach nobody."""
    tried = publish_objects(node, replace(request, drafts=[], dry_run=True))
    named = {peer.node_id for peer in request.to}
    for line in tried.audience:
        if line.peer in named and line.decision == "refused":
            raise SharingRefused(
                "E_AUDIENCE_REFUSED",
                f"{line.name}: {line.why}",
                "Change the peer's trust with `tocsin peer set`, or leave the peer out.",
                decision=line.code,
            )


def own_versions(tx: Transaction, node: Node, stix_id: str) -> list[ObjectRow]:
    """List the versions of an own object that is neither withdrawn nor erased, the newest last.

    Raises:
        NotFound: ``E_NOT_FOUND``. Conflict: ``E_WITHDRAWN``, ``E_ERASED``.
    """
    claims = stored.claims_of(tx, [stix_id]).get(stix_id, [])
    rows = [row for row in claims if row.origin == node.node_id and not is_mark(row)]
    # A verdict was never published: it is made and revoked by what it rests on (PROTOCOL 4.4).
    rows = [row for row in rows if row.state != VERDICT_STATE]
    if not rows:
        raise NotFound(
            "E_NOT_FOUND",
            f"this node did not publish {stix_id}",
            "Only the origin changes a label; `tocsin objects show` names it.",
        )
    newest = rows[-1]
    if newest.revoked or newest.state == taking_back.WITHDRAWN:
        raise Conflict("E_WITHDRAWN", f"{stix_id} is withdrawn already")
    if newest.state == taking_back.ERASED:
        raise Conflict("E_ERASED", f"{stix_id} is erased already")
    return rows


def _stricter(tx: Transaction, node: Node, stix_id: str, tlp: Tlp) -> list[ObjectRow]:
    rows = own_versions(tx, node, stix_id)
    # Shown by what it was released to meanwhile, it can be taken back to the label that it prints.
    if tlp <= rows[-1].shown_tlp:
        raise Conflict(
            "E_NOT_STRICTER",
            f"{stix_id} is TLP:{Tlp(rows[-1].shown_tlp).wire.upper()} already",
            "A label is widened by `tocsin widen`, never by restricting.",
        )
    return rows


def next_version(tx: Transaction, node: Node, rows: Sequence[ObjectRow]) -> Draft:
    """Make the version that will print another label; ``publish`` writes the label in.

    Raises:
        Conflict: ``E_UNVERSIONED``.
    """
    newest = rows[-1]
    value = strict_loads(stored.contents_of(tx, [newest.object_row])[newest.object_row])
    if newest.version_at is None or "modified" not in value:
        raise Conflict(
            "E_UNVERSIONED",
            f"{newest.stix_id} has no versions, so none of it can print another label",
            "Leave its label, and publish a new object about it.",
        )
    marks = [ref for ref in value.get("object_marking_refs", ()) if ref not in TLP_BY_MARKING_ID]
    value = {name: member for name, member in value.items() if name != "object_marking_refs"}
    value |= {"object_marking_refs": marks} if marks else {}
    modified = max(node.now(), newest.version_at + timedelta(milliseconds=1))
    return Draft(value | {"modified": write_wire_time(modified)}, newest.idn)


def _restrict(node: Node, stix_id: str, tlp: Tlp, actor: str) -> Restriction:
    with node.database.write() as tx:
        now = node.now()
        rows = _stricter(tx, node, stix_id, tlp)
        newest = rows[-1]
        content = stored.contents_of(tx, [newest.object_row])[newest.object_row]
        carriages = stored.carriages_of(tx, [row.object_row for row in rows])
        appended, left_out = [], dict[str, None]()
        for feed in _that_take_no_more(tx, carriages):
            seqs = [c.seq for c in carriages if c.feed_row == feed.feed_row]
            why = TakingOut([stix_id], actor, RESTRICTED, now)
            left_out |= take_out(tx, node, feed, seqs, why).left_out
        for word in words_on(tx, node, newest, content, carriages):
            again, entry = _restrict_in(tx, node, word.feed, rows, tlp, carriages, now)
            appended.append(entry)
            left_out |= again.left_out
        taking_back.tighten(tx, rows, tlp, now)
        note_taken_back(tx, appended, [stix_id], RESTRICTED, now)
        wake_readers(tx, [entry.feed for entry in appended], list_peers(tx), now)
        store_event(
            tx, now, actor, "RESTRICTED", stix_id=stix_id, tlp=tlp.wire,
            feeds=[str(entry.feed) for entry in appended],
        )  # fmt: skip
        return Restriction(
            stix_id,
            tuple((str(e.feed), e.seq, e.hash) for e in appended),
            receipts_of(tx, appended),
            tuple(left_out),
        )


def _that_take_no_more(tx: Transaction, carriages: Sequence[Carriage]) -> list[FeedRow]:
    rows = sorted({carriage.feed_row for carriage in carriages})
    feeds = [feed_of_row(tx, row) for row in rows]
    return [feed for feed in feeds if feed is not None and feed.state in TAKE_NO_MORE]


def _restrict_in(
    tx: Transaction,
    node: Node,
    name: FeedName,
    rows: Sequence[ObjectRow],
    tlp: Tlp,
    carriages: Sequence[Carriage],
    now: datetime,
) -> tuple[PutAgain, AppendedEntry]:
    """Say it in one feed, and let stubs stand there."""
    stix_id = rows[-1].stix_id
    feed = find_feed(tx, name)
    seqs = [] if feed is None else _still_whole(tx, feed, carriages)
    again = PutAgain()
    if feed is not None and seqs:
        again = put_again(tx, node, feed, seqs, [stix_id], now)
    exercise = all(row.exercise for row in rows)
    entry = append_restrict(tx, node, name, [stix_id], tlp, seqs, now, exercise=exercise)
    return again, entry


def _still_whole(tx: Transaction, feed: FeedRow, carriages: Sequence[Carriage]) -> list[int]:
    seqs = sorted({c.seq for c in carriages if c.feed_row == feed.feed_row})
    return [place.seq for place in places_at(tx, feed.feed_row, seqs) if place.state != STUB]


def append_restrict(
    tx: Transaction,
    node: Node,
    name: FeedName,
    stix_ids: Sequence[str],
    tlp: Tlp,
    seqs: Sequence[int],
    now: datetime,
    *,
    exercise: bool = False,
    erases: bool = False,
) -> AppendedEntry:
    """Append a ``restrict`` to an own feed, with stubs in the place of ``seqs`` from now on.

    Args:
        erases: asks for the bytes to be deleted, where no ``erase`` can say it.
    """
    held = find_feed(tx, name)
    relay = held.relay if held and held.relay else "none"
    policy = policy_members(lowest_label(name), relay=relay)
    if exercise:
        policy["exercise"] = True
    members: dict[str, object] = {"ids": list(stix_ids), "tlp": tlp.wire}
    if seqs:
        members |= {"stop_relay": True, "seqs": sorted(seqs)}
    if erases:
        members["erase"] = True
    entry = append_entry(tx, node, name, kind="restrict", policy=policy, now=now, members=members)
    stub_own(tx, entry, seqs)
    return entry


def stub_own(tx: Transaction, entry: AppendedEntry, seqs: Sequence[int]) -> None:
    """Put stubs in the place of own entries that this one names."""
    by = find_entry(tx, entry.feed_row, entry.seq)
    if by is not None:
        taking_back.leave_stubs(tx, entry.feed_row, entry.feed, list(seqs), by=entry.seq, ts=by.ts)
