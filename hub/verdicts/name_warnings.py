"""What a person is warned of about names: which ones they may be taken for (DNS 2).

Decides which names are worth imitating here: the zones of this node, of its constituents and
peers, its own guard lists, and the critical and most-used names that the installation protects.

Invariant: a warning refuses nothing. A look-alike is just what has to be reported.

What it does not do: tell letters apart (``schemas.dns.lookalikes``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from hub.imports.list_reading import NamedLine
from hub.node import Node
from hub.storage.transaction import Transaction
from hub.verdicts.guard_lists import CRITICAL_NAME, POPULAR, REFUSE, installed_names
from hub.verdicts.guard_state import guard_state, own_list_names, zone_names
from schemas.dns.lookalikes import LookalikeIndex, NameWarning, scripts_in, warnings_of
from schemas.dns.names import is_public_suffix, read_name, registrable_domain
from schemas.errors import WireFormatError

MOST_WARNED: Final = 1_000
MOST_LISTED: Final = 100_000
"""Of the operator's own lists, which may hold a million names that nobody imitates."""
_KNOWN: Final[list[tuple[str, ...]]] = []


@dataclass(frozen=True, slots=True)
class CheckedName:
    """What a text means as a domain name, or why it is none.

    Args:
        text: as it was given.
        code: why it is refused; None for a name.
        public_suffix: a TLD or public suffix: to publish or block it takes a second person.
    """

    text: str
    a_label: str | None = None
    u_label: str | None = None
    subtree: bool = False
    registrable_domain: str | None = None
    public_suffix: bool = False
    scripts: tuple[str, ...] = ()
    warnings: tuple[NameWarning, ...] = ()
    code: str | None = None
    detail: str | None = None


def check_names(node: Node, texts: Sequence[str]) -> tuple[CheckedName, ...]:
    """Say of each text what name it means and what is odd about it, or why it is none."""
    known = known_names(node)
    return tuple(_check(text, known) for text in texts)


def warn_of(node: Node, names: Iterable[str]) -> Iterator[tuple[str, tuple[NameWarning, ...]]]:
    """Walk the names, as A-labels, that a person should look at twice, with what is odd."""
    known = known_names(node)
    for name in names:
        found = warnings_of(name, known)
        if found:
            yield name, found


class Watch:
    """Looks at names as they pass by on their way into an import.

    Args:
        warned: the first names that a person should look at twice, with what is odd.
        total: how many there are.
    """

    def __init__(self, node: Node) -> None:
        self._known = known_names(node)
        self.warned: list[tuple[str, tuple[NameWarning, ...]]] = []
        self.total = 0

    def over(self, lines: Iterable[NamedLine]) -> Iterator[NamedLine]:
        """Hand on what is named, and note what is odd about it."""
        for line in lines:
            found = warnings_of(line.name.a_label, self._known)
            if found:
                self.total += 1
                if len(self.warned) < MOST_WARNED:
                    self.warned.append((line.name.a_label, found))
            yield line


def known_names(node: Node) -> LookalikeIndex:
    """Gather the names that are worth imitating; some tenths of a second."""
    with node.database.read() as tx:
        return LookalikeIndex([*_own(tx, node), *_installed()])


def _own(tx: Transaction, node: Node) -> Iterator[str]:
    for name, _ in zone_names(guard_state(tx, node)):
        yield name
    for name, _ in islice(own_list_names(tx), MOST_LISTED):
        yield name


def _installed() -> tuple[str, ...]:
    if not _KNOWN:
        kinds = {CRITICAL_NAME, POPULAR}
        _KNOWN.append(
            tuple(
                name
                for name, listed in installed_names().protected
                if listed.code in kinds and listed.grade == REFUSE and not is_public_suffix(name)
            )
        )
    return _KNOWN[0]


def _check(text: str, known: LookalikeIndex) -> CheckedName:
    try:
        name = read_name(text, refang=True)
    except WireFormatError as error:
        return CheckedName(text, code=error.code, detail=error.detail)
    return CheckedName(
        text,
        name.a_label,
        name.u_label,
        name.subtree,
        registrable_domain(name.a_label),
        is_public_suffix(name.a_label),
        scripts_in(name.a_label),
        warnings_of(name.a_label, known),
    )
