"""The halves of a data set's classes, and how a network reads their images."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from experiments.tasks import photo_domains
from transfer_jax import data
from transfer_jax.recipes import backbones
from transfer_jax.types import Batch

# {--config.domain: image side} of the network of five layers; others have 32
SIZES = {'mnist_m': 28, 'gtsrb': 32, 'tfds:cifar10': 32, 'fake': 28}
LAYERED = 'layered'  # models.LayeredNet; all others are backbones
MARGIN = 256 / 224  # side of an image over that of a crop, for backbones


class Half(NamedTuple):
    """Some classes of a domain, renumbered from 0."""

    train: data.Arrays | photo_domains.Resized
    test: data.Arrays | photo_domains.Resized
    mean: np.ndarray | None  # (c,) of the training images, if they are in memory


def halves(domain: data.Domain, seed: int | None) -> dict[str, Half]:
    """{'A': first half of the classes, 'B': rest}; in random order with a seed."""
    count = len(domain.classes)
    order = np.arange(count)
    if seed is not None:
        order = np.random.default_rng(seed).permutation(count)
    classes_of = {'A': np.sort(order[: count // 2]), 'B': np.sort(order[count // 2 :])}
    result = {}
    for name, classes in classes_of.items():
        parts = [_only(part, classes) for part in (domain.train, domain.test)]
        in_memory = isinstance(parts[0], data.Arrays)
        mean = data.channel_mean(parts[0]) if in_memory else None
        result[name] = Half(*parts, mean)
    return result


def size_of(network: str, domain: str, size: int) -> int:
    """Side of the images that the network sees."""
    if size or network != LAYERED:
        return size or backbones.get(network).size
    return SIZES.get(domain, 32)


def scale(network: str, half: Half) -> Callable[[Batch], Batch]:
    """uint8 images to inputs: without the mean of the half, or as the backbone's."""
    if half.mean is not None and network == LAYERED:
        return data.normalise(half.mean)
    backbone = backbones.get('alexnet' if network == LAYERED else network)
    return data.normalise(np.float32(backbone.mean), np.float32(backbone.std))


def central(network: str, half: Half, size: int) -> Callable[[Batch], Batch]:
    """As `scale`, of the central square for a backbone."""
    scaled = scale(network, half)
    if network == LAYERED:
        return scaled

    def apply(batch):
        first = (batch['image'].shape[1] - size) // 2
        central = slice(first, first + size)
        return scaled({**batch, 'image': batch['image'][:, central, central]})

    return apply


def crop(size: int) -> data.transforms.Transform:
    """A random square of an image, mirrored half of the time."""

    def apply(item, rng):
        image = item['image']
        top, left = (rng.integers(side - size + 1) for side in image.shape[:2])
        return {**item, 'image': image[top : top + size, left : left + size]}

    return data.transforms.chain(apply, data.transforms.flip())


def _only(part, classes):
    """The examples of some classes, renumbered in the order given."""
    rows = np.flatnonzero(np.isin(part.label, classes))
    names = tuple(part.classes[c] for c in classes)
    label = np.searchsorted(classes, part.label[rows]).astype(np.int32)
    if isinstance(part, photo_domains.Resized):
        return part.renumbered(rows, label, names)
    return data.Arrays(part.image[rows], label, names)
