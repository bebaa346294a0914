"""Introductions without an operator: what vouches are, and what they add up to (PROTOCOL 4.2).

Decides whether a node may be introduced, on the word of nodes that this one trusts.

Invariants:
* path length one: only nodes that count as trusted here are heard, and whoever was itself only
  introduced never counts as trusted; a chain of vouches lends nothing;
* two vouchers at least, of different organisations: nodes that share a domain are one voice;
* what vouches give is at most ``member``, and never more than the most careful voucher said;
* a vouch names the subject's document: it holds for the keys that the voucher saw, so for no
  chain in which the root keys changed since;
* the newest word of a voucher replaces its older ones; one that ends as it begins takes back.

What it does not do: introduce anybody (a person does), pair (an invitation does), or read a clock.

>>> decide_introduction([], {}, EntryHash("0" * 64), datetime(2026, 3, 1)).enough
False
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from federation.errors import SignatureRejected
from federation.feeds.entry import check_signing_time, open_signed
from federation.identity.node_document import PinnedNode
from federation.trust.presets import TrustLevel
from schemas.errors import WireFormatError
from schemas.identifiers import EntryHash, NodeId
from schemas.members import (
    read_hash,
    read_node_id,
    read_signed_object,
    read_text,
    read_texts,
    read_time,
)
from schemas.signed_envelope import VOUCH_TYPE
from schemas.strict_json import write_json
from schemas.timestamps import write_wire_time

LONGEST_VOUCH: Final = timedelta(days=366)
LEAST_VOUCHERS: Final = 2
HIGHEST_PRESET: Final = TrustLevel.MEMBER
LEAST_TRUST: Final = TrustLevel.TRUSTED
MOST_SCOPES: Final = 64
_CLOCK_TOLERANCE: Final = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Vouch:
    """What a voucher signed about a subject.

    Attributes:
        document_hash: the subject's node document that the voucher had before it.
        max_preset: the most trust that the voucher would lend.
        scopes: where the voucher knows the subject to speak with authority; told, not granted.
    """

    voucher: NodeId
    subject: NodeId
    document_hash: EntryHash
    max_preset: TrustLevel
    scopes: tuple[str, ...]
    ts: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher as this node sees it.

    Attributes:
        trust: the level that counts here.
        domains: of its node document.
        charged: one that it vouched for was demoted for cause not long ago.
    """

    node_id: NodeId
    trust: TrustLevel
    domains: frozenset[str]
    charged: bool = False


@dataclass(frozen=True, slots=True)
class Introduction:
    """What the vouches for one subject add up to.

    Attributes:
        enough: a person may introduce the subject.
        trust: the level that it would get.
        vouches: those that count.
        voices: how many organisations they are.
        scopes: those that every voucher names.
        unheard: vouches that do not count, each with the reason.
    """

    enough: bool
    trust: TrustLevel
    vouches: tuple[Vouch, ...]
    voices: int
    scopes: tuple[str, ...]
    unheard: tuple[tuple[Vouch, str], ...]


def vouch_payload(vouch: Vouch) -> bytes:
    """Build a vouch's payload.

    Raises:
        WireFormatError: ``E_SCHEMA`` when it lives longer than a year.
    """
    _check_lifetime(vouch.ts, vouch.expires)
    return write_json(
        {
            "v": 1,
            "voucher": vouch.voucher,
            "subject": vouch.subject,
            "node_doc_hash": vouch.document_hash,
            "max_preset": vouch.max_preset.word,
            "scopes": list(vouch.scopes),
            "ts": write_wire_time(vouch.ts),
            "expires": write_wire_time(vouch.expires),
        }
    )


def open_vouch(value: object, *, voucher: PinnedNode) -> Vouch:
    """Open a vouch.

    Args:
        value: the parsed signed envelope.
        voucher: the origin of the feed that carried it; nobody vouches for another.

    Raises:
        WireFormatError: the shape, the JSON, or ``E_SCHEMA``.
        SignatureRejected: the keys or the signature; ``E_KEY_UNKNOWN`` when it names another
            voucher than its signer.
    """
    # 1. Shape, keys, purpose, signature, strict JSON, the keys' time.
    _, parsed, signers = open_signed(value, VOUCH_TYPE, voucher)
    body = read_signed_object(parsed, "vouch")
    ts, expires = read_time(body, "ts"), read_time(body, "expires")
    check_signing_time(ts, signers, voucher)
    # 2. Who says it. A revoked key needs no check here: the entry around it stands or falls.
    if read_node_id(body, "voucher") != voucher.node_id:
        raise SignatureRejected("E_KEY_UNKNOWN", "the vouch names another voucher than its signer")
    # 3. What it says.
    subject = read_node_id(body, "subject")
    if subject == voucher.node_id:
        raise WireFormatError("E_SCHEMA", "nobody vouches for itself", member="subject")
    _check_lifetime(ts, expires)
    scopes = read_texts(body, "scopes")
    if len(scopes) > MOST_SCOPES:
        raise WireFormatError("E_SCHEMA", f"more than {MOST_SCOPES} scopes", member="scopes")
    return Vouch(
        voucher=voucher.node_id,
        subject=subject,
        document_hash=read_hash(body, "node_doc_hash"),
        max_preset=TrustLevel.read(read_text(body, "max_preset")),
        scopes=scopes,
        ts=ts,
        expires=expires,
    )


def vouchable_documents(subject: PinnedNode) -> frozenset[EntryHash]:
    """List the documents of a subject under which a vouch still holds.

    All of the chain since its root keys last changed: entry and seal keys change every few weeks,
    under the same root, and are vouched for by it. A new root set is another claim, which the
    voucher has not seen.
    """
    newest = subject.newest.rootset
    found: set[EntryHash] = set()
    for document in reversed(subject.documents):
        if document.rootset != newest:
            break
        found.add(document.hash)
    return frozenset(found)


def decide_introduction(
    vouches: Sequence[Vouch],
    vouchers: Mapping[NodeId, Voucher],
    documents: Collection[EntryHash],
    now: datetime,
) -> Introduction:
    """Decide what the vouches for one subject add up to.

    Args:
        vouches: at most one of each voucher, its newest.
        vouchers: what this node knows of those who vouch.
        documents: those of the subject under which a vouch holds (``vouchable_documents``).
        now: our clock.
    """
    heard: list[Vouch] = []
    unheard: list[tuple[Vouch, str]] = []
    for vouch in sorted(vouches, key=lambda one: one.voucher):
        reason = _unheard_because(vouch, vouchers.get(vouch.voucher), documents, now)
        if reason is None:
            heard.append(vouch)
        else:
            unheard.append((vouch, reason))
    voices = count_voices([vouchers[vouch.voucher] for vouch in heard])
    trust = min([HIGHEST_PRESET, *(vouch.max_preset for vouch in heard)])
    scopes = set[str].intersection(*(set(vouch.scopes) for vouch in heard)) if heard else set()
    return Introduction(
        enough=voices >= LEAST_VOUCHERS and trust > TrustLevel.KNOWN,
        trust=trust,
        vouches=tuple(heard),
        voices=voices,
        scopes=tuple(sorted(scopes)),
        unheard=tuple(unheard),
    )


def count_voices(vouchers: Collection[Voucher]) -> int:
    """Count organisations: nodes that share a domain, also by way of a third one, are one."""
    groups: list[set[str]] = []
    without_domain = 0
    for voucher in vouchers:
        if not voucher.domains:
            without_domain = 1  # nothing tells them apart
            continue
        joined = set(voucher.domains)
        apart = []
        for group in groups:
            if group & joined:
                joined |= group
            else:
                apart.append(group)
        groups = [*apart, joined]
    return len(groups) + without_domain


def _unheard_because(
    vouch: Vouch, voucher: Voucher | None, documents: Collection[EntryHash], now: datetime
) -> str | None:
    if voucher is None or voucher.trust < LEAST_TRUST:
        return "the voucher does not count as trusted here"
    if voucher.charged:
        return "another that it vouched for was demoted for cause"
    if vouch.ts > now + _CLOCK_TOLERANCE:
        return "it is dated ahead of our clock"
    if vouch.expires <= vouch.ts:
        return "it was taken back"
    if vouch.expires <= now:
        return "it has expired"
    if vouch.document_hash not in documents:
        return "it was given for other keys than the node has now"
    return None


def _check_lifetime(ts: datetime, expires: datetime) -> None:
    if not ts <= expires or expires - ts > LONGEST_VOUCH:
        raise WireFormatError("E_SCHEMA", "expires is not within a year after ts", member="expires")
