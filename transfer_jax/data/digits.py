"""The embedded domains: digits of scikit-learn, and digits blended with photographs.

`digits` and `digits_m` need no files. Both use the 1,797 handwritten digits of
`load_digits` (8x8), enlarged. A fixed permutation, independent of the labels, cuts them
into four parts, so that no image is in both domains, or in both train and test.
`digits_m` is |crop - digit| per channel as in MNIST-M, with crops of scikit-learn's two
sample photographs. Each photograph is cut in two, so that no test crop shares a pixel
with a training crop.

To draw a new crop at each step, train on `target(size)`, which is not blended, with
`transforms.blend(photos('train'))` in the stream.
"""

import functools

import numpy as np

from transfer_jax.data import images, transforms
from transfer_jax.data.sources import Arrays, Domain

CLASSES = tuple(str(digit) for digit in range(10))
SIZES = {
    'source_train': 800,
    'source_test': 100,
    'target_train': 600,
}  # rest: target_test
SPLIT_SEED = 0
CROPS = {'train': 1, 'test': 4}  # per digit
TRAIN_SHARE = 0.7  # of the width of each photograph


def digits(size: int) -> Domain:
    """The source domain: grey digits (n, size, size, 1), 800 train and 100 test."""
    return Domain('digits', CLASSES, *(_part(f'source_{s}', size) for s in _SPLITS))


def target(size: int) -> Domain:
    """The digits of `digits_m` before blending: 600 train and 297 test."""
    return Domain(
        'digits_target', CLASSES, *(_part(f'target_{s}', size) for s in _SPLITS)
    )


def digits_m(size: int) -> Domain:
    """The target domain: |crop - digit| (n, size, size, 3) with fixed crops.

    600 train, with one crop each; 1,188 test, the 297 test digits with four crops each.
    """
    parts = []
    for number, split in enumerate(_SPLITS):
        blend = transforms.blend(photos(split))
        plain = _part(f'target_{split}', size)
        plain = plain.take(np.repeat(np.arange(len(plain)), CROPS[split]))
        blended = [
            blend(plain[i], np.random.default_rng([number, i]))['image']
            for i in range(len(plain))
        ]
        parts.append(Arrays(np.stack(blended), plain.label, CLASSES))
    return Domain('digits_m', CLASSES, *parts)


def photos(split: str) -> list[np.ndarray]:
    """The two photographs' regions (h, w, 3) for 'train' (left) or 'test' (right)."""
    if split not in _SPLITS:
        raise ValueError(f'split {split!r}: choose from {", ".join(_SPLITS)}')
    regions = []
    for photo in _photographs():
        cut = int(TRAIN_SHARE * photo.shape[1])
        regions.append(photo[:, :cut] if split == 'train' else photo[:, cut:])
    return regions


def parts() -> dict[str, np.ndarray]:
    """{part: the rows of its digits among the 1,797}."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(_scans()[0]))
    pieces = np.split(order, np.cumsum(list(SIZES.values())))
    return dict(zip((*SIZES, 'target_test'), pieces, strict=True))


_SPLITS = ('train', 'test')


def _part(name: str, size: int) -> Arrays:
    image, label = _scans()
    rows = parts()[name]
    return Arrays(images.resize(image[rows], size), label[rows], CLASSES)


@functools.lru_cache(maxsize=1)
def _scans() -> tuple[np.ndarray, np.ndarray]:
    from sklearn import datasets  # heavy: only where it is used

    content = datasets.load_digits()
    image = np.rint(content.images * (255 / 16)).astype(np.uint8)
    return image[..., None], content.target.astype(np.int32)


@functools.lru_cache(maxsize=1)
def _photographs() -> list[np.ndarray]:
    from sklearn import datasets

    return [np.asarray(photo) for photo in datasets.load_sample_images().images]
