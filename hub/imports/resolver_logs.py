r"""Read what BIND and Unbound log of their response policy: which names were asked for (DNS 3).

Invariants:
* a policy that only logs (``disabled``, ``passthru``) makes sightings too: the name was asked for
  all the same. A zone called ``passthru…`` lists what is never blocked, and makes none;
* a line is matched as a whole and from its beginning. Both servers escape what a client may put
  into a name (``\032``, ``?``), so no name holds a space and none can forge the words around it;
* whatever the line, the answer is a hit or a reason; nothing raises.

What it does not do: tell which zone's policy it was: names that nobody claims here are not kept
anyway (``hub.verdicts.followed_sightings``).

>>> from datetime import UTC, datetime
>>> now = datetime(2026, 3, 1, 10, tzinfo=UTC)
>>> read_bind_line(
...     "01-Mar-2026 09:58:00.405 rpz: info: client @0x7f02 192.0.2.77#53829 (a.evil.example): "
...     "rpz QNAME NXDOMAIN rewrite a.evil.example/A/IN via a.evil.example.rpz.test", now, UTC
... ).name
'a.evil.example'
>>> read_unbound_line(
...     "[1772359080] unbound[150:0] info: rpz: applied [rpz.test] *.evil.example. rpz-nxdomain "
...     "192.0.2.77@33973 a.evil.example. A IN", now, UTC
... ).policy
'evil.example'
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, tzinfo
from typing import Final

from hub.imports.log_hits import (
    BY_CLIENT,
    NO_NAME,
    OTHER,
    PASSED,
    UNREADABLE,
    Hit,
    Miss,
    read_log_time,
    readable_name,
)
from schemas.dns.names import read_name
from schemas.dns.subjects import IP, NSDNAME, NSIP, Subject
from schemas.errors import WireFormatError

# What may stand before is listed, and no more of it: in a syslog of many programs a line of another
# one may say anything further on.
_TIME: Final = r"(?:[0-9A-Za-z:.+-]{3,40}(?: +[0-9:.]{1,20}){0,2} )?"
_BIND_LINE: Final = re.compile(
    _TIME + r"(?:\S{1,255} named(?:\[[0-9]+\])?: )?(?:rpz(?:-passthru)?: )?(?:info: |notice: )?"
    r"client (?:@0x[0-9a-f]+ )?(?P<client>[0-9A-Fa-f.:]+)(?:%\S+)?#[0-9]+"
    r"(?:/key \S+)? \(\S+\): (?:view \S+: )?(?:disabled )?"
    r"rpz (?P<trigger>[A-Z-]+) (?P<policy>[A-Za-z-]+) rewrite (?P<name>\S+)/[A-Z0-9-]+/[A-Z0-9]+"
    r" via (?P<via>\S+)(?: \(CNAME to: \S+\))?",
    re.ASCII,
)
_UNBOUND_LINE: Final = re.compile(
    r"(?:\[[0-9.]+\] |" + _TIME + r"(?:\S{1,255} )?)unbound\[[0-9:]+\]:? (?:\[[0-9:]+\] )?"
    r"info: rpz: applied (?:\[(?P<zone>[^\]]*)\] )?"
    r"(?:(?P<trigger>nsdname|nsip|clientip|client-ip|qname) )?(?P<policy>\S+) "
    r"rpz-(?P<action>[a-z-]+) (?P<client>[0-9A-Fa-f.:]+)(?:%\S+)?@[0-9]+ (?P<name>\S+) "
    r"[A-Z0-9-]+ [A-Z0-9]+",
    re.ASCII,
)
_OWN_PASSES: Final = "passthru"
_OCTETS: Final = 4
_BIND_TRIGGERS: Final = {"QNAME": "", "NSDNAME": NSDNAME, "NSIP": NSIP, "IP": IP}


def read_bind_line(line: str, now: datetime, zone: tzinfo) -> Hit | Miss:
    """Read a line of BIND's category ``rpz``, with or without time, category and severity."""
    if " rewrite " not in line or "rpz " not in line:
        return Miss(OTHER)
    found = _BIND_LINE.fullmatch(line.rstrip())
    if found is None:
        return Miss(UNREADABLE)
    zone_name = found["via"].lower().removeprefix(found["name"].lower() + ".")
    if found["policy"].upper() == "PASSTHRU" and zone_name.startswith(_OWN_PASSES):
        return Miss(PASSED)
    if found["trigger"] not in _BIND_TRIGGERS:
        return Miss(BY_CLIENT)
    name = readable_name(found["name"])
    if name is None:
        return Miss(NO_NAME)
    policy = _bind_policy(_BIND_TRIGGERS[found["trigger"]], found["via"].lower())
    return Hit(name, read_log_time(line, now, zone), policy, found["client"])


def _bind_policy(match_on: str, via: str) -> str | None:
    """Return the key of what a record of the zone matches: ``32.66.113.0.203.rpz-ip.the.zone``."""
    if not match_on:
        return None  # it repeats the name that was asked for, also where a wildcard matched
    trigger, found, _ = via.partition(f".rpz-{match_on}.")
    if not found:
        return None
    if match_on == NSDNAME:
        return _name_key(trigger, NSDNAME)
    length, _, rest = trigger.partition(".")
    parts = rest.split(".")[::-1]
    if len(parts) == _OCTETS and "zz" not in parts:
        return _address_key(f"{'.'.join(parts)}/{length}", match_on)
    text = re.sub(":?zz:?", "::", ":".join(parts), count=1)
    return _address_key(f"{text}/{length}", match_on)


def read_unbound_line(line: str, now: datetime, zone: tzinfo) -> Hit | Miss:
    """Read a line that ``rpz-log: yes`` makes, in Unbound's own log or through syslog."""
    if "rpz: applied " not in line:
        return Miss(OTHER)
    found = _UNBOUND_LINE.fullmatch(line.rstrip())
    if found is None:
        return Miss(UNREADABLE)
    if found["action"] == "passthru" and (found["zone"] or "").startswith(_OWN_PASSES):
        return Miss(PASSED)
    if found["trigger"] in {"clientip", "client-ip"}:
        return Miss(BY_CLIENT)
    name = readable_name(found["name"])
    if name is None:
        return Miss(NO_NAME)
    policy = _unbound_policy(found["trigger"], found["policy"])
    return Hit(name, read_log_time(line, now, zone), policy, found["client"])


def _unbound_policy(trigger: str | None, policy: str) -> str | None:
    if trigger in {None, "qname"}:
        # Unbound names the rule of an address in an answer without a word before it.
        return _address_key(policy, IP) if "/" in policy else _name_key(policy, "")
    if trigger == NSDNAME:
        return _name_key(policy, NSDNAME)
    return _address_key(policy, NSIP)


def _name_key(text: str, match_on: str) -> str | None:
    try:
        name = read_name(text).a_label
    except WireFormatError:
        return None
    return Subject(name, match_on).key if match_on else name


def _address_key(text: str, match_on: str) -> str | None:
    try:
        return Subject(str(ipaddress.ip_network(text)), match_on).key
    except ValueError:
        return None
