"""Linear probes with L2 regularisation: one-vs-rest SVM, softmax regression.

Both minimise scikit-learn's objective, so that numbers can be compared; `cost` is its
C. Arithmetic is in float64.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax.shallow import newton, squared_hinge
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.shallow.shallow import Classifier
from transfer_jax.types import Array

TOLERANCE = 1e-6  # gap to the minimum allowed, as a share of the objective


class Linear(NamedTuple):
    """Scores x weight + bias; in a path, leaves have a leading axis over the costs."""

    weight: Array  # (d, c)
    bias: Array  # (c,), for a class without examples so low that it never wins
    objective: Array  # (), summed over the classes
    converged: Array  # (), whether the objective is within the tolerance


def linear_svm(classes: int, cost: float | Array = 1.0) -> Classifier:
    """One-vs-rest SVM with squared hinge loss, as scikit-learn's LinearSVC.

    For each class, with y_i = 1 for its examples and -1 for the others, minimises
    1/2 |w|^2 + C sum_i s_i max(0, 1 - y_i f(x_i))^2, where s are the instance weights.
    The bias is the weight of a constant feature 1, so it is regularised too (Fan et
    al., LIBLINEAR, JMLR 2008). Padding and unlabelled examples do not count.

    Raises:
      ValueError: a cost that is not positive.
    """
    return _classifier(_svm, classes, cost)


def softmax_regression(classes: int, cost: float | Array = 1.0) -> Classifier:
    """Multinomial logistic regression, as scikit-learn's LogisticRegression.

    Minimises 1/2 |W|^2 + C sum_i s_i (log sum_k exp f_k(x_i) - f_{y_i}(x_i)), where s
    are the instance weights; the biases are not regularised. Two classes also have two
    scores, where scikit-learn has one. Padding and unlabelled examples do not count.

    Raises:
      ValueError: a cost that is not positive.
    """
    return _classifier(_softmax, classes, cost)


def linear_path(
    kind: str,
    classes: int,
    costs: Sequence[float] | Array,
    *,
    tolerance: float = TOLERANCE,
) -> Callable[..., Linear]:
    """fit(samples, weights=None) -> Linear with a leading axis over `costs`.

    The fits share the decomposition of the features, and each starts from the solution
    for the previous cost, so pass costs in ascending order.

    Args:
      kind: 'svm' or 'softmax'.
      tolerance: gap to the minimum allowed, as a share of the objective.

    Raises:
      ValueError: another kind, or a cost that is not positive.
    """
    if kind not in KINDS:
        raise ValueError(f'no linear probe {kind!r}; choose from {", ".join(KINDS)}')
    return functools.partial(
        _path, KINDS[kind], classes, _positive(costs), tolerance=tolerance
    )


def linear_scores(fitted: Linear, x: Array) -> Array:
    """(n, d) -> (n, c), float64; with a path, (costs, n, c)."""
    with jax.enable_x64(True):
        x = jnp.asarray(x, jnp.float64)
        return x @ fitted.weight + fitted.bias[..., None, :]


class _Problem(NamedTuple):
    """A problem in the coordinates z, and the map back to the features."""

    z: Array  # (n, r)
    minimise: Callable[..., newton.Minimum]  # (cost, start (r, c), tolerance)
    back: Callable[[Array], tuple[Array, Array]]  # (r, c) -> (d, c), (c,)


def _classifier(kind, classes, cost) -> Classifier:
    costs = _positive(cost)[None]

    def fit(key, source, weights):
        del key
        path = _path(kind, classes, costs, source, weights)
        return jax.tree.map(lambda leaf: leaf[0], path)

    return Classifier(fit, linear_scores)


def _path(kind, classes, costs, samples, weights=None, *, tolerance=TOLERANCE):
    chex.assert_rank([samples.x, samples.label, samples.mask], [2, 1, 1])
    with jax.enable_x64(True):
        return _solve(kind, classes, costs, samples, weights, tolerance)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _solve(kind, classes, costs, samples, weights, tolerance):
    counts = (samples.mask > 0) & (samples.label >= 0)
    weight = jnp.where(counts, samples.mask, 0).astype(jnp.float64)
    if weights is not None:
        weight = weight * weights
    x = jnp.where(weight[:, None] > 0, samples.x, 0).astype(jnp.float64)
    one_hot = jax.nn.one_hot(samples.label, classes, dtype=x.dtype) * counts[:, None]
    present = weight @ one_hot > 0
    problem = kind(x, one_hot, weight, present)

    def solve(start, cost):
        solution = problem.minimise(cost, start, tolerance)
        matrix, bias = problem.back(solution.w)
        fitted = Linear(
            matrix,
            jnp.where(present, bias, ABSENT_LOGIT),
            jnp.sum(solution.objective),
            jnp.all(solution.gap <= tolerance * solution.objective),
        )
        return solution.w, fitted

    start = jnp.zeros((problem.z.shape[1], classes), x.dtype)
    return jax.lax.scan(solve, start, costs.astype(x.dtype))[1]


def _svm(x, one_hot, weight, present) -> _Problem:
    real = (weight > 0)[:, None]
    x = jnp.concatenate([x, real.astype(x.dtype)], 1)
    sign, share = 2 * one_hot - 1, weight[:, None] * present

    def on_host(cost, start, tolerance):
        return squared_hinge.minimise(x, sign, cost * share, start, tolerance)

    if jax.default_backend() == 'cpu':
        return _Problem(x, on_host, lambda w: (w[:-1], w[-1]))
    z, basis = coordinates(x)

    def loss(cost):
        scale = cost * share

        def hinge(f):
            return jnp.maximum(1 - sign * f, 0)

        def diagonal(f):
            return 2 * scale * (hinge(f) > 0)

        return newton.Loss(
            value=lambda f: scale * hinge(f) ** 2,
            slope=lambda f: -2 * scale * sign * hinge(f),
            curvature=lambda f, u: diagonal(f) * u,
            diagonal=diagonal,
        )

    def minimise(cost, start, tolerance):
        ridge = jnp.ones((z.shape[1], 1))
        how = {'joint': False, 'tolerance': tolerance}
        return newton.minimise(z, ridge, loss(cost), start, **how)

    def back(w):
        whole = basis @ w
        return whole[:-1], whole[-1]

    return _Problem(z, minimise, back)


def _softmax(x, one_hot, weight, present) -> _Problem:
    # The bias is free, so centring changes only the conditioning.
    total = jnp.sum(weight)
    mean = weight @ x / jnp.where(total > 0, total, 1)
    real = (weight > 0)[:, None]
    z, basis = coordinates(jnp.where(real, x - mean, 0))
    z = jnp.concatenate([z, real.astype(x.dtype)], 1)
    ridge = jnp.ones((z.shape[1], 1)).at[-1].set(0)
    absent = jnp.where(present, 0, ABSENT_LOGIT)

    def loss(cost):
        scale = cost * weight[:, None]

        def curvature(f, u):
            p = jax.nn.softmax(f + absent)
            return scale * p * (u - jnp.sum(p * u, 1, keepdims=True))

        def diagonal(f):
            p = jax.nn.softmax(f + absent)
            return scale * p * (1 - p)

        def value(f):
            label_score = jnp.sum(f * one_hot, 1, keepdims=True)
            return scale * (
                jax.nn.logsumexp(f + absent, 1, keepdims=True) - label_score
            )

        def slope(f):
            return scale * (jax.nn.softmax(f + absent) - one_hot)

        return newton.Loss(value, slope, curvature, diagonal)

    def minimise(cost, start, tolerance):
        how = {'joint': True, 'tolerance': tolerance}
        return newton.minimise(z, ridge, loss(cost), start, **how)

    def back(w):
        matrix = basis @ w[:-1]
        return matrix, w[-1] - mean @ matrix

    return _Problem(z, minimise, back)


def coordinates(x: Array) -> tuple[Array, Array]:
    """(z (n, r), basis (d, r)) with x = z basis^T, r = min(n, d), principal axes.

    The basis is orthonormal, so |basis w| = |w|. At the minimum of an L2-regularised
    loss the weights have no component outside the span of the examples.
    """
    n, d = x.shape
    basis = None
    if n < d:
        basis, triangle = jnp.linalg.qr(x.T)
        x = triangle.T
    rotation = jnp.linalg.eigh(x.T @ x)[1]
    return x @ rotation, rotation if basis is None else basis @ rotation


def _positive(costs):
    """The costs as an array; unless traced, they must be positive."""
    if isinstance(costs, jax.core.Tracer):
        return costs
    costs = np.asarray(costs, np.float64)
    for cost in costs.ravel():
        if not cost > 0:
            raise ValueError(f'cost {cost}: must be positive')
    return costs


KINDS = {'svm': _svm, 'softmax': _softmax}
