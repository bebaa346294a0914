"""Let one protected name be blocked after all: signed, with a reason and an end (issue 5, point 5).

Decides whether an override counts. It is a signed envelope of a type of our own that is never sent:
what lies in the database is believed only as far as the entry key signed it, so that whoever can
write there cannot quietly open the guards.

Invariants:
* it names one name, exact or with all below; a top-level domain or public suffix can have none, for
  that would need a second person, and this release has no way to give one (PROTOCOL 3.2);
* it ends by itself, at most 90 days ahead;
* who reads it checks it: signature, key and its time, this node, this name. What does not hold
  counts for nothing.

What it does not do: block. A verdict has to ask for it, by the same rules as any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from federation.errors import SharingRefused
from federation.identity.node_document import PinnedNode
from federation.signing.keys import USE_ENTRY, verify_envelope
from federation.signing.signer import seal
from hub.errors import NotFound
from hub.node import Node
from hub.peers.known_nodes import pinned
from hub.peers.signing_key import require_signing_key
from hub.storage.queries.audit import store_event
from hub.storage.queries.guards import OverrideRow, drop_override, list_overrides, put_override
from hub.storage.transaction import Transaction
from hub.verdicts.guarded_verdicts import ask_below
from schemas.dns.names import is_public_suffix, read_name
from schemas.errors import TocsinError, WireFormatError
from schemas.members import read_object, read_text, read_time
from schemas.signed_envelope import read_envelope
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import write_wire_time

OVERRIDE_TYPE: Final = "application/vnd.tocsin.guard-override.v1+json"
LONGEST: Final = timedelta(days=90)
LONGEST_REASON: Final = 1_024


@dataclass(frozen=True, slots=True)
class Override:
    """An override whose signature holds.

    Args:
        subtree: it lifts guards for blocks that reach below the name too.
        override_id: the beginning of the signed envelope's hash.
    """

    name: str
    subtree: bool
    reason: str
    by: str
    signed_at: datetime
    until: datetime
    override_id: str

    def counts_at(self, now: datetime) -> bool:
        """Tell whether it has not ended; one from the future does not count yet."""
        return self.signed_at <= now < self.until


def override_guard(
    node: Node, text: str, *, reason: str, until: datetime, actor: str = "operator"
) -> Override:
    """Sign and store an override, in the place of an earlier one of the name.

    Args:
        text: a name, or ``*.name`` for blocks that reach below it.
        until: its end; at most 90 days ahead.

    Raises:
        WireFormatError: no name, ``E_REASON``, ``E_OVERRIDE_UNTIL``.
        SharingRefused: ``E_GUARD_FIRM`` for a top-level domain or public suffix.
        Conflict: ``E_NODE_EXPIRED``, ``E_SIGNING_KEY``.
    """
    name = read_name(text, refang=True)
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise WireFormatError("E_REASON", f"a reason has 1 to {LONGEST_REASON} characters")
    now = node.now()
    if not now < until <= now + LONGEST:
        raise WireFormatError(
            "E_OVERRIDE_UNTIL",
            f"an override ends within {LONGEST.days} days",
            "Give --until a date to come; renew it when it has ended and is still right.",
        )
    if is_public_suffix(name.a_label):
        raise SharingRefused(
            "E_GUARD_FIRM",
            f"{name.a_label} is a top-level domain or public suffix",
            "Under it are others' names; that guard cannot be lifted by one person.",
        )
    payload = write_json(
        {
            "v": 1,
            "node": node.node_id,
            "name": name.a_label,
            "reach": "subtree" if name.subtree else "exact",
            "reason": reason.strip(),
            "by": actor,
            "until": write_wire_time(until),
            "ts": write_wire_time(now),
        }
    )
    with node.database.write() as tx:
        require_signing_key(tx, node, now)
        envelope = seal(node.keys.entry, OVERRIDE_TYPE, payload)
        override = open_override(envelope.to_bytes(), pinned(tx, node.node_id))
        put_override(
            tx,
            OverrideRow(
                override.name, override.override_id, envelope.to_bytes(), override.until, now
            ),
        )
        ask_below(tx, override.name, now)
        store_event(
            tx,
            now,
            actor,
            "GUARD_OVERRIDDEN",
            name=override.name,
            subtree=override.subtree,
            reason=override.reason,
            until=until.isoformat(),
            override=override.override_id,
        )
    return override


def end_override(node: Node, text: str, *, actor: str = "operator") -> None:
    """End an override before its time.

    Raises:
        NotFound: ``E_OVERRIDE_UNKNOWN``.
    """
    name = read_name(text, refang=True).a_label
    with node.database.write() as tx:
        if not drop_override(tx, name):
            raise NotFound(
                "E_OVERRIDE_UNKNOWN", f"no override of {name}", "Run `tocsin guard list`."
            )
        store_event(tx, node.now(), actor, "GUARD_OVERRIDE_ENDED", name=name)


def read_overrides(tx: Transaction, node: Node) -> tuple[Override, ...]:
    """Read the overrides whose signatures hold, ended ones included; what does not is left out."""
    rows = list_overrides(tx)
    if not rows:
        return ()
    own = pinned(tx, node.node_id)
    found = []
    for row in rows:
        try:
            override = open_override(row.dsse, own)
        except TocsinError:
            continue
        # The row is found by its name; a good envelope moved to another name's row lifts nothing.
        if override.name == row.name:
            found.append(override)
    return tuple(found)


def open_override(stored: bytes, own: PinnedNode) -> Override:
    """Open a stored override.

    Raises:
        WireFormatError: of another shape.
        SignatureRejected: not signed by an entry key of ours that was good at its time.
    """
    # 1. Shape and type.
    envelope = read_envelope(strict_loads(stored), OVERRIDE_TYPE)
    # 2. Signature, by a key for entries that any of our documents listed.
    records = verify_envelope(envelope, own.entry_ring(), USE_ENTRY)
    body = read_object(strict_loads(envelope.payload), "override")
    signed_at = read_time(body, "ts")
    # 3. The key's time and revocation. A thief of the key must not have lifted guards with it, and
    #    an override has no place in a chain that would tell before from after: all of them end.
    if not any(
        record.is_valid_at(signed_at) and own.revocation(record.kid) is None for record in records
    ):
        raise WireFormatError("E_SCHEMA", "signed by a key that was not good then")
    # 4. This node, and members as we write them.
    if read_text(body, "node") != own.node_id:
        raise WireFormatError("E_SCHEMA", "an override of another node")
    return Override(
        name=read_name(read_text(body, "name")).a_label,
        subtree=read_text(body, "reach") == "subtree",
        reason=read_text(body, "reason"),
        by=read_text(body, "by"),
        signed_at=signed_at,
        until=read_time(body, "until"),
        override_id=envelope.hash[:16],
    )
