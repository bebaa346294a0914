"""The trust in all peers as one file that can be reviewed (issue 5, point 1).

TOML: a table for each peer by its node id, with its trust, the dials that were turned by hand, its
authority and switches. ``show`` writes it, ``check`` tells what applying it would do, ``apply``
does it in one write.

Invariants:
* what ``show`` writes changes nothing when it is applied;
* a dial that a peer's table leaves out is its preset's; authority, relay and push that it leaves
  out stay as they are, and so does a peer without a table;
* a file with an unknown peer, member or word is refused whole;
* facts are no policy: whether the eight words were compared, and whether a peer is suspended, no
  file says.

What it does not do: make peers. Pairing does.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from federation.trust.presets import TrustLevel
from hub.node import Node
from hub.peers.downstream import Downstream, preview_changes
from hub.peers.trust import PeerChange, PeerChanges, change_peer, read_changes
from hub.storage.queries.audit import store_event
from hub.storage.queries.peers import PeerRow, list_peers
from hub.storage.transaction import Transaction
from schemas.errors import WireFormatError
from schemas.identifiers import NodeId
from schemas.markings import Tlp

CODE: Final = "E_POLICY_FILE"
LARGEST: Final = 1_048_576
_VERSION: Final = 1
_MEMBERS: Final[Mapping[str, type]] = {
    "name": str,  # for whoever reads the file
    "trust": str,
    "inbound": str,
    "cap": int,
    "types": list,
    "outbound": str,
    "limit": int,
    "authority": list,
    "relay": bool,
    "push": bool,
}
_HEAD: Final = """\
# What this node believes of its peers and confides to them.
# A dial that a table leaves out is what the trust says: see docs/trust.md.
version = 1
"""


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A file that was read: what it says of each peer, and its digest."""

    peers: Mapping[str, PeerChanges]
    digest: str


@dataclass(frozen=True, slots=True)
class PolicyEffect:
    """What a file does to one peer."""

    peer: str
    name: str
    changed: tuple[str, ...]
    effects: Downstream


@dataclass(frozen=True, slots=True)
class PolicyChecked:
    """What applying a file would do.

    Args:
        silent: peers of which it says nothing; they stay as they are.
    """

    digest: str
    effects: tuple[PolicyEffect, ...]
    silent: tuple[str, ...]


def show_policy(node: Node) -> str:
    """Write the present policy as a file."""
    with node.database.read() as tx:
        peers = list_peers(tx)
    tables = ["\n".join(_table(peer)) for peer in sorted(peers, key=lambda peer: peer.node_id)]
    return "\n".join([_HEAD, *(table + "\n" for table in tables)])


def read_policy(raw: bytes) -> PolicyFile:
    """Read a file.

    Raises:
        WireFormatError: ``E_POLICY_FILE`` where it is not one, ``E_SCHEMA`` for a word in it.
    """
    if len(raw) > LARGEST:
        raise WireFormatError(CODE, f"the file is larger than {LARGEST:,} bytes")
    try:
        value = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise WireFormatError(CODE, f"the file is no TOML: {error}") from None
    unknown = value.keys() - {"version", "peers"}
    if unknown or value.get("version") != _VERSION:
        raise WireFormatError(
            CODE,
            f"unknown member {min(unknown)}" if unknown else "the file's version is not 1",
            "`tocsin policy show` writes one.",
        )
    tables = value.get("peers", {})
    if not isinstance(tables, dict):
        raise WireFormatError(CODE, "peers is not a table of tables")
    peers = {node_id: _changes(node_id, table) for node_id, table in tables.items()}
    return PolicyFile(peers, hashlib.sha256(raw).hexdigest())


def check_policy(
    node: Node, policy: PolicyFile, *, progress: Callable[[int], None] = lambda _n: None
) -> PolicyChecked:
    """Tell what applying a file would do on what is stored now.

    Raises:
        WireFormatError: ``E_POLICY_FILE`` for a peer that is none.
    """
    with node.database.read() as tx:
        peers = _peers_named(tx, policy)
        silent = tuple(peer.name for peer in list_peers(tx) if peer.node_id not in peers)
    effects = []
    for node_id, changes in policy.peers.items():
        changed = _changed(peers[node_id], changes)
        if changed:
            found = preview_changes(node, peers[node_id], changes, progress=progress)
            effects.append(PolicyEffect(node_id, peers[node_id].name, changed, found))
    return PolicyChecked(policy.digest, tuple(effects), silent)


def apply_policy(
    node: Node, policy: PolicyFile, *, reason: str | None = None, actor: str = "operator"
) -> tuple[PeerChange, ...]:
    """Apply a file in one write; what does not change is not touched.

    Raises:
        WireFormatError: ``E_POLICY_FILE`` for a peer that is none.
    """
    with node.database.write() as tx:
        now = node.now()
        peers = _peers_named(tx, policy)
        done = [
            change_peer(tx, NodeId(node_id), changes, now, actor=actor, reason=reason)
            for node_id, changes in policy.peers.items()
            if _changed(peers[node_id], changes)
        ]
        why = {} if reason is None else {"reason": reason}
        store_event(
            tx, now, actor, "POLICY_APPLIED", digest=policy.digest,
            peers=[change.after.node_id for change in done], **why,
        )  # fmt: skip
    return tuple(done)


def _peers_named(tx: Transaction, policy: PolicyFile) -> dict[str, PeerRow]:
    peers: dict[str, PeerRow] = {peer.node_id: peer for peer in list_peers(tx)}
    unknown = sorted(policy.peers.keys() - peers.keys())
    if unknown:
        raise WireFormatError(
            CODE, f"{unknown[0]} is no peer of this node", "A table's key is a whole node id."
        )
    return {node_id: peers[node_id] for node_id in policy.peers} if policy.peers else {}


def _changes(node_id: str, table: object) -> PeerChanges:
    if not isinstance(table, dict):
        raise WireFormatError(CODE, f"peers.{node_id} is not a table")
    for name, value in table.items():
        kind = _MEMBERS.get(name)
        if kind is None:
            raise WireFormatError(CODE, f"peers.{node_id} has an unknown member {name}")
        # A boolean is a number to Python, and not to whoever reads the file.
        words = value if isinstance(value, list) else []
        if value.__class__ is not kind or any(word.__class__ is not str for word in words):
            raise WireFormatError(CODE, f"peers.{node_id}.{name} has the wrong form")
    if "trust" not in table:
        raise WireFormatError(CODE, f"peers.{node_id} does not say its trust")
    said: dict[str, Any] = {name: table[name] for name in table if name != "name"}
    for name in ("types", "authority"):
        if name in said:
            said[name] = tuple(said[name])
    changes = PeerChanges(**said)
    read_changes(changes)
    return changes


def _changed(peer: PeerRow, changes: PeerChanges) -> tuple[str, ...]:
    """Name the columns that differ."""
    return tuple(
        name
        for name, value in read_changes(changes).items()
        if getattr(peer, name) != (tuple(value) if isinstance(value, list) else value)
    )


def _table(peer: PeerRow) -> Iterator[str]:
    yield f"[peers.{peer.node_id}]"
    yield f"name = {_text(peer.name)}"
    yield f"trust = {_text(TrustLevel(peer.trust).word)}"
    if peer.inbound is not None:
        yield f"inbound = {_text(peer.inbound)}"
    if peer.cap is not None:
        yield f"cap = {peer.cap}"
    if peer.types is not None:
        yield f"types = {_texts(peer.types)}"
    if peer.outbound is not None:
        yield f"outbound = {_text(Tlp(peer.outbound).wire)}"
    if peer.daily_limit is not None:
        yield f"limit = {peer.daily_limit}"
    yield f"authority = {_texts(peer.authority)}"
    yield f"relay = {str(peer.relay_on).lower()}"
    yield f"push = {str(peer.push_on).lower()}"


def _texts(words: tuple[str, ...]) -> str:
    return "[" + ", ".join(_text(word) for word in words) + "]"


def _text(word: str) -> str:
    """Write a TOML basic string; a peer chooses its name, so every character is looked at."""
    escaped = "".join(
        "\\" + char if char in '"\\' else char if char.isprintable() else _escape(char)
        for char in word
    )
    return f'"{escaped}"'


def _escape(char: str) -> str:
    return f"\\U{ord(char):08x}"
