"""Which item is at a position of an endless stream, as a pure function.

An order is a function (first, last) -> the numbers of the items at these positions.
"""

import functools
from collections.abc import Callable

import numpy as np

Order = Callable[[int, int], np.ndarray]


def shuffled(size: int, seed: int) -> Order:
    """Of `size` items; each epoch is a permutation of all of them.

    Grain's index shuffle is not used, because it walks through 2^16 numbers: a batch of
    64 from 100 items takes 14 ms. A permutation is made once per epoch, in 0.6 ms for
    60,000 items.
    """

    @functools.lru_cache(maxsize=2)
    def permutation(epoch: int) -> np.ndarray:
        return np.random.default_rng([seed, epoch]).permutation(size)

    def items(first: int, last: int) -> np.ndarray:
        parts = [np.zeros(0, np.int64)]
        while first < last:
            epoch, start = divmod(first, size)
            parts.append(permutation(epoch)[start : start + last - first])
            first += len(parts[-1])
        return np.concatenate(parts)

    return items


def balanced(label: np.ndarray, seed: int) -> Order:
    """Of items with labels (n,), the classes in turn.

    Any stretch of positions has equally many items of each class, up to one. The items
    of a class are shuffled: all of them come before one of them comes again. Classes
    come in an order that is drawn once.
    """
    rng = np.random.default_rng([seed, 0xBA1A])
    classes = rng.permutation(np.unique(label))
    members = [np.flatnonzero(label == number) for number in classes]
    orders = [
        shuffled(len(rows), int(value))
        for rows, value in zip(
            members, rng.integers(1 << 32, size=len(classes)), strict=True
        )
    ]
    count = len(classes)

    def items(first: int, last: int) -> np.ndarray:
        result = np.empty(last - first, np.int64)
        for turn, (rows, order) in enumerate(zip(members, orders, strict=True)):
            # Positions turn, turn + count, ... are of this class.
            rounds = [-((turn - position) // count) for position in (first, last)]
            start = turn + rounds[0] * count - first
            result[start::count] = rows[order(*rounds)]
        return result

    return items
