"""An alarm in words: one sentence that says what is, one that says what to do.

Alarms are stored as code and params, so that each door says them in its reader's way
(ARCHITECTURE 5). This is the English of the command line.

>>> sentence_of("HEAD_STALE", {"feed": "F", "expired": "2026-03-01T10:00:00+00:00"})
'The newest head of F expired at 2026-03-01 10:00 UTC: it is frozen by its origin, or hidden.'
>>> remedy_of("NEW_CODE")
''
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from hub.monitoring.alarms import (
    CLOCK_SKEW,
    DOCUMENT_ENDS,
    EVIDENCE_RECEIVED,
    FEED_BEHIND,
    FEED_FROZEN,
    HEAD_STALE,
    OWN_ENTRIES_FOUND,
    OWN_FEED_CLOSED,
    PEER_BEHIND,
    PEER_SILENT,
)
from hub.peers.node_conflicts import NODE_FROZEN
from hub.peers.wire_version import WIRE_VERSION
from hub.storage.queries.alarms import AlarmRow

Params = Mapping[str, Any]


def words_of(alarm: AlarmRow) -> tuple[str, str]:
    """Say what an alarm is about, and what to do."""
    params = {"subject": alarm.subject, **alarm.params}
    return sentence_of(alarm.code, params), remedy_of(alarm.code, params)


def sentence_of(code: str, params: Params) -> str:
    """Say what an alarm is about."""
    words = _SENTENCES.get(code)
    return code if words is None else words(params)


def remedy_of(code: str, params: Params | None = None) -> str:
    """Say what to do about it."""
    if code == FEED_FROZEN and (params or {}).get("own"):
        return _OWN_FROZEN
    return _REMEDIES.get(code, "")


def _silent(params: Params) -> str:
    error = f"; the last pull met {params['error']}" if params.get("error") else ""
    return f"Nothing was heard of {params.get('name')} since {_at(params.get('since'))}{error}."


def _peer_behind(params: Params) -> str:
    feeds: Mapping[str, int] = params.get("feeds") or {}
    lacks = sum(feeds.values())
    return f"{params.get('name')} lacks {lacks} entries of {len(feeds)} of this node's feeds."


def _feed_behind(params: Params) -> str:
    return f"This node lacks {params.get('behind')} entries of {params.get('feed')}."


def _frozen(params: Params) -> str:
    if params.get("own"):
        return f"This node's own feed {params.get('feed')} has two signed histories."
    return f"{params.get('feed')} is frozen: its origin signed two histories."


def _stale(params: Params) -> str:
    expired = _at(params.get("expired"))
    return (
        f"The newest head of {params.get('feed')} expired at {expired}: "
        "it is frozen by its origin, or hidden."
    )


def _evidence(params: Params) -> str:
    what = {"fork": "signed two histories", "relay": "passed on what it must not"}
    done = what.get(str(params.get("kind")), "contradicted itself")
    found = "found here" if params.get("sender") is None else f"brought by {params['sender'][:12]}"
    return (
        f"Evidence {params.get('evidence')}, {found}: {str(params.get('accused'))[:12]} {done}, "
        f"feed {params.get('feed')}."
    )


def _skew(params: Params) -> str:
    peers = params.get("peers")
    whose = "one peer's clock" if peers == 1 else f"the middle of {peers} peers' clocks"
    return f"This machine's clock is more than a minute {params.get('ours_is')} of {whose}."


def _ends(params: Params) -> str:
    whose = params.get("name")
    what = "node document" if params.get("what") == "document" else f"{params.get('what')} key"
    ends = "ended" if params.get("ended") else "ends"
    owner = "This node" if whose is None else str(whose)
    return f"{owner}: its {what} {ends} at {_at(params.get('ends'))}."


def _node_frozen(params: Params) -> str:
    return (
        f"Node {str(params.get('subject'))[:12]} has two documents of version "
        f"{params.get('version')}: somebody else held its root key."
    )


def _apart(params: Params) -> str:
    return (
        f"{params.get('name')} speaks versions {_numbers(params.get('wanted'))} of the protocol, "
        f"this node {_numbers(params.get('spoken'))}: nothing is exchanged."
    )


def _numbers(values: object) -> str:
    return ", ".join(str(value) for value in values) if isinstance(values, list) else "unknown"


def _own_closed(params: Params) -> str:
    why = {
        "behind": "holds more of it than this node",
        "alien": "holds entries of it that this running node did not sign",
        "contradicted": "holds another entry of it under a number that is used here",
    }.get(str(params.get("verdict")), "contradicts it")
    return f"This node's own feed {params.get('feed')} is closed: {params.get('peer')} {why}."


def _own_found(params: Params) -> str:
    return (
        f"{params.get('entries')} entries in this node's name were fetched back from "
        f"{params.get('peer')}, although no restore was known of."
    )


def _at(text: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return "an unknown time"


_SENTENCES: Final[Mapping[str, Callable[[Params], str]]] = MappingProxyType(
    {
        PEER_SILENT: _silent,
        PEER_BEHIND: _peer_behind,
        FEED_BEHIND: _feed_behind,
        FEED_FROZEN: _frozen,
        HEAD_STALE: _stale,
        EVIDENCE_RECEIVED: _evidence,
        CLOCK_SKEW: _skew,
        OWN_FEED_CLOSED: _own_closed,
        OWN_ENTRIES_FOUND: _own_found,
        NODE_FROZEN: _node_frozen,
        DOCUMENT_ENDS: _ends,
        WIRE_VERSION: _apart,
    }
)

_OWN_FROZEN: Final = (
    "Somebody else signs with your key (`tocsin keys revoke`), or an old backup was restored "
    "(`tocsin keys new-epoch`): see docs/evidence.md."
)
_REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        OWN_FEED_CLOSED: 'See docs/operate.md, "After a restore": `tocsin db recover`, or a new '
        "epoch by the root key.",
        OWN_ENTRIES_FOUND: "If this machine was not set back, its entry key is in other hands: "
        "`tocsin keys revoke`. Else `tocsin alarms --close N`.",
        PEER_SILENT: "Run `tocsin pull PEER` to see why; if it stays, telephone its administrator.",
        PEER_BEHIND: "Ask its administrator what its pulls from this node meet.",
        FEED_BEHIND: "Run `tocsin pull` and see what stops it; try another relay or the origin.",
        FEED_FROZEN: "Telephone the origin. Then `tocsin feed thaw FEED --reason R`, or leave it.",
        HEAD_STALE: "Pull from the origin itself or another relay; telephone if none has a newer.",
        EVIDENCE_RECEIVED: "See `tocsin evidence show N`, act, then `tocsin alarms --close N`.",
        CLOCK_SKEW: "Set the clock, and let NTP keep it.",
        NODE_FROZEN: "Telephone its administrator; nothing of its feeds is taken until you run "
        "`tocsin peer thaw PEER`.",
        WIRE_VERSION: "Update the node with the lower numbers; nothing is lost until then.",
        DOCUMENT_ENDS: "This node's own: `tocsin keys renew` with the root key file. A peer's: "
        "tell its administrator.",
    }
)
