"""What an entry says that claims ask for later: lineage, permissible actions, attribution.

Noted beside the entry when it is stored, once an entry and never once an object, so that nobody
has to read 64 signed objects to learn of whom one of them comes.

What it does not do: decide what lineage or a ``pap`` mean (``federation.trust``,
``federation.policy.blocking``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from federation.feeds.content import EntryContent
from federation.policy.blocking import PAP_LEVELS
from schemas.identifiers import read_b64
from schemas.markings import Tlp
from schemas.strict_json import strict_loads


class EntrySource(TypedDict, total=False):
    """The columns of an entry that hold it."""

    src: list[str]
    pap: int
    attribution: str | None


def source_of(said: EntryContent) -> EntrySource:
    """Note what a received entry says, read and checked before."""
    policy = said.policy
    return {
        "src": list(said.src),
        "pap": PAP_LEVELS[policy.pap],
        "attribution": policy.iep.attribution,
    }


def source_of_members(policy: Mapping[str, Any], src: object) -> EntrySource:
    """Note what an own or an earlier entry says, from the members of its payload.

    Anything that is not as it should be says nothing: the entry was judged when it came.
    """
    stated = str(policy.get("pap"))
    if stated not in PAP_LEVELS:
        open_label = policy.get("tlp") in {Tlp.CLEAR.wire, Tlp.GREEN.wire}
        stated = "green" if open_label else "amber"  # PROTOCOL 2.4 `policy.pap`
    iep = policy.get("iep")
    attribution = iep.get("attribution") if isinstance(iep, Mapping) else None
    return {
        "src": [tag for tag in src if isinstance(tag, str)]
        if isinstance(src, list | tuple)
        else [],
        "pap": PAP_LEVELS[stated],
        "attribution": attribution if isinstance(attribution, str) else None,
    }


def source_of_record(record: bytes) -> EntrySource:
    """Read it out of the signed envelope of an entry that an earlier release stored."""
    dsse = strict_loads(record).get("dsse") if record else None
    if not isinstance(dsse, dict):
        return {"src": [], "pap": PAP_LEVELS["red"], "attribution": None}
    body = strict_loads(read_b64(dsse["payload"]))
    return source_of_members(body["policy"], body.get("src"))
