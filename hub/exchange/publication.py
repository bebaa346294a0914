"""What is to be published, as the store takes it, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from federation.delivery.plan import ROUTINE
from federation.feeds.sharing_policy import Release
from hub.exchange.import_marks import Note, note_publication
from hub.imports.drafts import Draft
from schemas.identifiers import EntryHash, FeedName
from schemas.markings import Tlp


@dataclass(frozen=True, slots=True)
class Publication:
    """The part of a request that the store needs; see ``publish.PublishRequest``."""

    tlp: Tlp
    feeds: tuple[FeedName, ...]
    definitions: Mapping[str, Mapping[str, object]]
    wrap: Callable[[Sequence[Mapping[str, object]]], Draft] | None
    exercise: bool
    on_behalf_of: str | None
    lineage: tuple[str, ...]
    dry_run: bool
    actor: str
    progress: Callable[[int], None]
    supersedes: EntryHash | None = None
    release: Release | None = None
    urgency: str = ROUTINE
    pap: str | None = None
    note: Note = note_publication


@dataclass(slots=True)
class StoredPublication:
    """What the write did; grows part by part."""

    feeds: tuple[str, ...]
    unchanged: int = 0
    entries: int = 0
    refused: dict[tuple[str, str, str, str], None] = field(default_factory=dict)
    refused_ids: set[str] = field(default_factory=set)
    stix_ids: dict[str, None] = field(default_factory=dict)

    def refuse(self, stix_id: str, code: str, detail: str, remedy: str) -> None:
        """Note one object that was not sealed, once however many feeds it was meant for."""
        self.refused[stix_id, code, detail, remedy] = None
        self.refused_ids.add(stix_id)
