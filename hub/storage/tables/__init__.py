"""Every table of a node, by what it is about."""

from hub.storage.tables import (
    evidence,
    feeds,
    groups,
    hard_networks,
    keys,
    names,
    nodes,
    objects,
    operations,
    peers,
    readers,
    recall,
    vouching,
)
from hub.storage.tables.metadata import METADATA

__all__ = [
    "METADATA",
    "evidence",
    "feeds",
    "groups",
    "hard_networks",
    "keys",
    "names",
    "nodes",
    "objects",
    "operations",
    "peers",
    "readers",
    "recall",
    "vouching",
]
