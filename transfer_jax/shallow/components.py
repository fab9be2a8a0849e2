"""The projection shared by TCA, JDA and TJM: components of the pooled examples.

The rows of Z (n, p) are the examples of both domains: their features (primal, p = d),
or their kernel values K (dual, p = n). The columns of A (p, k) are the k leading
solutions of

    Z^T H Z a = mu (lambda diag(g) + Z^T M Z) a,

where H centres, and M = E E^T with the few columns of E: the differences of means that
a method minimises. Let P P^T be the inverse of the matrix on the right; P has a closed
form. The solutions are P y, with y the leading eigenvectors of P^T Z^T H Z P. Only k of
them are computed, from products with K, or with a linear kernel from a matrix (d, d).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.ops.kernels import Kernel
from transfer_jax.shallow import checks, leading
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array, Key, Samples

REMEDY = 'subtract a common mean from both domains first, or pass unit_rows=False'


class Components(NamedTuple):
    """The directions, and the reference examples of a kernel."""

    weight: Array  # (d, k) for features; (m, k) for kernel values
    reference: Array  # (m, d), 0 in padding; (0, d) if features are mapped


class Settings(NamedTuple):
    """The static part of a problem."""

    dimension: int
    kernel: Kernel | None  # None: primal
    unit_rows: bool  # the examples are scaled to length 1
    unit_output: bool  # the projected examples are scaled to length 1
    whiten: bool  # each component has scatter 1; otherwise each column of A length 1


class Pool(NamedTuple):
    """The examples of both domains, and the matrix of the problem."""

    x: Array  # (n, d), the source examples first; 0 in padding
    mask: Array  # (n,), 0 in padding
    # Primal, or a linear kernel and n > d: X^T H X (d, d). Otherwise: K (n, n)
    matrix: Array


class Solution(NamedTuple):
    """The leading components; columns beyond the span of the examples are 0."""

    a: Array  # (p, k), the largest entry of each column is positive
    fitted: Components
    z: Array  # (n, k), the projected examples


def method(
    settings: Settings,
    regularisation: float | Array,
    fit: Callable[[Key, Samples, Samples], Components],
) -> Shallow:
    """A method with the same map for both domains, after checks of its settings.

    With unit rows, what lies far from the origin is almost the same direction, and the
    pipeline's fit warns of it.

    Raises:
      ValueError: a dimension below 1, or a regularisation that is not positive.
    """
    if settings.dimension < 1:
        raise ValueError(f'dimension {settings.dimension}: must be 1 or more')
    checks.positive('regularisation', regularisation)

    def cautions(fitted, source, target):
        del fitted
        if not settings.unit_rows:
            return []
        return checks.far_from_origin(source, target, REMEDY)

    project = functools.partial(_project, settings)
    return Shallow(fit, project, project, cautions=cautions)


def pool(settings: Settings, source: Samples, target: Samples) -> Pool:
    """Both domains as one sample.

    Raises:
      ValueError: more components than features (with a kernel, than examples).
    """
    x, mask = rows(settings, source, target)
    if settings.kernel is not None and not _factored(settings, x):
        return Pool(x, mask, kernel_matrix(settings, x, mask))
    centred = (x - mask @ x / jnp.sum(mask)) * mask[:, None]
    return Pool(x, mask, centred.T @ centred)


def rows(settings: Settings, source: Samples, target: Samples) -> tuple[Array, Array]:
    """(examples (n, d), 0 in padding, and the mask (n,)).

    Raises:
      ValueError: more components than features (with a kernel, than examples).
    """
    mask = jnp.concatenate([source.mask, target.mask]) > 0
    x = jnp.concatenate([source.x, target.x])
    if settings.kernel is None:
        checks.dimension(settings.dimension, x.shape[1])
    else:
        checks.dimension(settings.dimension, x.shape[0], 'examples')
    x = jnp.where(mask[:, None], x, 0)
    return ops.l2_normalise(x) if settings.unit_rows else x, mask.astype(x.dtype)


def kernel_matrix(settings: Settings, x: Array, mask: Array) -> Array:
    """K (n, n), 0 in padding."""
    return jnp.where((mask[:, None] * mask) > 0, settings.kernel(x, x), 0)


def mean_difference(source: Samples, target: Samples) -> Array:
    """E (n, 1) for the domain means: 1/n_S in source rows, -1/n_T in target rows."""
    return class_mean_differences(
        (source.mask > 0)[:, None].astype(source.x.dtype),
        (target.mask > 0)[:, None].astype(target.x.dtype),
    )


def class_mean_differences(source: Array, target: Array) -> Array:
    """E (n, c), one difference of means per column.

    Args:
      source: (ns, c), 1 if a row belongs to the mean.
      target: (nt, c).
    """

    def mean(members):
        count = jnp.sum(members, 0)
        return members / jnp.where(count > 0, count, 1)

    return jnp.concatenate([mean(source), -mean(target)])


def normalised(differences: Array) -> Array:
    """E scaled such that M = E E^T has Frobenius norm 1."""
    return differences / jnp.sqrt(jnp.linalg.norm(differences.T @ differences))


def solve(
    settings: Settings,
    pool: Pool,
    differences: Array,
    regularisation: float | Array,
    g: Array | None = None,
) -> Solution:
    """The leading components.

    Args:
      differences: E (n, c).
      regularisation: lambda, positive.
      g: (p,), positive; 1 by default.
    """
    x, k = pool.x, settings.dimension
    primal, factored = settings.kernel is None, _factored(settings, x)
    if primal:
        u = x.T @ differences
    elif factored:
        u = x @ (x.T @ differences)
    else:
        u = pool.matrix @ differences
    # P = diag(scale) (I + b b^T)^-1/2 = diag(scale) (I - low low^T)
    scale = jax.lax.rsqrt(regularisation * (jnp.ones(len(u)) if g is None else g))
    low = _low(scale[:, None] * u)

    def half(v):
        return v - low @ (low.T @ v)

    if primal:
        inner = half(half(scale[:, None] * pool.matrix * scale).T)
        value, y = leading.top_eigenpairs(inner, k)
        size = jnp.sum((x * scale) ** 2)
    elif factored:
        value, y = leading.top_linear_kernel_eigenpairs(x, pool.matrix, scale, low, k)
        size = jnp.sum((x.T * scale) ** 2) * jnp.sum(x**2)
    else:
        value, y = leading.top_kernel_eigenpairs(pool.matrix, pool.mask, scale, low, k)
        size = jnp.sum((pool.matrix * scale) ** 2)
    value = zero_rounding(value, len(x), size)
    return finish(settings, pool, value, scale[:, None] * half(y))


def zero_rounding(value: Array, n: int, size: Array) -> Array:
    """Scatters, set to 0 where they are the rounding error of equal examples.

    Args:
      n: the number of examples.
      size: an upper bound of the scatter about 0 instead of the mean.
    """
    unit = 32 * jnp.finfo(value.dtype).eps
    return jnp.where(value > n * unit**2 * size, value, 0)


def finish(settings: Settings, pool: Pool, value: Array, a: Array) -> Solution:
    """Sets length and sign of the components, and projects the examples.

    Args:
      value: (k,), the scatter of each component; 0 for missing components.
      a: (p, k).
    """
    if settings.whiten:
        a = a / jnp.sqrt(jnp.where(value > 0, value, 1))
    else:
        a = ops.l2_normalise(a, 0)
    flipped = jnp.where(jnp.max(a, 0) < -jnp.min(a, 0), -a, a)
    a = jnp.where(value > 0, flipped, 0)
    if settings.kernel in (None, ops.linear_kernel):
        weight = a if settings.kernel is None else pool.x.T @ a
        fitted, z = Components(weight, pool.x[:0]), pool.x @ weight
    else:
        fitted, z = Components(a, pool.x), pool.matrix @ a
    return Solution(a, fitted, ops.l2_normalise(z) if settings.unit_output else z)


def _project(settings: Settings, fitted: Components, x: Array) -> Array:
    """(n, d) -> (n, k)."""
    if settings.unit_rows:
        x = ops.l2_normalise(x)
    if len(fitted.reference):
        x = settings.kernel(x, fitted.reference)
    z = x @ fitted.weight
    return ops.l2_normalise(z) if settings.unit_output else z


def _factored(settings: Settings, x: Array) -> bool:
    """Whether working with the factor X of K = X X^T is cheaper than with K."""
    return settings.kernel is ops.linear_kernel and x.shape[0] > x.shape[1]


def _low(b: Array) -> Array:
    """l with (I + b b^T)^-1/2 = I - l l^T.

    It equals I - b h(b^T b) b^T with h(t) = (1 - 1 / sqrt(1 + t)) / t, computed without
    dividing by t.
    """
    value, vector = jnp.linalg.eigh(b.T @ b)
    t = jnp.maximum(value, 0)
    return b @ (vector * jax.lax.rsqrt(1 + t + jnp.sqrt(1 + t)))
