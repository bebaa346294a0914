"""Judge an entry's content alone: what every node decides alike from the same bytes.

Content level (PROTOCOL 2.4): all that is raised here is ``ContentRejected``; the entry is stored
as rejected and the chain advances. What needs the store comes after (``received_objects``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from federation.errors import ContentRejected
from federation.feeds.carried_objects import CarriedObject
from federation.feeds.content import EntryContent, check_modified, read_content
from federation.feeds.entry import OpenedEntry
from federation.feeds.ownership import claim_strength
from federation.feeds.printed_labels import check_printed
from federation.identity.node_document import PinnedNode
from federation.policy.closure import references_in_mould, references_of
from federation.policy.labels import effective_label
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from schemas.stix.sco_ids import deterministic_sco_id
from schemas.stix.validation import check_object


@dataclass(slots=True)  # frozen would take four times as long, for each of thousands in a page
class JudgedObject:
    """One object that is sound in itself.

    Args:
        stix_id: the object's id.
        raw: the very bytes inside the signed payload.
        value: what they parse to.
        tlp: the effective label, at least the entry's.
        unknown_marking: a marking on it is not understood; it waits for a person.
        strength: how strong the origin's claim to the id is.
        idn: the name that proves the id, if the entry gives one.
        refs: the ids that it mentions.
    """

    stix_id: str
    raw: bytes
    value: Mapping[str, object]
    tlp: Tlp
    unknown_marking: bool
    strength: int
    idn: str | None
    refs: frozenset[str]


@dataclass(frozen=True, slots=True)
class JudgedContent:
    """An entry whose content is sound in itself."""

    content: EntryContent
    objects: tuple[JudgedObject, ...]

    @property
    def exercise(self) -> bool:
        """Whether it reaches no original, verdict, export or alarm."""
        return self.content.policy.exercise

    @property
    def tlp(self) -> Tlp | None:
        """The entry's label; None for a sealed one."""
        return self.content.policy.tlp


def judge_content(entry: OpenedEntry, origin: PinnedNode) -> JudgedContent:
    """Judge kind, policy, objects, markings and claims, in this order (PROTOCOL 2.4).

    Raises:
        ContentRejected: with the code of the first failure.
    """
    # 1. Kind, policy, members.
    content = read_content(entry)
    # 2. A withdrawal carries last versions of what it withdraws and nothing else: these are shown
    #    beside the narrow-wins rule, which something live must not get around.
    if content.kind == "retract":
        _check_last_versions(content)
    # 3. to 5. Schema, printed labels, versions and claims of each object.
    definitions = {
        carried.stix_id: carried.value
        for carried in content.objects
        if carried.value.get("type") == "marking-definition"
    }
    objects = tuple(
        _judge_object(carried, entry, content, origin, definitions) for carried in content.objects
    )
    return JudgedContent(content, objects)


def _check_last_versions(content: EntryContent) -> None:
    for carried in content.objects:
        if carried.value.get("revoked") is not True or carried.stix_id not in content.ids:
            raise ContentRejected("E_SCHEMA", f"{carried.stix_id} is not a last version here")


def _judge_object(
    carried: CarriedObject,
    entry: OpenedEntry,
    content: EntryContent,
    origin: PinnedNode,
    definitions: Mapping[str, Mapping[str, object]],
) -> JudgedObject:
    value, stix_id = carried.value, carried.stix_id
    tlp = content.policy.tlp
    if tlp is None:
        raise ContentRejected("E_POLICY", "objects in the open under a sealed policy")
    try:
        mould = check_object(value)
        # What has a mould is an indicator, and no id follows from the content of one.
        expected = None if mould is not None else deterministic_sco_id(value)
    except WireFormatError as error:
        raise ContentRejected(
            error.code, f"{stix_id}: {error.detail}", error.remedy, stix_id=stix_id
        ) from None
    if expected is not None and expected != stix_id:
        # An observable's id is computed from its value: another id would hide what it is about.
        raise ContentRejected("E_SCHEMA", f"{stix_id} is not the id of its value")
    check_printed(value, tlp)
    check_modified(value, entry.header.ts)
    finding = effective_label(value, tlp, definitions)
    return JudgedObject(
        stix_id=stix_id,
        raw=carried.raw,
        value=value,
        tlp=max(finding.label.tlp, tlp),
        unknown_marking=bool(finding.unknown_markings),
        strength=claim_strength(stix_id, value, content.idn, origin),
        idn=content.idn.get(stix_id),
        refs=references_of(value) if mould is None else references_in_mould(mould) - {stix_id},
    )
