"""Tokens: given out once, known here by their digest only.

Invariants:
* a token is 256 random bits, shown once; what is stored is its SHA-256. A slow password hash would
  add nothing: there is nothing to guess;
* a name is given once and for ever, so a new token never inherits the grants of a revoked one;
* ``max_tlp`` tightens the kind and never widens it (PROTOCOL 3.2);
* whoever may see the AMBER that touches a TLD sees everybody's: such a zone needs a second
  person (PROTOCOL 3.2), and this release has no way to give one;
* a constituent's own view, and that of a subscriber that follows groups, is made and filled in the
  transaction that makes the token, and dropped in the one that revokes it;
* a subscriber follows groups of this node alone: only a group's origin says who is in it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from types import MappingProxyType
from typing import Final

from federation.errors import SharingRefused
from hub.errors import Conflict, NotFound, NotPermitted
from hub.exchange.collection_kinds import ORIGINALS_ID
from hub.exchange.visible import backfill_view
from hub.node import Node
from hub.operators.readers import Reader, organisation_view
from hub.peers.groups import PRIVATE_GROUP, require_open_group
from hub.storage.queries import tokens as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.collections import drop_view
from hub.storage.queries.nodes import ensure_organisation
from hub.storage.queries.objects import list_objects
from hub.storage.queries.pages import every_row_in_view
from hub.storage.queries.tokens import TokenRow
from hub.storage.queries.views import create_view, find_view
from hub.storage.transaction import Transaction
from schemas.dns.names import is_public_suffix, read_name
from schemas.errors import WireFormatError
from schemas.identifiers import b32
from schemas.markings import Tlp

PREFIX: Final = "tocsin_"
TOKEN_BYTES: Final = 32
MAX_EXPIRES_DAYS: Final = 3_650

WIDEST: Final = MappingProxyType(
    {
        "public": Tlp.CLEAR,
        "subscriber": Tlp.GREEN,
        "constituent": Tlp.AMBER,
        "own": Tlp.RED,
        "writer": Tlp.AMBER_STRICT,
        "admin": Tlp.CLEAR,
    }
)
"""The kinds of token, each with the widest clearance that it can have."""
WITH_GROUPS: Final = Tlp.AMBER_STRICT
"""The widest clearance of a subscriber in what its groups carry."""
_DEFAULT: Final = Tlp.AMBER_STRICT
"""RED only where somebody asked for it."""

_IN_OWN_VIEWS: Final = (Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT)
"""Labels of what an organisation's own view may show."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_WIDEST_PREFIX: Final = MappingProxyType({4: 8, 6: 19})
"""Shorter ones span more than any one organisation holds."""


@dataclass(frozen=True, slots=True)
class AddedToken:
    """A new token; ``token`` is the only copy of it."""

    name: str
    token: str


def add_token(
    node: Node,
    name: str,
    kind: str,
    *,
    max_tlp: Tlp | None = None,
    zones: Sequence[str] = (),
    prefixes: Sequence[str] = (),
    groups: Sequence[str] = (),
    originals: bool = False,
    expires_days: int | None = None,
    actor: str = "operator",
) -> AddedToken:
    """Give out a token.

    Args:
        node: this node.
        name: unique for ever; the user name with Basic, so it has no colon.
        kind: one of ``WIDEST``.
        max_tlp: its clearance; the kind's widest, but never RED, when not given.
        zones: what a constituent is responsible for.
        prefixes: the same for addresses.
        groups: groups of this node that a subscriber follows, by name.
        originals: whether it reads ``originals``.
        expires_days: None for a token that ends by revocation alone.
        actor: who does it, for the audit.

    Raises:
        WireFormatError: ``E_SCHEMA`` and ``E_NAME_*`` for what cannot be read.
        SharingRefused: ``E_CLEARANCE_TOO_WIDE``, ``E_ZONE_TOO_WIDE``, ``E_PREFIX_TOO_WIDE``.
        NotPermitted: ``E_TOKEN_SCOPE`` for zones or prefixes of another kind than a constituent,
            or groups of another kind than a subscriber.
        NotFound: ``E_GROUP_UNKNOWN``.
        Conflict: ``E_TOKEN_EXISTS``.
    """
    now = node.now()
    text = PREFIX + b32(node.entropy(TOKEN_BYTES))
    row = TokenRow(
        name=_read_token_name(name),
        kind=kind,
        digest=digest_of(text),
        max_tlp=int(_clearance(kind, max_tlp, follows=bool(groups))),
        originals=originals,
        zones=tuple(_read_zone(zone) for zone in zones),
        prefixes=tuple(_read_prefix(prefix) for prefix in prefixes),
        groups=tuple(dict.fromkeys(groups)),
        organisation_id=f"token:{name}",
        created_at=now,
        expires_at=None if expires_days is None else now + _days(expires_days),
    )
    if kind != "constituent" and (row.zones or row.prefixes):
        raise NotPermitted(
            "E_TOKEN_SCOPE", f"a token of kind {kind} has no zones or prefixes", "Leave them out."
        )
    if kind != "subscriber" and row.groups:
        raise NotPermitted(
            "E_TOKEN_SCOPE", f"a token of kind {kind} follows no groups", "Leave them out."
        )
    with node.database.write() as tx:
        for group in row.groups:
            if group == PRIVATE_GROUP:
                raise Conflict("E_GROUP_PRIVATE", f"nobody joins {group}", "Name another group.")
            require_open_group(tx, node, group)
        if stored.find_token(tx, name) is not None:
            raise Conflict(
                "E_TOKEN_EXISTS",
                f"there is or was a token {name}",
                "Choose another name; names are not given twice.",
            )
        ensure_organisation(tx, row.organisation_id, name, now)
        stored.store_token(tx, row)
        _fill_own_view(tx, node, row)
        store_event(
            tx, now, actor, "TOKEN_ADDED", name=name, kind=kind, max_tlp=Tlp(row.max_tlp).wire,
            originals=originals, zones=list(row.zones), prefixes=list(row.prefixes),
            groups=list(row.groups),
        )  # fmt: skip
    return AddedToken(name, text)


def list_tokens(node: Node) -> tuple[TokenRow, ...]:
    """List every token, revoked and expired ones included, by name."""
    with node.database.read() as tx:
        return stored.list_token_rows(tx)


def revoke_token(node: Node, name: str, *, actor: str = "operator") -> None:
    """Revoke a token at once; doing it again changes nothing.

    Raises:
        NotFound: ``E_TOKEN_UNKNOWN``.
    """
    now = node.now()
    with node.database.write() as tx:
        row = stored.find_token(tx, name)
        if row is None:
            raise NotFound(
                "E_TOKEN_UNKNOWN", f"there is no token {name}", "See `tocsin token list`."
            )
        if not stored.set_revoked(tx, name, now):
            return
        view = find_view(tx, *organisation_view(Reader.of(row)))
        if view is not None:
            drop_view(tx, view.view_id)
        store_event(tx, now, actor, "TOKEN_REVOKED", name=name)


def digest_of(token: str) -> str:
    """Compute what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _fill_own_view(tx: Transaction, node: Node, row: TokenRow) -> None:
    """Make and fill the view of a constituent with a scope, or a subscriber with groups."""
    if not Reader.of(row).has_own_view:
        return
    view = create_view(tx, *organisation_view(Reader.of(row)))
    # From what the common views show now, not from all that was ever accepted: a version that was
    # taken out of them because its label was tightened must not come back here (PROTOCOL 3.3).
    shown_at = {ceiling: _shown_up_to(tx, ceiling) for ceiling in _IN_OWN_VIEWS}
    shown = [
        accepted
        for accepted in list_objects(tx, state="accepted")
        if accepted.object_row in shown_at[max(Tlp.GREEN, min(Tlp(accepted.tlp), WITH_GROUPS))]
    ]
    backfill_view(tx, view, shown, node.now())


def _shown_up_to(tx: Transaction, ceiling: Tlp) -> frozenset[int]:
    common = find_view(tx, ORIGINALS_ID, int(ceiling))
    return frozenset() if common is None else every_row_in_view(tx, common.view_id)


def _read_token_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise WireFormatError(
            "E_SCHEMA",
            "a token's name has 1 to 64 of A-Z, a-z, 0-9, ., _, @ and -",
            "Choose a name such as `soc-siem`.",
        )
    return name


def _clearance(kind: str, wanted: Tlp | None, *, follows: bool) -> Tlp:
    widest = WITH_GROUPS if follows and kind == "subscriber" else WIDEST.get(kind)
    if widest is None:
        raise WireFormatError(
            "E_SCHEMA", f"there is no kind of token {kind}", f"Use one of {', '.join(WIDEST)}."
        )
    if wanted is None:
        return min(widest, _DEFAULT)
    if wanted > widest:
        raise SharingRefused(
            "E_CLEARANCE_TOO_WIDE",
            f"a token of kind {kind} reads at most TLP:{widest.wire.upper()}",
            "Leave out --max-tlp, or choose another kind.",
            kind=kind,
            widest=widest.wire,
        )
    return wanted


def _days(count: int) -> timedelta:
    if not 1 <= count <= MAX_EXPIRES_DAYS:
        raise WireFormatError("E_SCHEMA", f"a token lives 1 to {MAX_EXPIRES_DAYS} days")
    return timedelta(days=count)


def _read_zone(text: str) -> str:
    name = read_name(text.removeprefix("zone:")).a_label
    if is_public_suffix(name):
        raise SharingRefused(
            "E_ZONE_TOO_WIDE",
            f"{name} is a TLD or a public suffix: it needs a second person",
            "Register the organisation's own zones below it.",
            zone=name,
        )
    return name


def _read_prefix(text: str) -> str:
    try:
        network = ip_network(text.removeprefix("prefix:"), strict=True)
    except ValueError:
        raise WireFormatError(
            "E_SCHEMA", f"{text} is no prefix", "Write it as 192.0.2.0/24 or 2001:db8::/32."
        ) from None
    if network.prefixlen < _WIDEST_PREFIX[network.version]:
        raise SharingRefused(
            "E_PREFIX_TOO_WIDE",
            f"{network} spans more than one organisation: it needs a second person",
            "Register the organisation's own prefixes.",
            prefix=str(network),
        )
    return str(network)
