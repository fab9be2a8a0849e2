"""A few eigenvectors of a large symmetric matrix.

On CPU SciPy computes only these on the host. Elsewhere a full decomposition by XLA is
faster.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from transfer_jax import ops
from transfer_jax.types import Array

SMALL = 300  # matrices with fewer rows are decomposed fully
ITERATED = 500  # Lanczos pays from this number of rows,
SHARE = 1 / 12  # for at most this share of the vectors
MANY = 1 / 3  # a larger share of the vectors costs as much as all


def top_eigenpairs(s: Array, k: int) -> tuple[Array, Array]:
    """The k largest eigenvalues (k,) of s (p, p), descending, and their vectors (p, k).

    Eigenvalues that are 0 up to rounding are set to 0; so are all entries beyond p.
    """
    p = len(s)
    count = min(k, p)
    s = (s + s.T) / 2
    if jax.default_backend() == 'cpu' and p >= SMALL and count <= MANY * p:
        pairs = ops.host.call(
            functools.partial(_top_eigenpairs, k=count), [(count,), (p, count)], s
        )
    else:
        value, vector = jnp.linalg.eigh(s)
        pairs = value[::-1][:count], vector[:, ::-1][:, :count]
    return _cut(*pairs, k)


def top_gram_eigenpairs(x: Array, k: int) -> tuple[Array, Array]:
    """The top eigenpairs of x^T x (p, p), for x (n, p)."""
    p = x.shape[1]
    count = min(k, p)
    if jax.default_backend() != 'cpu':
        return top_eigenpairs(x.T @ x, k)
    pairs = ops.host.call(
        lambda x: _top_eigenpairs(x.T @ x, k=count), [(count,), (p, count)], x
    )
    return _cut(*pairs, k)


def top_kernel_eigenpairs(
    kernel: Array, mask: Array, scale: Array, low: Array, k: int
) -> tuple[Array, Array]:
    """The top eigenpairs of P^T K H K P, P = diag(scale) (I - low low^T), H centring.

    Args:
      kernel: K (n, n), 0 in padding.
      mask: (n,), 0 in padding.
      scale: (n,).
      low: (n, c).
    """
    n = len(kernel)
    count = min(k, n)
    if jax.default_backend() == 'cpu':
        pairs = ops.host.call(
            functools.partial(_top_kernel_eigenpairs, k=count),
            [(count,), (n, count)],
            kernel,
            mask,
            scale,
            low,
        )
        return _cut(*pairs, k)
    f = (kernel - mask[:, None] * (mask @ kernel) / jnp.sum(mask)) * scale
    f = f - (f @ low) @ low.T
    return top_eigenpairs(f.T @ f, k)


def top_linear_kernel_eigenpairs(
    x: Array, scatter: Array, scale: Array, low: Array, k: int
) -> tuple[Array, Array]:
    """`top_kernel_eigenpairs` for K = X X^T, without forming K.

    Args:
      x: X (n, d), 0 in padding.
      scatter: X^T H X (d, d).
    """
    n = len(x)
    count = min(k, n)
    if jax.default_backend() == 'cpu':
        pairs = ops.host.call(
            functools.partial(_top_linear_kernel_eigenpairs, k=count),
            [(count,), (n, count)],
            x,
            scatter,
            scale,
            low,
        )
        return _cut(*pairs, k)
    # P^T K H K P = F F^T, whose vectors come from those of F^T F (d, d)
    value, vector = jnp.linalg.eigh(scatter)
    f = scale[:, None] * (x @ (vector * jnp.sqrt(jnp.maximum(value, 0))))
    f = f - low @ (low.T @ f)
    value, y = top_eigenpairs(f.T @ f, k)
    return value, f @ (y / jnp.sqrt(jnp.where(value > 0, value, 1)))


def top_pencil_eigenpairs(s: Array, t: Array, k: int) -> tuple[Array, Array]:
    """The top eigenpairs of s v = mu t v, v^T t v = 1; s, t (p, p), t definite."""
    p = len(s)
    count = min(k, p)
    s, t = (s + s.T) / 2, (t + t.T) / 2
    if jax.default_backend() == 'cpu':
        pairs = ops.host.call(
            functools.partial(_dense, k=count), [(count,), (p, count)], s, t
        )
        return _cut(*pairs, k)
    lower = jnp.linalg.cholesky(t)
    inner = jax.scipy.linalg.solve_triangular(lower, s, lower=True)
    inner = jax.scipy.linalg.solve_triangular(lower, inner.T, lower=True)
    value, vector = top_eigenpairs(inner, k)
    return value, jax.scipy.linalg.solve_triangular(lower.T, vector, lower=False)


def _cut(value, vector, k):
    rounding = len(vector) * jnp.finfo(value.dtype).eps * value[0]
    value = jnp.where(value > rounding, value, 0)
    beyond = k - len(value)
    return jnp.pad(value, (0, beyond)), jnp.pad(vector, ((0, 0), (0, beyond)))


def _top_eigenpairs(s: np.ndarray, *, k: int):
    pairs = _iterate(s, k) if s.any() else None
    return pairs or _dense(s, k=k)


def _top_kernel_eigenpairs(kernel, mask, scale, low, *, k: int):
    n = len(kernel)

    def product(v):
        v = v.reshape(n, -1)
        v = scale[:, None] * (v - low @ (low.T @ v))
        v = kernel @ v
        v = kernel @ (v - mask[:, None] * (mask @ v) / mask.sum())
        v = scale[:, None] * v
        return v - low @ (low.T @ v)

    operator = scipy.sparse.linalg.LinearOperator((n, n), product, dtype=float)
    pairs = _iterate(operator, k) if kernel.any() else None
    if pairs:
        return pairs
    s = product(np.eye(n))
    return _dense((s + s.T) / 2, k=k)


def _top_linear_kernel_eigenpairs(x, scatter, scale, low, *, k: int):
    n = len(x)

    def half(v):
        return v - low @ (low.T @ v)

    def product(v):
        v = x.T @ (scale[:, None] * half(v.reshape(n, -1)))
        return half(scale[:, None] * (x @ (scatter @ v)))

    operator = scipy.sparse.linalg.LinearOperator((n, n), product, dtype=float)
    pairs = _iterate(operator, k) if x.any() else None
    if pairs:
        return pairs
    value, vector = scipy.linalg.eigh(scatter)
    f = half(scale[:, None] * (x @ (vector * np.sqrt(np.maximum(value, 0)))))
    count = min(k, f.shape[1])
    value, y = _dense(f.T @ f, k=count)
    y = f @ (y / np.sqrt(np.where(value > 0, value, 1)))
    return np.pad(value, (0, k - count)), np.pad(y, ((0, 0), (0, k - count)))


def _iterate(s, k):
    """The top eigenpairs by Lanczos; None if that is slower or missed a vector.

    From one start vector Lanczos finds one copy of a repeated eigenvalue, and others
    only through rounding. So the deflated matrix is checked for a larger eigenvalue.
    """
    p = s.shape[0]
    if p < ITERATED or k > SHARE * p:
        return None
    start, second_start = np.random.default_rng(0).normal(size=(2, p))
    try:
        value, vector = scipy.sparse.linalg.eigsh(s, k, v0=start)
        rest = scipy.sparse.linalg.LinearOperator(
            s.shape, lambda x: s @ x - vector @ (value * (vector.T @ x)), dtype=float
        )
        second_start -= vector @ (vector.T @ second_start)
        beyond = scipy.sparse.linalg.eigsh(
            rest, 1, v0=second_start, which='LA', tol=1e-3
        )
    except scipy.sparse.linalg.ArpackError:
        return None
    rounding = p * np.finfo(float).eps * value[-1]
    if beyond[0][0] > value[0] * (1 + 1e-2) + rounding:
        return None
    return value[::-1], vector[:, ::-1]


def _dense(s, t=None, *, k: int):
    p = len(s)
    value, vector = scipy.linalg.eigh(s, t, subset_by_index=[p - k, p - 1])
    return value[::-1], vector[:, ::-1]
