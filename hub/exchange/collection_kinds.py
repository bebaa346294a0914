"""The ids of the node's own collections, and the kinds of the others.

Invariant: ``originals`` and ``verdicts`` have the same ids at every node, so a SIEM's settings
survive a move.
"""

from __future__ import annotations

import uuid
from typing import Final

from schemas.identifiers import NAMESPACE

ORIGINALS_ID: Final = str(uuid.uuid5(NAMESPACE, "collection:originals"))
VERDICTS_ID: Final = str(uuid.uuid5(NAMESPACE, "collection:verdicts"))
OPERATOR: Final = "operator"
"""The kind of a collection that the operator added for producers."""
SELECTION: Final = "selection"
"""The kind of a filtered view of ``originals``: nobody writes into it."""
