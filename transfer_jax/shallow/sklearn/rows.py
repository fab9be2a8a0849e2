"""Rows of two domains in one array, distinguished by `sample_domain` (NumPy).

The convention is skada's: positive for source rows, negative for target rows, and -1 in
`y` for an unknown label.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from transfer_jax.types import Samples

UNLABELLED = -1
SHUFFLE = (
    'in cross-validation shuffle the folds, as StratifiedKFold(shuffle=True) does, '
    'so that each has rows of both domains'
)
_RULE = 'write 1 for source rows and -1 for target rows'


def are_source(sample_domain: Any, count: int) -> np.ndarray:
    """Whether a row is of the source, (count,) booleans.

    Args:
      sample_domain: (count,), or one number for all rows; None is all target.

    Raises:
      ValueError: not one number per row, a NaN or a 0.
    """
    if sample_domain is None:
        return np.zeros(count, bool)
    try:
        values = np.asarray(sample_domain, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f'sample_domain: not numbers; {_RULE}') from error
    if np.asarray(sample_domain).dtype.kind in 'US':  # '1' would be read as a number
        raise ValueError(f'sample_domain: strings; {_RULE}')
    if values.ndim == 0:
        values = np.full(count, values)
    if values.shape != (count,):
        raise ValueError(
            f'sample_domain: shape {values.shape} for {count} rows; give one number a '
            'row'
        )
    if np.isnan(values).any():
        raise ValueError(
            f'sample_domain: NaN in row {np.isnan(values).argmax()}; {_RULE}'
        )
    if np.any(values == 0):
        raise ValueError(
            f'sample_domain: 0 in row {(values == 0).argmax()} is neither a source nor '
            f'a target; {_RULE}'
        )
    return values > 0


def of_fit(sample_domain: Any, count: int) -> np.ndarray:
    """`are_source` for the rows of a fit, which are of both domains.

    Raises:
      ValueError: no `sample_domain`, or a domain without rows.
    """
    if sample_domain is None:
        raise ValueError(
            'sample_domain: pass it to the fit, positive for source rows and negative '
            'for target rows'
        )
    source = are_source(sample_domain, count)
    for rows, name in ((source, 'source'), (~source, 'target')):
        if not rows.any():
            raise ValueError(f'sample_domain: no {name} rows; {SHUFFLE}')
    return source


def are_unknown(y: np.ndarray) -> np.ndarray:
    """Whether a label is -1, or '-1' among strings, (n,) booleans."""
    if y.dtype.kind in 'US':
        return y == str(UNLABELLED)
    if y.dtype.kind == 'O':
        return np.array([label in (UNLABELLED, str(UNLABELLED)) for label in y], bool)
    return y == UNLABELLED


def check_labels(y: Any) -> None:
    """Requires labels that are neither NaN nor None, as others write unknown ones.

    Raises:
      ValueError: a missing label, or strings among numbers; the message names the
        remedy.
    """
    labels = np.asarray(y)
    if labels.ndim == 0:  # None or a sparse matrix, which scikit-learn refuses
        return
    missing = np.zeros(labels.size, bool)
    if labels.dtype.kind == 'f':
        missing = np.isnan(labels)
    elif labels.dtype.kind == 'O':
        missing = np.array([_is_missing(label) for label in labels.ravel()], bool)
    if missing.any():
        row = missing.reshape(len(labels), -1).any(1).argmax()
        raise ValueError(
            f'y: no label in row {row} (NaN or None); write {UNLABELLED} where the '
            "label of a target row is unknown, '-1' among strings"
        )
    strings = [isinstance(label, str) for label in labels.ravel()]
    if any(strings) and not all(strings):
        raise ValueError(
            f"y: strings and numbers are mixed; write '{UNLABELLED}' where the label "
            'of a target row is unknown'
        )


def _is_missing(label) -> bool:
    """None, NaN, or pandas' NA and NaT."""
    if label is None or type(label).__name__ in ('NAType', 'NaTType'):
        return True
    return isinstance(label, float | np.floating) and bool(np.isnan(label))


def known(y: np.ndarray, source: np.ndarray, target_labels: bool) -> np.ndarray:
    """Whether the fit may see a label, (n,) booleans.

    It sees those of all source rows, and with `target_labels` those of target rows that
    are not -1. Without it, -1 in a source row is a class like any other.

    Raises:
      ValueError: with `target_labels`, a source row is -1, or no target row is.
    """
    if not target_labels:
        return source
    unknown = are_unknown(y)
    if np.any(unknown & source):
        raise ValueError(
            f'y: source row {(unknown & source).argmax()} is {UNLABELLED}, which with '
            'labelled target rows means an unknown label'
        )
    if not np.any(unknown & ~source):
        raise ValueError(
            'y: no target row is unlabelled; the method needs some, so write '
            f'{UNLABELLED} for those whose label it must not see'
        )
    return ~unknown


def codes(y: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes, and the class index (n,) of each row, -1 where it is not `known`.

    Raises:
      ValueError: fewer than 2 classes.
    """
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
