"""The trust gate on receipt (PROTOCOL 4.1)."""

from __future__ import annotations

from itertools import product

import pytest

from federation.policy.admission import ADMISSION_CODES, decide_admission, is_unchanged
from federation.trust.presets import Inbound, TrustLevel, allows_type


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


@pytest.mark.parametrize("trust", [TrustLevel.TRUSTED, TrustLevel.PARTNER])
def test_accepting_by_itself_is_for_allowed_types(trust: TrustLevel) -> None:
    admission = decide_admission(origin_trust=trust, inbound=None, type_allowed=False)
    assert admission.code == "QUARANTINED_TYPE"


def test_a_partner_is_limited_to_types_only_where_the_dial_was_turned() -> None:
    assert allows_type(TrustLevel.PARTNER, None, "file")
    assert not allows_type(TrustLevel.PARTNER, ("indicator",), "file")
    assert allows_type(TrustLevel.TRUSTED, ("file",), "file")
    # What labels or names the rest comes with it.
    assert allows_type(TrustLevel.TRUSTED, ("indicator",), "identity")


HELD = {
    "type": "indicator",
    "pattern": "[domain-name:value = 'a.example']",
    "modified": "2026-03-01T09:00:00Z",
    "confidence": 20,
}


@pytest.mark.parametrize(
    ("change", "unchanged"),
    [
        ({"modified": "2026-03-02T09:00:00Z", "valid_until": "2026-04-01T09:00:00Z"}, True),
        ({"description": "seen again", "confidence": 90}, True),
        ({"revoked": True}, True),
        ({"pattern": "[domain-name:value = 'bank.example']"}, False),
        ({"object_marking_refs": []}, False),
        ({"labels": ["phishing"]}, False),
        ({"extensions": {"x": {"threat_type": "sinkhole"}}}, False),
        ({"name": "another"}, False),
        ({"x_unknown": None}, False),
    ],
)
def test_t37_only_dates_description_and_confidence_claim_nothing_new(change, unchanged) -> None:
    assert is_unchanged(HELD, HELD | change) is unchanged


@pytest.mark.parametrize("inbound", ["quarantine", "corroborated"])
def test_t37_what_claims_nothing_new_stays_accepted_below_accept(inbound: str) -> None:
    known = TrustLevel.KNOWN
    again = decide_admission(origin_trust=known, inbound=inbound, unchanged=True)
    assert again.state == "accepted"
    unread = decide_admission(
        origin_trust=known, inbound=inbound, unchanged=True, unknown_marking=True
    )
    assert unread.state == "quarantined"
    assert decide_admission(origin_trust=known, inbound="refuse", unchanged=True).state == "refused"


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
