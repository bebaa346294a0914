"""Which domain name a text means (DNS 2).

Decides: one text, one name in its A-label form, or a refusal with a stable code.

Invariants:
* an ASCII name never goes through IDNA: of 1.34 million real names 5,477 carry an underscore
  and some ``xn--`` labels are invalid yet real;
* an address is never taken for a name, in whatever script its digits are written;
* the A-label is what is kept and compared; the U-label is for showing only.

Does not: look anything up; decide whether a name may be published (a public suffix needs a
second person, ``is_public_suffix``).

>>> read_name("*.Evil.Example.")
DnsName(a_label='evil.example', u_label='evil.example', subtree=True)
>>> read_name("hxxps://evil[.]example:443/path", refang=True).a_label
'evil.example'
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cache

import idna
from publicsuffixlist import PublicSuffixList

from schemas.errors import WireFormatError

MAX_NAME = 253
MAX_LABEL = 63
_MAX_TEXT = 2048
"""A URL may be longer than its name; beyond this nothing is a name that a person meant."""

_PLAIN = re.compile(
    r"(?:[a-z0-9_-]{1,63}\.)*(?!(?:[0-9]+|0x[0-9a-f]*)\Z)[a-z0-9_-]{1,63}", re.ASCII
)
"""A name whose last label is no number; the length of the whole is checked beside it."""
_CHARACTERS = re.compile(r"[a-z0-9_.-]*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DEFANGED_SCHEME = re.compile(r"^hxxp(s?)(?=:)", re.IGNORECASE)
_DEFANGED_DOT = re.compile(r"\[\.\]|\(\.\)|\[dot\]", re.IGNORECASE)
_PORT = re.compile(r":[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class DnsName:
    """A domain name.

    Args:
        a_label: lower case, ASCII, without a trailing dot; what is kept and compared.
        u_label: for showing; equal to ``a_label`` where no label decodes.
        subtree: written as ``*.name``, so it means everything below too.
    """

    a_label: str
    u_label: str
    subtree: bool = False


def read_name(text: str, *, refang: bool = False) -> DnsName:
    """Read a domain name.

    Args:
        text: one name, perhaps ``*.name``.
        refang: for input by people and CSV only: undo ``hxxp``, ``[.]``, ``(.)`` and ``[dot]``,
            and take the name out of a URL or before a port. Never for objects over TAXII, where
            it would give one object two readings.

    Raises:
        WireFormatError: ``E_NAME_EMPTY``, ``E_NAME_URL``, ``E_NAME_PORT``, ``E_NAME_ADDRESS``,
            ``E_NAME_LONG``, ``E_NAME_LABEL``, ``E_NAME_CHARACTER`` or ``E_NAME_IDNA``.
    """
    text = text.strip()
    # (1) Bounded before anything scans it more than once.
    if len(text) > _MAX_TEXT:
        raise WireFormatError("E_NAME_LONG", f"longer than {_MAX_TEXT} characters")
    # (2) What people do to names so that nobody clicks on them.
    if refang:
        text = _without_url(_refanged(text))
    # (3) `*.x` is x and all below it.
    subtree = text.startswith("*.")
    if subtree:
        text = text[2:]
    # (4) One trailing dot says only that the name is whole.
    name = text.lower().removesuffix(".")
    # (5) The common case: plain ASCII, nothing encoded, nothing that could be an address.
    if len(name) <= MAX_NAME and "xn--" not in name and _PLAIN.fullmatch(name):
        return DnsName(name, name, subtree)
    if not name:
        raise WireFormatError("E_NAME_EMPTY", "no name")
    if not name.isascii():
        # (6) Only now IDNA, and the answer passes every check again: full-width digits would
        # else come out as an address, and a mapped slash as a URL.
        name = _encoded(name)
    _check_ascii(name)
    return DnsName(name, u_label_of(name), subtree)


def is_plain_name(name: str) -> bool:
    """Tell whether a text is a name already in the form that ``read_name`` would return.

    Its fast path alone, for lists of a million names; also of names with ``xn--``, whose A-label
    ``read_name`` takes as it is.
    """
    return len(name) <= MAX_NAME and _PLAIN.fullmatch(name) is not None


def _refanged(text: str) -> str:
    return _DEFANGED_DOT.sub(".", _DEFANGED_SCHEME.sub(r"http\1", text))


def _without_url(text: str) -> str:
    """Take the host out of ``scheme://user@host:port/path`` or ``host:port``."""
    scheme = _SCHEME.match(text)
    text = re.split(r"[/?#\\]", text[scheme.end() :] if scheme else text, maxsplit=1)[0]
    # Only a URL has a user before its host: `someone@mail.example` names a person, and blocking
    # the mail provider for it would be our mistake.
    text = text.rpartition("@")[2] if scheme else text
    host, colon, port = text.rpartition(":")
    return host if colon and port.isascii() and port.isdigit() and ":" not in host else text


def _encoded(name: str) -> str:
    if _SCHEME.match(name) or "/" in name:
        raise WireFormatError("E_NAME_URL", "a URL, not a name")
    # Joiners are not refused here: Persian names need them, and idna knows where.
    if any(character.isspace() for character in name):
        raise WireFormatError("E_NAME_CHARACTER", "white space inside a name")
    try:
        return idna.encode(name, uts46=True).decode("ascii").lower().removesuffix(".")
    except (idna.IDNAError, UnicodeError) as error:
        raise WireFormatError("E_NAME_IDNA", str(error)[:200]) from None


def _check_ascii(name: str) -> None:
    """Check an ASCII name in lower case; the order makes the code name the likeliest mistake."""
    host, slash, _ = name.partition("/")
    if _is_address(host):
        raise WireFormatError("E_NAME_ADDRESS", "an address, not a name")
    if slash or _SCHEME.match(name):
        raise WireFormatError("E_NAME_URL", "a URL, not a name")
    before, colon, _ = name.partition(":")
    if colon:
        if _is_address(before):
            raise WireFormatError("E_NAME_ADDRESS", "an address with a port, not a name")
        if _PORT.fullmatch(name[len(before) :]):
            raise WireFormatError("E_NAME_PORT", "a name with a port")
        raise WireFormatError("E_NAME_CHARACTER", "a character that no name has")
    if not _CHARACTERS.fullmatch(name):
        raise WireFormatError("E_NAME_CHARACTER", "a character that no name has")
    if len(name) > MAX_NAME:
        raise WireFormatError("E_NAME_LONG", f"longer than {MAX_NAME} characters")
    labels = name.split(".")
    for label in labels:
        if not 1 <= len(label) <= MAX_LABEL:
            raise WireFormatError("E_NAME_LABEL", f"a label is not 1 to {MAX_LABEL} characters")
    # A last label that is a number makes every browser and resolver library read an address,
    # 127.1 and 0x7f.1 included; no top-level domain is one (RFC 3696 §2).
    if _NUMBER.fullmatch(labels[-1]):
        raise WireFormatError("E_NAME_ADDRESS", "ends in a number as an address does")


def _is_address(text: str) -> bool:
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    if not (text[:1].isdigit() or ":" in text):
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def u_label_of(name: str) -> str:
    """Return an A-label as it is shown; itself where no label decodes and leads back."""
    if "xn--" not in name:
        return name
    return ".".join(_shown_label(label) for label in name.split("."))


def _shown_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        shown = idna.ulabel(label)
        # Shown only if it leads back: else two names could look the same.
        return shown if idna.alabel(shown).decode("ascii") == label else label
    except (idna.IDNAError, UnicodeError):
        return label


def is_public_suffix(name: str) -> bool:
    """Tell whether a name is a TLD or a public suffix, private ones such as dyndns.org included.

    Args:
        name: an A-label in lower case. A single label always counts as one.
    """
    return bool(_suffixes().is_public(name))


def registrable_domain(name: str) -> str | None:
    """Name what a registrant registered: one label below the public suffix, or None at or above."""
    registrable: str | None = _suffixes().privatesuffix(name)
    return registrable


@cache
def _suffixes() -> PublicSuffixList:
    # On first use: the list inside the wheel takes a tenth of a second and some megabytes.
    return PublicSuffixList()
