"""Naive-Bayes Nearest Neighbour (Boiman, Shechtman, Irani, CVPR 2008)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax import ops
from transfer_jax.shallow import checks
from transfer_jax.shallow.classifiers import FARTHEST
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array

ENTRIES = 2**20  # of a matrix of distances; more images than that make take turns


class Nbnn(NamedTuple):
    """The images to compare with, m descriptors of k features each."""

    x: Array  # (n, m * k)
    label: Array  # (n,), the number of classes where an image does not count


def nbnn(classes: int, descriptors: int = 1) -> Shallow:
    """The class of least image-to-class distance (Boiman, Shechtman, Irani, CVPR 2008).

    An image is a set of m local descriptors d_i; the distance to class c is
    sum_i |d_i - NN_c(d_i)|^2, NN_c(d_i) the nearest among the descriptors of all images
    of class c, and is what the naive-Bayes assumption makes of a kernel estimate of the
    density of descriptors. Logits are minus the distances. Labelled examples of either
    domain count. Features are (n, m * k), the m = `descriptors` of k features one after
    the other; with m = 1 an image is one histogram. Descriptors are taken as they are:
    positions (alpha in the paper) may be appended to them.

    Raises:
      ValueError: features that are not a multiple of the descriptors.
    """
    checks.positive('descriptors', descriptors)

    def fit(key, source, target):
        del key
        features(source.x.shape[1], descriptors)
        x, label, counts, _ = join(source, target, classes)
        return Nbnn(x, jnp.where(counts, label, classes))

    def predict(fitted, x):
        support = fitted.x.reshape(len(fitted.x) * descriptors, -1)
        label = jnp.repeat(fitted.label, descriptors)

        def some(images):
            query = images.reshape(len(images) * descriptors, -1)
            distance = ops.squared_distances(support, query)

            # Labels beyond the last segment are dropped; an empty one is infinite.
            nearest = jax.ops.segment_min(distance, label, classes)
            return jnp.sum(nearest.reshape(classes, len(images), descriptors), 2).T

        turns = -(-len(x) * descriptors * len(support) // ENTRIES)
        size = -(-len(x) // turns)
        padded = jnp.pad(x, ((0, turns * size - len(x)), (0, 0)))
        distance = lax.map(some, padded.reshape(turns, size, -1))
        distance = distance.reshape(-1, classes)[: len(x)]
        return jnp.maximum(-distance, FARTHEST)

    return Shallow(fit, unchanged, unchanged, predict=predict)


def join(source, target, classes):
    """Rows of both domains, their labels, which are labelled, and domains 0 or 1."""
    x = jnp.concatenate([source.x, target.x])
    label = jnp.concatenate([source.label, target.label])
    mask = jnp.concatenate([source.mask, target.mask])
    domain = (jnp.arange(len(x)) >= len(source.x)).astype(int)
    counts = (mask > 0) & (label >= 0) & (label < classes)
    return jnp.where(mask[:, None] > 0, x, 0), label, counts, domain


def features(width, descriptors):
    """Of a descriptor, where `width` are those of an image."""
    if width % descriptors:
        raise ValueError(f'descriptors {descriptors}: do not divide {width} features')
    return width // descriptors
