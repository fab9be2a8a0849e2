"""predictions.csv: one line for each target image."""

import csv
import pathlib
from collections.abc import Sequence

import numpy as np
from scipy import special

from transfer_jax.runs import FolderError


def write(
    path: pathlib.Path,
    names: Sequence[str],
    classes: Sequence[str],
    probabilities: np.ndarray,
) -> pathlib.Path:
    """Writes file, class, probability and entropy (nats); returns the path.

    Args:
      probabilities: (n, c).

    Raises:
      FolderError: it cannot be written.
    """
    entropy = special.entr(probabilities).sum(-1)
    try:
        with open(path, 'w', newline='', encoding='utf-8') as file:
            writer = csv.writer(file, lineterminator='\n')
            writer.writerow(['file', 'class', 'probability', 'entropy'])
            for name, p, h in zip(names, probabilities, entropy, strict=True):
                best = int(p.argmax())
                writer.writerow([name, classes[best], f'{p[best]:.6f}', f'{h:.6f}'])
    except OSError as error:
        raise FolderError(f'cannot write {path}: {error.strerror}') from error
    return path
