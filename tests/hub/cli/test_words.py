from __future__ import annotations

from enum import StrEnum
from typing import get_args

import pytest

from federation.feeds.sharing_policy import URGENCY_WORDS
from federation.policy.admission import Admission
from federation.trust.presets import Inbound, TrustLevel
from federation.trust.reputation import OutcomeKind
from hub.bootstrap import ROLES
from hub.cli import words
from hub.exchange.rosters import HIDDEN, HISTORY_ALL, HISTORY_JOIN, MEMBERS
from hub.imports.detect import Format
from hub.imports.inputs import AUTO
from hub.incidents.answer import ANSWERS
from hub.incidents.concentration import GROUPINGS
from hub.operators.tokens import WIDEST
from hub.verdicts.disputes import STRENGTHS
from schemas.dns.delegations import VECTORS
from schemas.dns.extensions import MATCH_SCOPES, REQUESTED_ACTIONS, THREAT_TYPES
from schemas.markings import Tlp

SAME = [
    (words.Label, [tlp.wire for tlp in Tlp]),
    (words.Role, ROLES),
    (words.Trust, [level.word for level in TrustLevel]),
    (words.InboundMode, [mode.value for mode in Inbound]),
    (words.TokenKind, WIDEST),
    (words.Roster, [MEMBERS, HIDDEN]),
    (words.History, [HISTORY_ALL, HISTORY_JOIN]),
    (words.ThreatType, THREAT_TYPES),
    (words.MatchScope, MATCH_SCOPES),
    (words.RequestedAction, REQUESTED_ACTIONS),
    (words.Urgency, URGENCY_WORDS),
    (words.ImportFormat, [AUTO, *get_args(Format)]),
    (words.OpinionWord, STRENGTHS),
    (words.HijackAnswer, ANSWERS),
    (words.HijackVector, VECTORS),
    (words.ConcentrationBy, GROUPINGS),
    (words.OutcomeWord, get_args(OutcomeKind)),
]


@pytest.mark.parametrize(("said", "known"), SAME)
def test_an_option_takes_exactly_the_words_that_the_rooms_below_know(said, known):
    assert issubclass(said, StrEnum)
    assert {word.value for word in said} == set(known)


def test_every_state_of_an_admission_can_be_listed():
    states = Admission.__annotations__["state"]
    assert states
    assert {"accepted", "quarantined", "rejected"} <= {state.value for state in words.ObjectState}
