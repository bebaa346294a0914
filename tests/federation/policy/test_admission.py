"""The trust gate on receipt (PROTOCOL 4.1)."""

from __future__ import annotations

from itertools import product

import pytest

from federation.policy.admission import ADMISSION_CODES, decide_admission
from federation.trust.presets import Inbound, TrustLevel


@pytest.mark.parametrize(
    ("trust", "state"),
    [
        (TrustLevel.BLOCKED, "refused"),
        (TrustLevel.KNOWN, "quarantined"),
        (TrustLevel.MEMBER, "quarantined"),
        (TrustLevel.TRUSTED, "accepted"),
        (TrustLevel.PARTNER, "accepted"),
    ],
)
def test_each_level_by_its_preset(trust: TrustLevel, state: str) -> None:
    assert decide_admission(origin_trust=trust, inbound=None).state == state


@pytest.mark.parametrize("trust", [level for level in TrustLevel if level > TrustLevel.BLOCKED])
@pytest.mark.parametrize(
    ("inbound", "state"),
    [
        ("refuse", "refused"),
        ("quarantine", "quarantined"),
        ("corroborated", "quarantined"),
        ("accept", "accepted"),
        ("perhaps", "quarantined"),
    ],
)
def test_the_dial_overrides_the_preset(trust: TrustLevel, inbound: str, state: str) -> None:
    assert decide_admission(origin_trust=trust, inbound=inbound).state == state


def test_no_dial_opens_what_blocking_closed() -> None:
    admission = decide_admission(origin_trust=TrustLevel.BLOCKED, inbound="accept")
    assert admission.code == "REFUSED_ORIGIN_BLOCKED"


@pytest.mark.parametrize(("trust", "inbound"), list(product(TrustLevel, Inbound)))
def test_an_exercise_is_accepted_from_nobody(trust: TrustLevel, inbound: str) -> None:
    admission = decide_admission(origin_trust=trust, inbound=inbound, exercise=True)
    refused = trust is TrustLevel.BLOCKED or inbound == Inbound.REFUSE
    assert admission.state == ("refused" if refused else "exercise")


@pytest.mark.parametrize("trust", [TrustLevel.KNOWN, TrustLevel.TRUSTED, TrustLevel.PARTNER])
def test_an_unknown_marking_waits_at_every_trust(trust: TrustLevel) -> None:
    admission = decide_admission(origin_trust=trust, inbound="accept", unknown_marking=True)
    assert (admission.state, admission.code) == ("quarantined", "E_UNKNOWN_MARKING")


def test_accepting_by_itself_is_for_allowed_types_below_partner() -> None:
    trusted = decide_admission(origin_trust=TrustLevel.TRUSTED, inbound=None, type_allowed=False)
    partner = decide_admission(origin_trust=TrustLevel.PARTNER, inbound=None, type_allowed=False)
    assert (trusted.code, partner.code) == ("QUARANTINED_TYPE", "ACCEPTED")


def test_every_code_is_reached() -> None:
    reached = {
        decide_admission(
            origin_trust=trust,
            inbound=inbound,
            exercise=exercise,
            unknown_marking=unknown,
            type_allowed=allowed,
        ).code
        for trust, inbound, exercise, unknown, allowed in product(
            TrustLevel, [None, *Inbound, "perhaps"], *[(False, True)] * 3
        )
    }
    assert reached == ADMISSION_CODES
