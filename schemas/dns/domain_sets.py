r"""The list of a domain set: its one canonical form, read and written (DNS 1, "Volume").

Decides: which bytes a list of names is, and which names bytes are. The form is lower-case A-labels,
sorted bytewise, none twice, each ended by a line feed, in gzip; a dated list has lines
``name,first,last`` of UTC days, both inclusive, and the windows of one name do not overlap.
What names the list is the SHA-256 of the gzip bytes, as they are served (PROTOCOL 2.6).

Invariants:
* one set of names has one list: order and doubles of the input change no byte;
* no more is unpacked than the stated number of lines can need, and never all of it at once: the
  first line that is no name or out of order ends the reading, so a bomb is not unpacked;
* each line is a name that ``read_name`` would return unchanged.

Does not: fetch or keep lists; judge names (guards do that to verdicts, as with any claim). There
is no bound on gzip's ratio beside that: names that a simple algorithm makes pack very well.

>>> whole = write_list([SetLine("b.example"), SetLine("a.example"), SetLine("b.example")])
>>> whole.count, [line.name for line in read_list(whole.data, dated=False, count=2)]
(2, ['a.example', 'b.example'])
>>> day = date(2009, 4, 1)
>>> dated = write_list([SetLine("a.example", day, day)])
>>> [line.is_on(day) for line in read_list(dated.data, dated=True, count=1)]
[True]
"""

from __future__ import annotations

import hashlib
import operator
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from heapq import merge
from itertools import chain, islice, pairwise
from typing import Any, Final

from schemas.dns.extensions import DNS_BATCH, MAX_SET_NAMES, check_extension
from schemas.dns.names import MAX_NAME, is_plain_name
from schemas.dns.set_lines import SetLine, merged, require_window
from schemas.errors import WireFormatError
from schemas.timestamps import read_stix_time

__all__ = [
    "DATED_FORM", "ENCODING", "MAX_BYTES", "MAX_NAMES", "PLAIN_FORM", "Delta", "DomainSet",
    "SealedList", "SetLine", "apply_delta", "digest_of", "find_delta", "read_list", "read_set",
    "write_list",
]  # fmt: skip

PLAIN_FORM: Final = "a-label-lowercase-lf-sorted"
DATED_FORM: Final = "a-label-dates-lf-sorted"
ENCODING: Final = "gzip"
MAX_NAMES: Final = MAX_SET_NAMES
MAX_BYTES: Final = 16 * 1024 * 1024
"""The gzip bytes of one list at most."""
_DATED_TAIL = len(",2009-04-01,2009-04-01")
_CHUNK = 64 * 1024
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SealedList:
    """A list in its canonical form.

    Args:
        data: the gzip bytes.
        sha256: their digest, in lower-case hex: the list's name.
        count: how many lines it has; the ``domain_count`` of a set.
        dated: whether its lines carry days.
    """

    data: bytes
    sha256: str
    count: int
    dated: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """How a list follows from another, by the digests of lists (PROTOCOL 2.6).

    Args:
        base_sha256: the list before.
        added: the lines that came; None where none did.
        removed: the lines that went; None where none did.
    """

    base_sha256: str
    added: str | None
    removed: str | None


@dataclass(frozen=True, slots=True)
class DomainSet:
    """What a grouping says of the list that it stands for (DNS 1, dns-batch).

    Args:
        sha256: the list's name.
        domain_count: how many lines it must have.
        dated: whether its lines carry days.
        refused: why this release does not read the list, as a code; None where it does.
        match_scope: ``exact`` where the set does not say: the narrowest reading.
    """

    sha256: str
    domain_count: int
    dated: bool
    refused: str | None
    match_scope: str
    threat_type: str | None
    family: str | None
    variant: str | None
    tld: str | None
    valid_from: datetime | None
    valid_until: datetime | None
    requested_actions: tuple[str, ...]
    delta: Delta | None


def read_set(value: Mapping[str, Any]) -> DomainSet | None:
    """Read what an object says of a list; None where it is no set, or names no list.

    Args:
        value: a STIX object whose extensions were checked (``check_extension``).

    Raises:
        WireFormatError: ``E_SCHEMA``, where they were not.
    """
    extensions = value.get("extensions")
    facts = extensions.get(DNS_BATCH) if isinstance(extensions, Mapping) else None
    if facts is None or value.get("type") != "grouping":
        return None
    check_extension(DNS_BATCH, facts)
    sha256 = facts.get("hashes", {}).get("SHA-256")
    if sha256 is None or "domain_count" not in facts:
        return None
    form, delta = facts.get("canonical_form", PLAIN_FORM), facts.get("delta")
    readable = form in {PLAIN_FORM, DATED_FORM} and facts.get("encoding", ENCODING) == ENCODING
    return DomainSet(
        sha256=sha256,
        domain_count=facts["domain_count"],
        dated=form == DATED_FORM,
        refused=None if readable else "E_SET_FORM",
        match_scope=facts.get("match_scope", "exact"),
        threat_type=facts.get("threat_type"),
        family=facts.get("family"),
        variant=facts.get("variant"),
        tld=facts.get("tld"),
        valid_from=_instant(facts.get("valid_from")),
        valid_until=_instant(facts.get("valid_until")),
        requested_actions=tuple(facts.get("requested_actions", ())),
        delta=delta and Delta(delta["base_sha256"], delta.get("added"), delta.get("removed")),
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else read_stix_time(text)


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of a list's gzip bytes, in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def write_list(lines: Iterable[SetLine]) -> SealedList:
    """Write the canonical list of names in any order, some perhaps said twice.

    Windows of one name that overlap or touch become one.

    Raises:
        WireFormatError: ``E_SET_NAME``, ``E_SET_DATES`` when some lines have days and others have
            none or a window is none, ``E_SET_BIG`` beyond 1,000,000 lines or 16 MiB, or when
            there is no line.
    """
    kept = sorted(_settled(lines))
    _require_number(len(kept))
    return _packed(kept, dated=kept[0].first is not None)


def _packed(lines: Iterable[SetLine], *, dated: bool) -> SealedList:
    """Pack lines that are in order, without holding all of them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16, 9)
    pieces, count, waiting = [], 0, iter(lines)
    while block := list(islice(waiting, _CHUNK)):
        count += len(block)
        _require_number(count)
        texts = (
            [f"{n},{first},{last}" for n, first, last in block] if dated else [n for n, *_ in block]
        )
        pieces.append(packer.compress(("\n".join(texts) + "\n").encode("ascii")))
    _require_number(count)
    pieces.append(packer.flush())
    data = b"".join(pieces)
    if len(data) > MAX_BYTES:
        raise WireFormatError(
            "E_SET_BIG", f"longer than {MAX_BYTES:,} bytes", "Split the list, such as by TLD."
        )
    return SealedList(data, digest_of(data), count, dated)


def _settled(lines: Iterable[SetLine]) -> Iterable[SetLine]:
    """Drop doubles and merge windows; check what a reader would."""
    distinct = set(lines)
    for line in distinct:
        if not is_plain_name(line.name):
            raise WireFormatError("E_SET_NAME", f"not a name in canonical form: {line.name[:80]!r}")
    undated = [line for line in distinct if line.first is None and line.last is None]
    if len(undated) == len(distinct):
        return distinct
    if undated:
        raise WireFormatError(
            "E_SET_DATES",
            f"{undated[0].name} has no days and others have",
            "A list has days for all of its names or for none.",
        )
    for line in distinct:
        require_window(line)
    return merged(sorted(distinct))


def _require_number(count: int, most: int = MAX_NAMES) -> None:
    if not 1 <= count <= most:
        raise WireFormatError(
            "E_SET_BIG", f"a list has 1 to {most:,} names, not {count:,}", "Split it, or fill it."
        )


def read_list(
    data: bytes, *, dated: bool, count: int | None = None, max_names: int = MAX_NAMES
) -> Iterator[SetLine]:
    """Read a list line by line, checking each; the count is checked at the end.

    Args:
        data: the gzip bytes, whose digest the caller has compared.
        dated: whether its lines carry days.
        count: how many lines it must have; None where nobody said (the lists of a delta).
        max_names: how many lines are read at most.

    Raises:
        WireFormatError: while the lines are read: ``E_SET_BIG``, ``E_SET_GZIP``, ``E_SET_FORM``,
            ``E_SET_NAME``, ``E_SET_DATES``, ``E_SET_ORDER`` or ``E_SET_COUNT``.
    """
    most = max_names if count is None else count
    _require_number(most, max_names)
    if len(data) > MAX_BYTES:
        raise WireFormatError("E_SET_BIG", f"longer than {MAX_BYTES:,} bytes")
    number, previous = 0, SetLine("")
    days: dict[str, date] = {}
    for texts in _lines(data, MAX_NAME + (_DATED_TAIL if dated else 0)):
        if number + len(texts) > most:
            raise WireFormatError("E_SET_COUNT", f"more than the {most:,} lines that it states")
        block = _dated_lines(texts, days, number) if dated else _plain_lines(texts, number)
        _require_order(previous, block, number)
        number += len(block)
        previous = block[-1]
        yield from block
    if number != most if count is not None else number == 0:
        raise WireFormatError("E_SET_COUNT", f"{number:,} lines, and it states {most:,}")


def _lines(data: bytes, longest: int) -> Iterator[list[str]]:
    """Unpack by pieces and cut them into whole lines."""
    rest = ""
    for piece in _unpacked(data):
        try:
            texts = (rest + piece.decode("ascii")).split("\n")
        except UnicodeDecodeError:
            raise WireFormatError("E_SET_FORM", "a byte that is not ASCII") from None
        rest = texts.pop()
        if len(rest) > longest or max(map(len, texts), default=0) > longest:
            raise WireFormatError("E_SET_FORM", f"a line longer than {longest} characters")
        if texts:
            yield texts
    if rest:
        raise WireFormatError("E_SET_FORM", "the last line does not end in a line feed")


def _unpacked(data: bytes) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        for start in range(0, len(data), _CHUNK):
            waiting = data[start : start + _CHUNK]
            while waiting and not unpacker.eof:
                # Never more at once than is asked for, whatever the stream promises.
                piece = unpacker.decompress(waiting, _CHUNK)
                waiting = unpacker.unconsumed_tail
                if piece:
                    yield piece
            if unpacker.eof and (unpacker.unused_data or start + _CHUNK < len(data)):
                raise WireFormatError("E_SET_GZIP", "something follows the list")
        while not unpacker.eof and (piece := unpacker.decompress(b"", _CHUNK)):
            yield piece
    except zlib.error as error:
        raise WireFormatError("E_SET_GZIP", str(error)[:200]) from None
    if not unpacker.eof:
        raise WireFormatError("E_SET_GZIP", "the list is cut off")


def _plain_lines(texts: Sequence[str], before: int) -> list[SetLine]:
    _require_names(texts, before)
    return list(map(SetLine, texts))


def _dated_lines(texts: Sequence[str], days: dict[str, date], before: int) -> list[SetLine]:
    block = []
    for number, text in enumerate(texts, before + 1):
        name, *window = text.split(",")
        if len(window) != 2:  # noqa: PLR2004 - the first day and the last
            raise WireFormatError("E_SET_FORM", f"line {number:,} is not name,first,last")
        line = SetLine(name, *(days.get(day) or _read_day(day, days, number) for day in window))
        require_window(line)
        block.append(line)
    _require_names([line.name for line in block], before)
    return block


def _read_day(text: str, days: dict[str, date], number: int) -> date:
    """Read a day; a list has few different ones, so they are kept while it is read."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        days[text] = date.fromisoformat(text)
    except ValueError:
        raise WireFormatError("E_SET_DATES", f"line {number:,} names no day") from None
    return days[text]


def _require_names(names: Sequence[str], before: int) -> None:
    if all(map(is_plain_name, names)):
        return
    at = next(i for i, name in enumerate(names) if not is_plain_name(name))
    raise WireFormatError("E_SET_NAME", f"line {before + at + 1:,} is not a name in canonical form")


def _require_order(previous: SetLine, block: Sequence[SetLine], before: int) -> None:
    every = chain((previous,), block)
    if block[0].first is None:
        # Tuples whose other members are all None compare by their names.
        good = previous.name < block[0].name and all(map(operator.lt, block, block[1:]))
    else:
        good = all(_follows(one, later) for one, later in pairwise(every))
    if not good:
        raise WireFormatError(
            "E_SET_ORDER",
            f"lines {before + 1:,} to {before + len(block):,} are not sorted, or one stands twice",
        )


def _follows(one: SetLine, later: SetLine) -> bool:
    if one.name != later.name:
        return one.name < later.name
    return one.last is not None and later.first is not None and one.last < later.first


def apply_delta(
    base: bytes, *, added: bytes | None, removed: bytes | None, dated: bool
) -> SealedList:
    """Build a list from the one before it; whether it is the right one, its digest tells.

    Args:
        base: the gzip bytes of the list before.
        added: those of the lines that came; None where none did.
        removed: those of the lines that went; None where none did.
        dated: whether the lists carry days.

    Raises:
        WireFormatError: as ``read_list``, and ``E_SET_BIG`` where no line or too many are left.
    """
    gone = set(read_list(removed, dated=dated)) if removed is not None else set()
    come = read_list(added, dated=dated) if added is not None else ()
    kept = (line for line in read_list(base, dated=dated) if line not in gone)
    # In order already, so that a million names are never held at once. What stands in both would
    # stand twice, and the digest is another one then.
    return _packed(merge(kept, come), dated=dated)


def find_delta(
    base: bytes, whole: bytes, *, dated: bool
) -> tuple[SealedList | None, SealedList | None]:
    """Find the lines that came and the lines that went between two lists of one form.

    Returns:
        Two lists, added and removed; None for one without a line.
    """
    before = set(read_list(base, dated=dated))
    after = set(read_list(whole, dated=dated))
    come, gone = after - before, before - after
    return write_list(come) if come else None, write_list(gone) if gone else None
