"""An alarm in words: one sentence that says what is, one that says what to do.

Alarms are stored as code and params, so that each door says them in its reader's way
(ARCHITECTURE 5). This is the English of the command line.

>>> sentence_of("HEAD_STALE", {"feed": "F", "expired": "2026-03-01T10:00:00+00:00"})
'The newest head of F expired at 2026-03-01 10:00 UTC: it is frozen by its origin, or hidden.'
>>> remedy_of("NEW_CODE")
''
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from hub.monitoring import traffic_words
from hub.monitoring.alarms import (
    ALARMS_UNSENT,
    AUDIT_HEAD_UNWRITTEN,
    AUTHORITY_DISSENTS,
    BLOB_STORE_FULL,
    BLOB_WRONG,
    BLOBS_MISSING,
    CANARY,
    CLOCK_SKEW,
    CONCENTRATION,
    CORRECTIONS_WAIT,
    DOCUMENT_ENDS,
    ECHO,
    ECHO_LAXER,
    EVIDENCE_RECEIVED,
    EXPORT_FAILED,
    EXPORT_JUMP,
    FEED_BEHIND,
    FEED_FROZEN,
    HEAD_STALE,
    HIJACK_CLAIMED,
    IMPORT_FAILED,
    OWN_ENTRIES_FOUND,
    OWN_FEED_CLOSED,
    PEER_BEHIND,
    PEER_DEMOTED,
    PEER_SILENT,
    PROTECTED_NAME,
    ROSTER_DOUBTED,
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


def _protected(params: Params) -> str:
    who = "This node" if params.get("own") else (params.get("name") or "A node that is no peer")
    names = params.get("names") or ()
    return (
        f"{who} claims that protected names are malicious ({', '.join(map(str, names))}; on "
        f"{', '.join(map(str, params.get('lists') or ()))}). None of them is blocked."
    )


def _copied(params: Params) -> Iterator[tuple[tuple[str, str, str], str]]:
    return zip(params.get("claims") or (), params.get("by") or (), strict=False)


def _echo(params: Params) -> str:
    copies = params.get("copies")
    claims = "a claim" if copies == 1 else f"{copies} claims"
    names = ", ".join(f"{name} of {whose}" for (name, _, _), whose in _copied(params))
    return (
        f"{params.get('name')} wrote {claims} of others anew under its own name, within a week of "
        f"receiving them: {names}. Original and copy count as one voice."
    )


def _echo_laxer(params: Params) -> str:
    names = ", ".join(
        f"{name} of {whose}, TLP:{str(original).upper()} there and TLP:{str(copy).upper()} here"
        for (name, original, copy), whose in _copied(params)
    )
    return (
        f"{params.get('name')} said at a laxer label what it had received within a week: {names}. "
        "It may have broken the TLP."
    )


def _dissents(params: Params) -> str:
    return (
        f"{params.get('name')}, an authority there, says that {params.get('subject')} is harmless: "
        "it is not blocked by itself for 72 hours."
    )


def _demoted(params: Params) -> str:
    why = {
        "DEMOTED_FALSE_POSITIVES": f"{params.get('false_positives')} of "
        f"{params.get('adjudicated')} adjudicated objects were wrong",
        "DEMOTED_SIGNATURES": f"{params.get('failures')} entries within an hour were not signed "
        "as they should be",
        "DEMOTED_EXPIRED": "its node document has run out",
    }.get(str(params.get("cause")), str(params.get("cause")))
    return f"{params.get('name')} went one step down in its inbound and outbound dials: {why}."


def _corrections(params: Params) -> str:
    waiting = params.get("waiting")
    return f"{waiting} request{'s' if waiting != 1 else ''} for a correction wait for a person."


def _roster_doubted(params: Params) -> str:
    return (
        f"Who is in the group {params.get('group')} stands as at the backup: its roster is hidden, "
        "so nobody else can say who came or left since."
    )


def _at(text: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(text)):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return "an unknown time"


def _head_unwritten(params: Params) -> str:
    what = f"{params['subject']}: {params['why']}"
    return f"The head of the audit cannot be kept outside the database ({what})."


def _unsent(params: Params) -> str:
    return f"Alarms cannot be sent to {params.get('address')}: {params.get('why')}."


def _hijack(params: Params) -> str:
    who = params.get("name") or "This node"
    words = {
        "own-zone": "it is a zone of yours",
        "registry": "you run its registry",
        "registrar": "you are its registrar",
        "own-name-servers": "a zone of yours uses the same name servers",
    }
    concern = ", ".join(words.get(str(why), str(why)) for why in params.get("concern") or ())
    servers = ", ".join(map(str, params.get("new_ns") or ())) or "other keys"
    more = "; more of its claims are in `tocsin hijack list`"
    is_more = str(params.get("subject")).endswith("/more")
    return (
        f"{who} claims that the delegation of {params.get('zone')} was hijacked, to {servers} "
        f"({concern}): {params.get('state')}{more if is_more else ''}."
    )


def _concentration(params: Params) -> str:
    return (
        f"{params.get('names')} of {params.get('of')} {params.get('threat_type')} names of this "
        f"week are registered at {params.get('registrar')} ({params.get('iana_id')}); in the "
        f"{params.get('weeks')} weeks before it was {params.get('names_before')} of "
        f"{params.get('of_before')}."
    )


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
        PROTECTED_NAME: _protected,
        ECHO: _echo,
        ECHO_LAXER: _echo_laxer,
        AUTHORITY_DISSENTS: _dissents,
        PEER_DEMOTED: _demoted,
        CORRECTIONS_WAIT: _corrections,
        AUDIT_HEAD_UNWRITTEN: _head_unwritten,
        BLOBS_MISSING: traffic_words.blobs_missing,
        BLOB_WRONG: traffic_words.blob_wrong,
        BLOB_STORE_FULL: traffic_words.blobs_full,
        ALARMS_UNSENT: _unsent,
        EXPORT_JUMP: traffic_words.jump,
        EXPORT_FAILED: traffic_words.export_failed,
        IMPORT_FAILED: traffic_words.import_failed,
        CANARY: traffic_words.canary,
        WIRE_VERSION: _apart,
        ROSTER_DOUBTED: _roster_doubted,
        HIJACK_CLAIMED: _hijack,
        CONCENTRATION: _concentration,
    }
)

_OWN_FROZEN: Final = (
    "Somebody else signs with your key (`tocsin keys revoke`), or an old backup was restored "
    "(`tocsin keys new-epoch`): see docs/evidence.md."
)
_REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        PROTECTED_NAME: "Telephone its administrator: a mistake, or somebody else holds its key. "
        "See `tocsin guard check NAME`, then `tocsin alarms --close N`.",
        ECHO: "Nothing is lost by it: ask its administrator to name the source in `src`, or not to "
        "repeat; then `tocsin alarms --close N`.",
        ECHO_LAXER: "Telephone its administrator and the origin: it may have found it by itself. "
        "If not, turn `outbound` down with `tocsin peer set`.",
        AUTHORITY_DISSENTS: "See `tocsin verdict NAME`, then `tocsin dispute decide NAME` with "
        "--block or --release.",
        CORRECTIONS_WAIT: "Run `tocsin correction list`, and answer whoever asked.",
        PEER_DEMOTED: "Speak with its administrator; `tocsin peer set` gives back what it lost, "
        "then `tocsin alarms --close N`.",
        BLOBS_MISSING: "Ask its administrator whether its node runs and holds the list; it is "
        "tried again at least hourly, and comes by `tocsin bundle import` too.",
        BLOB_WRONG: "Telephone its administrator: a damaged disk, or somebody in between. Others "
        "are asked for the list; then `tocsin alarms --close N`.",
        BLOB_STORE_FULL: "Raise blob_store_mib in the settings if the disk has room, or turn down "
        "who publishes that much.",
        AUDIT_HEAD_UNWRITTEN: "Correct audit_heads_file or audit_syslog in the settings; "
        "`tocsin audit head` tries at once.",
        ALARMS_UNSENT: "Correct alarm_syslog in the settings, or the server; what waits is sent "
        "then.",
        IMPORT_FAILED: "It is asked again by itself; `tocsin import taxii run NAME` asks at once "
        "and says more.",
        EXPORT_FAILED: "Correct what it names; it is tried again every minute, and by "
        "`tocsin export target run`.",
        CANARY: "Look into the resolver's log, and run `named-checkzone` on the file; the alarm "
        "ends when a later publication is seen there.",
        EXPORT_JUMP: "See what changed (`tocsin guard waiting`, `tocsin objects list`); if it is "
        "right, export with --accept-jump REASON.",
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
        ROSTER_DOUBTED: "Put it right by `tocsin group list`, `group add` and `group remove`, then "
        "`tocsin alarms --close N`.",
        HIJACK_CLAIMED: "See `tocsin hijack show INCIDENT`, look at the registration system, then "
        "`tocsin hijack answer INCIDENT` with authorised, not-ours or reverted.",
        CONCENTRATION: "See `tocsin concentration --registrar N`, which names whom to write to; "
        "then `tocsin alarms --close N`.",
        WIRE_VERSION: "Update the node with the lower numbers; nothing is lost until then.",
        DOCUMENT_ENDS: "This node's own: `tocsin keys renew` with the root key file. A peer's: "
        "tell its administrator.",
    }
)
