"""Turn names into the indicators that every importer understands (DNS 4), and their groupings.

Decides the form of an indicator that this node writes from a name: the exact pattern, always a
``valid_until``, the threat type in ``labels`` for consumers that drop extensions.

Does not: mark anything. The entry's TLP is written in by the publisher, which alone knows it.
Does not read a clock or draw randomness: ``now`` and ``new_idn`` come in.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from hub.imports.drafts import Draft
from hub.imports.list_reading import NamedLine
from hub.imports.said_facts import indicator_type, say_facts
from schemas.dns.extensions import DNS_THREAT, dns_threat
from schemas.dns.names import registrable_domain
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId, StixId, node_namespace, own_stix_id
from schemas.timestamps import write_wire_time

INDICATORS_PER_ENTRY = 63
"""With their grouping they are the 64 objects that an entry may carry (PROTOCOL 2.4)."""
_MAX_CONFIDENCE = 100
_MAX_VALID_DAYS = 3660


def indicators_from_names(
    names: Iterable[NamedLine],
    *,
    node_id: NodeId,
    identity: StixId,
    now: datetime,
    valid_days: int,
    threat_type: str,
    confidence: int,
    new_idn: Callable[[], str],
    family: str | None = None,
    description: str | None = None,
) -> Iterator[Draft]:
    """Make one indicator a name, in the order of the names.

    Args:
        names: as ``read_name_list`` gives them.
        node_id: the node under whose namespace the ids are (PROTOCOL 2.4).
        identity: the own identity, for ``created_by_ref``.
        now: when the indicators are created and begin to be valid.
        valid_days: how long they are valid, 1 to 3,660 days.
        threat_type: one of ``schemas.dns.extensions.THREAT_TYPES``.
        confidence: 0 to 100.
        new_idn: gives a name of at least 12 random characters at each call.
        family: such as ``conficker``; becomes a label too.
        description: for people; one is made from the threat type when absent.

    Raises:
        WireFormatError: ``E_SCHEMA`` when a parameter is out of range, before the first draft.
    """
    if not 0 <= confidence <= _MAX_CONFIDENCE or not 1 <= valid_days <= _MAX_VALID_DAYS:
        raise WireFormatError(
            "E_SCHEMA",
            f"confidence is 0 to {_MAX_CONFIDENCE}, valid_days 1 to {_MAX_VALID_DAYS}",
        )
    dns_threat(threat_type, "exact")  # refuses a threat type outside the vocabulary
    created = write_wire_time(now)
    labels = [threat_type] if family is None else [threat_type, family]
    shared = {
        "created_by_ref": identity,
        "created": created,
        "modified": created,
        "description": description or f"Domain name listed as {threat_type}.",
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": created,
        "valid_until": write_wire_time(now + timedelta(days=valid_days)),
        "confidence": confidence,
    }
    return _drafts(
        names,
        node_id=node_id,
        threat_type=threat_type,
        labels=labels,
        shared=shared,
        new_idn=new_idn,
        describes=description is None,
    )


def _drafts(
    names: Iterable[NamedLine],
    *,
    node_id: NodeId,
    threat_type: str,
    labels: list[str],
    shared: dict[str, Any],
    new_idn: Callable[[], str],
    describes: bool,
) -> Iterator[Draft]:
    indicator_types = [indicator_type(threat_type)]
    # own_stix_id with its first half taken out of the loop; a test holds the two equal.
    namespace = node_namespace(node_id)
    for entry in names:
        name = entry.name
        idn_name = new_idn()
        # Plain dicts, the vocabulary checked once above: this runs 250,000 times for one list.
        facts = {
            "extension_type": "property-extension",
            "threat_type": threat_type,
            "match_scope": "subtree" if name.subtree else "exact",
            "tld": name.a_label.rpartition(".")[2],
        }
        registrable = registrable_domain(name.a_label)
        if registrable is not None:
            facts["registrable_domain"] = registrable
        if name.u_label != name.a_label:
            facts["u_label"] = name.u_label
        value = {
            "type": "indicator",
            "spec_version": "2.1",
            "id": f"indicator--{uuid.uuid5(namespace, f'indicator:{idn_name}')}",
            "name": name.a_label,
            # A read name holds neither quotes nor backslashes: nothing to escape.
            "pattern": f"[domain-name:value = '{name.a_label}']",
            **shared,
            # Lists are copied, so that a change to one draft never shows in another.
            "labels": labels.copy(),
            "indicator_types": indicator_types.copy(),
            "extensions": {DNS_THREAT: facts},
        }
        if entry.said is not None:
            say_facts(value, entry.said, describes=describes)
        yield Draft(value, idn_name, entry.line)


def grouping_for(
    drafts: Sequence[Draft],
    *,
    node_id: NodeId,
    identity: StixId,
    now: datetime,
    name: str,
    new_idn: Callable[[], str],
    description: str | None = None,
) -> Draft:
    """Make the grouping that goes into one entry with these drafts (DNS 1).

    Importers such as MISP take the label of an event from it.

    Raises:
        WireFormatError: ``E_SCHEMA`` when there is no draft or more than 63.
    """
    if not 1 <= len(drafts) <= INDICATORS_PER_ENTRY:
        raise WireFormatError("E_SCHEMA", f"a grouping has 1 to {INDICATORS_PER_ENTRY} objects")
    idn_name = new_idn()
    created = write_wire_time(now)
    value: dict[str, Any] = {
        "type": "grouping",
        "spec_version": "2.1",
        "id": own_stix_id(node_id, "grouping", idn_name),
        "created_by_ref": identity,
        "created": created,
        "modified": created,
        "name": name,
        "context": "suspicious-activity",
        "object_refs": [draft.value["id"] for draft in drafts],
    }
    if description:
        value["description"] = description
    return Draft(value, idn_name)


def entries_of(
    drafts: Iterable[Draft], size: int = INDICATORS_PER_ENTRY
) -> Iterator[tuple[Draft, ...]]:
    """Cut drafts into the portions of one entry each; ``grouping_for`` adds its grouping."""
    iterator = iter(drafts)
    while portion := tuple(islice(iterator, size)):
        yield portion
