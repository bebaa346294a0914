r"""Read Suricata's EVE: alerts on names, or every DNS query (DNS 4).

Decides which name an event is about: of an alert the name of its DNS query, TLS handshake or HTTP
request; of a ``dns`` event the name that was asked for. An alert and the ``dns`` event of the same
query are one sighting, so only one of both kinds is read.

Invariant: whatever the line, the answer is a hit or a reason; nothing raises.

>>> from datetime import UTC, datetime
>>> line = (
...     '{"timestamp":"2026-03-01T09:58:00.4+0000","flow_id":7,"event_type":"alert",'
...     '"alert":{"signature_id":1},"dns":{"query":[{"rrname":"evil.example"}]}}'
... )
>>> read_alert_line(line, datetime(2026, 3, 1, 10, tzinfo=UTC), UTC).name
'evil.example'
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any, Final

from hub.imports.log_hits import (
    ANSWER,
    NO_NAME,
    OTHER,
    UNREADABLE,
    Hit,
    Miss,
    read_log_time,
    readable_name,
)
from schemas.errors import WireFormatError
from schemas.strict_json import strict_loads

_QUERIES: Final = frozenset({"query", "request"})


def read_alert_line(line: str, now: datetime, zone: tzinfo) -> Hit | Miss:
    """Read a line of EVE, where alerts are what counts."""
    event = _event(line)
    if isinstance(event, Miss):
        return event
    if event.get("event_type") != "alert":
        return Miss(OTHER)
    return _hit(event, _asked(event.get("dns")) or _host(event), now, zone)


def read_dns_line(line: str, now: datetime, zone: tzinfo) -> Hit | Miss:
    """Read a line of EVE, where DNS queries are what counts, whether a rule alerts on them or not.

    Alerts on TLS and HTTP count too; those on DNS are of queries that are counted already.
    """
    event = _event(line)
    if isinstance(event, Miss):
        return event
    if event.get("event_type") == "alert" and "dns" not in event:
        return _hit(event, _host(event), now, zone)
    if event.get("event_type") != "dns":
        return Miss(OTHER)
    dns = event.get("dns")
    if not isinstance(dns, dict) or dns.get("type") not in _QUERIES:
        return Miss(ANSWER)
    return _hit(event, _asked(dns), now, zone)


def _event(line: str) -> dict[str, Any] | Miss:
    if not line.lstrip().startswith("{"):
        return Miss(OTHER)
    try:
        event = strict_loads(line.encode())
    except (WireFormatError, UnicodeEncodeError):
        return Miss(UNREADABLE)
    return event if isinstance(event, dict) else Miss(UNREADABLE)


def _asked(dns: object) -> str | None:
    """Return the name of a query, as Suricata 6, 7 and 8 write it."""
    if not isinstance(dns, dict):
        return None
    listed = dns.get("queries") or dns.get("query")
    first = listed[0] if isinstance(listed, list) and listed else dns
    name = first.get("rrname") if isinstance(first, dict) else None
    return name if isinstance(name, str) else None


def _host(event: dict[str, Any]) -> str | None:
    for part, member in (("tls", "sni"), ("http", "hostname"), ("quic", "sni")):
        said = event.get(part)
        name = said.get(member) if isinstance(said, dict) else None
        if isinstance(name, str):
            return name
    return None


def _hit(event: dict[str, Any], said: str | None, now: datetime, zone: tzinfo) -> Hit | Miss:
    name = readable_name(said) if said is not None else None
    if name is None:
        return Miss(NO_NAME)
    client, stamp = event.get("src_ip"), event.get("timestamp")
    at = read_log_time(stamp, now, zone) if isinstance(stamp, str) else now
    return Hit(
        name, at, None, client if isinstance(client, str) else None, _transaction(event, name)
    )


def _transaction(event: dict[str, Any], name: str) -> str | None:
    flow, tx = event.get("flow_id"), event.get("tx_id")
    if not isinstance(flow, int) or event.get("event_type") != "alert":
        return None
    return f"{flow}/{tx}/{name}"
