r"""Which names may be taken for others: mixed scripts, and letters that look alike (DNS 2, UTS 39).

Decides what a person is warned of. Nothing here refuses a name: it may be right, and a real
look-alike is just what has to be reported.

* **mixed-script**: a label uses scripts that no language mixes. Latin with Han and Kana, Bopomofo
  or Hangul is mixed every day (UTS 39 §5.2, "highly restrictive").
* **mixed-digits**: a label has digits of two scripts, of which one may look like another number.
* **whole-script**: a label of one script reads as a Latin one, under a top-level domain of another
  script; ``аррӏе`` is Cyrillic throughout.
* **lookalike**: it reads like a name that one knows: ``paypa1``, ``rnicrosoft``, ``pаypаl``.
* **embedded**: a name that one knows stands in it, and is not what is registered:
  ``paypal.com.evil.example``.
* **hidden**: a label holds a character without a width of its own.

A script is the first word of a character's Unicode name, which for the letters of the root zone is
its script; the skeleton maps a selection of Unicode's confusables (UTS 39,
https://www.unicode.org/Public/security/, Unicode License v3) to Latin letters, and leaves out
accents. The table is written here, a hundred letters long: what is not in it goes unnoticed.

Does not: know which names are worth imitating (``LookalikeIndex`` is given them); look at the
registrable domain alone, because a look-alike may stand in any label above the suffix.

>>> [warning.kind for warning in warnings_of("xn--pypl-53dc.example")]
['mixed-script']
>>> index = LookalikeIndex(["paypal.com"])
>>> [warning.looks_like for warning in warnings_of("paypa1.com", index)]
['paypal.com']
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from schemas.dns.names import registrable_domain, u_label_of

MIXED_SCRIPT: Final = "mixed-script"
MIXED_DIGITS: Final = "mixed-digits"
WHOLE_SCRIPT: Final = "whole-script"
LOOKALIKE: Final = "lookalike"
EMBEDDED: Final = "embedded"
HIDDEN: Final = "hidden"

_COMMON: Final = "COMMON"
_HAN: Final = frozenset({"HAN", "CJK", "IDEOGRAPHIC"})
_EAST_ASIA: Final = (
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)
_JOINERS: Final = "\u200c\u200d"

_LOOKS: Final = {
    # Cyrillic.
    "а": "a", "в": "b", "с": "c", "ԁ": "d", "е": "e", "ґ": "r", "г": "r", "һ": "h", "н": "h",
    "і": "i", "ї": "i", "ј": "j", "к": "k", "ӏ": "l", "м": "m", "о": "o", "п": "n", "р": "p",
    "ԛ": "q", "ѕ": "s", "т": "t", "у": "y", "ү": "y", "ѵ": "v", "ԝ": "w", "ш": "w", "х": "x",
    "ь": "b", "з": "3", "ё": "e", "ӓ": "a", "ҫ": "c", "ӧ": "o", "ѡ": "w", "ө": "o", "б": "6",
    # Greek.
    "α": "a", "β": "b", "γ": "y", "ε": "e", "η": "n", "ι": "i", "κ": "k", "μ": "u", "ν": "v",
    "ο": "o", "ρ": "p", "σ": "o", "ς": "c", "τ": "t", "υ": "u", "χ": "x", "ω": "w", "ϲ": "c",
    "ϳ": "j", "δ": "d",
    # Armenian.
    "օ": "o", "ս": "u", "հ": "h", "ո": "n", "ց": "g", "զ": "q", "յ": "j", "ք": "p", "լ": "l",
    "վ": "u", "ա": "w", "ղ": "n",
    # Georgian, Hebrew, Arabic, Thai and Lao, as far as a single letter or digit goes.
    "ჿ": "y", "ס": "o", "ו": "l", "ן": "l", "ا": "l", "ه": "o", "๐": "o", "໐": "o", "०": "o",
    # Latin beyond the accents, which go with their marks.
    "ı": "i", "ɩ": "i", "ɪ": "i", "ł": "l", "ɫ": "l", "ø": "o", "ɵ": "o", "đ": "d", "ð": "d",
    "ħ": "h", "ɡ": "g", "ɢ": "g", "ɑ": "a", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "p", "ŋ": "n",
    "ƙ": "k", "ɓ": "b", "ɗ": "d", "ɛ": "e", "ƴ": "y", "ʋ": "u", "ŧ": "t", "ʏ": "y", "ᴏ": "o",
    # ASCII.
    "0": "o", "1": "l", "5": "s",
}  # fmt: skip
"""What looks like which; each the other's image only at a glance, and in some typeface."""
_MAPPED: Final = str.maketrans(_LOOKS)
_GROUPS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))


@dataclass(frozen=True, slots=True)
class NameWarning:
    """What a person may be mistaken in.

    Args:
        kind: one of this module's words.
        label: as it is shown.
        scripts: those of the label, where they are what is odd.
        looks_like: the name for which it may be taken.
    """

    kind: str
    label: str
    scripts: tuple[str, ...] = ()
    looks_like: str | None = None


class LookalikeIndex:
    """Names that are worth imitating, by what they look like.

    A million names pass by here: what is looked up first is the skeleton of each label, and the
    public suffix of the few alone that match.

    Args:
        names: A-labels; of each what is registered is what is looked for.
    """

    __slots__ = ("_registered", "_words")

    def __init__(self, names: Iterable[str]) -> None:
        self._registered = {registrable_domain(name) or name for name in names}
        self._words: dict[str, list[str]] = {}
        for registered in sorted(self._registered):
            word = u_label_of(registered.partition(".")[0])
            self._words.setdefault(skeleton(word), []).append(registered)

    def __len__(self) -> int:
        return len(self._registered)

    def find(self, name: str) -> str | None:
        """Name the known name that a name may be taken for; None for one that is known itself.

        Args:
            name: an A-label, without a wildcard.
        """
        shown = u_label_of(name)
        made = skeleton(shown).split(".")
        # Not the last: a single label is registered by nobody.
        if not any(word in self._words for word in made[:-1]):
            return None
        registered = registrable_domain(name)
        if registered is None or registered in self._registered:
            return None
        place = name.count(".") - registered.count(".")
        return self._imitated(u_label_of(registered), made[place], ".".join(made[place + 1 :]))

    def _imitated(self, shown: str, word: str, suffix: str) -> str | None:
        known = self._words.get(word, ())
        same = (each for each in known if skeleton(each.partition(".")[2]) == suffix)
        found = next(same, None)
        # `paypal.example` says the same word as `paypal.com`, and openly: only a disguised one is
        # looked for under other suffixes, and none that is so short that words meet by chance.
        written = shown.partition(".")[0]
        if found is None and known and len(word) >= _LEAST_WORD and written != word:
            honest = {u_label_of(each.partition(".")[0]) for each in known}
            return None if written in honest else known[0]
        return found

    def embedded_in(self, name: str) -> str | None:
        """Name the known name that stands within a name, above what is registered."""
        labels = name.split(".")
        if len(labels) < _LEAST_LABELS:
            return None
        runs = (
            ".".join(labels[begin:end])
            for begin in range(len(labels) - 3)
            for end in range(begin + 2, min(begin + 4, len(labels) - 2) + 1)
        )
        found = next((run for run in runs if run in self._registered), None)
        if found is None:
            return None
        registered = registrable_domain(name)
        inside = registered is not None and f".{name[: -len(registered)]}".find(f".{found}.") >= 0
        return found if inside and registered not in self._registered else None


_LEAST_WORD: Final = 5
"""Letters of a word that is looked for under other suffixes, too."""
_LEAST_LABELS: Final = 4
"""Of a name with a known one in it: two of each."""


def warnings_of(name: str, known: LookalikeIndex | None = None) -> tuple[NameWarning, ...]:
    """Say what is odd about a name, as it is shown.

    Args:
        name: an A-label.
        known: names that it may imitate.
    """
    found: list[NameWarning] = []
    if "xn--" in name or not name.isascii():
        shown = u_label_of(name)
        labels = shown.split(".")
        top = scripts_of(labels[-1])
        for label in labels:
            if not label.isascii():
                found += _warnings_of_label(label, top)
    imitated = None if known is None else known.find(name)
    if imitated is not None:
        found.append(NameWarning(LOOKALIKE, u_label_of(name), looks_like=imitated))
    inside = None if known is None else known.embedded_in(name)
    if inside is not None:
        found.append(NameWarning(EMBEDDED, u_label_of(name), looks_like=inside))
    return tuple(found)


def _warnings_of_label(label: str, top: frozenset[str]) -> Iterator[NameWarning]:
    scripts = scripts_of(label)
    if len(scripts) > 1 and not any(scripts <= mixed for mixed in _EAST_ASIA):
        yield NameWarning(MIXED_SCRIPT, label, tuple(sorted(scripts)))
    elif scripts and "LATIN" not in scripts and not scripts <= top:
        made = skeleton(label)
        if made.isascii():
            yield NameWarning(WHOLE_SCRIPT, label, tuple(sorted(scripts)), looks_like=made)
    zeros = {ord(c) - unicodedata.digit(c, 0) for c in label if unicodedata.category(c) == "Nd"}
    if len(zeros) > 1:
        yield NameWarning(MIXED_DIGITS, label, tuple(sorted(scripts)))
    if any(joiner in label for joiner in _JOINERS):
        yield NameWarning(HIDDEN, label)


def scripts_of(label: str) -> frozenset[str]:
    """List the scripts of a label, as it is shown; digits, hyphens and marks are of none."""
    found = {_script(character) for character in label if not character.isascii()}
    if any(character.isascii() and character.isalpha() for character in label):
        found.add("LATIN")
    return frozenset(found - {_COMMON})


@lru_cache(maxsize=4_096)
def _script(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] != "L" and category != "Nl":
        return _COMMON
    word = unicodedata.name(character, _COMMON).partition(" ")[0]
    if word in _HAN:
        return "HAN"
    # `ー` is of both; what is named after a form of another script is of that.
    return _COMMON if word in {"KATAKANA-HIRAGANA", "MODIFIER", "FULLWIDTH", "HALFWIDTH"} else word


def skeleton(text: str) -> str:
    """Return what a name looks like: equal for names that may be taken for each other.

    Args:
        text: as it is shown, in lower case.
    """
    if not text.isascii():
        # Once mapped and once taken apart: `ї` is in the table, `é` is a letter and a mark.
        text = unicodedata.normalize("NFKD", text.translate(_MAPPED))
        text = "".join(c for c in text if not unicodedata.category(c).startswith("M"))
        text = "".join(c for c in text if c not in _JOINERS)
    text = text.translate(_MAPPED)
    for group, letter in _GROUPS:
        text = text.replace(group, letter)
    return text


def scripts_in(name: str) -> tuple[str, ...]:
    """List the scripts of a whole name, given as an A-label."""
    return tuple(sorted({s for label in u_label_of(name).split(".") for s in scripts_of(label)}))
