"""A slim table from names to small numbers: some twenty bytes a name, the name left out.

A million names as a Python set take some 150 MiB; here 20 to 40. Kept is each name's 64-bit hash,
keyed anew in every process, so nobody can look for names that collide.

Invariants:
* what was put in is found; what was not is found with a chance of 2^-40 at a million names, which
  guards a name too many and never one too few.

What it does not do: give the names back, or forget one.

>>> table = NameTable()
>>> table.put("example.org", 7)
>>> table.find("example.org"), table.find("evil-example.org")
(7, 0)
"""

from __future__ import annotations

from array import array

_SMALLEST = 64


class NameTable:
    """Names to numbers from 1 to 65,535; open addressing, at most half full.

    Attributes:
        hashes: the slots. Who asks millions of times looks at ``hashes[hash(name) & mask]`` first:
            where that is 0 the name is not in the table, and no call is needed.
    """

    __slots__ = ("_numbers", "_used", "hashes", "mask")

    def __init__(self) -> None:
        self._used = 0
        self._allot(_SMALLEST)

    def __len__(self) -> int:
        return self._used

    def __bool__(self) -> bool:
        return self._used > 0

    def find(self, name: str) -> int:
        """Return the number of a name; 0 when it is not in the table."""
        wanted = hash(name) or 1
        hashes, mask = self.hashes, self.mask
        at = wanted & mask
        while held := hashes[at]:
            if held == wanted:
                return self._numbers[at]
            at = (at + 1) & mask
        return 0

    def put(self, name: str, number: int) -> None:
        """Put a name in, or give it another number."""
        if self._used * 2 >= len(self.hashes):
            self._grow()
        self._place(hash(name) or 1, number)

    def _place(self, wanted: int, number: int) -> None:
        hashes, mask = self.hashes, self.mask
        at = wanted & mask
        while held := hashes[at]:
            if held == wanted:
                break
            at = (at + 1) & mask
        else:
            hashes[at] = wanted
            self._used += 1
        self._numbers[at] = number

    def _grow(self) -> None:
        hashes, numbers = self.hashes, self._numbers
        self._allot(len(hashes) * 2)
        self._used = 0
        for wanted, number in zip(hashes, numbers, strict=True):
            if wanted:
                self._place(wanted, number)

    def _allot(self, size: int) -> None:
        self.hashes = array("q", bytes(8 * size))
        self.mask = size - 1
        self._numbers = array("H", bytes(2 * size))
