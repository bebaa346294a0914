"""Read what an entry says: its kind, its policy, its members (PROTOCOL 2.4, content level).

A failure here is stored with its code and exposes nothing, **and the chain advances**, or one bad
entry would be a poison pill that blocks the feed. A newer version may judge it again.

Invariants:
* everything raised is ``ContentRejected``, so that no content can stop a feed;
* an unknown kind, an unknown critical member (``!…``) and an unknown policy member are rejected,
  other unknown members are ignored;
* nothing here depends on what we hold: the same bytes read the same at every node.

What it does not do: check objects as STIX, printed labels (``printed_labels``), closure,
ownership (``ownership``), the order of versions or trust. The caller does, in this order.

>>> from datetime import UTC
>>> check_modified({"modified": "2026-03-01T10:30:00Z"}, datetime(2026, 3, 1, 10, tzinfo=UTC))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from federation.errors import ContentRejected
from federation.feeds.carried_objects import CarriedObject, read_objects
from federation.feeds.entry import OpenedEntry
from federation.feeds.payload_members import (
    Members,
    ill_typed,
    read_flag,
    read_node_ids,
    read_seqs,
    read_word,
)
from federation.feeds.sharing_policy import SharingPolicy, read_policy
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, FeedName, is_stix_id
from schemas.markings import Tlp
from schemas.members import (
    read_bytes,
    read_hash,
    read_integer,
    read_list,
    read_object,
    read_text,
    read_texts,
)
from schemas.timestamps import read_stix_time

__all__ = [
    "INNER_KINDS",
    "KINDS_BY_AUDIENCE",
    "CarriedObject",
    "EntryContent",
    "ReleasedKey",
    "SharingPolicy",
    "check_modified",
    "read_content",
    "read_inner_content",
]

LONGEST_REASON = 1024
MODIFIED_AHEAD = timedelta(hours=1)
CEK_BYTES = 32

_OPEN_KINDS = frozenset({"put", "restrict", "retract", "erase", "noop"})
KINDS_BY_AUDIENCE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "clear": _OPEN_KINDS,
        "green": _OPEN_KINDS,
        "group": _OPEN_KINDS | {"group"},
        "direct": _OPEN_KINDS,
        "sealed": frozenset({"sealed", "noop", "erase", "release"}),
    }
)
"""By ``FeedName.kind``; of a sealed feed the outer kinds."""
INNER_KINDS = frozenset({"put", "restrict", "retract", "group", "noop"})
"""What may be inside a sealed entry (PROTOCOL 2.8)."""


@dataclass(frozen=True, slots=True)
class ReleasedKey:
    """The content key of an embargoed entry, made known by a ``release`` (PROTOCOL 2.8)."""

    seq: int
    hash: EntryHash
    cek: bytes


@dataclass(frozen=True, slots=True)
class EntryContent:
    """What an entry says. Members that its kind has not are empty.

    Attributes:
        kind: what is done.
        policy: what the origin allows with it.
        objects: put or, with a ``retract``, their last versions.
        idn: STIX id to the name that proves the id (``ownership``).
        src: lineage tags.
        supersedes: the entry that this ``put`` widens.
        ids: restricted or withdrawn STIX ids, or the group's gid alone, which closes the feed.
        reason: why it is withdrawn or erased.
        seqs: the entries that are erased, or whose relaying stops.
        tlp: the stricter label of a ``restrict``.
        stop_relay: relays stop serving ``seqs``.
        erases: a ``restrict`` asks to delete the bytes of ``ids``, where no ``erase`` can.
        group: the roster.
        sealed: for ``signing.sealing``, which reads its members.
        release: the key of an embargoed entry.
        vouches: signed envelopes, unread.
    """

    kind: str
    policy: SharingPolicy
    objects: tuple[CarriedObject, ...] = ()
    idn: Mapping[str, str] = field(default_factory=dict)
    src: tuple[str, ...] = ()
    supersedes: EntryHash | None = None
    ids: tuple[str, ...] = ()
    reason: str | None = None
    seqs: tuple[int, ...] = ()
    tlp: Tlp | None = None
    stop_relay: bool = False
    erases: bool = False
    group: Members | None = None
    sealed: Members | None = None
    release: ReleasedKey | None = None
    vouches: tuple[Members, ...] = ()

    @property
    def seqs_taken_back(self) -> frozenset[int]:
        """The entries in whose place stubs stand from this entry on (PROTOCOL 2.4 "Stub")."""
        takes = self.kind == "erase" or (self.kind == "restrict" and self.stop_relay)
        return frozenset(self.seqs) if takes else frozenset()


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the readers of the kinds see."""

    body: Members
    payload: bytes
    feed: FeedName
    seq: int


def read_content(entry: OpenedEntry) -> EntryContent:
    """Read the content of an entry whose place in the chain is settled (PROTOCOL 2.4).

    Raises:
        ContentRejected: ``E_SCHEMA`` or ``E_POLICY``.
    """
    header = entry.header
    reading = _Reading(entry.body, entry.envelope.payload, header.feed, header.seq)
    return _read(reading, KINDS_BY_AUDIENCE[header.feed.kind], inside_seal=False)


def read_inner_content(body: Members, payload: bytes, *, feed: FeedName, seq: int) -> EntryContent:
    """Read the content of a sealed entry's inner payload, once it has been opened.

    Args:
        body: the parsed inner payload.
        payload: its bytes.
        feed: the outer entry's feed, which the opening compared with the inner one.
        seq: the outer entry's seq, likewise.

    Raises:
        ContentRejected: ``E_SCHEMA`` or ``E_POLICY``.
    """
    return _read(_Reading(body, payload, feed, seq), INNER_KINDS, inside_seal=True)


def check_modified(value: Members, ts: datetime) -> None:
    """Check that a version is not from the future: it would win for ever (PROTOCOL 2.4).

    Raises:
        ContentRejected: ``E_STALE_MODIFIED``, or ``E_SCHEMA`` for what is no timestamp.
    """
    if "modified" not in value:
        return
    try:
        modified = read_stix_time(value["modified"])
    except WireFormatError as error:
        raise ContentRejected("E_SCHEMA", f"modified: {error.detail}") from None
    if modified - ts > MODIFIED_AHEAD:
        raise ContentRejected(
            "E_STALE_MODIFIED",
            "modified is more than an hour after the entry's ts",
            "Compare the producer's clock.",
            stix_id=value.get("id"),
        )


def _read(reading: _Reading, kinds: frozenset[str], *, inside_seal: bool) -> EntryContent:
    try:
        return _read_stated(reading, kinds, inside_seal=inside_seal)
    except WireFormatError as error:
        raise ContentRejected(error.code, error.detail, error.remedy, **error.params) from None


def _read_stated(reading: _Reading, kinds: frozenset[str], *, inside_seal: bool) -> EntryContent:
    body = reading.body
    # 1. Nothing that we must understand and do not.
    if any(name.startswith("!") for name in body):
        raise WireFormatError("E_SCHEMA", "a critical member is unknown here")
    # 2. A kind that we know, where it may stand. The roster comes before all else in a group.
    kind = read_text(body, "kind")
    if kind not in kinds:
        raise WireFormatError(
            "E_SCHEMA",
            f"the kind {kind!r} is unknown in this feed",
            "The entry is kept and judged again after an update.",
        )
    if reading.feed.kind == "group" and reading.seq == 1 and kind != "group":
        raise WireFormatError("E_SCHEMA", "a group's feed begins with its roster")
    # 3. The policy, before any object is looked at.
    policy = read_policy(
        read_object(body.get("policy"), "policy"),
        reading.feed,
        carries_objects=kind == "put" or (kind == "retract" and "objects" in body),
        inside_seal=inside_seal,
    )
    # 4. The kind's own members.
    return _READERS[kind](reading, EntryContent(kind, policy))


def _read_put(reading: _Reading, content: EntryContent) -> EntryContent:
    body = reading.body
    return replace(
        content,
        objects=read_objects(body, reading.payload),
        idn=_read_idn(body),
        src=read_texts(body, "src") if "src" in body else (),
        supersedes=read_hash(body, "supersedes") if "supersedes" in body else None,
    )


def _read_restrict(reading: _Reading, content: EntryContent) -> EntryContent:
    body = reading.body
    stop_relay = read_flag(body, "stop_relay") if "stop_relay" in body else False
    seqs = _read_earlier_seqs(reading, least=1) if stop_relay or "seqs" in body else ()
    if stop_relay and not seqs:
        raise ill_typed("seqs", "the entries whose relaying stops")
    return replace(
        content,
        ids=_read_stix_ids(body),
        tlp=Tlp.read(body.get("tlp")),
        stop_relay=stop_relay,
        erases=read_flag(body, "erase") if "erase" in body else False,
        seqs=seqs,
    )


def _read_retract(reading: _Reading, content: EntryContent) -> EntryContent:
    body, feed = reading.body, reading.feed
    closes = feed.kind in {"group", "sealed"} and body.get("ids") == [feed.audience]
    reason = read_text(body, "reason") if "reason" in body else None
    if reason is not None and len(reason) > LONGEST_REASON:
        raise ill_typed("reason", f"text of at most {LONGEST_REASON} characters")
    return replace(
        content,
        ids=(feed.audience,) if closes else _read_stix_ids(body),
        reason=reason,
        objects=read_objects(body, reading.payload) if "objects" in body else (),
        idn=_read_idn(body),
        src=read_texts(body, "src") if "src" in body else (),
    )


def _read_erase(reading: _Reading, content: EntryContent) -> EntryContent:
    # The first entry stays: the feed's relay rule and, in a group, its roster hang on it.
    seqs = _read_earlier_seqs(reading, least=2)
    if not seqs:
        raise ill_typed("seqs", "the entries to erase")
    body = reading.body
    return replace(
        content, seqs=seqs, reason=read_text(body, "reason") if "reason" in body else None
    )


def _read_group(reading: _Reading, content: EntryContent) -> EntryContent:
    group = read_object(reading.body.get("group"), "group")
    if read_text(group, "gid") != reading.feed.audience:
        raise ill_typed("group.gid", "the audience of this feed")
    read_text(group, "name")
    read_word(group, "history", {"all", "join"})
    if read_word(group, "roster", {"members", "hidden"}) == "members":
        read_node_ids(group, "members")
    elif "members" in group:
        raise WireFormatError("E_SCHEMA", "a hidden roster names members")
    return replace(content, group=group)


def _read_sealed(reading: _Reading, content: EntryContent) -> EntryContent:
    if "objects" in reading.body:
        raise WireFormatError("E_SCHEMA", "a sealed entry has objects in the open")
    return replace(content, sealed=read_object(reading.body.get("sealed"), "sealed"))


def _read_release(reading: _Reading, content: EntryContent) -> EntryContent:
    release = read_object(reading.body.get("release"), "release")
    seq = read_integer(release, "seq", least=1)
    if seq >= reading.seq:
        raise ill_typed("release.seq", "an earlier entry")
    cek = read_bytes(release, "cek", length=CEK_BYTES)
    return replace(content, release=ReleasedKey(seq, read_hash(release, "hash"), cek))


def _read_noop(reading: _Reading, content: EntryContent) -> EntryContent:
    if "vouches" not in reading.body:
        return content
    vouches = read_list(reading.body, "vouches")
    return replace(content, vouches=tuple(read_object(vouch, "vouches[]") for vouch in vouches))


_READERS: Mapping[str, Callable[[_Reading, EntryContent], EntryContent]] = MappingProxyType(
    {
        "put": _read_put,
        "restrict": _read_restrict,
        "retract": _read_retract,
        "erase": _read_erase,
        "group": _read_group,
        "sealed": _read_sealed,
        "release": _read_release,
        "noop": _read_noop,
    }
)


def _read_earlier_seqs(reading: _Reading, *, least: int) -> tuple[int, ...]:
    seqs = read_seqs(reading.body, "seqs")
    if not all(least <= seq < reading.seq for seq in seqs):
        raise ill_typed("seqs", f"earlier entries from seq {least}")
    return seqs


def _read_stix_ids(body: Members) -> tuple[str, ...]:
    ids = read_texts(body, "ids")
    if not ids or not all(is_stix_id(text) for text in ids):
        raise ill_typed("ids", "an array of STIX ids")
    return ids


def _read_idn(body: Members) -> Mapping[str, str]:
    if "idn" not in body:
        return {}
    idn = read_object(body["idn"], "idn")
    names = {stix_id: name for stix_id, name in idn.items() if isinstance(name, str)}
    if len(names) != len(idn):
        raise ill_typed("idn", "an object of names")
    return names
