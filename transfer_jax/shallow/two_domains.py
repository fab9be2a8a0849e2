"""Rows of two domains in one array, told apart by `sample_domain` (NumPy).

The convention is skada's: positive for source rows, negative for target rows, and -1 in
`y` for a label that is not known.
"""

from collections.abc import Callable

import numpy as np

from transfer_jax.types import Samples

UNLABELLED = -1


def domain(sample_domain: np.ndarray | None, count: int) -> np.ndarray:
    """(count,), that of a target where nothing is given.

    Raises:
      ValueError: not one number a row, or a 0.
    """
    if sample_domain is None:
        return np.full(count, -1)
    found = np.asarray(sample_domain)
    if found.shape != (count,):
        raise ValueError(f'sample_domain: shape {found.shape} for {count} rows')
    if np.any(found == 0):
        raise ValueError('sample_domain: 0 is neither a source nor a target')
    return found


def codes(
    y: np.ndarray, source: np.ndarray, target_labels: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Classes, and the index (n,) of each row's, -1 where it is not known.

    Target rows have labels with `target_labels` alone. Without it -1 is a class like
    any other.

    Raises:
      ValueError: with `target_labels`, a source row that is -1; fewer than 2 classes.
    """
    known = source.copy()
    if target_labels:
        hidden = y == (str(UNLABELLED) if y.dtype.kind in 'US' else UNLABELLED)
        if np.any(hidden & source):
            raise ValueError(
                f'y: a source row is {UNLABELLED}, which with target_labels=True is a '
                'label that is not known'
            )
        known |= ~hidden
    found = np.full(len(y), UNLABELLED)
    classes, found[known] = np.unique(y[known], return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f'y: the labelled rows are of 1 class, {classes[0]}')
    return classes, found


def samples(x: np.ndarray, label: np.ndarray, rows: np.ndarray) -> Samples:
    """Those rows (n,) of booleans, all of them there."""
    return Samples(x[rows], label[rows], np.ones(rows.sum()))


def answers(
    of_source: Callable[[np.ndarray], np.ndarray],
    of_target: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    source: np.ndarray,
) -> np.ndarray:
    """(n, d) -> (n, k), each row by the function of its domain."""
    if source.all() or not source.any():
        return np.asarray((of_source if source.any() else of_target)(x))
    first, second = of_source(x[source]), of_target(x[~source])
    found = np.empty((len(x), first.shape[1]))
    found[source], found[~source] = first, second
    return found
