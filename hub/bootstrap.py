"""Make a node, and open one that was made."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from federation.feeds.writing import policy_members
from federation.identity.document_form import derive_node_id, document_payload, rootset
from federation.identity.fingerprint import fingerprint
from federation.identity.node_document import pin_chain
from federation.signing.keys import KeyRecord
from federation.signing.signer import SeedSigner, seal
from federation.transport.line import Line
from hub.errors import Conflict, Misconfigured
from hub.exchange import visible
from hub.exchange.collections import ensure_builtin_collections
from hub.exchange.object_rows import draft_row
from hub.exchange.own_feeds import append_entry
from hub.node import Clock, Node, NodeKeys, SystemClock
from hub.peers.key_custody import (
    ONLINE_USES,
    SEED_BYTES,
    HomeKeys,
    clear_drafts,
    current_file,
    require_no_key_file,
    write_key_file,
)
from hub.settings import Settings
from hub.storage import migrate
from hub.storage.engine import Database
from hub.storage.queries import objects as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.nodes import (
    OwnNode,
    StoredDocument,
    find_own_node,
    store_document,
    store_own_node,
)
from schemas.dns.extensions import DNS_OPERATOR
from schemas.identifiers import ZERO_HASH, FeedName, NodeId, StixId, own_stix_id
from schemas.markings import Tlp
from schemas.signed_envelope import NODE_TYPE
from schemas.strict_json import strict_loads, write_json
from schemas.timestamps import read_wire_time, write_wire_time

KEY_LIFE = timedelta(days=365)
ROLES = ("cert", "registry", "registrar", "resolver-operator", "dns-host")


@dataclass(frozen=True, slots=True)
class CreatedNode:
    """What ``tocsin init`` tells."""

    node_id: NodeId
    fingerprint: str
    identity: StixId
    home: Path
    root_key_file: Path
    next_root_key_file: Path


@dataclass(frozen=True, slots=True)
class NodeProfile:
    """What a new node says of itself."""

    name: str
    domain: str
    base_url: str
    contact: str | None = None
    roles: Sequence[str] = ()
    green_relay: str = "community"
    demo: bool = False


@dataclass(frozen=True, slots=True)
class _Seeds:
    root: bytes
    next_root: bytes
    entry: bytes
    http: bytes


def create_node(
    settings: Settings,
    profile: NodeProfile,
    *,
    passphrase: bytes | None = None,
    clock: Clock | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
) -> CreatedNode:
    """Make a new node in an empty home: keys, document, database, its first entry.

    The first entry, in the ``clear`` feed, is the node's own STIX identity, to which all that it
    publishes refers.

    Raises:
        Conflict: ``E_ALREADY_INITIALISED`` or ``E_KEY_FILE_EXISTS``.
        WireFormatError: ``E_SCHEMA`` when a member of the document is not allowed.
    """
    clock = clock or SystemClock()
    home = settings.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.effective_database_url)
    try:
        migrate.upgrade(database)
        with database.read() as tx:
            if find_own_node(tx) is not None:
                raise Conflict(
                    "E_ALREADY_INITIALISED",
                    "this home has a node already",
                    "Choose another --home, or serve this one.",
                )
        seeds = _Seeds(*(entropy(SEED_BYTES) for _ in range(4)))
        now = read_wire_time(write_wire_time(clock.now()))
        dsse, node_id = _first_document(seeds, profile, now)
        identity = own_stix_id(node_id, "identity", _identity_name(node_id))
        root_file, next_file = _write_keys(home, seeds, passphrase)
        own = OwnNode(
            node_id, identity, tuple(profile.roles), profile.green_relay, profile.demo, now,
            _cursor_key(seeds),
        )  # fmt: skip
        keys = NodeKeys(SeedSigner(seeds.entry), SeedSigner(seeds.http))
        node = Node(settings, database, own, keys, clock, entropy)
        _store_first(node, profile, dsse, now)
    finally:
        database.close()
    return CreatedNode(node_id, fingerprint(node_id), identity, home, root_file, next_file)


def open_node(
    settings: Settings,
    *,
    clock: Clock | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
    step: Callable[[str], None] | None = None,
) -> Node:
    """Open the node of a home.

    Args:
        step: see ``Database``; for the tests that kill a process between two statements.

    Raises:
        Misconfigured: ``E_NOT_INITIALISED``, ``E_SCHEMA_VERSION``, ``E_KEY_FILE`` or
            ``E_DEMO_NODE``.
    """
    if not settings.database_url and not (settings.home / "tocsin.db").exists():
        raise _not_initialised(settings.home)
    database = Database(settings.effective_database_url, step)
    migrate.require_current(database)
    with database.read() as tx:
        own = find_own_node(tx)
    if own is None:
        raise _not_initialised(settings.home)
    if own.demo and not settings.demo:
        raise Misconfigured(
            "E_DEMO_NODE",
            "this home was made by the demo; its keys protect nothing",
            "Make a node of your own with `tocsin init`.",
        )
    for directory in (settings.home, current_file(settings.home, "entry").parent):
        clear_drafts(directory)
    keys = HomeKeys(settings.home)
    line = Line(settings.bandwidth_kbit)
    return Node(settings, database, own, keys, clock or SystemClock(), entropy, line)


def _not_initialised(home: Path) -> Misconfigured:
    return Misconfigured(
        "E_NOT_INITIALISED", f"there is no node in {home}", "Run `tocsin init`, or give --home."
    )


def _identity_name(node_id: NodeId) -> str:
    return f"identity-of-{node_id}"


def _cursor_key(seeds: _Seeds) -> bytes:
    """Derive the key of cursors from the first http key, as release 0.1 did at every use.

    A signature over a text of our own is a secret that only the key's holder can make; Ed25519
    signs deterministically. The text is no signature base of RFC 9421, those begin with a quote.
    """
    return hashlib.sha256(SeedSigner(seeds.http).sign(b"tocsin-cursor-key-v1")).digest()


def _write_keys(home: Path, seeds: _Seeds, passphrase: bytes | None) -> tuple[Path, Path]:
    root_file, next_file = home / "root-current.key", home / "root-next.key"
    files = (
        (root_file, "root", seeds.root, passphrase),
        (next_file, "next-root", seeds.next_root, passphrase),
        (current_file(home, "entry"), "entry", seeds.entry, None),
        (current_file(home, "http"), "http", seeds.http, None),
    )
    # All of them before the first is written, so that a refusal leaves nothing behind.
    for path, *_ in files:
        require_no_key_file(path)
    for path, use, seed, phrase in files:
        write_key_file(path, use, seed, SeedSigner(seed).kid, phrase)
    return root_file, next_file


def _first_document(seeds: _Seeds, profile: NodeProfile, now: datetime) -> tuple[bytes, NodeId]:
    root, next_root = SeedSigner(seeds.root), SeedSigner(seeds.next_root)
    next_rootset = rootset(1, [next_root.public_key])
    node_id = derive_node_id(rootset(1, [root.public_key]), next_rootset)
    expires = now + KEY_LIFE
    online = ((use, SeedSigner(getattr(seeds, use))) for use in ONLINE_USES)
    payload = document_payload(
        node_id=node_id,
        version=1,
        prev=ZERO_HASH,
        issued=now,
        expires=expires,
        name=profile.name,
        domains=[profile.domain],
        contact=profile.contact or f"security@{profile.domain}",
        root_threshold=1,
        root_keys=[root.public_key],
        next_root=next_rootset.hex(),
        keys=[
            KeyRecord(key.kid, key.alg, key.public_key, use, now, expires) for use, key in online
        ],
        required_algs=["ed25519"],
        identities=[own_stix_id(node_id, "identity", _identity_name(node_id))],
        base=profile.base_url,
        demo=profile.demo,
    )
    dsse = seal(root, NODE_TYPE, write_json(payload)).to_bytes()
    # Read it as a peer will: a name or address that is not allowed is found here and not there.
    pin_chain([strict_loads(dsse)], expected=node_id, allow_demo=profile.demo)
    return dsse, node_id


def _store_first(node: Node, profile: NodeProfile, dsse: bytes, now: datetime) -> None:
    pinned = pin_chain([strict_loads(dsse)], expected=node.node_id, allow_demo=profile.demo)
    value = _identity_object(node, profile, now)
    raw = write_json(value)
    with node.database.write() as tx:
        store_own_node(tx, node.own)
        store_document(tx, StoredDocument(node.node_id, 1, pinned.newest.hash, dsse), now)
        ensure_builtin_collections(tx, now)
        appended = append_entry(
            tx,
            node,
            FeedName(node.node_id, "clear"),
            kind="put",
            policy=policy_members(Tlp.CLEAR, relay="public"),
            now=now,
            objects=[raw],
        )
        row = draft_row(
            value,
            origin=node.node_id,
            now=now,
            object_row=stored.claim_object_rows(tx, 1),
            tlp=Tlp.CLEAR,
            pinned=pinned,
        )
        stored.store_objects(tx, [(row, raw)])
        stored.store_carried(tx, [(appended.feed_row, appended.seq, row.object_row)])
        visible.show(tx, [row], {row.object_row: raw}, now)
        store_event(tx, now, "operator", "NODE_CREATED", node_id=node.node_id)


def _identity_object(node: Node, profile: NodeProfile, now: datetime) -> dict[str, object]:
    at = write_wire_time(now)
    value: dict[str, object] = {
        "type": "identity",
        "spec_version": "2.1",
        "id": node.identity,
        "created": at,
        "modified": at,
        "name": profile.name,
        "identity_class": "organization",
        "contact_information": profile.contact or f"security@{profile.domain}",
        "object_marking_refs": [Tlp.CLEAR.marking_id],
    }
    if profile.roles:
        value["extensions"] = {
            DNS_OPERATOR: {"extension_type": "property-extension", "roles": list(profile.roles)}
        }
    return value
