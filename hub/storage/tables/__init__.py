"""Every table of a node, by what it is about."""

from hub.storage.tables import feeds, nodes, objects, operations, peers, readers
from hub.storage.tables.metadata import METADATA

__all__ = ["METADATA", "feeds", "nodes", "objects", "operations", "peers", "readers"]
