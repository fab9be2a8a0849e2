"""Rows of two domains in one array, distinguished by `sample_domain` (NumPy).

The convention is skada's: positive for source rows, negative for target rows, and -1 in
`y` for an unknown label.
"""

from collections.abc import Callable

import numpy as np

from transfer_jax.types import Samples

UNLABELLED = -1


def checked(sample_domain: np.ndarray | None, count: int) -> np.ndarray:
    """The validated `sample_domain` (count,); None means all rows are of the target.

    Raises:
      ValueError: not one number per row, or a 0.
    """
    if sample_domain is None:
        return np.full(count, -1)
    result = np.asarray(sample_domain)
    if result.shape != (count,):
        raise ValueError(f'sample_domain: shape {result.shape} for {count} rows')
    if np.any(result == 0):
        raise ValueError('sample_domain: 0 is neither a source nor a target')
    return result


def codes(
    y: np.ndarray, source: np.ndarray, target_labels: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The classes, and the class index (n,) of each row, -1 if unknown.

    Labels of target rows are used only with `target_labels`. Without it, -1 is a class
    like any other.

    Raises:
      ValueError: with `target_labels`, a source row is -1; fewer than 2 classes.
    """
    known = source.copy()
    if target_labels:
        unlabelled = y == (str(UNLABELLED) if y.dtype.kind in 'US' else UNLABELLED)
        if np.any(unlabelled & source):
            raise ValueError(
                f'y: a source row is {UNLABELLED}, which with target_labels=True means '
                'an unknown label'
            )
        known |= ~unlabelled
    result = np.full(len(y), UNLABELLED)
    classes, result[known] = np.unique(y[known], return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f'y: the labelled rows are of 1 class, {classes[0]}')
    return classes, result


def samples(x: np.ndarray, label: np.ndarray, rows: np.ndarray) -> Samples:
    """The samples at `rows`, (n,) booleans, without padding."""
    return Samples(x[rows], label[rows], np.ones(rows.sum()))


def map_rows(
    source_map: Callable[[np.ndarray], np.ndarray],
    target_map: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    source: np.ndarray,
) -> np.ndarray:
    """(n, d) -> (n, k), each row by the map of its domain."""
    if source.all() or not source.any():
        return np.asarray((source_map if source.any() else target_map)(x))
    first, second = source_map(x[source]), target_map(x[~source])
    result = np.empty((len(x), first.shape[1]))
    result[source], result[~source] = first, second
    return result
