"""Naive-Bayes Nearest Neighbour (Boiman, Shechtman, Irani, CVPR 2008)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax import ops
from transfer_jax.shallow import checks
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array

ENTRIES = 2**20  # of a matrix of distances; more images are processed in blocks


class Nbnn(NamedTuple):
    """The training images, with m descriptors of k features each."""

    x: Array  # (n, m * k)
    label: Array  # (n,), the number of classes where an image does not count


def nbnn(classes: int, descriptors: int = 1) -> Shallow:
    """Predicts the class of least image-to-class distance (Boiman et al., CVPR 2008).

    An image is a set of m local descriptors d_i. The distance to class c is
    sum_i |d_i - NN_c(d_i)|^2, where NN_c(d_i) is the nearest descriptor of any image of
    class c. It follows from a kernel estimate of the density of descriptors and the
    naive-Bayes assumption. Logits are minus the distances. Labelled examples of either
    domain count. Features are (n, m * k), the m = `descriptors` descriptors of k
    features concatenated; with m = 1 an image is one histogram. Descriptors are not
    normalised, and positions (alpha in the paper) may be appended to them.

    Raises:
      ValueError: features that are not a multiple of the descriptors.
    """
    checks.positive('descriptors', descriptors)

    def fit(key, source, target):
        del key
        descriptor_size(source.x.shape[1], descriptors)
        x, label, counts, _ = join_domains(source, target, classes)
        return Nbnn(x, jnp.where(counts, label, classes))

    def predict(fitted, x):
        support = fitted.x.reshape(len(fitted.x) * descriptors, -1)
        label = jnp.repeat(fitted.label, descriptors)

        def distances_of(images):
            query = images.reshape(len(images) * descriptors, -1)
            distance = ops.squared_distances(support, query)

            # Labels beyond the last segment are dropped; an empty segment is infinite.
            nearest = jax.ops.segment_min(distance, label, classes)
            return jnp.sum(nearest.reshape(classes, len(images), descriptors), 2).T

        turns = -(-len(x) * descriptors * len(support) // ENTRIES)
        size = -(-len(x) // turns)
        padded = jnp.pad(x, ((0, turns * size - len(x)), (0, 0)))
        distance = lax.map(distances_of, padded.reshape(turns, size, -1))
        distance = distance.reshape(-1, classes)[: len(x)]
        return jnp.maximum(-distance, ABSENT_LOGIT)

    return Shallow(fit, unchanged, unchanged, predict=predict)


def join_domains(source, target, classes):
    """(rows of both domains, labels, whether a row is labelled, domain 0 or 1)."""
    x = jnp.concatenate([source.x, target.x])
    label = jnp.concatenate([source.label, target.label])
    mask = jnp.concatenate([source.mask, target.mask])
    domain = (jnp.arange(len(x)) >= len(source.x)).astype(int)
    counts = (mask > 0) & (label >= 0) & (label < classes)
    return jnp.where(mask[:, None] > 0, x, 0), label, counts, domain


def descriptor_size(width, descriptors):
    """The number of features of a descriptor, for images of `width` features."""
    if width % descriptors:
        raise ValueError(f'descriptors {descriptors}: do not divide {width} features')
    return width // descriptors
