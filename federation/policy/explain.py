"""Decisions in plain English: one table, one sentence or two for every code.

Decides nothing. Decisions are stored as codes and facts; this is where they become words
(ARCHITECTURE 5), for ``tocsin why``, ``publish --dry-run`` and the quarantine.

Invariants:
* every code of ``decision.Code`` and ``admission.AdmissionCode`` has its sentences;
* a sentence names the rule and the fact that met it, and a refusal that somebody here can change
  says how;
* the templates are ours; names from outside are only ever filled in.

What it does not do: escape. A door that prints to a terminal or a page escapes there.

>>> d = Decision.of("REFUSED_TRUST_TOO_LOW", "PROTOCOL 3.2", label="TLP:GREEN",
...                 peer="registry.example", trust="known", needed="member")
>>> sentences(d)[0]
"TLP:GREEN goes only to peers at trust 'member' or above; registry.example is at 'known'."
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from federation.policy.admission import Admission
from federation.policy.decision import Decision

_NAMED_LABELS: Final = frozenset({"TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"})

SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # to a peer
        "ALLOWED_CLEAR_KNOWN": (
            "TLP:CLEAR goes to every peer at trust 'known' or above; {peer} is at '{trust}'."
        ),
        "ALLOWED_GREEN_MEMBER": (
            "{label} goes to verified peers at trust 'member' or above; {peer} is at '{trust}'."
        ),
        "ALLOWED_AMBER_NAMED": (
            "{label} goes to verified peers at trust 'trusted' or above that are named; {peer} "
            "is at '{trust}' and is named."
        ),
        "ALLOWED_AMBER_STRICT_NAMED": (
            "{label} goes to verified peers at trust 'trusted' or above that are named; {peer} "
            "is at '{trust}' and is named.\n"
            "It is for the organisation of {peer} only, and not for its constituents."
        ),
        "REFUSED_SUSPENDED": (
            "{peer} is in state '{state}' at this node, so it is treated as a stranger."
        ),
        "REFUSED_BLOCKED": "{peer} is blocked at this node, so it is treated as a stranger.",
        "REFUSED_TRUST_TOO_LOW": (
            "{label} goes only to peers at trust '{needed}' or above{and_named}; {peer} is at "
            "'{trust}'."
        ),
        "REFUSED_NOT_VERIFIED": (
            "{label} goes only to peers at trust '{needed}' or above whose voice code was "
            "compared; {peer} is at '{trust}' but not verified, so it counts as 'known'.\n"
            "Compare the eight words with its administrator by phone, then mark the peer as "
            "verified."
        ),
        "REFUSED_OUTBOUND_DIAL": (
            "The outbound dial of {peer} stands at {outbound}, which is below {label}."
        ),
        "REFUSED_NOT_NAMED": (
            "{label} in a group or direct feed, and all from TLP:AMBER on, goes only to peers "
            "that are named; {peer} is at '{trust}', which would do, but it is not named."
        ),
        "REFUSED_BEFORE_JOINED": (
            "It was published before {peer} joined the group, whose history is for those who were "
            "in it then."
        ),
        "REFUSED_RED_NEEDS_SEALING": (
            "TLP:RED travels only sealed to its recipients, and this release cannot seal; "
            "nothing labelled TLP:RED is delivered to {peer} or to anybody."
        ),
        "REFUSED_SEALED_FEED": (
            "{feed} is a sealed feed, and this release does not serve sealed feeds to {peer}."
        ),
        # relay
        "ALLOWED_RELAY": (
            "The origin's signed policy says relay '{relay}', so this node passes its {label} "
            "feed on to {peer}."
        ),
        "ALLOWED_TO_ORIGIN": (
            "{peer} wrote this feed itself; giving an origin its own entries is not relaying."
        ),
        "REFUSED_RELAY_NEVER": (
            "A {audience} feed is served by its origin alone and is never relayed in clear, to "
            "{peer} or to anybody."
        ),
        "REFUSED_RELAY_POLICY": (
            "The origin's signed policy says relay '{relay}', which does not permit this node "
            "to pass a {label} feed on to {peer}."
        ),
        "REFUSED_RELAY_OFF": (
            "The operator of this node has switched the relay of this origin off, so {peer} "
            "does not get its {label} feed here."
        ),
        # a token
        "ALLOWED_READER": (
            "A token of kind '{kind}' may read {label}, and the clearance of {reader} reaches "
            "{clearance}."
        ),
        "ALLOWED_READER_TOUCHES": (
            "A token of kind '{kind}' may read {label} that touches its own zones or prefixes, "
            "and this object touches those of {reader}."
        ),
        "ALLOWED_READER_GROUP": (
            "A token of kind '{kind}' may read {label} that a group of its own carries, and one "
            "that {reader} follows carries this object."
        ),
        "ALLOWED_READER_MACHINE": (
            "The origin's policy permits machines to read this {label} object, and the "
            "clearance of {reader} reaches {clearance}."
        ),
        "REFUSED_READER_KIND": (
            "A token of kind '{kind}' reads no objects by itself; {reader} is one."
        ),
        "REFUSED_READER_LABEL": "A token of kind '{kind}' never reads {label}; {reader} is one.",
        "REFUSED_NO_ORIGINALS": "The token {reader} was made without leave to read originals.",
        "REFUSED_CLEARANCE": (
            "The clearance of {reader} ends at {clearance}, which is below {label}."
        ),
        "REFUSED_NOT_TOUCHING": (
            "A token of kind '{kind}' reads {label} only in originals that touch its own zones "
            "or prefixes, and this one touches none of {reader}."
        ),
        "REFUSED_NOT_IN_GROUP": (
            "A token of kind '{kind}' reads {label} only in originals that a group of its own "
            "carries, and none that {reader} follows carries this one."
        ),
        "REFUSED_RED_NOT_FOR_MACHINES": (
            "TLP:RED is for named persons, so no token reads it unless the origin's policy says"
            " that machines may; {reader} is a token."
        ),
        # on receipt
        "ACCEPTED": (
            "The origin is at trust '{trust}' with inbound '{inbound}', so its objects are "
            "accepted."
        ),
        "EXERCISE": (
            "The entry is marked as an exercise: it is stored and reaches no reader, export or "
            "alarm."
        ),
        "QUARANTINED_INBOUND": (
            "The origin is at trust '{trust}' with inbound '{inbound}', so the object waits for"
            " a person."
        ),
        "QUARANTINED_CORROBORATION": (
            "The origin is at trust '{trust}' with inbound '{inbound}'; nobody has corroborated"
            " the object, so it waits for a person."
        ),
        "QUARANTINED_TYPE": (
            "The origin is at trust '{trust}', at which objects of this type are not accepted "
            "without a person."
        ),
        "QUARANTINED_DIAL_UNKNOWN": (
            "The inbound dial says '{inbound}', which this release does not know, so the object"
            " waits for a person."
        ),
        "E_UNKNOWN_MARKING": (
            "The object carries a marking that this node does not understand; it counts as "
            "TLP:AMBER+STRICT and waits for a person."
        ),
        "REFUSED_ORIGIN_BLOCKED": "The origin is blocked at this node.",
        "REFUSED_INBOUND": "The inbound dial of the origin refuses what it sends.",
    }
)
"""One line, one sentence."""

_FALLBACK: Final[Mapping[str, str]] = MappingProxyType(
    {"peer": "the peer", "reader": "the token", "label": "this label", "feed": "the feed"}
)


class _Facts(dict[str, object]):
    """Facts for a template; a missing one is said to be unknown and never raises."""

    def __missing__(self, key: str) -> str:
        return _FALLBACK.get(key, "unknown")


def sentences(decision: Decision | Admission, **names: object) -> list[str]:
    """Put a decision into English sentences, the last one naming the rule.

    Args:
        decision: a sharing decision or an admission.
        **names: facts that replace those of the decision, such as ``peer`` or ``reader``.
    """
    facts = _Facts({**decision.params, **names})
    facts["and_named"] = " that are named" if facts["label"] in _NAMED_LABELS else ""
    # A code of a later release, read back from the store, has no sentence here yet.
    template = SENTENCES.get(decision.code, "The decision was {code}.")
    facts["code"] = decision.code
    return [*(line.format_map(facts) for line in template.split("\n")), f"Rule: {decision.rule}."]
