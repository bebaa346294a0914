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

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from federation.policy.sharing import tlp_words
from federation.trust.presets import PRESETS, Inbound, TrustLevel
from hub.errors import NotFound
from hub.exchange.readmission import readmit
from hub.node import Node
from hub.peers.standing import standing_of
from hub.storage.queries.audit import store_event
from hub.storage.queries.jobs import drop_jobs, request_job
from hub.storage.queries.peers import PeerRow, find_peer, update_peer
from hub.storage.transaction import Transaction
from schemas.dns.names import read_name
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId
from schemas.markings import Tlp

LARGEST_CAP = 100


@dataclass(frozen=True, slots=True)
class Dials:
    """A peer's dials as they stand, turned by hand or filled by its preset."""

    inbound: str
    cap: int
    outbound: str
    limit: int


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
        authority: scopes such as ``zone:fr.`` or ``prefix:192.0.2.0/24``; replaces the former.
        relay: whether what this origin wrote is passed on by this node.
        push: whether our own entries are pushed to it, because it cannot pull them here.
        introduced: whether it may be a member on the word of others (PROTOCOL 4.2).
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
    )


def set_peer(
    node: Node, peer: PeerRow, changes: PeerChanges, *, actor: str = "operator"
) -> PeerChange:
    """Store changes to a peer's trust and dials.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a word or number that is none.
        NotFound: ``E_PEER_UNKNOWN`` when the peer has gone meanwhile.
    """
    with node.database.write() as tx:
        return change_peer(tx, peer.node_id, changes, node.now(), actor=actor)


def change_peer(
    tx: Transaction, node_id: NodeId, changes: PeerChanges, now: datetime, *, actor: str
) -> PeerChange:
    """Store changes to a peer in the caller's write; see ``set_peer``."""
    values = _read_changes(changes)
    before = require_peer(find_peer(tx, node_id))
    if values:
        update_peer(tx, node_id, **values)
    after = require_peer(find_peer(tx, node_id))
    if after.trust == TrustLevel.BLOCKED:
        drop_jobs(tx, node_id)
    elif before.trust == TrustLevel.BLOCKED:
        request_job(tx, "pull", node_id, now, hurry=True)
    released = readmit(tx, after, now)
    changed = _differences(before, after)
    store_event(tx, now, actor, "PEER_SET", peer=node_id, changed=changed, released=released)
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


def _read_changes(changes: PeerChanges) -> dict[str, object]:
    values: dict[str, object] = {}
    if changes.trust is not None:
        values |= {"trust": int(TrustLevel.read(changes.trust))}
        values |= {"inbound": None, "cap": None, "outbound": None, "daily_limit": None}
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
    if changes.authority is not None:
        values["authority"] = sorted({read_scope(scope) for scope in changes.authority})
    if changes.relay is not None:
        values["relay_on"] = changes.relay
    if changes.push is not None:
        values["push_on"] = changes.push
    if changes.introduced is not None:
        values["introduced"] = changes.introduced
    return values


def read_scope(text: str) -> str:
    """Read an authority scope into its one spelling.

    Raises:
        WireFormatError: ``E_SCHEMA`` when it is neither a zone nor a prefix.
    """
    kind, _, value = text.strip().partition(":")
    try:
        if kind == "zone" and value.rstrip("."):
            return f"zone:{read_name(value).a_label}."
        if kind == "prefix":
            return f"prefix:{ipaddress.ip_network(value)}"
    except (WireFormatError, ValueError):
        pass
    raise WireFormatError(
        "E_SCHEMA",
        f"{text!r} is no authority scope",
        "Write it like zone:fr. or prefix:192.0.2.0/24.",
    )


def _read_inbound(word: str) -> str:
    try:
        return Inbound(word).value
    except ValueError:
        words = ", ".join(mode.value for mode in Inbound)
        raise WireFormatError(
            "E_SCHEMA", f"{word!r} is no inbound mode", f"Use one of {words}."
        ) from None


def _read_number(number: int, name: str, largest: int) -> int:
    if not 0 <= number <= largest:
        raise WireFormatError("E_SCHEMA", f"{name} is not a number from 0 to {largest}")
    return number


def _differences(before: PeerRow, after: PeerRow) -> dict[str, list[object]]:
    names = (
        "trust", "verified", "inbound", "cap", "outbound", "daily_limit", "authority", "relay_on",
        "introduced", "push_on",
    )  # fmt: skip
    return {
        name: [getattr(before, name), getattr(after, name)]
        for name in names
        if getattr(before, name) != getattr(after, name)
    }


def _sentences(before: PeerRow, after: PeerRow) -> Iterator[str]:
    name, trust = after.name, TrustLevel(after.trust)
    standing, dials = standing_of(after), dials_of(after)
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
    if dials_of(before) != dials:
        yield (
            f"Inbound '{dials.inbound}', confidence cap {dials.cap}, outbound up to "
            f"{tlp_words(standing.outbound)}, at most {dials.limit} objects a day."
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
    if before.relay_on != after.relay_on:
        passed = "passed on by this node" if after.relay_on else "no longer passed on by this node"
        yield f"What {name} wrote is {passed}, where its own policy permits that."
    if before.authority != after.authority:
        scopes = ", ".join(after.authority) or "none"
        yield f"Authority of {name}: {scopes}."
