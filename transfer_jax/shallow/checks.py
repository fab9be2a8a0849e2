"""Checks before a fit begins, with one-line errors that name the culprit.

Traced values are not known yet and pass.
"""

from typing import Any

import jax
import numpy as np

from transfer_jax.types import Samples

FAR = 10.0  # common mean in units of the deviation


def samples(
    source: Samples, target: Samples, target_labelled: Samples | None = None
) -> None:
    """Requires finite features, a labelled source example and a target example.

    Raises:
      ValueError: the message names the domain, and the first row that is not finite.
    """
    parts = {'source': source, 'target': target}
    if target_labelled is not None:
        parts['target_labelled'] = target_labelled
    if traced(parts):
        return
    for name, part in parts.items():
        present = np.asarray(part.mask) > 0
        if not present.any():
            raise ValueError(f'{name}: no examples')
        invalid = ~np.isfinite(np.asarray(part.x)).all(1) & present
        if invalid.any():
            raise ValueError(
                f'{name}: NaN or infinite features in {invalid.sum()} of '
                f'{present.sum()} examples, the first in row {invalid.argmax()}'
            )
    for name in parts.keys() - {'target'}:
        part = parts[name]
        if not np.any((np.asarray(part.label) >= 0) & (np.asarray(part.mask) > 0)):
            raise ValueError(f'{name}: no labelled examples')


def far_from_origin(
    source: Samples, target: Samples, remedy: str = 'pass center=True'
) -> list[str]:
    """A warning if the common mean of both domains exceeds their deviation tenfold.

    The common mean is the length of the mean of both means, the deviation the root of
    the mean of both total variances.
    """
    means, variances = [], []
    for part in (source, target):
        x = np.asarray(part.x, np.float64)[np.asarray(part.mask) > 0]
        means.append(x.mean(0))
        variances.append(x.var(0).sum())
    length = np.linalg.norm(np.mean(means, 0))
    deviation = np.sqrt(np.mean(variances))
    if not length > FAR * deviation:
        return []
    return [
        f'the common mean of the features ({length:.3g}) exceeds their standard '
        f'deviation ({deviation:.3g}) more than tenfold, and the method maps them '
        f'relative to the origin: {remedy}'
    ]


def dimension(count: int, largest: int, space: str = 'features') -> None:
    """Requires a number of components from 1 to `largest`, that of `space`.

    Raises:
      ValueError: `count` is outside this range.
    """
    if not 1 <= count <= largest:
        raise ValueError(f'dimension {count}: the {space} have 1 to {largest}')


def positive(name: str, value: Any) -> None:
    """Requires a hyper-parameter above 0.

    Raises:
      ValueError: `value` is not positive.
    """
    if not traced(value) and not np.all(np.asarray(value) > 0):
        raise ValueError(f'{name} {value}: must be positive')


def not_negative(name: str, value: Any) -> None:
    """Requires a hyper-parameter of 0 or more.

    Raises:
      ValueError: `value` is negative.
    """
    if not traced(value) and not np.all(np.asarray(value) >= 0):
        raise ValueError(f'{name} {value}: must be 0 or more')


def traced(values: Any) -> bool:
    """Whether one of the leaves is not known before the program runs."""
    return any(isinstance(v, jax.core.Tracer) for v in jax.tree.leaves(values))
