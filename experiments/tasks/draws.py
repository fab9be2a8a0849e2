"""How many training images of each class a study draws; 0 stands for all of them."""

from collections.abc import Sequence

import numpy as np

from transfer_jax.data import features

ALL = 0  # the whole training part, as a published split has it


def parse(text: str) -> list[int]:
    """Numbers separated by commas, such as '5,30'; 0 is the whole training part.

    Raises:
      ValueError: another text; the message quotes it.
    """
    parts = [part.strip() for part in text.split(',')]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(
            f'counts {text!r}: give numbers separated by commas, 0 for the whole '
            'training part'
        )
    return [int(part) for part in parts]


def number(n: int, draws: int) -> int:
    """How many draws of n images of each class there are: one of all images."""
    return 1 if n == ALL else draws


def rows(
    label: np.ndarray, n: int, seed: int, classes: Sequence[str] = ()
) -> np.ndarray:
    """Indices of n random examples of each class, or of all where n is 0.

    Raises:
      ValueError: a class has fewer; the message names it.
    """
    if n == ALL:
        return np.arange(len(label))
    return features.draw_per_class(label, n, seed, classes)
