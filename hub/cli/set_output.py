"""How ``tocsin set`` shows what was published and what is held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from hub.cli.output import (
    DONE,
    FAILED,
    REFUSED,
    count,
    hint,
    plain,
    say,
    show_facts,
    show_table,
)
from hub.cli.report_output import SHOWN_LINES, report_document, tell_report

if TYPE_CHECKING:
    from hub.exchange.publish_sets import PublishedSet, SetsOutcome
    from hub.exchange.set_listing import KnownSet
    from hub.imports.set_names import SetNames

_STANDS: Final = frozenset({"new", "changed", "unchanged"})
_LET_GO: Final = frozenset({"dropping", "dropped"})
_KIB: Final = 1024


def exit_code(outcome: SetsOutcome) -> int:
    """Return 0 when every list stands published; 1 when there was none, 3 when one was refused."""
    if not outcome.sets:
        return FAILED
    return DONE if all(each.state in _STANDS for each in outcome.sets) else REFUSED


def outcome_document(outcome: SetsOutcome, found: SetNames, *, dry_run: bool) -> dict[str, Any]:
    """Make the document of a publication."""
    document: dict[str, Any] = plain(outcome)
    return document | {
        "dry_run": dry_run,
        "names": len({line.name for line in found.lines}),
        "import": report_document(found.names),
        "dates": None if found.dates is None else report_document(found.dates),
        "unlisted": len(found.unlisted),
    }


def tell_outcome(outcome: SetsOutcome, found: SetNames, *, dry_run: bool) -> None:
    """Tell what was taken, which lists were made, and who gets which."""
    tell_report(found.names, "Names")
    if found.dates is not None:
        tell_report(found.dates, "Days")
    if found.unlisted:
        first = ", ".join(found.unlisted[:SHOWN_LINES])
        hint(f"{count(len(found.unlisted), 'name')} with days but not in the list: {first} …")
    say("Would publish:" if dry_run else "Published:")
    show_table(
        ("list", "state", "names", "added", "removed", "KiB", "delta KiB", "id"),
        [
            (
                _part(s),
                s.state,
                s.names,
                s.added,
                s.removed,
                _kib(s.size),
                _kib(s.delta_size),
                s.stix_id,
            )
            for s in outcome.sets
        ],
    )
    show_table(
        ("peer", "list", "names", "decision", "code", "why"),
        [
            (line.name, _part(s), s.names, line.decision, line.code, line.why)
            for s in outcome.sets
            for line in s.audience
        ],
    )
    for each in outcome.sets:
        for refused in each.refused[:SHOWN_LINES]:
            hint(f"Refused {refused.stix_id}: {refused.detail} ({refused.code}) {refused.remedy}")
    for name in outcome.idle:
        hint(f"{name} gets nothing: no name is in its TLDs.")
    if outcome.left_over:
        hint(f"Nobody was named for: {_some(outcome.left_over)}.")


def _part(published: PublishedSet) -> str:
    return "all names" if published.tld is None else f".{published.tld}"


def _kib(size: int | None) -> str | None:
    return None if size is None else f"{size / _KIB:,.1f}"


def _some(words: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(f".{word}" for word in words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


def tell_sets(known: Sequence[KnownSet]) -> None:
    """Show sets as a table."""
    show_table(
        ("id", "origin", "family", "TLD", "names", "from", "until", "TLP", "state", "adopted"),
        [
            (
                each.id, each.origin_name, _title(each), each.tld, f"{each.names:,}",
                _day(each.valid_from), _day(each.valid_until), each.tlp, state_in_words(each),
                each.adopted,
            )
            for each in known
        ],
    )  # fmt: skip


def tell_set(known: KnownSet) -> None:
    """Show all that is known of one set."""
    facts = plain(known)
    show_facts(facts | {"state": state_in_words(known)})


def state_in_words(known: KnownSet) -> str:
    """Say how far a set is."""
    if known.state == "expanding":
        return f"expanded {known.done:,}/{known.names:,}"
    if known.ended and known.state in {"expanded", *_LET_GO}:
        return "ended"
    if known.state in _LET_GO:
        return "let go"
    why = f" ({known.code})" if known.code else ""
    return ("waits for its list" if known.state == "waits" else known.state) + why


def _title(known: KnownSet) -> str | None:
    return f"{known.family}.{known.variant}" if known.variant else known.family


def _day(at: Any) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d}"
