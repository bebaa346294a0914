"""Which names are blocked for an audience now (issue 5, point 5; PROTOCOL 3.2).

Decides, of the verdicts that ask for a block in one label view, which are in force.
``decide_block`` said yes when the verdict was made; guards, holds and ends are looked at once more
here, because they may have changed since.

Invariants:
* each label view stands alone: what is in force at a label is a function of the verdicts at that
  label and below, caps and queues included (PROTOCOL 3.5);
* not more than ``blocks_per_hour`` names come into force in any hour; what exceeds waits its turn,
  the oldest and strongest first, and is listed;
* the names of a list that a person adopted come into force at once, and take nobody's place;
* what nothing asks for any more, or what a guard or a hold stops, ends at once.

What it does not do: write files (``hub.exports``), or decide on one name (``decide_block``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeVar

from federation.policy.blocking import GUARD_HOLDS, GUARD_REFUSES
from hub.errors import NotFound
from hub.node import Node
from hub.storage.queries.audit import store_event
from hub.storage.queries.blocks import (
    AskedBlock,
    BlockRow,
    add_blocks,
    asked_blocks,
    drop_blocks,
    list_blocks,
    put_in_force,
)
from hub.storage.queries.tokens import TokenRow, find_token
from hub.storage.transaction import Transaction
from hub.verdicts.adopted_claims import adopted_among
from hub.verdicts.evidence import holds_on
from hub.verdicts.guard_lists import HOLD, REFUSE
from hub.verdicts.guards import Guards, load_guards
from schemas.dns.subjects import Subject, read_subject_key
from schemas.errors import WireFormatError
from schemas.markings import Tlp

AUDIENCES: Final[Mapping[str, Tlp]] = MappingProxyType(
    {
        "organisation": Tlp.AMBER_STRICT,
        "constituents": Tlp.GREEN,
        "public": Tlp.CLEAR,
    }
)
"""For whom a blocklist is made, and the strictest label that they may observe."""
HOUR: Final = timedelta(hours=1)
LONGEST_REASON: Final = 1_024


@dataclass(slots=True)
class BlockedName:
    """A name that is blocked now; not frozen, as there are many.

    Args:
        name: the key of its subject; the name itself, of one in a query.
        match_scope: ``exact``, ``subtree`` or ``wildcard-only``.
        label: of the evidence that asks for it.
        since: when it came into force.
        ask: the verdict that asks for it.
    """

    name: str
    match_scope: str
    label: Tlp
    result: float
    since: datetime
    ask: AskedBlock

    @property
    def subject(self) -> Subject:
        """Return what is blocked: a name, a name server or an address."""
        return read_subject_key(self.name)


@dataclass(frozen=True, slots=True)
class WaitingBlock:
    """A name that waits for its hour."""

    name: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Stopped:
    """A verdict that asks for a block which a guard or a hold stops here.

    Args:
        codes: why, such as ``NOT_BLOCKED_GUARD_REFUSES``.
    """

    name: str
    codes: tuple[str, ...]


_Named = TypeVar("_Named", BlockedName, WaitingBlock, Stopped)


@dataclass(frozen=True, slots=True)
class BlockView:
    """How the blocks of one label view stand."""

    in_force: tuple[BlockedName, ...]
    waiting: tuple[WaitingBlock, ...]
    stopped: tuple[Stopped, ...]


def blocked_names(
    tx: Transaction, node: Node, audience: str, *, constituent: str | None = None
) -> list[BlockedName]:
    """List the names that are blocked for an audience now, by name; nothing new is put in force.

    Args:
        audience: ``organisation``, ``constituents`` or ``public``.
        constituent: the name of a constituent's token: with the AMBER that touches its zones.

    Raises:
        WireFormatError: ``E_AUDIENCE``. NotFound: ``E_TOKEN_UNKNOWN``.
    """
    return list(audience_blocks(tx, node, audience, constituent=constituent).in_force)


def audience_blocks(
    tx: Transaction, node: Node, audience: str, *, constituent: str | None = None
) -> BlockView:
    """Tell how the blocks stand that an audience is shown, each by name; see ``blocked_names``."""
    views = label_views(tx, audience, constituent, node.now())
    return merged([(block_view(tx, node, ceiling), zones) for ceiling, zones in views])


def merged(shown: Sequence[tuple[BlockView, tuple[str, ...] | None]]) -> BlockView:
    """Put the views together that an audience is shown, each with its zones."""
    return BlockView(
        _merged((view.in_force, zones) for view, zones in shown),
        _merged((view.waiting, zones) for view, zones in shown),
        _merged((view.stopped, zones) for view, zones in shown),
    )


def blocks_for(node: Node, audience: str) -> BlockView:
    """Tell how the blocks of an audience stand; see ``blocked_names``."""
    with node.database.read() as tx:
        return audience_blocks(tx, node, audience)


def _merged(parts: Iterable[tuple[Sequence[_Named], tuple[str, ...] | None]]) -> tuple[_Named, ...]:
    found: dict[str, _Named] = {}
    for blocks, zones in parts:
        for block in blocks:
            if zones is None or touches(block.name, zones):
                found.setdefault(block.name, block)
    return tuple(found[name] for name in sorted(found))


def block_view(tx: Transaction, node: Node, ceiling: Tlp) -> BlockView:
    """Tell how the blocks of one label view stand now."""
    asked, stopped = _asked(tx, node, ceiling)
    return _view(asked, list_blocks(tx, ceiling), stopped, frozenset(), node.now())


def _view(
    asked: Mapping[str, AskedBlock],
    held: Mapping[str, BlockRow],
    stopped: Sequence[Stopped],
    chosen: Collection[str],
    now: datetime,
) -> BlockView:
    """Tell how a view stands once the chosen names are in force."""
    in_force, waiting = [], []
    labels = list(Tlp)
    for name, ask in asked.items():
        row = held.get(name)
        since = None if row is None else row.in_force_at
        if since is None and name in chosen:
            since = now
        if since is not None:
            label = labels[ask.label]
            in_force.append(BlockedName(name, ask.match_scope, label, ask.result, since, ask))
        else:
            waiting.append(WaitingBlock(name, now if row is None else row.asked_at))
    return BlockView(tuple(in_force), tuple(waiting), tuple(stopped))


def in_force_since(tx: Transaction, node: Node, name: str, ceiling: Tlp) -> datetime | None:
    """Tell since when a name is blocked in one label view; None when it is not, or waits."""
    found = (each for each in block_view(tx, node, ceiling).in_force if each.name == name)
    block = next(found, None)
    return None if block is None else block.since


def admit_blocks(
    tx: Transaction, node: Node, audience: str, *, constituent: str | None = None
) -> None:
    """Bring the views of an audience up to now: end what is over, put in force what the hour bears.

    Raises:
        WireFormatError: ``E_AUDIENCE``. NotFound: ``E_TOKEN_UNKNOWN``.
    """
    for ceiling, _ in label_views(tx, audience, constituent, node.now()):
        _admit(tx, node, ceiling, node.settings.blocks_per_hour)


def release_waiting(node: Node, audience: str, *, reason: str, actor: str = "operator") -> int:
    """Put everything in force that waits for an audience, by a person's decision.

    Returns:
        How many names came into force.

    Raises:
        WireFormatError: ``E_AUDIENCE``, ``E_REASON``.
    """
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        raise WireFormatError("E_REASON", f"a reason has 1 to {LONGEST_REASON} characters")
    with node.database.write() as tx:
        ((ceiling, _),) = label_views(tx, audience, None, node.now())
        released = _admit(tx, node, ceiling, 0)
        store_event(
            tx,
            node.now(),
            actor,
            "BLOCKS_RELEASED",
            audience=audience,
            names=released,
            reason=reason.strip(),
        )
    return released


def _admit(tx: Transaction, node: Node, ceiling: Tlp, cap: int) -> int:
    """Bring one view up to now; a cap of 0 is none. Returns how many came into force."""
    plan = plan_view(tx, node, ceiling, cap)
    drop_blocks(tx, ceiling, plan.drop)
    add_blocks(tx, ceiling, plan.add, plan.at)
    put_in_force(tx, ceiling, plan.chosen, plan.at)
    return len(plan.chosen)


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """What brings one view up to now, and how it stands then.

    Args:
        drop: blocks that nothing asks for any more.
        add: names that are asked for since.
        chosen: names that come into force.
        at: when that is.
    """

    ceiling: Tlp
    at: datetime
    drop: Sequence[str]
    add: Sequence[str]
    chosen: Sequence[str]
    after: BlockView


def plan_view(tx: Transaction, node: Node, ceiling: Tlp, cap: int) -> ViewPlan:
    """Decide what brings one view up to now, and change nothing; a cap of 0 is none."""
    now = node.now()
    asked, stopped = _asked(tx, node, ceiling)
    held = list_blocks(tx, ceiling)
    # What came into force within the hour keeps its place, also when it has ended: else one who
    # says and takes back brings any number into force. Who flaps takes one place.
    new = {
        name
        for name, row in held.items()
        if row.in_force_at is not None and row.in_force_at > now - HOUR
    }
    new -= adopted_among(tx, new, ceiling, since=now - HOUR)
    waiting = sorted(_waiting(asked, held, now))
    # What a person announced needs no place in an hour, and takes none.
    announced = adopted_among(tx, [name for _, _, name in waiting], ceiling)
    at_once = [name for _, _, name in waiting if name in announced]
    others = [name for _, _, name in waiting if name not in announced]
    free = len(others) if cap == 0 else max(0, cap - len(new))
    chosen = [*at_once, *others[:free]]
    return ViewPlan(
        ceiling,
        now,
        sorted(held.keys() - asked.keys() - new),
        sorted(asked.keys() - held.keys()),
        chosen,
        _view(asked, held, stopped, frozenset(chosen), now),
    )


def _waiting(
    asked: Mapping[str, AskedBlock], held: Mapping[str, BlockRow], now: datetime
) -> Iterator[tuple[datetime, float, str]]:
    for name, ask in asked.items():
        row = held.get(name)
        if row is None or row.in_force_at is None:
            yield (now if row is None else row.asked_at), -ask.result, name


def _asked(
    tx: Transaction, node: Node, ceiling: Tlp
) -> tuple[dict[str, AskedBlock], list[Stopped]]:
    """Find what may come into force in a view, and what guards and holds stop now."""
    guards, now = load_guards(tx, node), node.now()
    asked = asked_blocks(tx, ceiling, now)
    holds = holds_on(tx, [ask.name for ask in asked], ceiling, now)
    free: dict[str, AskedBlock] = {}
    stopped: list[Stopped] = []
    for ask in asked:
        codes = (*_guard_codes(guards, ask), *holds.get(ask.name, ()))
        if codes:
            stopped.append(Stopped(ask.name, codes))
        else:
            free[ask.name] = ask
    return free, stopped


def _guard_codes(guards: Guards, ask: AskedBlock) -> Iterator[str]:
    hits = guards.hits(ask.name, ask.match_scope)
    grades = {hit.grade for hit in hits if hit.overridden_by is None}
    if REFUSE in grades:
        yield GUARD_REFUSES
    if HOLD in grades:
        yield GUARD_HOLDS


def label_views(
    tx: Transaction, audience: str, constituent: str | None, now: datetime
) -> list[tuple[Tlp, tuple[str, ...] | None]]:
    """List the label views that an audience is shown; zones where only what touches them.

    Raises:
        WireFormatError: ``E_AUDIENCE``. NotFound: ``E_TOKEN_UNKNOWN``.
    """
    ceiling = AUDIENCES.get(audience)
    if ceiling is None or (constituent is not None and audience != "constituents"):
        raise WireFormatError(
            "E_AUDIENCE",
            f"{audience!r} is no audience of an export" if ceiling is None else "for whom?",
            "Use organisation, constituents (with --constituent TOKEN for one) or public.",
        )
    views: list[tuple[Tlp, tuple[str, ...] | None]] = [(ceiling, None)]
    if constituent is not None:
        token = _constituent(tx, constituent, now)
        if token.max_tlp >= Tlp.AMBER:
            views.append((Tlp.AMBER, token.zones))
    return views


def _constituent(tx: Transaction, name: str, now: datetime) -> TokenRow:
    token = find_token(tx, name)
    ended = token is not None and (
        token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now)
    )
    if token is None or token.kind != "constituent" or ended:
        raise NotFound(
            "E_TOKEN_UNKNOWN", f"no constituent's token {name!r}", "Run `tocsin token list`."
        )
    return token


def touches(name: str, zones: tuple[str, ...]) -> bool:
    """Tell whether a name is one of these zones or below one.

    Args:
        name: or the key of another subject; an address touches no zone.
    """
    name = read_subject_key(name).value
    return any(name == zone or name.endswith(f".{zone}") for zone in zones)
