"""What happens to one object on receipt: the trust gate (PROTOCOL 2.4 last step, 4.1).

Decides between accept, quarantine and refuse, for every object of a content that passed all
other checks.

Invariants:
* every version passes the gate, also of an object accepted before (THREATS 37). Only what says the
  same with other dates, another description or confidence stays accepted without being asked
  again: a new pattern, label, name or type-defining fact is a new claim;
* nothing whose marking is not understood is accepted, whoever sent it;
* an exercise is never accepted: it has its own state, which no view, export or alarm reads;
* an origin that is no peer counts as known (PROTOCOL 3.2), which quarantines.

States: ``accepted`` is visible to readers; ``quarantined`` waits for a person; ``refused`` is kept
as a record and shown to nobody; ``exercise`` is stored, listed for operators, and reaches nobody.

What it does not do: corroborate (``hub.verdicts.corroborate`` does, once a second lineage says the
same), or count: quotas and ownership are the caller's.

>>> decide_admission(origin_trust=TrustLevel.TRUSTED, inbound=None).state
'accepted'
>>> decide_admission(origin_trust=TrustLevel.KNOWN, inbound=None).state
'quarantined'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, get_args

from federation.trust.presets import PRESETS, Inbound, TrustLevel

State = Literal["accepted", "quarantined", "refused", "exercise"]
AdmissionCode = Literal[
    "ACCEPTED",
    "EXERCISE",
    "QUARANTINED_INBOUND",
    "QUARANTINED_CORROBORATION",
    "QUARANTINED_TYPE",
    "QUARANTINED_DIAL_UNKNOWN",
    "E_UNKNOWN_MARKING",
    "REFUSED_ORIGIN_BLOCKED",
    "REFUSED_INBOUND",
]
ADMISSION_CODES: Final[frozenset[str]] = frozenset(get_args(AdmissionCode))


_GATE: Final = "PROTOCOL 4.1"
_UNASKED: Final = frozenset(
    {
        "modified", "valid_from", "valid_until", "first_seen", "last_seen", "first_observed",
        "last_observed", "published", "description", "confidence", "revoked",
    }
)  # fmt: skip
"""Members that may change in an accepted object without another look; any other may not. Revoking
only takes away."""


_KNOWN_DIALS: Final = frozenset(Inbound)


@dataclass(frozen=True, slots=True)
class Admission:
    """The state that an object gets on receipt, and why."""

    state: State
    code: AdmissionCode
    rule: str
    params: Mapping[str, object] = field(default_factory=dict)


def is_unchanged(held: Mapping[str, object], new: Mapping[str, object]) -> bool:
    """Tell whether a new version of an accepted object claims nothing new (THREATS 37).

    >>> held = {"pattern": "[domain-name:value = 'a.example']", "confidence": 10}
    >>> is_unchanged(held, held | {"confidence": 80})
    True
    >>> is_unchanged(held, held | {"pattern": "[domain-name:value = 'bank.example']"})
    False
    """
    names = (held.keys() | new.keys()) - _UNASKED
    return all(name in held and name in new and held[name] == new[name] for name in names)


def decide_admission(
    *,
    origin_trust: TrustLevel,
    inbound: str | None,
    exercise: bool = False,
    unknown_marking: bool = False,
    type_allowed: bool = True,
    unchanged: bool = False,
) -> Admission:
    """Decide the state of one received object.

    Args:
        origin_trust: the trust of the node that wrote it, known where that is no peer. It is the
            origin's and never the sender's: a relay lends no trust.
        inbound: the origin's inbound dial, or None for its level's preset.
        exercise: the entry's ``policy.exercise``.
        unknown_marking: whether ``labels`` found a marking that it does not understand.
        type_allowed: whether objects of this type are accepted without a person
            (``federation.trust.presets.allows_type``).
        unchanged: it is a new version of an accepted object, at the same label, that claims
            nothing new (``is_unchanged``).
    """
    return _decide(origin_trust, inbound, exercise, unknown_marking, type_allowed, unchanged)


# The same few questions for every object of a feed.
@lru_cache(maxsize=256)
def _decide(
    origin_trust: TrustLevel,
    inbound: str | None,
    exercise: bool,
    unknown_marking: bool,
    type_allowed: bool,
    unchanged: bool,
) -> Admission:
    dial = PRESETS[origin_trust].inbound if inbound is None else inbound
    facts: dict[str, object] = {"trust": origin_trust.word, "inbound": str(dial)}

    # The first step that applies decides.
    steps: tuple[tuple[bool, State, AdmissionCode, str], ...] = (
        # 1. Refusals. A dial cannot open what blocking closed.
        (origin_trust is TrustLevel.BLOCKED, "refused", "REFUSED_ORIGIN_BLOCKED", _GATE),
        (dial == Inbound.REFUSE, "refused", "REFUSED_INBOUND", _GATE),
        # 2. An exercise, before any quarantine: a person who accepts it there would make it real.
        (exercise, "exercise", "EXERCISE", "PROTOCOL 2.4, policy.exercise"),
        # 3. What is not understood waits, at every trust.
        (unknown_marking, "quarantined", "E_UNKNOWN_MARKING", "PROTOCOL 3.1"),
        # 4. What was let in before goes on being in, as long as it claims nothing new.
        (unchanged and dial in _KNOWN_DIALS, "accepted", "ACCEPTED", "THREATS 37"),
        # 5. The dial; a word that is unknown here waits for a person too.
        (dial == Inbound.QUARANTINE, "quarantined", "QUARANTINED_INBOUND", _GATE),
        (dial == Inbound.CORROBORATED, "quarantined", "QUARANTINED_CORROBORATION", _GATE),
        (dial != Inbound.ACCEPT, "quarantined", "QUARANTINED_DIAL_UNKNOWN", _GATE),
        # 6. Accepting by itself is for allowed types.
        (not type_allowed, "quarantined", "QUARANTINED_TYPE", _GATE),
    )
    for applies, state, code, rule in steps:
        if applies:
            return Admission(state, code, rule, facts)
    return Admission("accepted", "ACCEPTED", _GATE, facts)
