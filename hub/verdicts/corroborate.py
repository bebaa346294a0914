"""Let out of quarantine what a second, independent lineage says too (PROTOCOL 4.1, T2).

Decides, for each claim that waits with ``QUARANTINED_CORROBORATION``, whether somebody else at
``member`` or above says the same of the name.

Invariants:
* only claims that the waiting one's own label shows count, and lineages are found among those
  alone (PROTOCOL 3.5): a stricter claim releases nothing that a laxer reader would then see;
* an echo corroborates nothing, nor does another object of the same origin (``trust.lineage``);
* claims that wait count as voices too: else two members could never corroborate each other;
* what was overtaken by a newer version, revoked, or has ended is no voice and is not let out;
* the origin's dial as it stands now is asked once more: what it refuses today stays out.

What it does not do: weigh. Whether the claim then makes a verdict is for ``name_verdict``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from federation.policy.admission import decide_admission
from federation.trust.presets import TrustLevel, allows_type
from hub.exchange.readmission import release
from hub.exchange.trust_gate import CORROBORATION
from hub.node import Node
from hub.peers.standing import trust_when_resumed
from hub.storage.dialects import to_micros
from hub.storage.queries.audit import store_event
from hub.storage.queries.claim_sources import hashes_of_entries, held_by
from hub.storage.queries.claims import LiveClaim, versions_of
from hub.storage.queries.corroboration import Voice, is_any_quarantined, names_waiting, voices_on
from hub.storage.queries.objects import ObjectRow, objects_at
from hub.storage.queries.peers import PeerRow, peers_among
from hub.storage.queries.verdict_work import put_marks
from hub.storage.transaction import Transaction
from hub.verdicts.beliefs import Beliefs
from hub.verdicts.name_verdict import Weighing

_COUNTED: Final = frozenset({"QUARANTINED_INBOUND", CORROBORATION, "QUARANTINED_TYPE"})
"""Reasons to wait that say nothing against the claim itself."""
_NAMED: Final = 100
"""So many ids are named in the audit."""
Versions = Mapping[tuple[str, str], Sequence[tuple[int, int | None, int]]]


def corroborate(tx: Transaction, node: Node, names: Collection[str], now: datetime) -> int:
    """Accept what waits on these names and is corroborated; return how many versions.

    Args:
        names: on which claims were read just now.
    """
    if not names or not is_any_quarantined(tx):
        return 0
    waiting = names_waiting(tx, names, CORROBORATION)
    voices = voices_on(tx, waiting, _COUNTED)
    if not any(len(found) > 1 for found in voices.values()):
        return 0
    judging = _Judging(tx, node, voices, now)
    chosen = sorted({n for found in voices.values() for n in judging.corroborated(found)})
    rows = list(objects_at(tx, chosen))
    peers = peers_among(tx, {row.origin for row in rows})
    rows = [row for row in rows if _would_be_accepted(peers.get(row.origin), row)]
    accepted = [row for row in release(tx, rows, now) if row.state == "accepted"]
    if accepted:
        of: dict[int, list[str]] = {}
        for name, found in voices.items():
            for voice in found:
                of.setdefault(voice.claim.object_row, []).append(name)
        at = to_micros(now)
        marks = [
            (name, row.shown_tlp, at, False) for row in accepted for name in of[row.object_row]
        ]
        put_marks(tx, marks)
        store_event(
            tx,
            now,
            "verdicts",
            "QUARANTINE_CORROBORATED",
            objects=len(accepted),
            stix_ids=[row.stix_id for row in accepted[:_NAMED]],
        )
    return len(accepted)


def _would_be_accepted(peer: PeerRow | None, row: ObjectRow) -> bool:
    """Ask the gate as it is now; corroboration stands in for the person it would wait for."""
    if peer is None:
        return False
    trust = trust_when_resumed(peer)
    admission = decide_admission(
        origin_trust=trust,
        inbound=peer.inbound,
    )
    return admission.code == CORROBORATION and allows_type(trust, peer.types, row.stix_type)


class _Judging:
    """One batch of names with what their claims are judged by."""

    def __init__(
        self,
        tx: Transaction,
        node: Node,
        voices: Mapping[str, Sequence[Voice]],
        now: datetime,
    ) -> None:
        claims = [voice.claim for found in voices.values() for voice in found]
        origins = {claim.origin for claim in claims}
        feeds = {claim.feed_row for claim in claims if claim.feed_row is not None}
        several = {claim.stix_id for claim in claims if claim.several}
        entries = {
            (claim.feed_row, claim.seq)
            for claim in claims
            if claim.feed_row is not None and claim.seq is not None
        }
        self._now = to_micros(now)
        self._beliefs = Beliefs(tx, node, origins, now)
        self._versions: Versions = versions_of(tx, several) if several else {}
        self._weighing = Weighing(
            now=self._now,
            own=node.node_id,
            beliefs=self._beliefs,
            held=held_by(tx, feeds, origins) if feeds else {},
            hashes=hashes_of_entries(tx, entries) if entries else {},
            versions={},
        )

    def corroborated(self, voices: Sequence[Voice]) -> list[int]:
        """Choose, of the claims on one name, those that wait and are corroborated."""
        return [
            voice.claim.object_row
            for voice in voices
            if voice.code == CORROBORATION and self._has_second(voice.claim, voices)
        ]

    def _has_second(self, waiting: LiveClaim, voices: Sequence[Voice]) -> bool:
        label = waiting.label
        seen = [v.claim for v in voices if v.claim.label <= label and self._counts(v.claim, label)]
        if waiting not in seen:
            return False
        lineages = self._weighing.lineages(seen)
        mine = lineages[seen.index(waiting)]
        return any(
            lineage != mine and claim.origin != waiting.origin and self._speaks(lineage, claim)
            for claim, lineage in zip(seen, lineages, strict=True)
        )

    def _counts(self, claim: LiveClaim, label: int) -> bool:
        """Tell whether it is what its origin says of the name now, as far as the label shows it."""
        if claim.revoked or (claim.valid_until is not None and claim.valid_until <= self._now):
            return False
        versions = self._versions.get((claim.origin, claim.stix_id), ())
        shown = [(at or 0, number) for number, at, its_label in versions if its_label <= label]
        return not shown or max(shown)[1] == claim.object_row

    def _speaks(self, lineage: str, claim: LiveClaim) -> bool:
        """Tell whether a lineage is of a member or above: whose find it is, not who repeats it."""
        kind, _, root = lineage.partition(":")
        origin = root if kind == "origin" else claim.origin
        return self._beliefs[origin].trust >= TrustLevel.MEMBER
