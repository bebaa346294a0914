"""What a name's evidence comes to: figures and reasons, before anything is done about them.

Names of one set have the very same evidence; what was found for one is found for all of them, but
for the name and what guards say of it.

What it does not do: judge (``name_verdict``), or settle what is published (``settling``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from federation.trust.fusion import Fused
from hub.storage.queries.claims import LiveClaim
from hub.storage.queries.verdicts import NOWHERE
from schemas.markings import Tlp

_ALL: Final = max(Tlp) + 1


@dataclass(frozen=True, slots=True)
class Weighed:
    """A claim as it counts at a label."""

    claim: LiveClaim
    lineage: str
    weight: float
    in_authority: bool
    reliability: float


@dataclass(slots=True)
class Finding:
    """What a name's evidence up to a label comes to."""

    name: str
    label: int
    fused: Fused
    weighed: tuple[Weighed, ...]
    threat_type: str | None
    threat_types: tuple[str, ...]
    match_scope: str
    ends: int | None
    """When the last claim ends by itself; None when one of them does not."""
    look_at: int
    """When time alone may have changed it."""
    pap: int | None
    agreed: bool = True
    """Whether those who mean what ``match_scope`` says would suffice for a block alone."""
    block: bool = False
    codes: tuple[str, ...] = ()

    def on(self, name: str) -> Finding:
        """Return what is found for another name with the same evidence; not yet of its block."""
        return Finding(
            name, self.label, self.fused, self.weighed, self.threat_type, self.threat_types,
            self.match_scope, self.ends, self.look_at, self.pap, self.agreed,
        )  # fmt: skip


@dataclass(slots=True)
class NameFindings:
    """What was found for a name.

    Args:
        evidence: its evidence labels, ascending.
        findings: for those from the asked label on; None where nothing counts.
        begins: when claims of a label begin to count, that do not yet.
        alike: the same number where names of one batch have the same evidence; 0 for none.
    """

    name: str
    evidence: tuple[int, ...]
    findings: dict[int, Finding | None]
    begins: dict[int, int]
    alike: int = 0

    def on(self, name: str) -> NameFindings:
        """Return what is found for another name with the same evidence."""
        findings = {
            label: None if finding is None else finding.on(name)
            for label, finding in self.findings.items()
        }
        return NameFindings(name, self.evidence, findings, self.begins, self.alike)

    def shown_to(self, label: int) -> int:
        """Name the last ceiling whose view goes by a label; ``NOWHERE`` when none does."""
        if label not in self.evidence:
            return NOWHERE
        return min((other for other in self.evidence if other > label), default=_ALL) - 1
