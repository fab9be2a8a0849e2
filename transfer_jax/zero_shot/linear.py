"""Regularised linear classifiers, by L-BFGS in coordinates that are nearly white.

Minimise 1/2 |W|^2 + C sum_i loss(f(x_i)) with f(x) = x W + b; `cost` is C, that of
scikit-learn. With h a typical second derivative of the loss, the Hessian is near
C h X^T X + I = L L^T; in the coordinates L^T W it is near the identity, so that few
steps suffice.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.flatten_util
import jax.numpy as jnp
import optax

from transfer_jax.types import Array
from transfer_jax.zero_shot import lbfgs

STEPS = 300  # at most
TOLERANCE = 1e-5  # of half the squared gradient: of the mean loss, about


class Linear(NamedTuple):
    """Scores x weight + bias, and whether the fit stopped by itself."""

    weight: Array  # (d, k)
    bias: Array  # (k,)
    converged: Array  # ()


def scores(fitted: Linear, x: Array) -> Array:
    """(n, d) -> (n, k)."""
    return x @ fitted.weight + fitted.bias


def softmax_regression(
    x: Array, label: Array, classes: int, cost: float | Array
) -> Linear:
    """Multinomial logistic regression; the bias is not regularised."""

    def loss(f):
        return optax.softmax_cross_entropy_with_integer_labels(f, label)

    return _minimise(x, loss, 0.04 / classes, classes, cost)


def logistic_regression(x: Array, target: Array, cost: float | Array) -> Linear:
    """One for each column of `target` (n, a), 0 or 1; biases are not regularised."""

    def loss(f):
        return jnp.logaddexp(0, f) - target * f

    return _minimise(x, loss, 0.02, target.shape[1], cost)


def squared_hinge(x: Array, sign: Array, cost: float | Array) -> Linear:
    """max(0, 1 - sign f)^2 for each column of `sign` (n, k), 1 or -1; bias 0."""

    def loss(f):
        return jnp.maximum(1 - sign * f, 0) ** 2

    return _minimise(x, loss, 0.1, sign.shape[1], cost, bias=False)


def _minimise(
    x: Array,
    loss: Callable[[Array], Array],
    curvature: float,
    outputs: int,
    cost: float | Array,
    *,
    bias: bool = True,
) -> Linear:
    n, d = x.shape
    # The bias is free, so centring changes only the conditioning.
    mean = jnp.mean(x, 0) if bias else jnp.zeros(d, x.dtype)
    x = x - mean
    bound = cost * curvature * (x.T @ x) + jnp.eye(d, dtype=x.dtype)
    root = jnp.linalg.cholesky(bound)
    white = jax.scipy.linalg.solve_triangular(root, x.T, lower=True).T
    height = 1 / jnp.sqrt(cost * curvature * n)

    def weight(u):
        return jax.scipy.linalg.solve_triangular(root, u, lower=True, trans='T')

    def value(point):
        f = white @ point['u'] + height * point['b'] * bias
        return cost * jnp.sum(loss(f)) + jnp.sum(weight(point['u']) ** 2) / 2

    start = {'u': jnp.zeros((d, outputs), x.dtype), 'b': jnp.zeros(outputs, x.dtype)}
    flat, unravel = jax.flatten_util.ravel_pytree(start)
    enough = 2 * TOLERANCE * cost * n
    point, squared = lbfgs.minimise(lambda p: value(unravel(p)), flat, enough, STEPS)
    point = unravel(point)
    matrix = weight(point['u'])
    offset = (height * point['b'] - mean @ matrix) * bias
    return Linear(matrix, offset, squared <= enough)
