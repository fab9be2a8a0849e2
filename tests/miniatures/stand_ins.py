"""Sets that are read from other layouts than folders of a publisher, and weights.

Each function writes one set below a data folder `root`.
"""

import pathlib

import flax
import jax
import numpy as np

from tests.miniatures import classification
from transfer_jax.data import Arrays
from transfer_jax.models import weights
from transfer_jax.recipes import backbones

CALTECH = ('Faces', 'accordion', 'watch')
DIGITS = tuple(map(str, range(10)))


def caltech101(root: pathlib.Path) -> None:
    """Three classes of 34 images."""
    for label, name in enumerate(CALTECH):
        for i in range(1, 35):
            path = root / 'caltech101' / name / f'image_{i:04}.jpg'
            classification.save(path, label)


def bsds500(root: pathlib.Path) -> None:
    """Two photographs to blend digits with."""
    for i in range(2):
        classification.save(root / 'bsds500' / 'train' / f'{i}.jpg', i, (96, 80))


def signs(root: pathlib.Path) -> None:
    """GTSRB and Synthetic Signs as the project prepares them: a sign of each class."""
    rng = np.random.default_rng(0)
    label = np.arange(43, dtype=np.uint8)
    image = rng.integers(0, 256, (43, 40, 40, 3), np.uint8)
    for folder, name in (('gtsrb', 'gtsrb_40x40'), ('synsigns', 'synsigns_40x40')):
        (root / folder).mkdir(parents=True, exist_ok=True)
        parts = {'x': image, 'y': label, 'id': np.arange(43)}
        for split in ('train', 'test'):
            parts |= {f'{split}_x': image, f'{split}_y': label}
        np.savez(root / folder / f'{name}.npz', **parts)


def svhn(root: pathlib.Path) -> None:
    """The folder of a prepared set, whose records `svhn_records` stands for."""
    path = root / 'svhn_cropped' / '3.1.0' / 'dataset_info.json'
    path.parent.mkdir(parents=True)
    path.write_text('{}')


def svhn_records(name: str, split: str, *_) -> Arrays:
    """In place of data.sources.from_tfds: two images of each digit."""
    del name
    rng = np.random.default_rng(len(split))
    image = rng.integers(0, 256, (20, 32, 32, 3), np.uint8)
    return Arrays(image, np.arange(20, dtype=np.int32) % 10, DIGITS)


def weights_of(root: pathlib.Path, name: str) -> None:
    """A file of drawn weights for a backbone."""
    backbone = backbones.get(name)
    module = backbone.module(classes=backbone.classes)
    shapes = flax.traverse_util.flatten_dict(
        backbones.variable_shapes(module, backbone.size), sep='/'
    )
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        if path.endswith(('variance', 'scale')):
            return np.ones(leaf.shape, np.float32)
        spread = (2 / max(1, np.prod(leaf.shape[:-1]))) ** 0.5 * (leaf.ndim > 1)
        return spread * rng.normal(size=leaf.shape).astype(np.float32)

    path = root / backbone.file
    path.parent.mkdir(parents=True, exist_ok=True)
    weights.write(path, jax.tree.map_with_path(lambda p, x: draw(p[0].key, x), shapes))
