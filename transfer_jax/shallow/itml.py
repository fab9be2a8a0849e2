"""Information-Theoretic Metric Learning between two domains."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.shallow import checks
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array

BLOCK = 32  # constraints between two updates of the whole matrix
FEW = 128  # labelled target examples for which the smaller kernel matrix has room


class Itml(NamedTuple):
    """A Mahalanobis metric and its dual solution, for m constraints."""

    factor: Array  # (d, d), L with A = L L^T
    pair: Array  # (m, 2), rows of [source; target]
    sign: Array  # (m,), 1 for similar pairs, -1 for others, 0 for those left out
    multiplier: Array  # (m,), of each constraint, 0 or more
    slack: Array  # (m,), the final bound of each constraint
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
    """The metric nearest to the Euclidean one that groups classes across domains.

    Minimises D(A, I) + gamma D(diag xi, diag xi_0) over A and xi, where D(A, B) =
    tr(A B^-1) - log det(A B^-1) - d is the LogDet divergence, subject to
    (x_i - x_j)^T A (x_i - x_j) <= xi_ij for pairs of one class and >= xi_ij for pairs
    of two classes (Davis, Kulis, Jain, Sra and Dhillon, ICML 2007). xi_0 is u for the
    former and l for the latter, the 5th and 95th percentiles of the squared distances
    of the pairs. Pairs are drawn at random with replacement, one row from the labelled
    source examples and one from the labelled target examples (Saenko, Kulis, Fritz and
    Darrell, ECCV 2010); with across=False both rows may come from either domain.

    The problem is solved by Bregman projections onto one constraint at a time, in
    sweeps, until the multipliers change by less than `tolerance` relative to their
    size, or for `sweeps` sweeps. With fewer examples n than features d, the projections
    update the n x n kernel matrix of the examples instead of A, at O(n^2) a constraint,
    which is equivalent (Jain, Kulis, Davis and Dhillon, JMLR 2012). A differs from I
    only in the span of the examples. x becomes x L, so that the Euclidean distance is
    the learned metric.

    Deviations: the step alpha is the exact projection gamma / (gamma + 1) (1/p - 1/xi),
    as in the authors' code; Algorithm 1 as printed is correct for gamma = 1 only. The
    percentiles are exact; the authors compute them from a histogram. Pairs at distance
    zero are left out, as in the authors' code.

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
        distinct = squared > 64 * jnp.finfo(x.dtype).eps * longest
        bounds = jnp.stack([_quantile(squared, distinct, q) for q in (0.05, 0.95)])
        sign = jnp.where(distinct, jnp.where(label[i] == label[j], 1, -1), 0)
        start = jnp.where(sign > 0, bounds[0], bounds[1])
        # Labelled examples first, because the others need no row in the kernel matrix.
        order = jnp.argsort(counts <= 0)
        x, sorted_pair = x[order], jnp.argsort(order)[pair]

        def solve(rows):
            arguments = x[:rows], sorted_pair, sign
            solution = _project(
                *arguments, start, gamma=gamma, sweeps=sweeps, tolerance=tolerance
            )
            return _factor(*arguments, solution[0]), *solution

        whole, few = len(x), len(source.x) + FEW
        if few < whole:
            fits = jnp.sum(counts > 0) <= few
            solution = lax.cond(fits, lambda: solve(few), lambda: solve(whole))
        else:
            solution = solve(whole)
        factor, multiplier, slack, change = solution
        return Itml(factor, pair, sign, multiplier, slack, bounds, change)

    def features(fitted, x):
        return x @ fitted.factor

    return Shallow(fit, features, features, semi_supervised=True)


def _draw(key, counts, domain, constraints, across):
    """(m, 2) random pairs of rows with `counts` 1."""
    first, second = counts, counts
    if across:
        first, second = counts * domain, counts * ~domain

    def rows(key, share):
        # 32 bits, because the draws of 64 bits depend on JAX's precision mode.
        bits = jax.random.bits(key, (constraints,), jnp.uint32).astype(share.dtype)
        total = jnp.cumsum(share)
        position = jnp.searchsorted(total, bits / 2.0**32 * total[-1], side='right')
        return jnp.minimum(position, len(share) - 1)

    one, two = jax.random.split(key)
    return jnp.stack([rows(one, first), rows(two, second)], 1)


def _quantile(value, counts, q):
    """The interpolated q quantile of the values that count; 1 if none does."""
    number = jnp.sum(counts)
    ordered = jnp.sort(jnp.where(counts, value, jnp.inf))
    position = q * jnp.maximum(number - 1, 0)
    low = jnp.floor(position).astype(int)
    high = jnp.minimum(low + 1, jnp.maximum(number - 1, 0))
    quantile = ordered[low] + (position - low) * (ordered[high] - ordered[low])
    return jnp.where(number > 0, quantile, 1.0)


def _project(x, pair, sign, slack, *, gamma, sweeps, tolerance):
    """Multipliers (m,), slack (m,) and the change () in the last sweep."""
    # The smaller of x x^T and A, which have equivalent projections.
    kernel = len(x) < x.shape[1]
    start = x @ x.T if kernel else jnp.eye(x.shape[1], dtype=x.dtype)
    count = len(pair)
    short = -count % BLOCK
    pair = jnp.pad(pair, ((0, short), (0, 0))).reshape(-1, BLOCK, 2)
    sign = jnp.pad(sign, (0, short)).reshape(-1, BLOCK)
    slack = jnp.pad(slack, (0, short), constant_values=1).reshape(-1, BLOCK)

    def one(carry, constraint):
        gram, turn = carry  # of the block: V^T A V, and V^T A relative to its start
        k, delta, multiplier, slack = constraint
        column, row = gram[k], turn[k]
        p = jnp.where(delta == 0, 1.0, column[k])
        step = gamma / (gamma + 1) * delta * (1 / p - 1 / slack)
        alpha = jnp.where(delta == 0, 0.0, jnp.minimum(multiplier, step))
        beta = delta * alpha / (1 - delta * alpha * p)
        slack = 1 / (1 / slack + delta * alpha / gamma)
        scaled = beta * column[:, None]
        carry = gram + scaled * column, turn + scaled * row
        return carry, (row, beta, multiplier - alpha, slack, jnp.abs(alpha))

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
        _, (turn, beta, new, slack, steps) = lax.scan(
            one, start, (jnp.arange(BLOCK), sign, multiplier, slack)
        )
        images = turn @ images
        return matrix + (beta * images.T) @ images, (new, slack, steps)

    def sweep(state):
        number, matrix, multiplier, slack, _ = state
        matrix, (new, slack, steps) = lax.scan(
            block, matrix, (pair, sign, multiplier, slack)
        )
        size = jnp.sum(new) + jnp.sum(multiplier)
        change = jnp.sum(steps) / jnp.where(size > 0, size, 1)
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
