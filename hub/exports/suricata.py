r"""Write the list for Suricata 7: datasets and the few rules that look into them (DNS 4).

A dataset compares a whole buffer, so a name and everything below it cannot be one entry as it is.
Hence a dataset for each number of labels: a rule puts a dot before the queried name, keeps as many
labels of its end as the dataset's names have, and looks that up. A million subtrees are a handful
of rules. What was measured with Suricata 7.0.10: a queried name with fewer labels stays as it is,
with too few to be equal to any entry.

Invariants:
* names are base64 in the lists, one a line, and in no rule: nothing of a name can end a rule;
* each rule lowers the case first, since DNS and TLS do not (RFC 4343);
* of a name alone the dataset is exact; of what is only below a name no dot is put before, so that
  the name itself has one label too few;
* the number of a rule (``sid``) says what it looks at and never changes with the list.

What it does not do: see a name server's name in answers, for which Suricata 7 has no buffer; what a
resolver asks to find that server is seen (``nsdname``).
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from hub.exports.line_chunks import write_lines
from hub.exports.listed_name import ExportContext, ListedName
from hub.exports.plain_words import plain_word
from schemas.dns.subjects import OF_NAMES, QNAME

RULES: Final = "tocsin.rules"
ADDRESSES: Final = "addresses"
FIRST_SID: Final = 1_987_000
"""Of the range for local rules; 1,000 from here are Tocsin's, and those of prefixes behind them."""
_PREFIX_SID: Final = FIRST_SID + 1_000
_PREFIXES_A_RULE: Final = 200
_LABELS: Final = 128
"""More than a name can have (RFC 1035 §2.3.4)."""
_KINDS: Final = {QNAME: "names", "nsdname": "servers"}
_SCOPES: Final = {"exact": "", "subtree": "below", "wildcard-only": "only-below"}
_BYTES_AN_ENTRY: Final = 512
_LEAST_MEGABYTES: Final = 16
_LEAST_ROWS, _MOST_ROWS = 1_024, 262_144
"""Of a dataset's hash table; Suricata 7.0.10 refuses more (``single-hashsize``)."""


@dataclass(frozen=True, slots=True)
class _Dataset:
    """What one dataset holds, and how rules get at it.

    Args:
        kind: ``names`` or ``servers``.
        labels: of each name; 0 where names are compared whole.
    """

    kind: str
    scope: str
    labels: int

    @property
    def name(self) -> str:
        words = ("tocsin", self.kind, _SCOPES[self.scope], str(self.labels or ""))
        return "-".join(word for word in words if word)

    @property
    def sid(self) -> int:
        """The place of its rules, from 0 on; each protocol adds its own hundreds."""
        return self.labels + (_LABELS if self.scope == "wildcard-only" else 0)

    @property
    def transforms(self) -> str:
        """How a queried name becomes what the dataset may hold."""
        if not self.labels:
            return "to_lowercase"
        dot = "dotprefix; " if self.scope == "subtree" else ""
        return f'to_lowercase; {dot}pcrexform:"{_end_of(self.labels)}"'


@dataclass(frozen=True, slots=True)
class _Look:
    """Where a rule looks, and what it says."""

    kind: str
    protocol: str
    buffer: str
    first_sid: int
    words: str


_LOOKS: Final = (
    _Look("names", "dns", "dns.query", FIRST_SID, "a listed name was asked for"),
    _Look("names", "tls", "tls.sni", FIRST_SID + 300, "TLS with a listed name"),
    _Look("servers", "dns", "dns.query", FIRST_SID + 600, "a listed name server was looked for"),
)
_ADDRESS_SID: Final = FIRST_SID + 900


def write_suricata(
    listed: Sequence[ListedName], context: ExportContext
) -> Mapping[str, Iterable[bytes]]:
    """Write the rules and the datasets beside them, which they load by relative names."""
    datasets: dict[_Dataset, list[str]] = {}
    networks: dict[ipaddress.IPv4Network | ipaddress.IPv6Network, None] = {}
    for each in listed:
        if each.match_on in OF_NAMES:
            datasets.setdefault(_dataset_of(each), []).append(each.value)
        else:
            networks[ipaddress.ip_network(each.value)] = None
    single = [str(net.network_address) for net in networks if net.num_addresses == 1]
    prefixes = [str(net) for net in networks if net.num_addresses > 1]
    files: dict[str, Iterable[bytes]] = {
        RULES: write_lines(_rules(datasets, single, prefixes, context))
    }
    for dataset, names in datasets.items():
        files[f"{dataset.name}.lst"] = write_lines(_entries(dataset, names))
    if single:
        files[f"tocsin-{ADDRESSES}.lst"] = write_lines(single)
    return files


def _dataset_of(each: ListedName) -> _Dataset:
    labels = 0 if each.match_scope == "exact" else each.value.count(".") + 1
    return _Dataset(_KINDS[each.match_on], each.match_scope, labels)


def _entries(dataset: _Dataset, names: Iterable[str]) -> Iterator[str]:
    dot = b"." if dataset.labels else b""
    for name in names:
        yield base64.b64encode(dot + name.encode("ascii")).decode("ascii")


def _end_of(labels: int) -> str:
    """Write the expression that keeps so many labels at the end, and the dot before them."""
    return rf"(\.(?:[^.]+\.){{{labels - 1}}}[^.]+)$"


def _rules(
    datasets: Mapping[_Dataset, Sequence[str]],
    single: Sequence[str],
    prefixes: Sequence[str],
    context: ExportContext,
) -> Iterator[str]:
    yield (
        f"# Tocsin of {plain_word(context.node_name)}: list of {context.audience}, at most "
        f"TLP:{context.label.wire.upper()}, serial {context.serial}. Written anew with each change."
    )
    for dataset in sorted(datasets, key=lambda one: (one.kind, one.sid)):
        loaded = f"dataset:isset,{dataset.name},type string,load {dataset.name}.lst,"
        loaded += _memory(len(datasets[dataset]))
        for look in _LOOKS:
            if look.kind == dataset.kind:
                match = f"{look.buffer}; {dataset.transforms}; {loaded}"
                yield _rule(
                    f"{look.protocol} any any -> any any", look.words, match,
                    look.first_sid + dataset.sid,
                )  # fmt: skip
    words = "traffic to a listed address"
    if single:
        name = f"tocsin-{ADDRESSES}"
        match = f"ip.dst; dataset:isset,{name},type ip,load {name}.lst,{_memory(len(single))}"
        yield _rule("ip any any -> any any", words, f"{match}; {_SELDOM}", _ADDRESS_SID)
    waiting = iter(prefixes)
    sid = _PREFIX_SID
    while taken := list(islice(waiting, _PREFIXES_A_RULE)):
        yield _rule(f"ip any any -> [{','.join(taken)}] any", words, _SELDOM, sid)
        sid += 1


_SELDOM: Final = "threshold:type limit,track by_src,seconds 60,count 1"
"""These look at packets, of which a connection has many."""


def _rule(traffic: str, words: str, match: str, sid: int) -> str:
    return f'alert {traffic} (msg:"Tocsin: {words}"; {match}; sid:{sid}; rev:1;)'


def _memory(count: int) -> str:
    rows = min(_MOST_ROWS, max(_LEAST_ROWS, 1 << count.bit_length()))
    megabytes = max(_LEAST_MEGABYTES, 1 + (count * _BYTES_AN_ENTRY >> 20)) + (rows >> 13)
    return f"memcap {megabytes}mb,hashsize {rows}"
