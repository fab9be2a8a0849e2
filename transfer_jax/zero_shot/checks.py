"""Checks before a fit or a prediction, with one-line errors that name the culprit.

Traced values are not known yet and pass.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np


def training(x: Any, label: Any, vectors: Any) -> None:
    """Requires finite features and vectors, and an example of each class.

    Raises:
      ValueError: as `method.pipeline` says.
    """
    if not np.ndim(x) == np.ndim(vectors) == 2 or np.shape(label) != np.shape(x)[:1]:
        raise ValueError(
            f'features {np.shape(x)}, label {np.shape(label)} and vectors '
            f'{np.shape(vectors)}: must be (n, d), (n,) and (k, a)'
        )
    k = len(vectors)
    if k < 2:
        raise ValueError(f'vectors of {k} classes: at least 2 seen classes are needed')
    if traced((x, label, vectors)):
        return
    finite('features', x)
    distinct(vectors)
    label = np.asarray(label)
    outside = (label < 0) | (label >= k)
    if outside.any():
        raise ValueError(
            f'label {label[outside][0]} in row {outside.argmax()} has no vector: '
            f'there are vectors of the classes 0 to {k - 1}'
        )
    absent = np.setdiff1d(np.arange(k), label)
    if len(absent):
        raise ValueError(
            f'class {absent[0]} has a vector but no example: a fit takes the vectors '
            'of seen classes only'
        )


def scoring(x: Any, vectors: Any, features: int, dimension: int) -> None:
    """Requires features (m, `features`) and vectors (c, `dimension`), finite.

    Raises:
      ValueError: they are not.
    """
    for name, value, size in (
        ('features', x, features),
        ('vectors', vectors, dimension),
    ):
        if np.ndim(value) != 2 or np.shape(value)[1] != size:
            raise ValueError(
                f'{name} {np.shape(value)}: the fit had {name} of dimension {size}'
            )
        if not traced(value):
            finite(name, value)


def distinct(vectors: Any, names: Sequence[Any] | None = None) -> None:
    """Requires finite class vectors, none of zeros and no two equal.

    Args:
      names: of the classes; by default their numbers.

    Raises:
      ValueError: the message has the names of the classes.
    """
    vectors = np.asarray(vectors)
    names = range(len(vectors)) if names is None else names
    invalid = ~np.isfinite(vectors).all(1)
    if invalid.any():
        name = names[int(invalid.argmax())]
        raise ValueError(f'NaN or infinite values in the vector of class {name}')
    zero = ~vectors.any(1)
    if zero.any():
        raise ValueError(
            f'the vector of class {names[int(zero.argmax())]} is all zeros'
        )
    _, first, inverse = np.unique(
        vectors, axis=0, return_index=True, return_inverse=True
    )
    earlier = first[inverse.reshape(-1)]
    double = earlier != np.arange(len(vectors))
    if double.any():
        later = int(double.argmax())
        pair = f'{names[int(earlier[later])]} and {names[later]}'
        raise ValueError(f'classes {pair} have the same vector')


def finite(name: str, rows: Any) -> None:
    """Requires finite values.

    Raises:
      ValueError: the message has the first row that is not finite.
    """
    invalid = ~np.isfinite(np.asarray(rows)).all(1)
    if invalid.any():
        raise ValueError(
            f'NaN or infinite {name} in {invalid.sum()} of {len(invalid)} rows, the '
            f'first in row {invalid.argmax()}'
        )


def positive(name: str, value: Any) -> None:
    """Requires a constant above 0.

    Raises:
      ValueError: `value` is not positive.
    """
    if not traced(value) and not np.all(np.asarray(value) > 0):
        raise ValueError(f'{name} {value}: must be positive')


def not_negative(name: str, value: Any) -> None:
    """Requires a constant of 0 or more.

    Raises:
      ValueError: `value` is negative.
    """
    if not traced(value) and not np.all(np.asarray(value) >= 0):
        raise ValueError(f'{name} {value}: must be 0 or more')


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Requires one of the choices.

    Raises:
      ValueError: the message lists them.
    """
    if value not in choices:
        raise ValueError(f'{name} {value!r}: choose from {", ".join(choices)}')


def traced(values: Any) -> bool:
    """Whether one of the leaves is not known before the program runs."""
    return any(isinstance(v, jax.core.Tracer) for v in jax.tree.leaves(values))
