"""TLP 2.0 and 1.0 by built-in table, and the lattice of labels and audiences (PROTOCOL 3.1).

Invariants:
* what a marking means comes from the tables here, never from a transported object;
* joining is associative, commutative and idempotent, and never widens who may read;
* at AMBER and above an audience that nobody named is *nobody*.

>>> a = EffectiveLabel(Tlp.RED)
>>> b = EffectiveLabel(Tlp.CLEAR, frozenset({"A"}))
>>> a.join(b) == EffectiveLabel(Tlp.RED, frozenset())
True
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from schemas.errors import WireFormatError


class Tlp(IntEnum):
    """The five labels of TLP 2.0 in the order of their strictness."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def wire(self) -> str:
        """The word on the wire: ``clear``, ``green``, ``amber``, ``amber+strict``, ``red``."""
        return _WIRE_NAMES[self]

    @property
    def marking_id(self) -> str:
        """The id of the TLP 2.0 marking-definition."""
        return _TLP2_IDS[self]

    @classmethod
    def read(cls, word: object) -> Tlp:
        """Read a wire word.

        Raises:
            WireFormatError: ``E_SCHEMA`` when it is none of the five.
        """
        found = _BY_WIRE_NAME.get(word) if isinstance(word, str) else None
        if found is None:
            raise WireFormatError(
                "E_SCHEMA",
                "not a TLP label",
                "Use one of clear, green, amber, amber+strict, red.",
            )
        return found


_WIRE_NAMES = {
    Tlp.CLEAR: "clear",
    Tlp.GREEN: "green",
    Tlp.AMBER: "amber",
    Tlp.AMBER_STRICT: "amber+strict",
    Tlp.RED: "red",
}
_BY_WIRE_NAME = {word: tlp for tlp, word in _WIRE_NAMES.items()}

_TLP2_IDS = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
_TLP1_IDS = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}
TLP_BY_MARKING_ID = {marking: tlp for tlp, marking in _TLP2_IDS.items()} | _TLP1_IDS
TLP2_MARKING_IDS = frozenset(_TLP2_IDS.values())

TLP2_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"


def tlp2_marking_definition(tlp: Tlp) -> dict[str, object]:
    """Build the TLP 2.0 marking-definition object; not predefined in STIX, so it travels along."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": tlp.marking_id,
        "created": "2022-10-01T00:00:00.000Z",
        "name": f"TLP:{tlp.wire.upper()}",
        "extensions": {
            TLP2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": tlp.wire}
        },
    }


@dataclass(frozen=True, slots=True)
class EffectiveLabel:
    """A label and who may read: ``audience`` is a set of names, or None for *not specified*.

    Normalised on creation (PROTOCOL 3.1): at AMBER and above an unspecified audience becomes the
    empty set. Without it ``(red, unspecified) ⊔ (clear, {A})`` would come out as RED for A.
    """

    tlp: Tlp
    audience: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.audience is None and self.tlp >= Tlp.AMBER:
            object.__setattr__(self, "audience", frozenset())

    def join(self, other: EffectiveLabel) -> EffectiveLabel:
        """Combine two labels: the stricter label, the intersection of the audiences."""
        if self.audience is None:
            audience = other.audience
        elif other.audience is None:
            audience = self.audience
        else:
            audience = self.audience & other.audience
        return EffectiveLabel(max(self.tlp, other.tlp), audience)

    def covers(self, referencing: EffectiveLabel) -> bool:
        """Tell whether everyone who may read ``referencing`` may read this too (PROTOCOL 3.4)."""
        if self.tlp > referencing.tlp:
            return False
        if self.audience is None:
            return True
        return referencing.audience is not None and referencing.audience <= self.audience
