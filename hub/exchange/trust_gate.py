"""Ask the trust gate about received objects: one origin's dials, and what it said before.

Invariants:
* the trust is the origin's and never the sender's: a relay lends none (PROTOCOL 3.2);
* of a suspended origin everything is judged by the trust that it had, and what that lets in is
  shown to nobody until the relation is resumed.

What it does not do: decide (``federation.policy.admission``), or settle claims of several origins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from federation.policy.admission import decide_admission, is_unchanged
from federation.trust.presets import TrustLevel, allows_type
from hub.exchange.received_content import JudgedObject
from hub.peers.standing import SUSPENDED, trust_when_resumed
from hub.storage.queries.objects import ObjectRow
from hub.storage.queries.peers import PeerRow
from schemas.strict_json import strict_loads

CORROBORATION: Final = "QUARANTINED_CORROBORATION"


class TrustGate:
    """The gate for one origin.

    Args:
        peer: None where the origin is no peer: it counts as known.
    """

    def __init__(self, peer: PeerRow | None) -> None:
        self._trust = TrustLevel.KNOWN if peer is None else trust_when_resumed(peer)
        self._inbound = None if peer is None else peer.inbound
        self._types = None if peer is None else peer.types
        is_suspended = peer is not None and peer.state == SUSPENDED
        self.let_in: tuple[str, str | None] = (SUSPENDED if is_suspended else "accepted", None)

    def admit(
        self,
        item: JudgedObject,
        mine: Sequence[ObjectRow],
        contents: Mapping[int, bytes],
        *,
        exercise: bool,
    ) -> tuple[str, str | None]:
        """Return the state of a new version, and why where it is not accepted.

        Args:
            mine: the origin's versions of the object, the newest last.
            contents: their bytes by object row.
        """
        asked = partial(
            decide_admission,
            origin_trust=self._trust,
            inbound=self._inbound,
            exercise=exercise,
            unknown_marking=item.unknown_marking,
            type_allowed=allows_type(self._trust, self._types, str(item.value["type"])),
        )
        admission = asked()
        if mine and admission.state == "quarantined" and _claims_nothing_new(item, mine, contents):
            admission = asked(unchanged=True)
        if admission.state == "accepted":
            return self.let_in
        return admission.state, admission.code


def _claims_nothing_new(
    item: JudgedObject, mine: Sequence[ObjectRow], contents: Mapping[int, bytes]
) -> bool:
    """Compare with the newest version that was let in (THREATS 37)."""
    let_in = [row for row in mine if row.state in {"accepted", SUSPENDED} and not row.revoked]
    if not let_in or let_in[-1].tlp != item.tlp:
        return False
    content = contents.get(let_in[-1].object_row)
    # Of what was erased nothing is left to compare with.
    return is_unchanged(strict_loads(content), item.value) if content else False
