r"""Response policy zones: names that a resolver blocks, as a zone file (DNS 3; THREATS 41).

Decides how a trigger is said and what fits. The text is made of parsed labels and of words that
are written here: a name is read once more, character by character, before it becomes an owner, so
that nothing of a peer's text can end a line, open a comment or begin a directive.

Invariants:
* an owner, with ``*.`` before it and the zone behind it, has at most 255 octets of wire: one that
  is longer ruins the whole zone (BIND refuses it, Unbound stops reading there). What does not fit
  is left out and reported;
* a name that ends in ``rpz-ip`` and the like would be another kind of trigger: it is left out, as
  is what would stand at the canary or below it;
* each owner is written once;
* the same names and context give the same bytes.

What it does not do: choose names (``listing``) or actions (``rpz_policy``).

>>> owner_of_address("192.0.2.0/24"), owner_of_address("2001:db8::1/128")
('24.0.2.0.192', '128.1.zz.db8.2001')
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from hub.exports.listed_name import ExportContext, ListedName
from schemas.dns.subjects import IP, NSDNAME, NSIP, QNAME

LONG: Final = "LONG"
RESERVED: Final = "RESERVED"
NOT_A_NAME: Final = "NOT_A_NAME"
DISABLED: Final = "DISABLED"
WIDE: Final = "WIDE"

LONGEST_OWNER: Final = 255
"""Octets of wire (RFC 1035 §3.1)."""
REFRESH: Final = 300
RETRY: Final = 60
EXPIRE: Final = 7 * 86_400
"""Seconds after which a resolver drops a zone that nobody renews: verdicts end as late
(PROTOCOL 4.8), so that the blocks of a dead hub age out."""
LEAST_TTL: Final = 60

_MARKS: Final[Mapping[str, str]] = MappingProxyType(
    {QNAME: "", NSDNAME: ".rpz-nsdname", IP: ".rpz-ip", NSIP: ".rpz-nsip"}
)
_NAME: Final = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}", re.ASCII)
_RESERVED: Final = (".rpz-ip", ".rpz-nsip", ".rpz-nsdname", ".rpz-client-ip")
_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class RpzPolicy:
    """What a zone is called, and what a resolver does with the names in it.

    Args:
        zone: its name, without a trailing dot.
        action: what follows the TTL, such as ``CNAME .``, for names without one of their own.
        actions: the same by threat type; an empty one leaves the names out.
        softer: by what origins ask for, the hardest first: which record turns into which.
        canary: a name whose TXT says the serial, as does that of ``canary_of`` below it, so that a
            probe can see which zone is in force.
        ttl: seconds that answers are kept.
        soon: names that end before it have the least TTL, so that no answer outlives its reason.
    """

    zone: str
    action: str = "CNAME ."
    actions: Mapping[str, str] = field(default_factory=dict)
    softer: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    canary: str = ""
    ttl: int = 300
    soon: datetime | None = None

    def record_of(self, name: ListedName) -> str:
        """Return what a name's record says; nothing for one that is to be left out."""
        first = name.threat_types[0] if name.threat_types else ""
        record = self.actions.get(first, self.action)
        # Several origins, or one that asks for several things: the hardest of it counts.
        for asked, softened in self.softer.items():
            if asked in name.requested_actions:
                return softened.get(record, record)
        return record


def write_rpz(
    names: Sequence[ListedName], context: ExportContext, policy: RpzPolicy
) -> Iterator[bytes]:
    """Write the zone in chunks; only of names for which ``why_left_out`` has no reason."""
    yield _head(context, policy).encode("ascii")
    soon, least = policy.soon, f" {LEAST_TTL} "
    # A million names make a few kinds of records: which one is looked up by what decides it.
    records: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}
    lines: list[str] = []
    for each in names:
        kind = (each.threat_types, each.requested_actions)
        record = records.get(kind)
        if record is None:
            record = records[kind] = policy.record_of(each)
        ending = soon is not None and each.ends_at <= soon
        rest = f"{least}{record}\n" if ending else f" {record}\n"
        owner = each.value if each.match_on == QNAME else _owner_of(each)
        scope = each.match_scope
        if scope != "wildcard-only" or each.match_on in {IP, NSIP}:
            lines.append(owner + rest)
        if scope != "exact" and each.match_on in {QNAME, NSDNAME}:
            lines.append("*." + owner + rest)
        if len(lines) >= _AT_ONCE:
            yield "".join(lines).encode("ascii")
            lines.clear()
    yield "".join(lines).encode("ascii")


def why_left_out(name: ListedName, policy: RpzPolicy) -> str | None:
    """Tell why a zone cannot, or shall not, say a name."""
    value = name.value
    if name.match_on in {QNAME, NSDNAME}:
        if not _NAME.fullmatch(value):
            return NOT_A_NAME
        mark = _MARKS[name.match_on]
        # `*.owner.zone.`: a length octet a label and the root's, so one more than the text's dots.
        if len(value) + len(mark) + len(policy.zone) + 5 > LONGEST_OWNER:
            return LONG
        if f".{value}".endswith(_RESERVED):
            return RESERVED
        if policy.canary and f".{value}".endswith(f".{policy.canary}"):
            return RESERVED
    else:
        network = _prefix_of(name)
        if network is None or network.prefixlen == 0:
            return NOT_A_NAME if network is None else WIDE
    return None if policy.record_of(name) else DISABLED


def canary_of(canary: str, serial: int) -> str:
    """Name the canary of one serial: a name that is new with each content.

    BIND answers with a new text of an old name as soon as it has the zone, and takes new names into
    force later: only a new name tells that it did.
    """
    return f"serial-{serial}.{canary}"


def owner_of_address(prefix: str) -> str:
    """Write an address with its prefix length as a trigger's owner, without its mark.

    The length comes first, then the address from its end; of IPv6 the longest run of zeros is
    ``zz``.

    Args:
        prefix: such as ``192.0.2.66/32`` or ``2001:db8::/32``, without host bits.

    Raises:
        ValueError: when it is none.
    """
    network = ipaddress.ip_network(prefix)
    if isinstance(network, ipaddress.IPv4Network):
        parts = str(network.network_address).split(".")
    else:
        text = network.network_address.compressed.replace("::", ":zz:").strip(":")
        parts = text.split(":")
    return ".".join([str(network.prefixlen), *reversed(parts)])


def _owner_of(name: ListedName) -> str:
    if name.match_on in {IP, NSIP}:
        return owner_of_address(name.value) + _MARKS[name.match_on]
    return name.value + _MARKS[name.match_on]


def _prefix_of(name: ListedName) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(name.value) if name.match_on in _MARKS else None
    except ValueError:
        return None


def _head(context: ExportContext, policy: RpzPolicy) -> str:
    head = (
        f"$ORIGIN {policy.zone}.\n$TTL {policy.ttl}\n"
        f"@ SOA localhost. nobody.invalid. ({context.serial} {REFRESH} {RETRY} {EXPIRE}"
        f" {LEAST_TTL})\n@ NS localhost.\n"
    )
    if policy.canary:
        said = f'{LEAST_TTL} TXT "tocsin {context.serial}"\n'
        head += f"{policy.canary} {said}{canary_of(policy.canary, context.serial)} {said}"
    return head
