"""Names that an audience was shown and may not be shown any more (PROTOCOL 3.3, 3.5).

The circuit breaker holds back an export that jumps: what was listed stays listed. But a name whose
label became stricter leaves the wider views at once, however many there are: that is the origin's
word and not a jump, and to keep it in a list would be to go on telling it.

Does not: write lists, or tell withdrawals, which a person may look at first (``circuit_breaker``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from hub.storage.queries.blobs import blob_bytes
from hub.storage.queries.exports import names_above, names_withheld, sets_withheld
from hub.storage.transaction import Transaction
from schemas.dns.domain_sets import read_list
from schemas.errors import WireFormatError
from schemas.markings import Tlp


def tightened_names(
    tx: Transaction, ceiling: Tlp, now: datetime, listed: Collection[str]
) -> frozenset[str]:
    """List what may stand in verdicts above a ceiling alone, or waits for its stricter label.

    Args:
        listed: keys of subjects that the audience may know by now; they are never among them.

    Returns:
        Keys of subjects (``schemas.dns.subjects``).
    """
    above = frozenset(names_above(tx, ceiling, now)) | names_withheld(tx)
    return (above | frozenset(_listed_in_sets(tx))) - frozenset(listed)


def _listed_in_sets(tx: Transaction) -> Iterator[str]:
    for sha256, dated, count in sets_withheld(tx):
        try:
            for line in read_list(blob_bytes(tx, sha256), dated=dated, count=count):
                yield line.name
        except WireFormatError:
            continue  # it was refused, so that none of its names ever counted
