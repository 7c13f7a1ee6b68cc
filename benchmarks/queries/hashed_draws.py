"""Random draws that are the same on every machine and with every version of every library."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class HashedDraws:
    """A stream of whole numbers from SHA-256 of a label and a counter.

    NumPy may change what its generators draw from one version to the next; a hash cannot.

    >>> [HashedDraws(0, "track").below(10) for _ in range(2)]
    [3, 3]
    """

    def __init__(self, *label: object) -> None:
        self._label = "/".join(map(str, label))
        self._count = 0

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to ``bound - 1``, all equally likely (to within 2**-200)."""
        digest = hashlib.sha256(f"{self._label}/{self._count}".encode()).digest()
        self._count += 1
        return int.from_bytes(digest, "big") % bound

    def subset(self, items: Sequence[Item], size: int) -> list[Item]:
        """Return so many of the items, in their order; all subsets of the size are equally likely."""
        left = list(range(len(items)))
        chosen = [left.pop(self.below(len(left))) for _ in range(size)]
        return [items[index] for index in sorted(chosen)]
