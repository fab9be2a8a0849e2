"""Bilinear scores x^T W s, trained by stochastic gradients on all seen classes."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax.types import Array
from transfer_jax.zero_shot import checks
from transfer_jax.zero_shot.method import ZeroShot


class Bilinear(NamedTuple):
    """The compatibility of features and vectors."""

    maps: Array  # (maps, d, a); scores are the largest of x^T W_i s


class Descent(NamedTuple):
    """Constants of the descent."""

    rate: float | Array
    epochs: int
    batch: int
    maps: int = 1


def checked(descent: Descent, margin: float | Array) -> Descent:
    """The constants themselves.

    Raises:
      ValueError: one that is not positive.
    """
    checks.positive('margin', margin)
    for name, value in descent._asdict().items():
        checks.positive(name, value)
    return descent


def method(loss: Callable[[Array, Array], Array], descent: Descent) -> ZeroShot:
    """Minimises the mean of loss(scores (n, k), label) -> (n,) over the seen classes.

    W starts normal with variance 1/d. Each epoch visits the examples in another order,
    in batches of one size, and leaves out those that fill no batch. A step descends
    along the gradient of the mean loss of its batch.
    """

    def fit(key, x, label, vectors):
        x, label, vectors = map(jnp.asarray, (x, label, vectors))
        n, d = x.shape
        start, order = jax.random.split(key)
        shape = (descent.maps, d, vectors.shape[1])
        maps = jax.random.normal(start, shape, x.dtype) / jnp.sqrt(d)
        size = min(descent.batch, n)

        def mean_loss(maps, rows):
            return jnp.mean(loss(largest(maps, x[rows], vectors), label[rows]))

        def step(maps, rows):
            return maps - descent.rate * jax.grad(mean_loss)(maps, rows), None

        def epoch(maps, key):
            rows = jax.random.permutation(key, n)[: n // size * size]
            return jax.lax.scan(step, maps, rows.reshape(-1, size))[0], None

        keys = jax.random.split(order, descent.epochs)
        return Bilinear(jax.lax.scan(epoch, maps, keys)[0])

    def scores(fitted, x, vectors):
        return largest(fitted.maps, x, vectors)

    return ZeroShot(fit, scores)


def largest(maps: Array, x: Array, vectors: Array) -> Array:
    """max_i x^T W_i s, (n, c)."""
    each = [x @ matrix @ vectors.T for matrix in maps]
    return each[0] if len(each) == 1 else jnp.max(jnp.stack(each), 0)
