"""The ids of the node's own collections, and the kinds of the others.

Invariant: ``originals`` and ``verdicts`` have the same ids at every node, so a SIEM's settings
survive a move. They were drawn once: TAXII 2.1 §2 wants random UUIDs (version 4), not derived ones.
"""

from __future__ import annotations

from typing import Final

ORIGINALS_ID: Final = "07ce20d9-b4a2-4436-8f69-676af6a01a76"
VERDICTS_ID: Final = "f2f1c662-b077-4d04-81cc-2b3e314b2eb6"
OPERATOR: Final = "operator"
"""The kind of a collection that the operator added for producers."""
SELECTION: Final = "selection"
"""The kind of a filtered view of ``originals``: nobody writes into it."""
