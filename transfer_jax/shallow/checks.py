"""What is refused before a fit begins: one line that names the culprit.

Values that are traced are not known yet; they pass.
"""

from typing import Any

import jax
import numpy as np

from transfer_jax.types import Samples


def samples(
    source: Samples, target: Samples, target_labelled: Samples | None = None
) -> None:
    """Features must be finite, some source example labelled, some target there.

    Raises:
      ValueError: naming the domain, and the first row that is not finite.
    """
    parts = {'source': source, 'target': target}
    if target_labelled is not None:
        parts['target_labelled'] = target_labelled
    if _traced(parts):
        return
    for name, part in parts.items():
        there = np.asarray(part.mask) > 0
        if not there.any():
            raise ValueError(f'{name}: no examples')
        wrong = ~np.isfinite(np.asarray(part.x)).all(1) & there
        if wrong.any():
            raise ValueError(
                f'{name}: NaN or infinite features in {wrong.sum()} of {there.sum()} '
                f'examples, the first in row {wrong.argmax()}'
            )
    for name in parts.keys() - {'target'}:
        part = parts[name]
        if not np.any((np.asarray(part.label) >= 0) & (np.asarray(part.mask) > 0)):
            raise ValueError(f'{name}: no labelled examples')


def dimension(count: int, most: int, of: str = 'features') -> None:
    """A number of components must be 1 to `most`.

    Raises:
      ValueError: it is not.
    """
    if not 1 <= count <= most:
        raise ValueError(f'dimension {count}: the {of} have 1 to {most}')


def positive(name: str, value: Any) -> None:
    """A hyper-parameter must be above 0.

    Raises:
      ValueError: it is not.
    """
    if not _traced(value) and not np.all(np.asarray(value) > 0):
        raise ValueError(f'{name} {value}: must be positive')


def not_negative(name: str, value: Any) -> None:
    """A hyper-parameter must be 0 or above.

    Raises:
      ValueError: it is not.
    """
    if not _traced(value) and not np.all(np.asarray(value) >= 0):
        raise ValueError(f'{name} {value}: must be 0 or more')


def _traced(values: Any) -> bool:
    return any(isinstance(v, jax.core.Tracer) for v in jax.tree.leaves(values))
