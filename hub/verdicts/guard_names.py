"""The operator's own lists of protected names: add, remove, import, list (issue 5, point 5).

Invariants:
* a name on a list protects itself and, unless it is written as exact, everything below it;
* every change is in the audit, and the verdicts that it may free or stop are made anew; what is
  guarded anew is out of the next export whatever its verdict still says.

What it does not do: match names (``guards``).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from hub.errors import NotFound
from hub.imports.drafts import ImportReport
from hub.imports.name_lists import read_name_list
from hub.node import Node
from hub.storage.queries.audit import store_event
from hub.storage.queries.guards import (
    GuardListRow,
    GuardNameRow,
    drop_guard_list,
    drop_guard_name,
    list_guard_lists,
    list_guard_names,
    put_guard_names,
)
from hub.verdicts.guard_lists import GRADES, WHEEL_LISTS, Grade
from hub.verdicts.guarded_verdicts import ask_below, ask_stopped
from schemas.dns.names import DnsName, read_name
from schemas.errors import WireFormatError

OWN: Final = "own"
"""The list that a name is on where no other is named."""
_LIST_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_INSTALLED: Final = frozenset(
    {"public-suffixes", "shared-suffixes", "name-servers", "resolvers", "sinkholes", "critical"}
    | {"special-use", "tlds", *(wheel.name for wheel in WHEEL_LISTS)}
)


def add_guard(
    node: Node,
    text: str,
    *,
    grade: Grade = "refuse",
    list_name: str = OWN,
    below: bool = True,
    actor: str = "operator",
) -> GuardNameRow:
    """Protect a name.

    Args:
        text: a name; ``*.name`` always means all below too.
        below: whether everything below it is protected too.

    Raises:
        WireFormatError: no name, ``E_GUARD_GRADE``, ``E_GUARD_LIST``.
    """
    name = read_name(text, refang=True)
    _check(grade, list_name)
    now = node.now()
    row = _row(name, list_name, grade, actor, now, below=below)
    with node.database.write() as tx:
        put_guard_names(tx, [row])
        ask_below(tx, row.name, now)
        store_event(
            tx,
            now,
            actor,
            "GUARD_ADDED",
            name=row.name,
            list=list_name,
            grade=grade,
            below=row.below,
        )
    return row


def remove_guard(node: Node, text: str, *, list_name: str = OWN, actor: str = "operator") -> None:
    """Take a name off one of the own lists.

    Raises:
        NotFound: ``E_GUARD_UNKNOWN``.
    """
    name = read_name(text, refang=True).a_label
    now = node.now()
    with node.database.write() as tx:
        if not drop_guard_name(tx, name, list_name):
            raise NotFound(
                "E_GUARD_UNKNOWN",
                f"{name} is not on the list {list_name!r}",
                "Run `tocsin guard list`. What the installation protects takes an override.",
            )
        ask_stopped(tx, now)
        store_event(tx, now, actor, "GUARD_REMOVED", name=name, list=list_name)


def remove_guard_list(node: Node, list_name: str, *, actor: str = "operator") -> int:
    """Drop one of the own lists; return how many names were on it.

    Raises:
        NotFound: ``E_GUARD_UNKNOWN``.
    """
    now = node.now()
    with node.database.write() as tx:
        dropped = drop_guard_list(tx, list_name)
        if not dropped:
            raise NotFound(
                "E_GUARD_UNKNOWN", f"there is no list {list_name!r}", "Run `tocsin guard list`."
            )
        ask_stopped(tx, now)
        store_event(tx, now, actor, "GUARD_LIST_REMOVED", list=list_name, names=dropped)
    return dropped


def import_guards(
    node: Node,
    data: bytes,
    *,
    list_name: str,
    grade: Grade = "refuse",
    below: bool = True,
    actor: str = "operator",
) -> ImportReport:
    """Make a file of names, one a line, the content of a list, in the place of what was there.

    Raises:
        WireFormatError: ``E_TOO_BIG``, ``E_GUARD_GRADE``, ``E_GUARD_LIST``.
    """
    _check(grade, list_name)
    names, report = read_name_list(data)
    now = node.now()
    rows: dict[str, GuardNameRow] = {}
    for line in names:
        row = _row(line.name, list_name, grade, actor, now, below=below)
        held = rows.get(row.name)
        if held is None or row.below:  # `x` and `*.x` are one name, protected the wider way
            rows[row.name] = row
    with node.database.write() as tx:
        dropped = drop_guard_list(tx, list_name)
        put_guard_names(tx, list(rows.values()))
        if dropped:
            ask_stopped(tx, now)
        store_event(
            tx, now, actor, "GUARD_LIST_IMPORTED", list=list_name, grade=grade, names=len(rows)
        )
    return report


def list_guards(node: Node) -> tuple[GuardListRow, ...]:
    """List the own lists with their sizes."""
    with node.database.read() as tx:
        return list_guard_lists(tx)


def names_on_list(node: Node, list_name: str, limit: int) -> tuple[GuardNameRow, ...]:
    """List the first names of an own list."""
    with node.database.read() as tx:
        return list_guard_names(tx, list_name, limit)


def _row(
    name: DnsName, list_name: str, grade: Grade, actor: str, now: datetime, *, below: bool
) -> GuardNameRow:
    return GuardNameRow(list_name, name.a_label, grade, below or name.subtree, now, actor)


def _check(grade: str, list_name: str) -> None:
    if grade not in GRADES:
        raise WireFormatError(
            "E_GUARD_GRADE", f"{grade!r} is no grade", "Use refuse, hold or warn."
        )
    if not _LIST_NAME.fullmatch(list_name) or list_name in _INSTALLED:
        raise WireFormatError(
            "E_GUARD_LIST",
            f"{list_name!r} cannot be the name of an own list",
            "Use letters, digits, dots and hyphens, and no name of an installed list.",
        )
