"""Information-Theoretic Metric Learning between two domains."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.shallow import checks
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array

BLOCK = 32  # constraints between two updates of the whole matrix
FEW = 128  # labelled target examples that a kernel matrix has room for at first


class Itml(NamedTuple):
    """A Mahalanobis metric and the dual solution that it comes from; m constraints."""

    factor: Array  # (d, d), L with A = L L^T
    pair: Array  # (m, 2), rows of [source; target]
    sign: Array  # (m,), 1 for similar pairs, -1 for others, 0 for those left out
    multiplier: Array  # (m,), of each constraint, 0 or more
    slack: Array  # (m,), the bound that each constraint ended up with
    bounds: Array  # (2,), u and l before slack
    change: Array  # (), relative change of the multipliers in the last sweep


def itml(
    constraints: int,
    gamma: float | Array = 1.0,
    *,
    across: bool = True,
    sweeps: int = 30,
    tolerance: float = 1e-3,
) -> Shallow:
    """The metric nearest to Euclid's that keeps classes together across domains.

    Minimises D(A, I) + gamma D(diag xi, diag xi_0) over A and xi, where D(A, B) =
    tr(A B^-1) - log det(A B^-1) - d is the LogDet divergence, subject to
    (x_i - x_j)^T A (x_i - x_j) <= xi_ij for pairs of one class and >= xi_ij for pairs
    of two classes (Davis, Kulis, Jain, Sra and Dhillon, ICML 2007). xi_0 is u for the
    former and l for the latter, the 5th and 95th percentiles of the squared distances
    of the pairs. Pairs are drawn at random with replacement, one row of each among the
    labelled source examples, the other among the labelled target examples (Saenko,
    Kulis, Fritz and Darrell, ECCV 2010); across=False draws both from either domain.

    Solved by Bregman projections onto one constraint after the other, sweep after
    sweep, until the multipliers change by less than `tolerance` relative to their size,
    or `sweeps` are over. Where there are fewer examples n than features d, the
    projections change the n x n kernel matrix of the examples instead of A, O(n^2) a
    constraint: the two are equivalent (Jain, Kulis, Davis and Dhillon, JMLR 2012). A
    differs from I in the span of the examples only. x becomes x L, so that Euclidean
    distance is the metric.

    Deviations: the step alpha is the exact projection gamma / (gamma + 1) (1/p - 1/xi),
    as in the authors' code; Algorithm 1 as printed is that for gamma = 1 only. The
    percentiles are exact, the authors' from a histogram. Pairs at distance zero are
    left out, as in the authors' code.

    Raises:
      ValueError: gamma not positive, or fewer than 1 constraint or sweep.
    """
    checks.positive('gamma', gamma)
    checks.positive('constraints', constraints)
    checks.positive('sweeps', sweeps)

    def fit(key, source, target):
        x = jnp.concatenate([source.x, target.x])
        label = jnp.concatenate([source.label, target.label])
        counts = jnp.concatenate([source.mask, target.mask]) * (label >= 0)
        domain = jnp.arange(len(x)) < len(source.x)
        x = jnp.where(counts[:, None] > 0, x, 0)
        pair = _draw(key, counts, domain, constraints, across)
        i, j = pair.T
        squared = jnp.sum((x[i] - x[j]) ** 2, 1)
        longest = jnp.max(jnp.sum(x**2, 1))
        apart = squared > 64 * jnp.finfo(x.dtype).eps * longest
        bounds = jnp.stack([_quantile(squared, apart, q) for q in (0.05, 0.95)])
        sign = jnp.where(apart, jnp.where(label[i] == label[j], 1, -1), 0)
        start = jnp.where(sign > 0, bounds[0], bounds[1])
        # Labelled examples first: the others need no row in the kernel matrix.
        order = jnp.argsort(counts <= 0)
        x, placed = x[order], jnp.argsort(order)[pair]

        def solve(rows):
            given = x[:rows], placed, sign
            found = _project(
                *given, start, gamma=gamma, sweeps=sweeps, tolerance=tolerance
            )
            return _factor(*given, found[0]), *found

        whole, few = len(x), len(source.x) + FEW
        if few < whole:
            fits = jnp.sum(counts > 0) <= few
            found = lax.cond(fits, lambda: solve(few), lambda: solve(whole))
        else:
            found = solve(whole)
        factor, multiplier, slack, change = found
        return Itml(factor, pair, sign, multiplier, slack, bounds, change)

    def features(fitted, x):
        return x @ fitted.factor

    return Shallow(fit, features, features, semi_supervised=True)


def _draw(key, counts, domain, constraints, across):
    """(m, 2) random pairs of rows that count."""
    first, second = counts, counts
    if across:
        first, second = counts * domain, counts * ~domain

    def rows(key, share):
        # 32 bits: 64 are not drawn alike in every mode of JAX.
        bits = jax.random.bits(key, (constraints,), jnp.uint32).astype(share.dtype)
        total = jnp.cumsum(share)
        place = jnp.searchsorted(total, bits / 2.0**32 * total[-1], side='right')
        return jnp.minimum(place, len(share) - 1)

    one, two = jax.random.split(key)
    return jnp.stack([rows(one, first), rows(two, second)], 1)


def _quantile(value, counts, q):
    """Of the values that count, interpolated; 1 where none does."""
    number = jnp.sum(counts)
    ordered = jnp.sort(jnp.where(counts, value, jnp.inf))
    place = q * jnp.maximum(number - 1, 0)
    low = jnp.floor(place).astype(int)
    high = jnp.minimum(low + 1, jnp.maximum(number - 1, 0))
    found = ordered[low] + (place - low) * (ordered[high] - ordered[low])
    return jnp.where(number > 0, found, 1.0)


def _project(x, pair, sign, slack, *, gamma, sweeps, tolerance):
    """Multipliers (m,), slack (m,) and the change () in the last sweep."""
    # Of the two matrices with the same projections, the smaller: x x^T and A.
    kernel = len(x) < x.shape[1]
    start = x @ x.T if kernel else jnp.eye(x.shape[1], dtype=x.dtype)
    count = len(pair)
    short = -count % BLOCK
    pair = jnp.pad(pair, ((0, short), (0, 0))).reshape(-1, BLOCK, 2)
    sign = jnp.pad(sign, (0, short)).reshape(-1, BLOCK)
    slack = jnp.pad(slack, (0, short), constant_values=1).reshape(-1, BLOCK)

    def one(carry, constraint):
        gram, turn = carry  # of the block: V^T A V, and V^T A in terms of its start
        k, delta, multiplier, slack = constraint
        column, image = gram[k], turn[k]
        p = jnp.where(delta == 0, 1.0, column[k])
        step = gamma / (gamma + 1) * delta * (1 / p - 1 / slack)
        alpha = jnp.where(delta == 0, 0.0, jnp.minimum(multiplier, step))
        beta = delta * alpha / (1 - delta * alpha * p)
        slack = 1 / (1 / slack + delta * alpha / gamma)
        scaled = beta * column[:, None]
        carry = gram + scaled * column, turn + scaled * image
        return carry, (image, beta, multiplier - alpha, slack, jnp.abs(alpha))

    def block(matrix, constraints):
        pair, sign, multiplier, slack = constraints
        i, j = pair.T
        if kernel:
            images = matrix[i] - matrix[j]
            gram = images[:, i] - images[:, j]
        else:
            v = x[i] - x[j]
            images = v @ matrix
            gram = images @ v.T
        start = (gram + gram.T) / 2, jnp.eye(BLOCK, dtype=x.dtype)
        _, (turn, beta, new, slack, moved) = lax.scan(
            one, start, (jnp.arange(BLOCK), sign, multiplier, slack)
        )
        images = turn @ images
        return matrix + (beta * images.T) @ images, (new, slack, moved)

    def sweep(state):
        number, matrix, multiplier, slack, _ = state
        matrix, (new, slack, moved) = lax.scan(
            block, matrix, (pair, sign, multiplier, slack)
        )
        size = jnp.sum(new) + jnp.sum(multiplier)
        change = jnp.sum(moved) / jnp.where(size > 0, size, 1)
        return number + 1, matrix, new, slack, change

    def unfinished(state):
        return (state[0] < sweeps) & (state[-1] >= tolerance)

    far = jnp.asarray(jnp.inf, x.dtype)
    state = (0, start, jnp.zeros_like(slack), slack, far)
    _, _, multiplier, slack, change = lax.while_loop(unfinished, sweep, state)
    return multiplier.ravel()[:count], slack.ravel()[:count], change


def _factor(x, pair, sign, multiplier):
    """L (d, d), L L^T = (I + sum_k sign_k multiplier_k v_k v_k^T)^-1, v = x_i - x_j."""
    multiplier = sign * multiplier
    n, d = x.shape
    i, j = pair.T
    # The sum is x^T S x with the Laplacian S of the pairs.
    laplacian = jnp.zeros((n, n), x.dtype)
    for a, b, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
        laplacian = laplacian.at[a, b].add(sign * multiplier)
    basis = None
    if n < d:
        basis, triangle = jnp.linalg.qr(x.T)
        x = triangle.T
    inverse = jnp.eye(x.shape[1], dtype=x.dtype) + x.T @ laplacian @ x
    value, vector = jnp.linalg.eigh((inverse + inverse.T) / 2)
    root = 1 / jnp.sqrt(value)
    if basis is None:
        return (vector * root) @ vector.T
    turned = basis @ vector
    return jnp.eye(d, dtype=x.dtype) + (turned * (root - 1)) @ turned.T
