"""Classifiers by the mean of each class, for few examples per class."""

from typing import NamedTuple

import chex
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.shallow.shallow import Classifier
from transfer_jax.types import Array


class ClassMeans(NamedTuple):
    """A mean for each class."""

    mean: Array  # (c, k), 0 for a class without examples
    present: Array  # (c,), whether the class has examples


class Prototypes(NamedTuple):
    """Class means of centred directions."""

    centre: Array  # (k,), the mean of all examples
    means: ClassMeans


def nearest_class_mean(classes: int) -> Classifier:
    """Predicts the class with the nearest mean (Mensink et al., TPAMI 2013, eq. 1).

    Logits are minus the squared distances to the means, as in prototypical networks
    (Snell et al., NIPS 2017, eq. 2). Instance weights weight the means. Padding and
    unlabelled examples do not count; a class without examples is never predicted.
    """

    def fit(key, source, weights):
        del key
        return _means(source.x, _share(source, weights), source.label, classes)

    def logits(fitted, x):
        squared = ops.squared_distances(fitted.mean, x)
        return jnp.where(fitted.present, -squared.T, ABSENT_LOGIT)

    return Classifier(fit, logits)


def prototypes(classes: int) -> Classifier:
    """Cosine to the class means of centred, normalised features (SimpleShot's CL2N).

    Features are centred by the mean of the training examples and scaled to length 1
    (Wang et al., arXiv:1911.04623, section 3). Logits are the cosines to the class
    means.

    Deviations: SimpleShot uses the distance to the mean, which also depends on the
    mean's length. It centres by the mean of the base classes, which is not available
    for a pretrained network.
    """

    def fit(key, source, weights):
        del key
        share = _share(source, weights)
        total = jnp.sum(share)
        present_x = jnp.where(share[:, None] > 0, source.x, 0)
        centre = share @ present_x / jnp.where(total > 0, total, 1)
        x = ops.l2_normalise(source.x - centre)
        return Prototypes(centre, _means(x, share, source.label, classes))

    def logits(fitted, x):
        directions = ops.l2_normalise(x - fitted.centre)
        cosine = directions @ ops.l2_normalise(fitted.means.mean).T
        return jnp.where(fitted.means.present, cosine, ABSENT_LOGIT)

    return Classifier(fit, logits)


def _share(source, weights) -> Array:
    """(n,), the weight of each example."""
    chex.assert_rank([source.x, source.label, source.mask], [2, 1, 1])
    share = jnp.where(source.label >= 0, source.mask, 0)
    return share if weights is None else share * weights


def _means(x, share, label, classes) -> ClassMeans:
    membership = (label[:, None] == jnp.arange(classes)) * share[:, None]
    count = jnp.sum(membership, 0)
    # Rows that do not count may hold any value, including NaN.
    present_x = jnp.where(share[:, None] > 0, x, 0)
    mean = membership.T @ present_x / jnp.where(count > 0, count, 1)[:, None]
    return ClassMeans(mean, count > 0)
