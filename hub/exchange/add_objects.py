"""Add Objects: what local producers hand in, object by object (TAXII 2.1 §5.5).

Invariants:
* each object is judged alone: a broken one is named in the status and spoils no other;
* an object is stored with its label and its places in the views in one transaction, so it is
  never readable before its policy is attached (THREATS 3.7);
* what is unmarked gets the collection's default label, else AMBER+STRICT, never CLEAR
  (PROTOCOL 3.1); an unknown marking makes it AMBER+STRICT;
* the bytes are kept as given; a duplicate is no error, the same id and version with other content
  is a failure that the status names (THREATS 3.9);
* the status is complete when it is told of, and on the disk before that.

What it does not do: publish. In a collection that publishes, an object is stored as waiting, and
the job that publishes it is asked for in the same transaction (``publishing_collections``).
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from federation.feeds.carried_objects import cut_objects
from federation.policy.labels import UNMARKED_LOCAL, effective_label
from federation.policy.views import ceilings_for
from hub.exchange.collection_options import strictest_of
from hub.exchange.collections import LOCAL_STATE, QUEUED_STATE, local_origin
from hub.exchange.latest_versions import settle_latest
from hub.exchange.object_rows import draft_row
from hub.exchange.reading import not_found, open_collection
from hub.node import Node
from hub.operators.readers import Reader
from hub.storage.dialects import from_micros
from hub.storage.queries.collections import CollectionRow, StatusRow, store_status
from hub.storage.queries.jobs import request_job
from hub.storage.queries.objects import (
    ObjectRow,
    claims_of,
    contents_of,
    store_new_objects,
)
from hub.storage.queries.views import add_rows_to_each, placements_of, views_of
from hub.storage.transaction import Transaction
from schemas.errors import TocsinError, WireFormatError
from schemas.identifiers import NodeId, is_stix_id
from schemas.markings import TLP_BY_MARKING_ID, Tlp
from schemas.stix.objects import version_of
from schemas.stix.validation import check_object
from schemas.strict_json import strict_loads
from schemas.taxii.resources import ObjectStatus, read_posted_envelope, write_status
from schemas.timestamps import read_stix_time, write_taxii_time

_NO_ID: Final = "invalid--00000000-0000-0000-0000-000000000000"
"""Stands in a status for an object that has no id to name it by."""

_STRICTER: Final = "E_LABEL_STRICTER"

Markings = Mapping[str, Mapping[str, object]]
VersionKey = tuple[str, datetime | None]


@dataclass(frozen=True, slots=True)
class AddedStatus:
    """The status of one request, as its resource's bytes."""

    status_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Sound:
    """A checked object: its place in the request, its bytes, its value, its row and its label."""

    place: int
    raw: bytes
    value: Mapping[str, Any]
    row: ObjectRow
    tlp: Tlp

    @property
    def key(self) -> VersionKey:
        return self.row.stix_id, self.row.version_at


def require_may_add(node: Node, reader: Reader, reference: str) -> None:
    """Refuse who may not add objects here, before the body is read.

    Raises:
        NotFound: ``E_NOT_FOUND``, also for a collection that the reader sees (PROTOCOL 2.9).
    """
    with node.database.read() as tx:
        sight = open_collection(tx, reader, reference)
    if not sight.may_write:
        raise not_found()


def add_objects(node: Node, reader: Reader, reference: str, body: bytes) -> AddedStatus:
    """Add the objects of an envelope to a collection.

    Args:
        node: this node.
        reader: who adds.
        reference: the collection's id or alias.
        body: the envelope as received.

    Raises:
        NotFound: ``E_NOT_FOUND``.
        WireFormatError: ``E_JSON_*``, ``E_TOO_BIG`` or ``E_ENVELOPE``; nothing was stored.
    """
    envelope = read_posted_envelope(body, max_bytes=node.settings.max_content_length)
    raws = cut_objects(envelope, body)
    values = envelope["objects"]
    now = node.now()
    with node.database.read() as tx:
        collection, _ = _writable(tx, reader, reference)
        markings = _known_markings(tx, collection, values)
    sound, failed = _check_all(raws, values, collection, markings, now)
    status_id = str(uuid.UUID(bytes=node.entropy(16), version=4))
    with node.database.write() as tx:
        # Asked again: the right may have gone since, and this is the transaction that counts.
        collection, own_view = _writable(tx, reader, reference)
        added, refused, several = _settle_versions(tx, collection, sound)
        # The clock once more: checking may have taken long, and so may waiting for this turn.
        _store(tx, collection, added, several, node.now())
        added_at = _when_added(tx, collection, own_view, sound)
        failures = [failed.get(place) or refused.get(place) for place in range(len(values))]
        failure_list = [failure for failure in failures if failure is not None]
        new = {item.place for item in added}
        successes = [
            ObjectStatus(
                item.row.stix_id,
                item.row.version or write_taxii_time(added_at.get(item.row.stix_id, now)),
                _note(item.row, is_new=item.place in new),
            )
            for item in sound
            if item.place not in refused
        ]
        status = write_status(status_id, now, successes, failure_list)
        store_status(
            tx,
            StatusRow(status_id, reader.name, collection.collection_id, len(values), status, now),
        )
    return AddedStatus(status_id, status)


def _writable(tx: Transaction, reader: Reader, reference: str) -> tuple[CollectionRow, int]:
    """Look up the collection to add to, and the view in which the submitter reads it."""
    sight = open_collection(tx, reader, reference)
    if sight.granted is None or not sight.may_write:
        raise not_found()
    return sight.granted.collection, sight.view_id


def _check_all(
    raws: Sequence[bytes],
    values: Sequence[object],
    collection: CollectionRow,
    markings: Markings,
    now: datetime,
) -> tuple[list[_Sound], dict[int, ObjectStatus]]:
    """Check and label each object by itself; failures by their place."""
    origin = NodeId(local_origin(collection.collection_id))
    default = UNMARKED_LOCAL if collection.default_tlp is None else Tlp(collection.default_tlp)
    sound: list[_Sound] = []
    failed: dict[int, ObjectStatus] = {}
    for place, (raw, value) in enumerate(zip(raws, values, strict=True)):
        try:
            if not isinstance(value, dict):
                raise WireFormatError("E_SCHEMA", "not a JSON object")
            check_object(value)
            tlp = _label(value, default, markings)
            state, code = _state(collection, tlp)
            row = draft_row(
                value, origin=origin, now=now, tlp=tlp, state=state, code=code, visible_at=now,
                # A name key finds what is published on a name; what stands here is not.
                findable=False,
            )  # fmt: skip
        except TocsinError as error:
            failed[place] = _failure(place, value, error, now)
        else:
            sound.append(_Sound(place, raw, value, row, tlp))
    return sound, failed


def _state(collection: CollectionRow, tlp: Tlp) -> tuple[str, str | None]:
    """Tell whether an object waits to be published, and if it cannot be, by which code."""
    if collection.publish_to is None:
        return LOCAL_STATE, None
    if tlp > strictest_of(collection.publish_to):
        return LOCAL_STATE, _STRICTER
    return QUEUED_STATE, None


def _label(value: Mapping[str, object], default: Tlp, markings: Markings) -> Tlp:
    """Find an object's label: what it prints, else the default; other markings only tighten."""
    finding = effective_label(value, None, markings)
    if finding.printed is None:
        finding = effective_label(value, default, markings)
    return finding.label.tlp


def _known_markings(
    tx: Transaction, collection: CollectionRow, values: Sequence[object]
) -> dict[str, Mapping[str, object]]:
    """Collect the marking-definitions that are in the request or were added here before."""
    objects = [value for value in values if isinstance(value, dict)]
    known: dict[str, Mapping[str, object]] = {
        value["id"]: value
        for value in objects
        if value.get("type") == "marking-definition" and is_stix_id(value.get("id"))
    }
    named = {ref for value in objects for ref in _marking_refs(value)}
    wanted = {ref for ref in named - set(known) - set(TLP_BY_MARKING_ID) if is_stix_id(ref)}
    origin = local_origin(collection.collection_id)
    rows = [
        claim.object_row
        for claims in claims_of(tx, sorted(wanted)).values()
        for claim in claims
        if claim.origin == origin
    ]
    for content in contents_of(tx, rows).values():
        value = strict_loads(content)
        known[value["id"]] = value
    return known


def _marking_refs(value: Mapping[str, object]) -> list[str]:
    """List the texts that stand where markings are named; the object is not checked yet."""
    refs = value.get("object_marking_refs")
    granular = value.get("granular_markings")
    found = list(refs) if isinstance(refs, list) else []
    if isinstance(granular, list):
        found += [part.get("marking_ref") for part in granular if isinstance(part, dict)]
    return [ref for ref in found if isinstance(ref, str)]


def _settle_versions(
    tx: Transaction, collection: CollectionRow, sound: Sequence[_Sound]
) -> tuple[list[_Sound], dict[int, ObjectStatus], set[str]]:
    """Tell new versions from duplicates and from clashes with what is held or came before.

    Returns:
        The new versions, the clashes by their place, and the ids with more than one version now.
    """
    origin = local_origin(collection.collection_id)
    ids = {item.row.stix_id for item in sound}
    found = claims_of(tx, ids)
    if not found and len(ids) == len(sound):
        return list(sound), {}, set()
    held = {
        (claim.stix_id, claim.version_at): claim.object_row
        for claims in found.values()
        for claim in claims
        if claim.origin == origin
    }
    again = [held[item.key] for item in sound if item.key in held]
    stored = contents_of(tx, again)
    first: dict[VersionKey, Mapping[str, Any]] = {}
    added: list[_Sound] = []
    refused: dict[int, ObjectStatus] = {}
    for item in sound:
        known = first.get(item.key)
        if known is None and item.key in held:
            content = stored[held[item.key]]
            known = item.value if content == item.raw else strict_loads(content)
        if known is None:
            added.append(item)
        elif not same_json(known, item.value):
            clash = WireFormatError(
                "E_VERSION_CLASH", "this id and version is held with other content"
            )
            refused[item.place] = _failure(item.place, item.value, clash, item.row.received_at)
        first.setdefault(item.key, item.value if known is None else known)
    versions = Counter(stix_id for stix_id, _ in {*held, *(item.key for item in added)})
    several = {str(item.row.stix_id) for item in added if versions[item.row.stix_id] > 1}
    return added, refused, several


def _store(
    tx: Transaction,
    collection: CollectionRow,
    added: Sequence[_Sound],
    several: Collection[str],
    now: datetime,
) -> None:
    """Store new versions, each in the views that may show its label.

    ``several`` are the ids that have more than one version now; the others' only one is the latest.
    """
    if not added:
        return
    first = store_new_objects(tx, [(item.row, item.raw) for item in added])
    ceilings = {tlp: ceilings_for(tlp, machine=False, exercise=False) for tlp in Tlp}
    shown = {
        view.view_id: [
            number for number, item in enumerate(added, first) if view.ceiling in ceilings[item.tlp]
        ]
        for view in views_of(tx, collection.collection_id)
    }
    add_rows_to_each(tx, shown, now)
    settle_latest(tx, collection.collection_id, several)
    if any(item.row.state == QUEUED_STATE for item in added):
        request_job(tx, "publish", collection.collection_id, now)


def _when_added(
    tx: Transaction, collection: CollectionRow, view_id: int, sound: Sequence[_Sound]
) -> dict[str, datetime]:
    """Find the dates that stand for the version of what has none (TAXII 2.1 §3.4.1).

    They are those of the view in which the submitter reads, so that the status names the version
    that its manifest does.
    """
    without = {item.row.stix_id for item in sound if not item.row.version}
    return {
        stix_id: from_micros(place.date_added)
        for stix_id, places in placements_of(tx, collection.collection_id, without).items()
        for place in places
        if place.view_id == view_id
    }


def same_json(one: object, other: object) -> bool:
    """Tell whether two JSON values are equal; 1, 1.0 and true are three values here."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            same_json(member, other[name]) for name, member in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return one == other


def _note(row: ObjectRow, *, is_new: bool) -> str | None:
    """Say what a producer would else wonder about.

    Only what follows from the object and the collection: what else decides whether it is published
    is not for producers (``publishing_collections``).
    """
    if row.code == _STRICTER:
        label = Tlp(row.tlp).wire.upper()
        return f"stored; not published: TLP:{label} is stricter than its target ({_STRICTER})"
    if row.state == QUEUED_STATE:
        return "stored; queued for publication" if is_new else None
    return "stored; TLP:RED is shown to no machine" if row.tlp == Tlp.RED else None


def _failure(place: int, value: object, error: TocsinError, now: datetime) -> ObjectStatus:
    members = value if isinstance(value, dict) else {}
    stix_id = members.get("id")
    return ObjectStatus(
        stix_id if is_stix_id(stix_id) and isinstance(stix_id, str) else _NO_ID,
        _version_text(members, now),
        f"objects[{place}]: {error.code}: {error.detail}",
    )


def _version_text(value: Mapping[str, Any], now: datetime) -> str:
    """Name the version of what was refused, which need not have one that can be read."""
    version = version_of(value)
    try:
        read_stix_time(version)
    except WireFormatError:
        return write_taxii_time(now)
    return version
