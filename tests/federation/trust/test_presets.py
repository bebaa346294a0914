"""The five presets, beside the words of PROTOCOL 4.1."""

from __future__ import annotations

from itertools import pairwise

import pytest

from federation.trust.presets import PRESETS, Inbound, Preset, TrustLevel
from schemas.errors import WireFormatError
from schemas.markings import Tlp


@pytest.mark.parametrize(
    ("level", "preset"),
    [
        ("blocked", Preset(Inbound.REFUSE, 0, Tlp.CLEAR, 0)),
        ("known", Preset(Inbound.QUARANTINE, 30, Tlp.CLEAR, 500)),
        ("member", Preset(Inbound.CORROBORATED, 60, Tlp.GREEN, 5_000)),
        ("trusted", Preset(Inbound.ACCEPT, 85, Tlp.AMBER_STRICT, 50_000)),
        ("partner", Preset(Inbound.ACCEPT, 95, Tlp.RED, 200_000)),
    ],
)
def test_each_level_fills_the_dials(level: str, preset: Preset) -> None:
    assert PRESETS[TrustLevel.read(level)] == preset


def test_more_trust_is_never_less() -> None:
    assert list(PRESETS) == list(TrustLevel) == sorted(TrustLevel)
    for lower, higher in pairwise(PRESETS.values()):
        assert lower.cap <= higher.cap
        assert lower.outbound <= higher.outbound
        assert lower.limit <= higher.limit


@pytest.mark.parametrize("level", TrustLevel)
def test_words_read_back(level: TrustLevel) -> None:
    assert TrustLevel.read(level.word) is level


@pytest.mark.parametrize("word", ["", "Known", "friend", 1, None])
def test_other_words_are_no_level(word: object) -> None:
    with pytest.raises(WireFormatError) as caught:
        TrustLevel.read(word)
    assert caught.value.code == "E_SCHEMA"
    assert "partner" in caught.value.remedy
