"""Import what others' feeds say: an import is a publication of this node with a lineage.

Decides for whom: with nobody named and nothing shared the objects go into the private feed, which
only this node reads, so they count in its own verdicts and nowhere else. The lineage is
``feed:<name>``: two nodes that import one external feed are one voice (PROTOCOL 2.4, 4.4).

Invariants:
* the label is AMBER+STRICT unless a person says another (PROTOCOL 3.1), and what an object prints
  only tightens it: a stricter object goes out at its own label, into the private feed where that
  label would need names and nobody was named;
* nobody's object is spoken for: an id that another origin has proven, or that this node published
  by itself, is not changed by what a feed says (``E_ID_CONFLICT``);
* each item that was read ends in one count: taken, changed, duplicate, refused, comment or blank;
* a dry run stores nothing. References between objects of two labels are judged when it is done.

Does not: read formats (``hub.imports``), or fetch (``import_servers``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from federation.errors import SharingRefused
from federation.policy.labels import UNMARKED_LOCAL, effective_label
from hub.exchange.import_marks import ImportMark
from hub.exchange.import_names import drafts_on_feed, subject_of
from hub.exchange.imported_ids import settle_ids
from hub.exchange.preparing import known_definitions
from hub.exchange.publish import PublishOutcome, PublishRequest, publish_objects
from hub.exchange.publish_names import NameOptions, wrap_names
from hub.imports.drafts import Draft, ImportReport
from hub.imports.inputs import ImportInput
from hub.imports.list_reading import NamedLine
from hub.node import Node
from hub.peers.groups import PRIVATE_GROUP
from hub.peers.private_group import ensure_private_group
from hub.storage.queries import imports as stored
from hub.storage.queries.audit import store_event
from hub.storage.queries.imports import ImportRow
from hub.storage.queries.peers import PeerRow
from schemas.errors import WireFormatError
from schemas.markings import Tlp

PORTION: Final = 10_000
"""Names that are in memory at once, as indicators."""
DANGLING: Final = "E_REF_LEAK"
_FEED: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_DUPLICATES: Final = frozenset({"E_NAME_DUPLICATE", "E_STIX_DUPLICATE"})


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to do with what is read.

    Args:
        feed: whose word it is; becomes the lineage tag.
        tlp: the label of what prints none; None is AMBER+STRICT.
        to: the named peers.
        groups: the named groups of this node.
        share: for everybody whom the label reaches.
        options: how names become indicators.
        pap: which actions are permitted; None is what the label implies.
        actor: who asked, for the audit.
    """

    feed: str
    tlp: Tlp | None = None
    to: tuple[PeerRow, ...] = ()
    groups: tuple[str, ...] = ()
    share: bool = False
    options: NameOptions = field(default_factory=NameOptions)
    pap: str | None = None
    dry_run: bool = False
    actor: str = "operator"
    progress: Callable[[int], None] = lambda _count: None

    @property
    def is_private(self) -> bool:
        """Whether nobody else gets it."""
        return not (self.to or self.groups or self.share)


@dataclass(slots=True)
class ImportOutcome:
    """What became of what was read; grows portion by portion.

    Args:
        import_id: its number; None when nothing was stored.
        counts: of items by ``total, taken, changed, duplicate, refused, comments, blanks``.
        refused: of items by code.
        labels: of objects by label and STIX type.
        feeds: the feeds of ours that they stand in.
        examples: of refused items by code, the first: their line and why.
        dangling: objects that were refused for what they refer to, which may come yet.
    """

    feed: str
    format: str
    tlp: Tlp
    import_id: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    labels: dict[str, Counter[str]] = field(default_factory=dict)
    feeds: dict[str, None] = field(default_factory=dict)
    entries: int = 0
    examples: dict[str, tuple[int | None, str, str]] = field(default_factory=dict)
    dangling: list[Draft] = field(default_factory=list)
    report: ImportReport | None = None


def read_feed_name(text: str) -> str:
    """Read the name of an external feed as it stands in the lineage tag.

    Raises:
        WireFormatError: ``E_IMPORT_NAME``.
    """
    name = text.strip().lower()
    if not _FEED.fullmatch(name):
        raise WireFormatError(
            "E_IMPORT_NAME",
            "a feed's name has 1 to 64 of a-z, 0-9, ., _ and -",
            "Use the name by which others know it too, such as `urlhaus`: one feed, one lineage.",
        )
    return name


def new_mark(node: Node, request: ImportRequest, kind: str) -> ImportMark:
    """Begin an import; it has a number as soon as it stands for something."""
    tlp = UNMARKED_LOCAL if request.tlp is None else request.tlp
    return ImportMark(
        ImportRow(
            import_id=0,
            feed=read_feed_name(request.feed),
            format=kind,
            tlp=int(tlp),
            audience=(),
            actor=request.actor,
            begun_at=node.now(),
        )
    )


def import_input(
    node: Node, request: ImportRequest, given: ImportInput, *, mark: ImportMark | None = None
) -> ImportOutcome:
    """Import what was read.

    Args:
        mark: an import that this goes on with, such as the next page of a server.

    Several writes in sequence, all noted under one number, so that an import which ends in the
    middle can be undone or simply run again.

    Raises:
        SharingRefused: as ``publish_objects``, for the label that was asked for.
        WireFormatError: what ``given.names`` raises, or ``E_IMPORT_NAME``.
    """
    request = replace(request, feed=read_feed_name(request.feed))
    run = _Run(node, request, given, mark or new_mark(node, request, given.format))
    if given.names is None:
        run.publish(settle_ids(node, given.drafts, request.feed, run.change, run.refuse))
    else:
        for lines in _portions(given.names):
            run.publish_names(lines)
    return run.finish()


def _portions(names: Iterator[NamedLine]) -> Iterator[list[NamedLine]]:
    while portion := list(islice(names, PORTION)):
        yield portion


class _Run:
    """One import while it runs."""

    def __init__(
        self, node: Node, request: ImportRequest, given: ImportInput, mark: ImportMark
    ) -> None:
        self._node = node
        self._request = request
        self._given = given
        self._tlp = UNMARKED_LOCAL if request.tlp is None else request.tlp
        self._counts: Counter[str] = Counter()
        self._changed: set[int] = set()
        self.outcome = ImportOutcome(request.feed, given.format, self._tlp)
        self._mark = mark
        if request.is_private and self._tlp is Tlp.CLEAR:
            raise SharingRefused(
                "E_CLEAR_TO_NAMED",
                "TLP:CLEAR is for the world; what only this node reads has a stricter label",
                "Share it with --share, or choose --tlp green.",
            )

    def change(self, draft: Draft) -> None:
        """Note that an object is taken in another form."""
        if draft.line is not None:
            self._changed.add(draft.line)

    def refuse(self, draft: Draft, code: str, detail: str) -> None:
        """Count an item that is not taken; a part of another object is no item of its own."""
        if draft.line is None:
            return
        if code == DANGLING:
            self.outcome.dangling.append(draft)
        self.outcome.refused[code] += 1
        self.outcome.examples.setdefault(
            code, (draft.line, str(draft.value.get("name") or draft.value.get("id")), detail)
        )

    def publish_names(self, lines: Sequence[NamedLine]) -> None:
        """Publish a portion of what was named."""
        options = self._request.options
        drafts = drafts_on_feed(
            self._node, lines, feed=self._request.feed, tlp=self._tlp, options=options
        )
        self._mark.subjects = {
            str(draft.value["id"]): subject_of(line)
            for line, draft in zip(lines, drafts, strict=True)
        }
        self.publish(drafts)

    def publish(self, drafts: Sequence[Draft]) -> None:
        """Publish drafts, each at its label: laxer ones first, for stricter may refer to them."""
        for label, group in self._by_label(drafts):
            if label is Tlp.RED:
                for draft in group:
                    self.refuse(draft, "E_RED_UNSUPPORTED", "it prints TLP:RED")
                continue
            definitions = [] if label == self._tlp else _definitions_in(drafts)
            self._publish_label(label, group, definitions)

    def _by_label(self, drafts: Sequence[Draft]) -> list[tuple[Tlp, list[Draft]]]:
        with self._node.database.read() as tx:
            definitions = known_definitions(tx, self._node, drafts)
        found: dict[Tlp, list[Draft]] = {}
        for draft in drafts:
            label = self._tlp
            if "object_marking_refs" in draft.value or "granular_markings" in draft.value:
                label = effective_label(draft.value, self._tlp, definitions).label.tlp
            found.setdefault(label, []).append(draft)
        return sorted(found.items())

    def _publish_label(
        self, label: Tlp, group: Sequence[Draft], definitions: Sequence[Draft]
    ) -> None:
        request = self._request
        # What prints a label that needs names stays here where nobody was named.
        private = request.is_private or (request.share and label >= Tlp.AMBER > self._tlp)
        asked = PublishRequest(
            drafts=[*definitions, *group],
            tlp=label,
            to=() if private else request.to,
            groups=self._groups(private=private),
            wrap=None if private or self._given.names is None else self._wrap,
            lineage=(f"feed:{request.feed}",),
            pap=request.pap,
            dry_run=request.dry_run,
            actor=request.actor,
            progress=request.progress,
        )
        if not request.dry_run:
            asked = replace(asked, note=self._mark)
        try:
            done = publish_objects(self._node, asked)
        except SharingRefused as refused:
            if label == self._tlp:
                raise
            for draft in group:
                self.refuse(draft, refused.code, refused.detail)
            return
        self._count(label, group, done)

    def _groups(self, *, private: bool) -> tuple[str, ...]:
        if not private:
            return self._request.groups
        if not self._request.dry_run:
            ensure_private_group(self._node)
        return (PRIVATE_GROUP,)

    def _wrap(self, values: Sequence[Mapping[str, object]]) -> Draft:
        draft = wrap_names(self._node, f"Import of {self._request.feed}", values)
        self._mark.wrapping.append(str(draft.value["id"]))
        return draft

    def _count(self, label: Tlp, group: Sequence[Draft], done: PublishOutcome) -> None:
        sealed = frozenset(done.stix_ids)
        refused = {line.stix_id: line for line in reversed(done.refused)}
        types = self.outcome.labels.setdefault(label.wire, Counter())
        for draft in group:
            stix_id = str(draft.value.get("id"))
            if stix_id in sealed:
                types[str(draft.value["type"])] += 1
                self._counts["changed" if self._is_changed(draft) else "taken"] += (
                    draft.line is not None
                )
            elif stix_id in refused:
                self.refuse(draft, refused[stix_id].code, refused[stix_id].detail)
            else:
                self._counts["duplicate"] += draft.line is not None
        self.outcome.feeds |= dict.fromkeys(done.feeds)
        self._mark.feeds |= dict.fromkeys(done.feeds)
        self.outcome.entries += done.entries

    def _is_changed(self, draft: Draft) -> bool:
        line = draft.line
        return line is not None and (line in self._changed or self._given.is_changed(line))

    def finish(self) -> ImportOutcome:
        """Bring the counts of the reader and of the publication together, and note them."""
        report, outcome = self._given.report(), self.outcome
        outcome.report = report
        for code, number in report.counts().items():
            if code in _DUPLICATES:
                self._counts["duplicate"] += number
            else:
                outcome.refused[code] += number
        for line in report.skipped:
            if line.code not in _DUPLICATES:
                outcome.examples.setdefault(line.code, (line.line, line.text, line.detail))
        outcome.counts = {
            "total": report.total_lines,
            "taken": self._counts["taken"],
            "changed": self._counts["changed"],
            "duplicate": self._counts["duplicate"],
            "refused": sum(outcome.refused.values()),
            "comments": report.comments,
            "blanks": report.blanks,
        }
        self._mark.counts.update(outcome.counts)
        if self._mark.is_stored:
            outcome.import_id = self._mark.row.import_id
            self._note()
        return outcome

    def _note(self) -> None:
        outcome, node = self.outcome, self._node
        with node.database.write() as tx:
            now = node.now()
            stored.update_import(
                tx,
                self._mark.row.import_id,
                state=stored.LIVE,
                ended_at=now,
                counts=dict(self._mark.counts),
                audience=list(self._mark.feeds),
            )
            store_event(
                tx, now, self._request.actor, "IMPORTED", import_id=self._mark.row.import_id,
                feed=outcome.feed, format=outcome.format, tlp=outcome.tlp.wire,
                private=self._request.is_private, **outcome.counts,
            )  # fmt: skip


def _definitions_in(drafts: Iterable[Draft]) -> list[Draft]:
    return [draft for draft in drafts if draft.value.get("type") == "marking-definition"]
