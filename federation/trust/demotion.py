"""Demotion for cause: one step down, by itself (PROTOCOL 4.3).

Decides the dials ``inbound`` and ``outbound`` of a peer that was caught signing two histories.

Invariants:
* one step and no more: a person decides on the rest;
* never up: what the operator turned lower stays lower;
* the level of trust, the cap and the limit stay as they are, so that undoing it is one command.

What it does not do: promote. Promotion is never automatic.

>>> step_down(Inbound.ACCEPT, Tlp.AMBER_STRICT)
(<Inbound.CORROBORATED: 'corroborated'>, <Tlp.GREEN: 1>)
"""

from __future__ import annotations

from federation.trust.presets import Inbound
from schemas.markings import Tlp

_INBOUND = {Inbound.ACCEPT: Inbound.CORROBORATED, Inbound.CORROBORATED: Inbound.QUARANTINE}
_OUTBOUND = {
    Tlp.RED: Tlp.AMBER_STRICT,
    Tlp.AMBER_STRICT: Tlp.GREEN,
    Tlp.AMBER: Tlp.GREEN,
    Tlp.GREEN: Tlp.CLEAR,
}
"""The steps between the presets of two neighbouring levels (PROTOCOL 4.1)."""


def step_down(inbound: Inbound, outbound: Tlp) -> tuple[Inbound, Tlp]:
    """Turn both dials one step down; what stands at the lowest step stays.

    Args:
        inbound: what becomes of the peer's objects now.
        outbound: the strictest label that it reads now.
    """
    return _INBOUND.get(inbound, inbound), _OUTBOUND.get(outbound, outbound)
