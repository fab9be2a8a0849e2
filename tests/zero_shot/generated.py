"""Generated classes whose features depend on their vectors."""

from typing import NamedTuple

import numpy as np


class World(NamedTuple):
    """Seen classes with training examples, unseen classes with test examples."""

    x: np.ndarray  # (n, d)
    label: np.ndarray  # (n,)
    vectors: np.ndarray  # (k, a) of the seen classes
    test_x: np.ndarray  # (m, d), of unseen classes
    test_label: np.ndarray  # (m,)
    unseen: np.ndarray  # (c, a)


def world(
    seed=0, *, seen=12, unseen=4, each=8, d=10, a=6, noise=0.3, base=0.0
) -> World:
    """x = s M + base + noise, with rows of x and s of length 1.

    Args:
      base: common mean of features and vectors, as of rectified features and of
        percentages.
    """
    rng = np.random.default_rng(seed)
    s = unit(rng.normal(size=(seen + unseen, a)) + base)
    mean, m = base * rng.random(d), rng.normal(size=(a, d))

    def examples(classes):
        label = np.tile(np.arange(len(classes)), each)
        x = s[classes][label] @ m + mean + noise * rng.normal(size=(len(label), d))
        return unit(x), label

    x, label = examples(np.arange(seen))
    test_x, test_label = examples(np.arange(seen, seen + unseen))
    return World(x, label, s[:seen], test_x, test_label, s[seen:])


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
