"""From a STIX object to the row that stands for it, own or received."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from federation.feeds.ownership import claim_strength
from federation.identity.node_document import PinnedNode
from hub.storage.queries.objects import ObjectRow
from schemas.dns.extensions import DNS_THREAT
from schemas.dns.subjects import QNAME
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, StixId
from schemas.markings import EffectiveLabel, Tlp
from schemas.stix.objects import version_of
from schemas.stix.patterns import simple_observables
from schemas.timestamps import read_stix_time

PROVISIONAL = 3
LONGEST_NAME = 253


def draft_row(
    value: Mapping[str, object],
    *,
    origin: NodeId,
    now: datetime,
    object_row: int = 0,
    tlp: Tlp = Tlp.RED,
    machine: bool = False,
    exercise: bool = False,
    state: str = "accepted",
    code: str | None = None,
    idn: str | None = None,
    strength: int = PROVISIONAL,
    pinned: PinnedNode | None = None,
    published_at: datetime | None = None,
    visible_at: datetime | None = None,
    findable: bool = True,
) -> ObjectRow:
    """Make the row of one version of an object.

    Args:
        value: the object, checked before.
        origin: who claims it.
        now: when it was received, or published by ourselves.
        idn: the name that proves its id, where the entry gives one.
        strength: how strong the claim to the id is, where that is known already.
        pinned: the origin's documents, by which the claim's strength is found.
        published_at: the entry's ``ts``; ``now`` for own ones.
        visible_at: when readers can see it, where that is known already.
        findable: whether it can be found by the name that it is about.

    Raises:
        ContentRejected: when the proof ``idn`` does not prove the id.
    """
    stix_id = StixId(str(value["id"]))
    version = version_of(value)
    if pinned is not None:
        proofs = {} if idn is None else {str(stix_id): idn}
        strength = claim_strength(stix_id, value, proofs, pinned)
    return ObjectRow(
        object_row=object_row,
        origin=origin,
        stix_id=stix_id,
        stix_type=str(value["type"]),
        spec_version=str(value.get("spec_version", "2.1")),
        version=version,
        version_at=read_stix_time(version) if version else None,
        tlp=int(tlp),
        machine=machine,
        exercise=exercise,
        strength=strength,
        state=state,
        code=code,
        revoked=value.get("revoked") is True,
        # It proved the id by now; PostgreSQL stores no NUL, and nobody but a liar names one.
        idn=idn if idn is None or "\0" not in idn else None,
        name_key=name_key_of(value) if findable else None,
        published_at=published_at or now,
        received_at=now,
        visible_at=visible_at,
    )


def name_key_of(value: Mapping[str, object]) -> str | None:
    """Return the one name that a simple domain indicator is about, else None."""
    pattern = value.get("pattern")
    if value.get("type") != "indicator" or not isinstance(pattern, str):
        return None
    if value.get("pattern_type") != "stix" or not _is_on_names(value):
        return None
    try:
        found = simple_observables(pattern)
    except WireFormatError:
        return None
    if len(found) != 1 or found[0].kind != "domain-name":
        return None
    name = found[0].value.lower()
    # No name is longer or holds a NUL, and PostgreSQL indexes and stores neither.
    return name if len(name) <= LONGEST_NAME and "\0" not in name else None


def _is_on_names(value: Mapping[str, object]) -> bool:
    """Tell whether it matches names in queries, and not name servers or addresses."""
    extensions = value.get("extensions")
    facts = extensions.get(DNS_THREAT) if isinstance(extensions, Mapping) else None
    return not isinstance(facts, Mapping) or facts.get("match_on", QNAME) == QNAME


def audience_of(feeds: Iterable[str]) -> frozenset[str] | None:
    """Name who reads what stands in these feeds: None where one of them is open to its label."""
    audiences = {feed.split("/")[1] for feed in feeds}
    return None if audiences & {"clear", "green"} else frozenset(audiences)


def open_label(row: ObjectRow, feeds: Iterable[str]) -> EffectiveLabel:
    """Return a stored object's label with the audience of the feeds that carried it."""
    return EffectiveLabel(Tlp(row.tlp), audience_of(feeds))
