"""PROTOCOL 4.3: one step down for cause, and never up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.trust.demotion import step_down
from federation.trust.presets import PRESETS, Inbound, TrustLevel
from schemas.markings import Tlp

INBOUND = [Inbound.REFUSE, Inbound.QUARANTINE, Inbound.CORROBORATED, Inbound.ACCEPT]


@pytest.mark.parametrize(
    ("level", "outbound", "inbound"),
    [
        (TrustLevel.PARTNER, Tlp.AMBER_STRICT, Inbound.CORROBORATED),
        (TrustLevel.TRUSTED, Tlp.GREEN, Inbound.CORROBORATED),
        (TrustLevel.MEMBER, Tlp.CLEAR, Inbound.QUARANTINE),
        (TrustLevel.KNOWN, Tlp.CLEAR, Inbound.QUARANTINE),
        (TrustLevel.BLOCKED, Tlp.CLEAR, Inbound.REFUSE),
    ],
    ids=str,
)
def test_each_preset_goes_one_step_down(level: TrustLevel, outbound: Tlp, inbound: Inbound) -> None:
    preset = PRESETS[level]
    assert step_down(preset.inbound, preset.outbound) == (inbound, outbound)


@given(st.sampled_from(INBOUND), st.sampled_from(list(Tlp)))
def test_nothing_is_ever_promoted(inbound: Inbound, outbound: Tlp) -> None:
    to_inbound, to_outbound = step_down(inbound, outbound)
    assert to_outbound <= outbound
    assert 0 <= INBOUND.index(inbound) - INBOUND.index(to_inbound) <= 1
