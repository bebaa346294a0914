"""Take the word of whoever a claim affects and who has no node (PROTOCOL 4.8).

Invariants:
* a request is answered alike whether the name is listed here, at which label, or not: it is stored
  and nothing is looked up, so neither the answer nor the time it takes tells anything;
* a person decides. Accepted, the correction goes out as a signed opinion and note of this node at
  the laxest label at which the name is claimed, names what is claimed there and nothing stricter,
  and the name is not blocked by itself any more;
* a refusal says nothing about the claims: else whoever made them could ask for the correction of
  his own and grow more reliable with each refusal;
* contact and words of whoever asked are personal data; the audit does not hold them, and they can
  be erased.

What it does not do: answer whoever asked. A person does, over the contact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.errors import Conflict, NotFound, RateLimited
from hub.monitoring.alarms import CORRECTIONS_WAIT, end_alarm, raise_alarm
from hub.node import Node
from hub.storage.queries import corrections as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.claims import LiveClaim, live_claims
from hub.storage.queries.corrections import OPEN, CorrectionRow
from hub.storage.queries.disputes import DecisionRow, decisions_on, put_decision
from hub.storage.queries.peers import PeerRow, peers_among
from hub.storage.transaction import Transaction
from hub.verdicts.dispute_claims import Said, publish_opinion
from hub.verdicts.evidence import RELEASE
from hub.verdicts.marks import ask_again
from hub.verdicts.outcomes import FALSE_POSITIVE, Found, record_outcomes
from schemas.dns.names import read_name
from schemas.errors import WireFormatError
from schemas.markings import Tlp
from schemas.strict_json import strict_loads

ACCEPTED: Final = "accepted"
REFUSED: Final = "refused"
SUBJECT: Final = "corrections"
MOST_OPEN: Final = 10_000
"""Of requests that nobody has looked at; what strangers send is not kept without a limit."""
LONGEST_BODY: Final = 8_192
_LONGEST: Final = {"name": 1_024, "contact": 254, "reason": 2_000}
_STRANGER: Final = "stranger"


@dataclass(frozen=True, slots=True)
class CorrectionDecided:
    """What deciding did.

    Args:
        stix_ids: the opinion and note that went out.
        own: this node's own claims on the name, which `tocsin withdraw` takes back.
        outcomes: how many claims of others are noted as false.
    """

    correction_id: int
    name: str
    state: str
    tlp: str | None = None
    stix_ids: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    outcomes: int = 0


def ask_for_correction(node: Node, body: bytes) -> None:
    """Store a request of somebody who has no account.

    Raises:
        WireFormatError: ``E_SCHEMA``, ``E_NAME_*``, ``E_JSON_*``.
        RateLimited: ``E_QUOTA`` when too many wait for a person.
    """
    asked = _read(body)
    name = read_name(asked["name"], refang=True).a_label
    with node.database.write() as tx:
        now = node.now()
        waiting = stored.count_open(tx)
        if waiting >= MOST_OPEN:
            raise RateLimited(
                "E_QUOTA", "too many requests wait", "Try again tomorrow.", retry_after=86_400
            )
        row = stored.store_correction(tx, name, asked["contact"], asked["reason"], now)
        store_event(
            tx, now, _STRANGER, "CORRECTION_ASKED", correction=row.correction_id, domain=name
        )
        raise_alarm(tx, CORRECTIONS_WAIT, SUBJECT, now, waiting=waiting + 1)


def _read(body: bytes) -> dict[str, str]:
    value = strict_loads(body)
    if not isinstance(value, dict):
        raise WireFormatError("E_SCHEMA", "not an object", "Send name, contact and reason.")
    read = {}
    for member, longest in _LONGEST.items():
        text = value.get(member)
        if not isinstance(text, str) or not text.strip() or len(text) > longest:
            raise WireFormatError(
                "E_SCHEMA", f"{member} is not a text of 1 to {longest} characters"
            )
        read[member] = text.strip()
    return read


def list_corrections(node: Node, *, closed: bool = False) -> tuple[CorrectionRow, ...]:
    """List the requests that wait for a person, or all, the oldest first."""
    with node.database.read() as tx:
        return stored.list_corrections(tx, closed=closed)


def show_correction(node: Node, correction_id: int) -> CorrectionRow:
    """Show one request.

    Raises:
        NotFound: ``E_CORRECTION_UNKNOWN``.
    """
    with node.database.read() as tx:
        return _find(tx, correction_id)


def decide_correction(
    node: Node, correction_id: int, *, accept: bool, reason: str, actor: str = "operator"
) -> CorrectionDecided:
    """Decide on a request.

    Args:
        reason: for the audit; when it is accepted it is told to whoever receives the opinion.

    Raises:
        NotFound: ``E_CORRECTION_UNKNOWN``.
        Conflict: ``E_CORRECTION_DECIDED``; ``E_CORRECTION_NOTHING`` to accept one on a name that
            nobody claims here.
        SharingRefused: what publishing refuses; then nothing is decided.
    """
    with node.database.read() as tx:
        row = _find(tx, correction_id)
        if row.state != OPEN:
            raise Conflict(
                "E_CORRECTION_DECIDED", f"request {correction_id} is {row.state} already"
            )
        claims = live_claims(tx, [row.name]).get(row.name, ()) if accept else ()
        claims = [claim for claim in claims if not claim.revoked]
        peers = peers_among(tx, {claim.origin for claim in claims})
    if not accept:
        with node.database.write() as tx:
            _close(tx, node, row, REFUSED, reason, (), actor)
        return CorrectionDecided(correction_id, row.name, REFUSED)
    if not claims:
        raise Conflict(
            "E_CORRECTION_NOTHING",
            f"nobody claims {row.name} here",
            "Tell them so, and refuse it.",
        )
    tlp = Tlp(min(claim.label for claim in claims))
    others = [claim for claim in claims if claim.origin != node.node_id]
    ids = _publish(node, row.name, tlp, others, peers, reason, actor)
    with node.database.write() as tx:
        _close(tx, node, row, ACCEPTED, reason, ids, actor)
        recorded = _settle(tx, node, row.name, tlp, others, reason, actor)
    own = tuple(claim.stix_id for claim in claims if claim.origin == node.node_id)
    return CorrectionDecided(correction_id, row.name, ACCEPTED, tlp.wire, ids, own, recorded)


def _publish(
    node: Node,
    name: str,
    tlp: Tlp,
    others: list[LiveClaim],
    peers: dict[str, PeerRow],
    reason: str,
    actor: str,
) -> tuple[str, ...]:
    """Publish the opinion: to all whom CLEAR or GREEN reaches, above that to the origins."""
    named = [claim for claim in others if claim.label == tlp]
    origins = () if tlp <= Tlp.GREEN else sorted({claim.origin for claim in named})
    to = tuple(peers[origin] for origin in origins if origin in peers)
    if not others:
        return ()  # our own claim is withdrawn, and needs no opinion
    about = ", ".join(claim.stix_id.partition("--")[2] for claim in named)
    said = Said(name, "strongly-disagree", reason, f"Asked by whom it affects. About {about}.")
    ids, _ = publish_opinion(node, said, tlp, to, actor=actor)
    return ids


def _settle(
    tx: Transaction,
    node: Node,
    name: str,
    tlp: Tlp,
    others: list[LiveClaim],
    reason: str,
    actor: str,
) -> int:
    now = node.now()
    before = decisions_on(tx, [name]).get(name)
    put_decision(tx, DecisionRow(name, int(tlp), RELEASE, reason, actor, now))
    ask_again(tx, [name], int(tlp) if before is None else min(int(tlp), before.label), now)
    found = [
        Found(claim.origin, claim.stix_id, "indicator", claim.label, FALSE_POSITIVE)
        for claim in others
    ]
    return record_outcomes(tx, node, found, reason, now, actor=actor)


def erase_correction(
    node: Node, correction_id: int, reason: str, *, actor: str = "operator"
) -> None:
    """Erase who asked and what they wrote; that somebody asked, and what was decided, stays.

    Raises:
        NotFound: ``E_CORRECTION_UNKNOWN``.
    """
    with node.database.write() as tx:
        row = _find(tx, correction_id)
        stored.update_correction(tx, row.correction_id, contact=None, reason=None)
        store_event(
            tx, node.now(), actor, "CORRECTION_ERASED",
            correction=row.correction_id, reason=reason,
        )  # fmt: skip
    node.database.forget_deleted()


def _close(
    tx: Transaction,
    node: Node,
    row: CorrectionRow,
    state: str,
    reason: str,
    ids: tuple[str, ...],
    actor: str,
) -> None:
    now = node.now()
    stored.update_correction(
        tx,
        row.correction_id,
        state=state,
        decided_at=now,
        decided_by=actor,
        decision_reason=reason,
        stix_ids=list(ids),
    )
    store_event(
        tx, now, actor, "CORRECTION_DECIDED",
        correction=row.correction_id, domain=row.name, decision=state, reason=reason,
    )  # fmt: skip
    waiting = stored.count_open(tx)
    if waiting:
        raise_alarm(tx, CORRECTIONS_WAIT, SUBJECT, now, waiting=waiting)
    else:
        end_alarm(tx, CORRECTIONS_WAIT, SUBJECT, now, by=actor)


def _find(tx: Transaction, correction_id: int) -> CorrectionRow:
    found = stored.find_correction(tx, correction_id)
    if found is None:
        raise NotFound(
            "E_CORRECTION_UNKNOWN",
            f"there is no request {correction_id}",
            "Run `tocsin correction list`.",
        )
    return found
