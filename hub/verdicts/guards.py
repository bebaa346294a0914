"""Which protected names would a block of this subject hit (THREATS 38; issue 5, point 5)?

Decides for a name and the reach of a block every list that it meets, with grade and way. A list
protects a name alone, the name with everything below it, or everything that stands right below it.

Invariants:
* names are compared label by label: ``evil-google.com`` is not ``google.com``, and
  ``google.com.evil.example`` is not below it;
* a block that reaches below a name meets what is protected below it: a subtree block of ``com``
  meets ``google.com``;
* a single label is always a top-level domain, on a list or not;
* a name server is held against the names that it stands under too, and more strictly than a name;
* an override lifts its own name alone, until its end, and stays visible as such; whether its
  signature holds was checked before it came here (``guard_overrides``);
* lists are read when the first name is asked for, once a process for what the installation brings
  and once a change for what the operator and the peers say.

What it does not do: decide on a block (``federation.policy.blocking``) or say where the lists come
from (``guard_lists``).
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from hub.node import Node
from hub.storage.engine import Database
from hub.storage.queries.guards import guard_revisions
from hub.storage.transaction import Transaction
from hub.verdicts.guard_lists import (
    ALONE,
    BELOW,
    HOLD,
    REFUSE,
    TLD,
    WARN,
    Grade,
    Listed,
    Protected,
    installed_names,
)
from hub.verdicts.guard_overrides import Override, read_overrides
from hub.verdicts.guard_prefixes import Prefix, prefix_hits
from hub.verdicts.guard_state import GuardState, guard_state, own_list_names, zone_names
from hub.verdicts.name_table import NameTable
from schemas.dns.names import registrable_domain
from schemas.dns.subjects import OF_ADDRESSES, Subject, read_subject_key

How = Literal["exact", "below", "above"]
EXACT: Final = "exact"

_ANY_TLD: Final = Listed(REFUSE, TLD, "tlds", ALONE)
_EXAMPLES: Final = 20_000
"""Of so many names it is remembered which protected name stands below them; beyond, only that one
does. A list of a million host names would else take its whole memory for this alone."""


@dataclass(frozen=True, slots=True)
class GuardHit:
    """One list that a block of a name would hit.

    Args:
        code: what kind of name is protected, such as ``GUARD_TLD``.
        matched: the protected name.
        how: the block names it, is below it, or reaches it from above.
        overridden_by: the id of the override that lifts it here and now.
    """

    grade: Grade
    code: str
    list_name: str
    matched: str
    how: How
    overridden_by: str | None


class _Layer:
    """Protected names of one source, with what stands above them.

    Of a name above others the strongest grade is kept, and which protected name has it.
    """

    __slots__ = ("above", "examples", "kinds", "names", "numbers", "reaching")

    def __init__(self, protected: Iterable[Protected]) -> None:
        self.names = NameTable()
        self.above = NameTable()
        self.examples: dict[str, str] = {}
        self.kinds: list[tuple[Listed, ...]] = [()]
        self.reaching: list[tuple[Listed, ...]] = [()]
        self.numbers: dict[tuple[Listed, ...], int] = {(): 0}
        for name, listed in protected:
            held = self.kinds[self.names.find(name)]
            if listed not in held:
                self.names.put(name, self._number((*held, listed)))
            if listed.grade != WARN and "." in name:
                self._mark_above(name, listed)

    def _mark_above(self, name: str, listed: Listed) -> None:
        dot = name.find(".")
        while dot >= 0:
            parent = name[dot + 1 :]
            held = self.kinds[self.above.find(parent)]
            if not held or (held[0].grade, listed.grade) == (HOLD, REFUSE):
                self.above.put(parent, self._number((listed,)))
                if len(self.examples) < _EXAMPLES or parent in self.examples:
                    self.examples[parent] = name
            dot = name.find(".", dot + 1)

    def _number(self, kinds: tuple[Listed, ...]) -> int:
        number = self.numbers.get(kinds)
        if number is None:
            number = self.numbers[kinds] = len(self.kinds)
            self.kinds.append(kinds)
            self.reaching.append(tuple(listed for listed in kinds if listed.covers != ALONE))
        return number


class Guards:
    """Every protected name that counts now."""

    __slots__ = ("_exceptions", "_layers", "_overrides", "_prefixes", "_probes")

    def __init__(
        self,
        layers: Sequence[_Layer],
        overrides: Mapping[str, Override] | None = None,
        exceptions: frozenset[str] = frozenset(),
        prefixes: Sequence[Prefix] = (),
    ) -> None:
        self._layers = tuple(layers)
        self._probes = tuple((layer.names.hashes, layer.names.mask, layer) for layer in layers)
        self._overrides = overrides or {}
        self._exceptions = exceptions
        self._prefixes = tuple(prefixes)

    @classmethod
    def of(
        cls, protected: Iterable[Protected], overrides: Mapping[str, Override] | None = None
    ) -> Guards:
        """Make guards of these names alone."""
        return cls((_Layer(protected),), overrides)

    def hits(self, name: str, match_scope: str) -> tuple[GuardHit, ...]:
        """List what a block of a subject would hit; under 5 µs where that is nothing.

        Args:
            name: an A-label in lower case, or the key of another subject.
            match_scope: ``exact``, ``subtree`` or ``wildcard-only`` of dns-threat; what is none of
                them counts as reaching below.
        """
        if ":" in name:
            return self._hits_on(read_subject_key(name), match_scope)
        found = self._found(name, match_scope)
        return self._told(found, name, match_scope) if found else ()

    def _hits_on(self, subject: Subject, match_scope: str) -> tuple[GuardHit, ...]:
        """List what a block of a name server or an address would hit; no override lifts any of it.

        A name server has the names of many. What protects the name under which it stands protects
        it too, and what is only held for a person as a name is refused as a server.
        """
        if subject.match_on in OF_ADDRESSES:
            hits = prefix_hits(subject.value, self._prefixes)
            return tuple(
                GuardHit(
                    listed.grade, listed.code, listed.list_name, matched,
                    "above" if inside else "exact" if listed.covers == ALONE else "below", None,
                )
                for listed, matched, inside in hits
            )  # fmt: skip
        found = self._found(subject.value, match_scope)
        home = registrable_domain(subject.value)
        if home is not None and home != subject.value:
            of_home = self._found(home, EXACT)
            found += [(listed, home, "below") for listed, _, how in of_home if how == "exact"]
        hits_by_list = {(hit.list_name, hit.how): hit for hit in self._told(found, "", match_scope)}
        return tuple(
            replace(hit, grade=REFUSE if hit.grade == HOLD else hit.grade)
            for hit in hits_by_list.values()
        )

    def _found(self, name: str, match_scope: str) -> list[tuple[Listed, str, How]]:
        found: list[tuple[Listed, str, How]] = []
        dot = name.find(".")
        if dot < 0:
            found.append((_ANY_TLD, name, "exact"))
        hashed = hash(name) or 1
        for hashes, mask, layer in self._probes:
            if hashes[hashed & mask]:
                found += [(listed, name, "exact") for listed in layer.kinds[layer.names.find(name)]]
        if match_scope != EXACT:
            found += self._reached(name)
        right_above = True
        while dot >= 0:
            parent = name[dot + 1 :]
            hashed = hash(parent) or 1
            for hashes, mask, layer in self._probes:
                if hashes[hashed & mask]:
                    reaching = layer.reaching[layer.names.find(parent)]
                    if reaching:
                        found += self._covered(reaching, name, parent, right_above=right_above)
            right_above = False
            dot = name.find(".", dot + 1)
        return found

    def _reached(self, name: str) -> Iterator[tuple[Listed, str, How]]:
        for layer in self._layers:
            for listed in layer.kinds[layer.above.find(name)]:
                yield listed, layer.examples.get(name, f"*.{name}"), "above"

    def _covered(
        self, reaching: tuple[Listed, ...], name: str, parent: str, *, right_above: bool
    ) -> Iterator[tuple[Listed, str, How]]:
        for listed in reaching:
            if listed.covers == BELOW:
                yield listed, parent, "below"
            elif right_above and name not in self._exceptions:
                yield listed, name, "exact"

    def _told(
        self, found: list[tuple[Listed, str, How]], name: str, match_scope: str
    ) -> tuple[GuardHit, ...]:
        override = self._overrides.get(name)
        lifted = None
        if override is not None and (match_scope == EXACT or override.subtree):
            lifted = override.override_id
        hits = {
            (listed.list_name, how): GuardHit(
                listed.grade, listed.code, listed.list_name, matched, how, lifted
            )
            for listed, matched, how in reversed(found)
        }
        return tuple(reversed(hits.values()))


@dataclass(frozen=True, slots=True)
class _Held:
    """Guards of one node, and of what state they are."""

    state: GuardState
    ends_at: datetime | None
    guards: Guards
    own_lists: _Layer


_HELD: Final[weakref.WeakKeyDictionary[Database, _Held]] = weakref.WeakKeyDictionary()
"""A cache by value: what it holds is true of its ``state`` alone, which is read anew each time."""
_INSTALLED: Final[list[tuple[_Layer, frozenset[str]]]] = []


def load_guards(tx: Transaction, node: Node) -> Guards:
    """Load the guards that count now; a few small reads where nothing has changed.

    Own lists of a million names take seconds to build, once a change of them: who writes much
    loads them before his turn among the writers.
    """
    state, now = guard_state(tx, node), node.now()
    held = _HELD.get(node.database)
    if held is not None and held.state == state and (held.ends_at is None or now < held.ends_at):
        return held.guards
    overrides = {each.name: each for each in read_overrides(tx, node) if each.counts_at(now)}
    if held is not None and held.state.lists == state.lists:
        own_lists = held.own_lists
    else:
        own_lists = _Layer(own_list_names(tx))
    installed, exceptions = _installed()
    layers = [installed, own_lists, _Layer(zone_names(state))]
    found = [layer for layer in layers if layer.names]
    guards = Guards(found, overrides, exceptions, state.prefixes)
    ends_at = min((each.until for each in overrides.values()), default=None)
    _HELD[node.database] = _Held(state, ends_at, guards, own_lists)
    return guards


def prepare_guards(tx: Transaction, node: Node) -> None:
    """Build what takes long where it has to be built, so that a write to come need not."""
    held = _HELD.get(node.database)
    if held is None or held.state.lists != guard_revisions(tx)[0]:
        load_guards(tx, node)


def _installed() -> tuple[_Layer, frozenset[str]]:
    if not _INSTALLED:
        names = installed_names()
        _INSTALLED.append((_Layer(names.protected), names.exceptions))
    return _INSTALLED[0]
