"""Set the trust in a peer and its dials (PROTOCOL 4.1).

Invariants:
* a preset fills the dials ``inbound``, ``cap``, ``outbound`` and ``limit``; dials named in the
  same change are turned after it. Authority and relay are never touched by a preset;
* trust above ``known`` may be stored before the words were compared, and does not count before
  (``federation.policy.sharing`` decides that, not the store);
* every change is audited in its own transaction, with before and after.

What it does not do: lift a suspension (``suspend``), or promote anybody by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from federation.policy.sharing import tlp_words
from federation.trust.authority import read_scope
from federation.trust.presets import PRESETS, Inbound, TrustLevel
from hub.errors import NotFound
from hub.exchange.readmission import readmit
from hub.exchange.trust_gate import CORROBORATION
from hub.node import Node
from hub.peers.standing import standing_of
from hub.storage.queries.audit import store_event
from hub.storage.queries.corroboration import ask_to_read_voices_of
from hub.storage.queries.jobs import drop_jobs, request_job
from hub.storage.queries.peers import PeerRow, find_peer, update_peer
from hub.storage.transaction import Transaction
from hub.verdicts.marks import ask_again_of, ask_for_work
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId
from schemas.markings import Tlp

LARGEST_CAP = 100
_TYPE = re.compile(r"[a-z][a-z0-9-]{1,249}")
_WEIGHS = frozenset({"trust", "verified", "introduced", "cap", "authority"})
"""What decides how much a peer's word weighs in verdicts."""


@dataclass(frozen=True, slots=True)
class Dials:
    """A peer's dials as they stand, turned by hand or filled by its preset."""

    inbound: str
    cap: int
    outbound: str
    limit: int
    types: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PeerChanges:
    """What to change, in the words of the command line; None leaves it as it is.

    Args:
        trust: ``blocked``, ``known``, ``member``, ``trusted`` or ``partner``.
        verified: whether the eight words were compared.
        inbound: ``refuse``, ``quarantine``, ``corroborated`` or ``accept``.
        cap: 0 to 100, the confidence that the peer's word can lend.
        outbound: a TLP label such as ``amber``.
        limit: objects a day.
        types: of objects that are accepted without a person; ``all``, or ``default`` for the
            preset's.
        authority: scopes such as ``zone:fr.``, ``zone:fr.=benign`` or ``prefix:192.0.2.0/24``;
            replaces the former.
        relay: whether what this origin wrote is passed on by this node.
        push: whether our own entries are pushed to it, because it cannot pull them here.
        introduced: whether it may be a member on the word of others (PROTOCOL 4.2).
        sightings: whether it is told what is seen here of its claims, from now on.
    """

    trust: str | None = None
    verified: bool | None = None
    inbound: str | None = None
    cap: int | None = None
    outbound: str | None = None
    limit: int | None = None
    authority: tuple[str, ...] | None = None
    relay: bool | None = None
    push: bool | None = None
    introduced: bool | None = None
    types: tuple[str, ...] | None = None
    sightings: bool | None = None


@dataclass(frozen=True, slots=True)
class PeerChange:
    """A change that was stored, and what it means, in sentences."""

    before: PeerRow
    after: PeerRow
    sentences: tuple[str, ...]


def dials_of(peer: PeerRow) -> Dials:
    """Return a peer's dials, with its preset where none was turned.

    As the operator set them: before the voice code was compared, those of ``known`` count.
    """
    preset = PRESETS[TrustLevel(peer.trust)]
    return Dials(
        inbound=peer.inbound or preset.inbound.value,
        cap=preset.cap if peer.cap is None else peer.cap,
        outbound=standing_of(peer).outbound.wire,
        limit=preset.limit if peer.daily_limit is None else peer.daily_limit,
        types=peer.types,
    )


def set_peer(
    node: Node,
    peer: PeerRow,
    changes: PeerChanges,
    *,
    actor: str = "operator",
    reason: str | None = None,
) -> PeerChange:
    """Store changes to a peer's trust and dials.

    Args:
        reason: why, for the audit.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a word or number that is none.
        NotFound: ``E_PEER_UNKNOWN`` when the peer has gone meanwhile.
    """
    with node.database.write() as tx:
        return change_peer(tx, peer.node_id, changes, node.now(), actor=actor, reason=reason)


def change_peer(
    tx: Transaction,
    node_id: NodeId,
    changes: PeerChanges,
    now: datetime,
    *,
    actor: str,
    reason: str | None = None,
) -> PeerChange:
    """Store changes to a peer in the caller's write; see ``set_peer``."""
    values = read_changes(changes)
    before = require_peer(find_peer(tx, node_id))
    if changes.sightings is not None:
        values["sightings_since"] = (before.sightings_since or now) if changes.sightings else None
    if values:
        update_peer(tx, node_id, **values)
    after = require_peer(find_peer(tx, node_id))
    if after.trust == TrustLevel.BLOCKED:
        drop_jobs(tx, node_id)
    elif before.trust == TrustLevel.BLOCKED:
        request_job(tx, "pull", node_id, now, hurry=True)
    released = readmit(tx, after, now)
    changed = _differences(before, after)
    why = {} if reason is None else {"reason": reason}
    store_event(tx, now, actor, "PEER_SET", peer=node_id, changed=changed, released=released, **why)
    counted, counts = standing_of(before).effective_trust, standing_of(after).effective_trust
    is_voice = counted < TrustLevel.MEMBER <= counts
    if is_voice and ask_to_read_voices_of(tx, node_id, CORROBORATION, now):
        ask_for_work(tx, now)  # its word may corroborate from now on
    if _WEIGHS & changed.keys():
        ask_again_of(tx, node_id, now)
    sentences = tuple(_sentences(before, after))
    if released:
        what = f"{released} objects of {after.name} that waited in quarantine are accepted."
        sentences = (*sentences, what)
    return PeerChange(before, after, sentences)


def require_peer(found: PeerRow | None) -> PeerRow:
    """Return the peer.

    Raises:
        NotFound: ``E_PEER_UNKNOWN``.
    """
    if found is None:
        raise NotFound("E_PEER_UNKNOWN", "the peer is no longer there", "Run `tocsin peer list`.")
    return found


def read_changes(changes: PeerChanges) -> dict[str, object]:
    """Read the words of a change as the columns hold them.

    Raises:
        WireFormatError: ``E_SCHEMA``.
    """
    values: dict[str, object] = {}
    if changes.trust is not None:
        values |= {"trust": int(TrustLevel.read(changes.trust))}
        values |= {"inbound": None, "cap": None, "outbound": None, "daily_limit": None}
        values |= {"types": None}
    if changes.verified is not None:
        values["verified"] = changes.verified
    if changes.inbound is not None:
        values["inbound"] = _read_inbound(changes.inbound)
    if changes.cap is not None:
        values["cap"] = _read_number(changes.cap, "cap", LARGEST_CAP)
    if changes.outbound is not None:
        values["outbound"] = int(Tlp.read(changes.outbound))
    if changes.limit is not None:
        values["daily_limit"] = _read_number(changes.limit, "limit", 10**9)
    if changes.types is not None:
        values["types"] = _read_types(changes.types)
    if changes.authority is not None:
        values["authority"] = sorted({str(read_scope(scope)) for scope in changes.authority})
    if changes.relay is not None:
        values["relay_on"] = changes.relay
    if changes.push is not None:
        values["push_on"] = changes.push
    if changes.introduced is not None:
        values["introduced"] = changes.introduced
    return values


def _read_inbound(word: str) -> str:
    try:
        return Inbound(word).value
    except ValueError:
        words = ", ".join(mode.value for mode in Inbound)
        raise WireFormatError(
            "E_SCHEMA", f"{word!r} is no inbound mode", f"Use one of {words}."
        ) from None


def _read_types(types: tuple[str, ...]) -> list[str] | None:
    if types == ("default",):
        return None
    for word in types:
        if _TYPE.fullmatch(word) is None:
            raise WireFormatError("E_SCHEMA", f"{word!r} is no STIX type", "Such as indicator.")
    return sorted(set(types))


def _read_number(number: int, name: str, largest: int) -> int:
    if not 0 <= number <= largest:
        raise WireFormatError("E_SCHEMA", f"{name} is not a number from 0 to {largest}")
    return number


def _differences(before: PeerRow, after: PeerRow) -> dict[str, list[object]]:
    names = (
        "trust", "verified", "inbound", "cap", "outbound", "daily_limit", "authority", "relay_on",
        "introduced", "push_on", "types",
    )  # fmt: skip
    changed: dict[str, list[object]] = {
        name: [getattr(before, name), getattr(after, name)]
        for name in names
        if getattr(before, name) != getattr(after, name)
    }
    told: list[object] = [before.sightings_since is not None, after.sightings_since is not None]
    return changed if told[0] == told[1] else changed | {"sightings": told}


def _sentences(before: PeerRow, after: PeerRow) -> Iterator[str]:
    name, trust = after.name, TrustLevel(after.trust)
    standing = standing_of(after)
    if before.trust != after.trust:
        yield (
            f"{name} is at trust '{trust.word}' now; before it was at "
            f"'{TrustLevel(before.trust).word}'."
        )
    if trust is TrustLevel.BLOCKED:
        yield f"{name} is a stranger now: it reads nothing here and nothing is pulled from it."
        return
    if trust > standing.effective_trust and not after.verified and after.state == "active":
        yield (
            f"Trust '{trust.word}' takes effect when {name} is verified: compare the eight words "
            "by telephone, then run `tocsin peer verify`. Until then it counts as "
            f"'{standing.effective_trust.word}'."
        )
    if before.introduced != after.introduced and after.introduced:
        yield f"{name} was introduced by others; the eight words were not compared."
    if before.verified != after.verified:
        yield f"{name} is {'verified' if after.verified else 'no longer verified'}."
    if after.state != "active":
        yield f"{name} is {after.state}; run `tocsin peer resume` to lift that."
    yield from _dial_sentences(before, after)


def _dial_sentences(before: PeerRow, after: PeerRow) -> Iterator[str]:
    name, trust = after.name, TrustLevel(after.trust)
    standing, dials = standing_of(after), dials_of(after)
    if dials_of(before) != dials:
        yield (
            f"Inbound '{dials.inbound}', confidence cap {dials.cap}, outbound up to "
            f"{tlp_words(standing.outbound)}, at most {dials.limit} objects a day."
        )
    if before.types != after.types:
        words = "its preset's" if after.types is None else ", ".join(after.types) or "none"
        yield f"Types of objects accepted without a person: {words}."
    if _is_lowered(before, after):
        yield (
            f"What was accepted from {name} until now stays accepted; `tocsin peer suspend` takes "
            "it out of every view."
        )
    if standing.outbound > PRESETS[trust].outbound:
        yield (
            f"The outbound dial only tightens: at trust '{trust.word}' {name} reads at most "
            f"{tlp_words(PRESETS[trust].outbound)}."
        )
    if before.push_on != after.push_on:
        yield (
            f"What this node publishes is pushed to {name} from now on."
            if after.push_on
            else f"{name} pulls from this node from now on; nothing is pushed to it."
        )
    if before.sightings_since != after.sightings_since:
        yield (
            f"{name} is told at TLP:AMBER+STRICT what is seen here of its claims, from now on."
            if after.sightings_since is not None
            else f"{name} is no longer told what is seen here of its claims."
        )
    if before.relay_on != after.relay_on:
        passed = "passed on by this node" if after.relay_on else "no longer passed on by this node"
        yield f"What {name} wrote is {passed}, where its own policy permits that."
    if before.authority != after.authority:
        scopes = ", ".join(after.authority) or "none"
        yield f"Authority of {name}: {scopes}."


def _is_lowered(before: PeerRow, after: PeerRow) -> bool:
    """Tell whether less is accepted from a peer than before; that takes nothing back."""
    order = list(Inbound)
    return order.index(Inbound(dials_of(after).inbound)) < order.index(
        Inbound(dials_of(before).inbound)
    )
