"""The sharing policy that an origin signs into each entry (PROTOCOL 2.4).

Invariants:
* an unknown policy member rejects the entry: a rule that we do not know we cannot keep;
* the label is one that the feed's audience may read;
* AMBER and above is never for relays, GREEN never for the public;
* a ``release`` only widens.

What it does not do: decide who may read (``federation.policy``), or read a clock.

>>> policy_members(Tlp.GREEN, relay="community", pap="green")
{'tlp': 'green', 'relay': 'community', 'pap': 'green'}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from federation.errors import ContentRejected
from federation.feeds.entry import RELAY_COMMUNITY, RELAY_NONE, RELAY_PUBLIC, RELAY_WORDS
from federation.feeds.payload_members import Members, read_flag, read_node_ids, read_word
from schemas.errors import WireFormatError
from schemas.identifiers import FeedName, NodeId
from schemas.markings import Tlp
from schemas.members import read_object, read_text, read_texts, read_time
from schemas.timestamps import write_wire_time

SEALED = "sealed"
"""The label of a sealed feed's outer entries: the true one is inside."""

PAP_WORDS = frozenset({"red", "amber", "green", "clear"})
URGENCY_WORDS = frozenset({"routine", "priority", "immediate"})
_IEP_WORDS = frozenset({"may", "must", "must-not"})

_POLICY_MEMBERS = frozenset(
    {"tlp", "relay", "pap", "release", "iep", "ack", "machine", "named", "urgency", "exercise"}
    | {"data_class", "legal_basis", "retain_until", "on_behalf_of"}
)
_RELEASE_MEMBERS = frozenset({"at", "tlp"})
_IEP_MEMBERS = frozenset({"attribution", "notify_affected", "end_date"})

_TO_AMBER_STRICT = frozenset({Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT})
LABELS_BY_AUDIENCE: Mapping[str, frozenset[Tlp]] = {
    "clear": frozenset({Tlp.CLEAR}),
    "green": frozenset({Tlp.GREEN}),
    "group": _TO_AMBER_STRICT,
    "direct": _TO_AMBER_STRICT,
    "sealed": frozenset(Tlp),
}
"""By ``FeedName.kind``; of a sealed feed the labels that an inner entry may have."""


@dataclass(frozen=True, slots=True)
class Release:
    """A widening that the origin signed in advance, for the receiver's own consumers."""

    at: datetime
    tlp: Tlp


@dataclass(frozen=True, slots=True)
class Iep:
    """The parts of FIRST's Information Exchange Policy that the protocol carries."""

    attribution: str | None = None
    notify_affected: str | None = None
    end_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class SharingPolicy:
    """What an origin allows with an entry; None where it said nothing.

    Attributes:
        tlp: the label, None for ``sealed``.
        raw: the members as they were signed.
    """

    tlp: Tlp | None
    relay: str
    pap: str
    release: Release | None = None
    iep: Iep = Iep()
    ack: tuple[NodeId, ...] = ()
    machine: bool | None = None
    named: tuple[str, ...] = ()
    urgency: str | None = None
    exercise: bool = False
    data_class: str | None = None
    legal_basis: str | None = None
    retain_until: datetime | None = None
    on_behalf_of: str | None = None
    raw: Members = field(default_factory=dict, repr=False)


def read_policy(
    policy: Members, feed: FeedName, *, carries_objects: bool, inside_seal: bool = False
) -> SharingPolicy:
    """Read a sharing policy and check it against the feed's audience (PROTOCOL 2.4).

    Args:
        policy: the members as parsed.
        feed: the feed that the entry is in.
        carries_objects: an entry without objects has the lowest label of its audience.
        inside_seal: the policy is the inner one of a sealed entry.

    Raises:
        WireFormatError: ``E_SCHEMA`` for a missing or ill-typed member.
        ContentRejected: ``E_POLICY``.
    """
    # 1. No member that we could not honour.
    _check_known(policy, _POLICY_MEMBERS, "policy")
    # 2. The label is one that this audience may read.
    tlp = _read_label(policy, feed, carries_objects=carries_objects, inside_seal=inside_seal)
    # 3. The relay rule fits the label.
    relay = read_word(policy, "relay", RELAY_WORDS) if "relay" in policy else RELAY_NONE
    check_relay(relay, tlp)
    # 4. All other members, each with its type. A policy that is kept must be readable in full:
    #    a member that is skipped today is a rule that is broken when it comes into use.
    return SharingPolicy(
        tlp=tlp,
        relay=relay,
        pap=_read_pap(policy, tlp),
        release=_read_release(policy, tlp) if "release" in policy else None,
        iep=_read_iep(policy) if "iep" in policy else Iep(),
        ack=read_node_ids(policy, "ack") if "ack" in policy else (),
        machine=read_flag(policy, "machine") if "machine" in policy else None,
        named=read_texts(policy, "named") if "named" in policy else (),
        urgency=_read_policy_word(policy, "urgency", URGENCY_WORDS),
        exercise=read_flag(policy, "exercise") if "exercise" in policy else False,
        data_class=_read_optional_text(policy, "data_class"),
        legal_basis=_read_optional_text(policy, "legal_basis"),
        retain_until=read_time(policy, "retain_until") if "retain_until" in policy else None,
        on_behalf_of=_read_optional_text(policy, "on_behalf_of"),
        raw=policy,
    )


def lowest_label(feed: FeedName) -> Tlp:
    """Give the lowest label of an audience, which entries without objects carry."""
    return min(LABELS_BY_AUDIENCE[feed.kind])


def check_relay(relay: str, tlp: Tlp | None) -> None:
    """Check that a relay rule fits a label, None for ``sealed`` (PROTOCOL 2.4 ``policy.relay``).

    Raises:
        ContentRejected: ``E_POLICY``.
    """
    if relay == RELAY_NONE:
        return
    if relay == RELAY_PUBLIC and tlp is not Tlp.CLEAR:
        raise _refused("relay public is for CLEAR alone")
    # A sealed outer entry is ciphertext to the relay, whatever is inside.
    if relay == RELAY_COMMUNITY and tlp is not None and tlp > Tlp.GREEN:
        raise _refused(f"{tlp.name} is never for relays in the clear")


def policy_members(
    tlp: Tlp, *, relay: str, pap: str | None = None, **more: object
) -> dict[str, object]:
    """Build the policy of an entry; ``more`` are the protocol's members, None is left out.

    Instants are given as ``datetime``, ``release`` and ``iep`` as mappings.

    Raises:
        ContentRejected: ``E_POLICY`` for a member that the protocol does not know, or a relay
            rule that the label forbids: peers would reject the entry.
    """
    policy = {"tlp": tlp.wire, "relay": relay, "pap": pap, **more}
    written = {name: _write_member(value) for name, value in policy.items() if value is not None}
    _check_known(written, _POLICY_MEMBERS, "policy")
    if relay not in RELAY_WORDS:
        raise _refused(f"{relay} is no relay rule")
    check_relay(relay, tlp)
    return written


def _read_label(
    policy: Members, feed: FeedName, *, carries_objects: bool, inside_seal: bool
) -> Tlp | None:
    word = read_text(policy, "tlp")
    if feed.kind == "sealed" and not inside_seal:
        if word != SEALED:
            raise _refused("an outer entry of a sealed feed is labelled sealed")
        return None
    try:
        tlp = Tlp.read(word)
    except WireFormatError:
        raise _refused("tlp is no label of this audience") from None
    if tlp not in LABELS_BY_AUDIENCE[feed.kind]:
        raise _refused(f"{tlp.name} is not allowed in a {feed.kind} feed")
    if not carries_objects and tlp != lowest_label(feed):
        raise _refused("an entry without objects carries the lowest label of its audience")
    return tlp


def _read_pap(policy: Members, tlp: Tlp | None) -> str:
    """Read the permissible actions; unstated they follow the label, never CLEAR by default."""
    stated = _read_policy_word(policy, "pap", PAP_WORDS)
    if stated is not None:
        return stated
    return "green" if tlp is not None and tlp <= Tlp.GREEN else "amber"


def _read_release(policy: Members, tlp: Tlp | None) -> Release:
    members = read_object(policy["release"], "release")
    _check_known(members, _RELEASE_MEMBERS, "release")
    at, word = read_time(members, "at"), read_text(members, "tlp")
    try:
        released = Tlp.read(word)
    except WireFormatError:
        raise _refused("release names no label") from None
    # A tightening at a time would leave the object wide open until then: restrict does that.
    if tlp is None or released >= tlp:
        raise _refused("release does not widen")
    return Release(at, released)


def _read_iep(policy: Members) -> Iep:
    members = read_object(policy["iep"], "iep")
    _check_known(members, _IEP_MEMBERS, "iep")
    return Iep(
        _read_policy_word(members, "attribution", _IEP_WORDS),
        _read_policy_word(members, "notify_affected", _IEP_WORDS),
        read_time(members, "end_date") if "end_date" in members else None,
    )


def _read_optional_text(policy: Members, name: str) -> str | None:
    return read_text(policy, name) if name in policy else None


def _read_policy_word(policy: Members, name: str, words: frozenset[str]) -> str | None:
    """Read an optional word of a closed list; one that is not in it is a rule we cannot keep."""
    word = _read_optional_text(policy, name)
    if word is not None and word not in words:
        raise _refused(f"{name} is none of " + ", ".join(sorted(words)))
    return word


def _check_known(members: Members, known: frozenset[str], what: str) -> None:
    unknown = sorted(members.keys() - known)
    if unknown:
        raise _refused(f"{what} has a member that is unknown here: {unknown[0]}")


def _write_member(value: object) -> object:
    if isinstance(value, datetime):
        return write_wire_time(value)
    if isinstance(value, Tlp):
        return value.wire
    if isinstance(value, Mapping):
        return {name: _write_member(member) for name, member in value.items()}
    if isinstance(value, tuple | frozenset | set):
        return sorted(value) if not isinstance(value, tuple) else list(value)
    return value


def _refused(detail: str) -> ContentRejected:
    return ContentRejected("E_POLICY", detail)
