"""Feature vectors with and without labels, such as those published with papers."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from transfer_jax.data import files

OFFICE_CALTECH10 = (
    'backpack',
    'bike',
    'calculator',
    'headphones',
    'keyboard',
    'laptop',
    'monitor',
    'mouse',
    'mug',
    'projector',
)
# {domain: file under office_caltech10/surf}
SURF = {
    'caltech10': 'Caltech10_SURF_L10.mat',
    'amazon': 'amazon_SURF_L10.mat',
    'webcam': 'webcam_SURF_L10.mat',
    'dslr': 'dslr_SURF_L10.mat',
}
SURF_ABOUT = (
    'SURF features of Office-Caltech10 (Gong et al., CVPR 2012)',
    'the authors of "Geodesic flow kernel for unsupervised domain adaptation" (GFK, '
    'features of October 2011)',
)
SMALL_DIGITS = 'tjm_jda_pairs/mnist_vs_usps.npz'
SMALL_DIGITS_ABOUT = (
    '2,000 digits of MNIST and 1,800 of USPS, 16x16 (Long et al., ICCV 2013)',
    'MNIST_vs_USPS.mat of the code of "Transfer Feature Learning with Joint '
    'Distribution Adaptation", as an .npz of mnist_x, mnist_y, usps_x, usps_y',
)


@dataclasses.dataclass(frozen=True)
class Features:
    """Vectors (n, d) float32 and labels (n,) int32; `classes` names the labels."""

    x: np.ndarray
    label: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {'x': self.x[index], 'label': int(self.label[index])}

    def take(self, indices: np.ndarray) -> 'Features':
        """The rows at `indices` (m,), in that order."""
        return Features(self.x[indices], self.label[indices], self.classes)


@dataclasses.dataclass(frozen=True)
class Unlabelled:
    """Vectors (n, d) float32 without labels."""

    x: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {'x': self.x[index]}


def office_caltech10(
    domain: str, data_dir: str | os.PathLike | None = None
) -> Features:
    """SURF words of an Office-Caltech10 domain (Gong et al., CVPR 2012), (n, 800).

    Normalised as in the papers that use them: each histogram is divided by its sum,
    then each column is scaled to mean 0 and standard deviation 1 over the domain.

    Raises:
      ValueError: an unknown domain, or a file that is not such a table.
      MissingData: the file is not in the data folder.
    """
    if domain not in SURF:
        raise ValueError(
            f'no Office-Caltech10 domain {domain!r}; choose from {", ".join(SURF)}'
        )
    name = f'office_caltech10/surf/{SURF[domain]}'
    counts, label = _read(_locate(name, files.data_dirs(data_dir), SURF_ABOUT))
    total = counts.sum(1, keepdims=True)
    share = counts / np.where(total > 0, total, 1)
    return Features(
        standardise(share).astype(np.float32), label.astype(np.int32), OFFICE_CALTECH10
    )


def small_digits(domain: str, data_dir: str | os.PathLike | None = None) -> Features:
    """'mnist' (2,000) or 'usps' (1,800) of 16x16 pixels, (n, 256), rows of length 1.

    The images drawn by Long et al. (ICCV 2013, CVPR 2014), with their normalisation.

    Raises:
      ValueError: an unknown domain, or a file that is not such a table.
      MissingData: the file is not in the data folder.
    """
    names = ('mnist', 'usps')
    if domain not in names:
        raise ValueError(f'no domain {domain!r}; choose from {", ".join(names)}')
    path = _locate(SMALL_DIGITS, files.data_dirs(data_dir), SMALL_DIGITS_ABOUT)
    try:
        with np.load(path) as content:
            x, label = content[f'{domain}_x'], content[f'{domain}_y']
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f'{path}: cannot be read as an .npz of {domain}_x (n, 256) and {domain}_y '
            f'(n,) ({type(error).__name__}: {error})'
        ) from None
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return Features(
        (x / np.where(length > 0, length, 1)).astype(np.float32),
        label.astype(np.int32).ravel() - 1,  # 1 is the digit 0
        tuple('0123456789'),
    )


def standardise(x: np.ndarray) -> np.ndarray:
    """Scales columns of (n, d) to mean 0 and deviation 1; constant columns become 0."""
    centred = x - x.mean(0)
    deviation = x.std(0)
    return centred / np.where(deviation > 0, deviation, 1)


def draw_per_class(
    label: np.ndarray, count: int, seed: int, classes: Sequence[str] = ()
) -> np.ndarray:
    """Indices of `count` random examples of each class.

    Args:
      classes: names of the classes, for the error message.

    Raises:
      ValueError: a class has fewer examples; the message names it.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for value in np.unique(label):
        rows = np.flatnonzero(label == value)
        if len(rows) < count:
            name = repr(classes[value]) if classes else value
            raise ValueError(
                f'class {name} has {len(rows)} examples; {count} cannot be drawn'
            )
        chosen.append(rng.permutation(rows)[:count])
    return np.concatenate(chosen)


def fake(shift: float, *, n: int = 60, d: int = 12) -> Features:
    """A generated domain for tests: 3 classes in 12 dimensions, rotated by `shift`."""
    rng = np.random.default_rng([int(100 * shift), n, d])
    label = np.arange(n, dtype=np.int32) % 3
    x = rng.normal(0, 0.3, (n, d))
    x[:, :3] += 2 * np.eye(3)[label]
    sine, cosine = np.sin(shift), np.cos(shift)
    for i in range(3):
        a, b = x[:, i].copy(), x[:, i + 3].copy()
        x[:, i], x[:, i + 3] = cosine * a - sine * b, sine * a + cosine * b
    return Features(x.astype(np.float32), label, ('0', '1', '2'))


def _locate(
    name: str, dirs: tuple[pathlib.Path, ...], about: tuple[str, str]
) -> pathlib.Path:
    """The file under a data folder; `about` is its description and its origin."""
    for folder in dirs:
        path = folder / name
        if path.is_file():
            return path
    description, origin = about
    raise files.MissingData(
        f'{pathlib.Path(name).name} is missing: {description}.\n'
        f'  Get it from: {origin}.\n'
        f'  Expected: {name}\n'
        f'  under: {", ".join(str(folder) for folder in dirs)} (--data-dir, else '
        f'${files.VARIABLE}, else {files.DEFAULT_DIR})'
    )


def _read(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Counts (n, d) float64 and labels (n,) from 0; labels in the file start at 1."""
    from scipy import io  # slow to import: only where it is used

    try:
        content = io.loadmat(path, variable_names=('fts', 'labels'))
        counts = content['fts'].astype(np.float64)
        label = content['labels'].astype(np.int64).ravel() - 1
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise ValueError(
            f'{path}: cannot be read as a .mat of fts (n, d) and labels (n, 1) '
            f'({type(error).__name__}: {error})'
        ) from None
    classes = len(OFFICE_CALTECH10)
    fits = counts.ndim == 2 and label.shape == counts.shape[:1] and len(label) > 0
    if not fits or label.min() < 0 or label.max() >= classes:
        raise ValueError(
            f'{path}: needs fts (n, d) and labels (n, 1) of 1 to {classes}, not '
            f'{counts.shape} and {content["labels"].shape}'
        )
    return counts, label
