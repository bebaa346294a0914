"""Write published verdicts as one STIX 2.1 bundle: their very bytes, as TAXII readers get them.

Invariants:
* an object is put in as it was published, byte for byte; nothing is written anew;
* what verdicts refer to comes first: this hub's identity and the TLP 2.0 markings, which are not
  predefined (DNS 1), up to the strictest label that is listed;
* the bundle's id follows from the node, the audience and the serial: the same content gives the
  same bytes.

What it does not do: choose, or read the store. Whoever calls brings the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from hub.exports.line_chunks import join_items
from hub.exports.listed_name import ExportContext, ListedName
from schemas.identifiers import NodeId, node_namespace, uuid5_text
from schemas.markings import Tlp, tlp2_marking_definition
from schemas.strict_json import write_json

PublishedBytes = Callable[[Sequence[ListedName]], Iterable[bytes]]
"""Brings the published indicators of listed names, as they are stored and in their order."""


def write_stix(
    listed: Sequence[ListedName],
    context: ExportContext,
    *,
    published: PublishedBytes,
    identity: bytes | None,
) -> Iterator[bytes]:
    """Write the bundle; a ``FileWriter`` once the last two are bound.

    Args:
        listed: what was chosen.
        context: whose list, for whom.
        published: brings the objects.
        identity: this hub's identity object, as it is stored.
    """
    strictest = max((each.label for each in listed), default=Tlp.CLEAR)
    key = f"bundle:{context.audience}:{context.serial}"
    bundle_id = f"bundle--{uuid5_text(node_namespace(NodeId(context.node_id)), key)}"
    first = [] if identity is None else [identity]
    first += [write_json(tlp2_marking_definition(tlp)) for tlp in Tlp if tlp <= strictest]
    yield b'{"type":"bundle","id":"' + bundle_id.encode() + b'","objects":['
    yield from join_items(chain(first, published(listed)), b",")
    yield b"]}\n"
