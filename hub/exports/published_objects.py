"""Bring the published verdicts themselves to the writer of STIX bundles.

The other writers need no more than what is listed. A bundle holds what TAXII readers get, so its
writer is bound to the store, from which it reads a thousand objects at a time: no transaction lasts
as long as a large bundle takes to write.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final

from hub.exports.listed_name import FileWriter, ListedName
from hub.exports.stix_bundle import write_stix
from hub.node import Node
from hub.storage.queries.verdicts import own_identity, published_contents

_AT_ONCE: Final = 1_000


def stix_writer(node: Node) -> FileWriter:
    """Return the writer of STIX bundles for this node."""
    with node.database.read() as tx:
        identity = own_identity(tx, node.node_id, node.identity)
    return partial(
        write_stix,
        published=partial(_published, node),
        identity=None if identity is None else identity[2],
    )


def _published(node: Node, listed: Sequence[ListedName]) -> Iterator[bytes]:
    waiting = iter(listed)
    while taken := list(islice(waiting, _AT_ONCE)):
        with node.database.read() as tx:
            contents = published_contents(tx, node.node_id, [each.stix_id for each in taken])
        # One that is not there was purged in between: a bundle never tells of what is gone.
        yield from (contents[each.stix_id] for each in taken if each.stix_id in contents)
