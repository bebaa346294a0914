"""Report that a delegation was hijacked: one entry, first on every line (issue 6, point 2).

Invariants:
* what is called rogue is new in the delegation and lies outside the victim's zone: the victim's own
  name servers never become indicators, nor does a name that a guard protects; the claim says all;
* a report in which nothing changed is refused;
* where this node spoke of an observable before in other words or at another label, the claim goes
  out without it rather than not at all, and says what was left out.

What it does not do: look whether it is true. Whoever reports has looked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from federation.errors import SharingRefused
from hub.exchange.preparing import RefusedObject
from hub.exchange.publication_audience import AudienceLine
from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.exchange.publish_names import IDN_BYTES
from hub.imports.drafts import Draft
from hub.incidents.concern import is_within
from hub.incidents.report_objects import Author, hijack_drafts, without
from hub.node import Node
from hub.storage.queries.peers import PeerRow
from hub.verdicts.guard_lists import WARN
from hub.verdicts.guards import load_guards
from schemas.dns.delegations import MOST, VECTORS, DelegationChange, change_kinds, read_ds
from schemas.dns.names import read_name
from schemas.errors import WireFormatError
from schemas.identifiers import b32
from schemas.markings import Tlp

IMMEDIATE: Final = "immediate"
MOST_REPORTED: Final = 13
"""Name servers in a report, as many as a delegation has at most in practice: with what ties them
they have to fit into one entry of 64 objects."""
_MOST_ADDRESSES: Final = 8
_MOST_CONFIDENCE: Final = 100


@dataclass(frozen=True, slots=True)
class HijackReport:
    """What somebody saw.

    Args:
        zone: whose delegation it is; it and the name servers as people write names.
        old_ds: empty where they are not known, or there were none.
        new_ds: empty where there are none any more.
        changed_at: when it was changed, as far as that is known.
        addresses: of the new name servers.
        confidence: 0 to 100.
    """

    zone: str
    old_ns: Sequence[str]
    new_ns: Sequence[str]
    old_ds: Sequence[str] = ()
    new_ds: Sequence[str] = ()
    vector: str | None = None
    registrar: str | None = None
    registrar_id: int | None = None
    changed_at: datetime | None = None
    addresses: Sequence[str] = ()
    confidence: int = 90


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A name server that is no indicator, or an observable that is not in the entry, and why."""

    what: str
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A claim as it was published, or would be.

    Args:
        rogue: the name servers that have indicators.
        stix_ids: of all its objects.
    """

    incident: str
    zone: str
    change_kinds: tuple[str, ...]
    rogue: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    tlp: str
    feeds: tuple[str, ...]
    entries: int
    stix_ids: tuple[str, ...]
    audience: tuple[AudienceLine, ...]


def report_hijack(
    node: Node,
    report: HijackReport,
    tlp: Tlp,
    *,
    to: tuple[PeerRow, ...] = (),
    groups: tuple[str, ...] = (),
    pap: str = "green",
    dry_run: bool = False,
    actor: str = "operator",
) -> Reported:
    """Publish a hijack claim, or decide what publishing it would do.

    Args:
        pap: which actions are permitted. The indicators ask for a block of the name servers, which
            the other side notices, so without a word it is permitted at every label (PROTOCOL 2.4).

    Raises:
        WireFormatError: ``E_HIJACK_SAME`` where nothing changed; ``E_NAME_*``, ``E_SCHEMA`` for
            what is no name, DS record, address or word.
        SharingRefused: what publishing refuses, in the code of the first refused object.
        NotFound: ``E_GROUP_UNKNOWN``.
    """
    change = read_report(report, node.now())
    rogue, left_out = nameable_servers(node, change)
    author = author_of(node)
    drafts = hijack_drafts(
        author, change, rogue=rogue, addresses=report.addresses, confidence=report.confidence
    )
    request = PublishRequest(
        drafts=drafts, tlp=tlp, to=to, groups=groups, wrap=_wrapping(author, change),
        urgency=IMMEDIATE, actor=actor, pap=pap,
    )  # fmt: skip
    outcome, refused = _publish(node, request, dry_run=dry_run)
    left_out = (*left_out, *(LeftOut(each.stix_id, each.code, each.detail) for each in refused))
    return Reported(
        incident=str(drafts[0].value["id"]),
        zone=change.zone,
        change_kinds=change.change_kinds,
        rogue=rogue,
        left_out=left_out,
        tlp=tlp.wire,
        feeds=outcome.feeds,
        entries=outcome.entries,
        stix_ids=outcome.stix_ids,
        audience=outcome.audience,
    )


def author_of(node: Node) -> Author:
    """Return this node as an author of objects, now."""
    return Author(node.node_id, node.identity, node.now(), lambda: b32(node.entropy(IDN_BYTES)))


def nameable_servers(
    node: Node, change: DelegationChange
) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Tell of the new name servers which may become indicators, and why the others may not."""
    with node.database.read() as tx:
        guards = load_guards(tx, node)
    rogue, left_out = [], []
    for name in change.rogue_ns:
        hits = [h for h in guards.hits(name, "exact") if h.grade != WARN and not h.overridden_by]
        if is_within(name, change.zone):
            why = f"it lies in {change.zone}, and would stay blocked when the zone is back"
            left_out.append(LeftOut(name, "E_HIJACK_VICTIM", why))
        elif hits:
            why = f"{hits[0].matched} is protected by the list {hits[0].list_name}"
            left_out.append(LeftOut(name, "E_HIJACK_PROTECTED", why))
        else:
            rogue.append(name)
    return tuple(rogue), tuple(left_out)


def read_report(report: HijackReport, now: datetime) -> DelegationChange:
    """Read what somebody reports, in one spelling.

    Raises:
        WireFormatError: see ``report_hijack``.
    """
    zone = read_name(report.zone, refang=True).a_label
    old_ns, new_ns = _names(report.old_ns), _names(report.new_ns)
    old_ds, new_ds = _keys(report.old_ds), _keys(report.new_ds)
    if report.vector is not None and report.vector not in VECTORS:
        raise _wrong(f"{report.vector!r} is no vector", f"Use one of {', '.join(sorted(VECTORS))}.")
    if not 0 <= report.confidence <= _MOST_CONFIDENCE:
        raise _wrong("confidence is 0 to 100")
    if report.registrar_id is not None and report.registrar_id < 1:
        raise _wrong("a registrar's number at IANA is at least 1")
    _check_addresses(report.addresses)
    kinds = change_kinds(old_ns, new_ns, old_ds, new_ds)
    if not kinds:
        raise WireFormatError(
            "E_HIJACK_SAME",
            f"the delegation of {zone} is the same before and after",
            "Give as --new-ns, or --new-ds, what the parent's servers say now.",
        )
    return DelegationChange(
        zone=zone,
        change_kinds=kinds,
        old_ns=old_ns,
        new_ns=new_ns,
        old_ds=old_ds,
        new_ds=new_ds,
        registrar_id=report.registrar_id,
        registrar=report.registrar,
        vector=report.vector,
        changed_at=report.changed_at,
        detected_at=now,
    )


def _names(texts: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(read_name(text, refang=True).a_label for text in texts))
    if len(names) > MOST_REPORTED:
        raise _wrong(f"more than {MOST_REPORTED} name servers", "Report those that matter most.")
    return names


def _keys(texts: Sequence[str]) -> tuple[str, ...]:
    keys: dict[str, None] = {}
    for text in texts[: MOST + 1]:
        key = read_ds(text)
        if key is None:
            raise _wrong(
                f"{text[:80]!r} is no DS record", "Write it like '20326 8 2 e06d44b8…' (RFC 4034)."
            )
        keys[key] = None
    return tuple(keys)


def _check_addresses(addresses: Sequence[str]) -> None:
    if len(addresses) > _MOST_ADDRESSES:
        raise _wrong(f"more than {_MOST_ADDRESSES} addresses")
    for text in addresses:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise _wrong(f"{text[:80]!r} is no address") from None


def _wrong(detail: str, remedy: str = "") -> WireFormatError:
    return WireFormatError("E_SCHEMA", detail, remedy)


def _wrapping(
    author: Author, change: DelegationChange
) -> Callable[[Sequence[Mapping[str, object]]], Draft]:
    def wrap(values: Sequence[Mapping[str, object]]) -> Draft:
        return author.draft(
            "grouping",
            {
                "name": f"Hijack of {change.zone}",
                "context": "suspicious-activity",
                "object_refs": [value["id"] for value in values],
            },
        )

    return wrap


def _publish(
    node: Node, request: PublishRequest, *, dry_run: bool
) -> tuple[PublishOutcome, tuple[RefusedObject, ...]]:
    """Publish in one entry; without the observables that cannot be in it."""
    tried = publish_objects(node, replace(request, dry_run=True))
    # What only refers to a refused observable is refused with it, and goes out without it.
    observables = [
        each
        for each in tried.refused
        if each.stix_id.startswith(("domain-name--", "ipv4-addr--", "ipv6-addr--"))
        and each.code != "E_REF_LEAK"
    ]
    if observables:
        left_out = frozenset(each.stix_id for each in observables)
        request = replace(request, drafts=without(request.drafts, left_out))
        tried = publish_objects(node, replace(request, dry_run=True))
    if tried.refused:
        first = tried.refused[0]
        raise SharingRefused(first.code, f"{first.stix_id}: {first.detail}", first.remedy)
    outcome = tried if dry_run else publish_objects(node, request)
    return outcome, tuple(observables)
