"""Which objects an import stands for, and which a publication stands for as well.

Noted in the very write that seals them, so that undoing an import knows all that it brought, also
of one that ended in the middle.

Invariant: an object that somebody published by itself, before an import or after it, is never taken
back by undoing that import.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.storage.queries import imports as stored
from hub.storage.queries.imports import ImportedObject, ImportRow
from hub.storage.transaction import Transaction

Note = Callable[[Transaction, Sequence[str], Collection[str]], None]
"""Told, inside the write: the ids that stand published by it, and those that were held before."""


def note_publication(tx: Transaction, stix_ids: Sequence[str], held: Collection[str]) -> None:
    """Note that a publication stands for what an import may have brought before."""
    again = [stix_id for stix_id in stix_ids if stix_id in held]
    if again:
        stored.note_published(tx, again)


@dataclass(slots=True)
class ImportMark:
    """Notes what one import stands for; its own row with the first object.

    Args:
        row: the import; ``import_id`` is given out with the first object.
        subjects: what objects are about, by id.
        counts: of all that was read under this number.
        feeds: the feeds of ours that it went into.
        wrapping: the groupings that the write makes around its objects.
    """

    row: ImportRow
    subjects: Mapping[str, str] = field(default_factory=dict)
    wrapping: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    feeds: dict[str, None] = field(default_factory=dict)
    is_stored: bool = False
    _place: int = 0

    def __call__(self, tx: Transaction, stix_ids: Sequence[str], held: Collection[str]) -> None:
        """Note the objects of one write."""
        if not stix_ids:
            return
        if not self.is_stored:
            # Set before the commit: a write that fails ends the import, and this mark with it.
            self.row = replace(self.row, import_id=stored.claim_import_id(tx))
            stored.store_import(tx, self.row)
            self.is_stored = True
        noted = [*stix_ids, *self.wrapping]
        self.wrapping.clear()
        published = stored.published_of(tx, [i for i in stix_ids if i in held])
        stored.note_objects(
            tx,
            self.row.import_id,
            [
                ImportedObject(
                    stix_id,
                    self.subjects.get(stix_id),
                    # What is held and was never imported was published.
                    stix_id in held and published.get(stix_id, True),
                    place,
                )
                for place, stix_id in enumerate(dict.fromkeys(noted), self._place + 1)
            ],
        )
        self._place += len(noted)
