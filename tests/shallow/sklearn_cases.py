"""Domains and a user's own estimators for the tests of shallow.sklearn."""

import jax
import numpy as np
from sklearn import neighbors

from transfer_jax import shallow
from transfer_jax.shallow import sklearn as estimators
from transfer_jax.shallow.sklearn import (
    AdaptedClassifier,
    SubspaceAlignment,
)
from transfer_jax.types import Samples

NAMES = np.array(['cat', 'dog', 'eel'])


def domains(seed=0, n=30, d=4):
    """(x, y, sample_domain): a source, and a rotated and shifted target."""
    rng = np.random.default_rng(seed)
    y = np.arange(2 * n) % 3
    x = 5 * np.eye(3, d)[y] + rng.normal(size=(2 * n, d))
    turn = np.linalg.qr(rng.normal(size=(d, d)))[0]
    x[n:] = x[n:] @ turn + 1
    sample_domain = np.repeat([1, -2], n)
    order = rng.permutation(2 * n)
    return x[order], y[order], sample_domain[order]


def parts(x, y, sample_domain):
    source = sample_domain > 0
    return (
        Samples(x[source], y[source], np.ones(source.sum())),
        Samples(x[~source], np.full((~source).sum(), -1), np.ones((~source).sum())),
    )


def weighted(slope=1.0):
    """A method with weights that increase along the first feature."""

    def fit(key, source, target):
        del key, target
        return jax.numpy.exp(slope * source.x[:, 0])

    return shallow.none()._replace(fit=fit, weights=lambda fitted: fitted)


class Sloped(estimators.InstanceWeighting):
    """A user's own weighting."""

    build = staticmethod(weighted)

    def __init__(self, slope=1.0, *, target_labels=False):
        self.slope = slope
        self.target_labels = target_labels


class Unchanged(estimators.FeatureAdapter):
    """A user's own adapter without parameters."""

    build = staticmethod(shallow.none)


def target_means(classes, scale=1.0):
    """A method that classifies by the class means of labelled target examples."""

    def fit(key, source, target):
        del key, source
        one_hot = jax.nn.one_hot(target.label, classes) * target.mask[:, None]
        return one_hot.T @ target.x / one_hot.sum(0)[:, None]

    def predict(fitted, x):
        return -scale * jax.numpy.sum((x[:, None] - fitted) ** 2, -1)

    return shallow.none()._replace(fit=fit, predict=predict, semi_supervised=True)


class TargetMeans(estimators.DomainClassifier):
    """A user's own classifier, with a parameter under another name."""

    build = staticmethod(target_means)
    renamed = {'factor': 'scale'}

    def __init__(self, factor=1.0, *, target_labels=True):
        self.factor = factor
        self.target_labels = target_labels


def both(n_components=2):
    return AdaptedClassifier(
        SubspaceAlignment(n_components), neighbors.KNeighborsClassifier(1)
    )
