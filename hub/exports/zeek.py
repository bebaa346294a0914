r"""Write the list for Zeek's intelligence framework: TSV with ``#fields`` (DNS 4).

Invariants:
* between cells stands one tab; no cell holds a tab, a line end or a backslash (which begins an
  escape there), none is empty, and none says ``-``, which stands for a field that is not set;
* Zeek compares names as they are: of a subtree its own name is listed, and what matches only below
  a name is left out.

What it does not do: raise notices. ``meta.do_notice`` is T where this hub blocks; it takes effect
once ``policy/frameworks/intel/do_notice`` is loaded.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Final

from hub.exports.hosts import ONLY_BELOW
from hub.exports.line_chunks import write_lines
from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.plain_words import threat_word
from schemas.dns.subjects import OF_NAMES

FIELDS: Final = (
    "indicator", "indicator_type", "meta.source", "meta.desc", "meta.do_notice",
)  # fmt: skip
WILDCARD: Final = "wildcard-only"
_LONGEST: Final = 200
_NOT_PLAIN: Final = re.compile(r"[^ -\[\]-~]")
"""All but printable ASCII without the backslash."""
_HOW: Final = {
    "exact": "this name",
    "subtree": "this name and all below it",
}


def write_zeek(listed: Sequence[ListedName], context: ExportContext) -> Iterator[bytes]:
    """Write the header and a line for each listed name that Zeek can match."""
    return write_lines(_lines(listed, clean_cell(f"Tocsin {context.node_name}")))


def why_left_out(name: ListedName) -> str | None:
    """Leave out what Zeek has no way to match."""
    return ONLY_BELOW if name.match_on in OF_NAMES and name.match_scope == WILDCARD else None


def clean_cell(text: str) -> str:
    r"""Make a cell of a text.

    >>> clean_cell("CERT\tExample"), clean_cell(""), clean_cell("#fields")
    ('CERT?Example', '?', '?fields')
    """
    cleaned = _NOT_PLAIN.sub("?", text[:_LONGEST]).strip()
    if cleaned.startswith("#"):
        cleaned = f"?{cleaned[1:]}"
    return "?" if cleaned in {"", "-", "(empty)"} else cleaned


def _lines(listed: Sequence[ListedName], source: str) -> Iterator[str]:
    yield "#fields\t" + "\t".join(FIELDS)
    for each in listed:
        if why_left_out(each) is not None:
            continue
        value, kind = _indicator(each)
        notice = "T" if each.blocked else "F"
        yield "\t".join((value, kind, source, _description(each), notice))


def _indicator(each: ListedName) -> tuple[str, str]:
    if each.match_on in OF_NAMES:
        return each.value, "Intel::DOMAIN"
    network = ipaddress.ip_network(each.value)
    if network.num_addresses == 1:
        return str(network.network_address), "Intel::ADDR"
    return str(network), "Intel::SUBNET"


def _description(each: ListedName) -> str:
    server = "; a name server" if each.match_on in {"nsdname", "nsip"} else ""
    scope = f"; {_HOW[each.match_scope]}" if each.match_on in OF_NAMES else ""
    return (
        f"{threat_word(each)}, confidence {each.confidence}, "
        f"TLP:{each.label.wire.upper()}{scope}{server}"
    )
