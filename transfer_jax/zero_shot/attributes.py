"""Attributes that a class has or has not, and scores of classes from them, in logs."""

from typing import NamedTuple

import jax.numpy as jnp

from transfer_jax.types import Array

PRIORS = ('classes', 'half')


class Attributes(NamedTuple):
    """What the training classes say of each attribute."""

    threshold: Array  # (a,), the mean over the training classes
    prior: Array  # (a,), the share of training classes that have it
    varies: Array  # (a,) bool: some training classes have it and some have not


def of_classes(vectors: Array) -> Attributes:
    """The attributes of training classes with vectors (k, a)."""
    threshold = jnp.mean(vectors, 0)
    prior = jnp.mean(vectors > threshold, 0, dtype=vectors.dtype)
    return Attributes(threshold, prior, (prior > 0) & (prior < 1))


def present(attributes: Attributes, vectors: Array) -> Array:
    """(c, a) -> (c, a), 1 where a class is above the mean of the training classes."""
    return (vectors > attributes.threshold).astype(vectors.dtype)


def class_scores(
    attributes: Attributes,
    log_has: Array,
    log_has_not: Array,
    vectors: Array,
    prior: str,
) -> Array:
    """sum_m log p(a_m = a_m^c | x) - log p(a_m^c), (n, c).

    Attributes that all or none of the training classes have are dropped: nothing was
    learned of them.

    Args:
      log_has: (n, a), log p(a_m = 1 | x).
      log_has_not: (n, a), log p(a_m = 0 | x).
      vectors: (c, a).
      prior: p(a_m) is the share of training classes ('classes') or 1/2 ('half').
    """
    varies = attributes.varies
    share = jnp.where(varies, attributes.prior, 0.5) if prior == 'classes' else 0.5
    has = jnp.where(varies, log_has - jnp.log(share), 0)
    has_not = jnp.where(varies, log_has_not - jnp.log(1 - share), 0)
    binary = present(attributes, vectors)
    return has @ binary.T + has_not @ (1 - binary).T
