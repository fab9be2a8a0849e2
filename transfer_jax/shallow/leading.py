"""A few eigenvectors of a large symmetric matrix.

On CPU by SciPy on the host, which computes no others; elsewhere by a whole
decomposition, which XLA does faster there.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from transfer_jax import ops
from transfer_jax.types import Array

SMALL = 300  # rows of a matrix that is decomposed whole
ITERATED = 500  # rows from which Lanczos pays, for at most
SHARE = 1 / 12  # of the vectors
MANY = 1 / 3  # more than this share of the vectors costs as much as all


def of_matrix(s: Array, k: int) -> tuple[Array, Array]:
    """The k largest eigenvalues (k,), falling, and their vectors (p, k), of s (p, p).

    Eigenvalues that are 0 up to rounding are 0, and so is all that lies beyond p.
    """
    p = len(s)
    most = min(k, p)
    s = (s + s.T) / 2
    if jax.default_backend() == 'cpu' and p >= SMALL and most <= MANY * p:
        found = ops.host.call(
            functools.partial(_of_matrix, k=most), [(most,), (p, most)], s
        )
    else:
        value, vector = jnp.linalg.eigh(s)
        found = value[::-1][:most], vector[:, ::-1][:, :most]
    return _cut(*found, k)


def of_gram(x: Array, k: int) -> tuple[Array, Array]:
    """Those of x^T x (p, p), x (n, p)."""
    p = x.shape[1]
    most = min(k, p)
    if jax.default_backend() != 'cpu':
        return of_matrix(x.T @ x, k)
    found = ops.host.call(
        lambda x: _of_matrix(x.T @ x, k=most), [(most,), (p, most)], x
    )
    return _cut(*found, k)


def of_kernel(
    kernel: Array, mask: Array, scale: Array, low: Array, k: int
) -> tuple[Array, Array]:
    """Those of P^T K H K P with P = diag(scale) (I - low low^T), H centring.

    Args:
      kernel: K (n, n), 0 in padding.
      mask: (n,), 1 where there is an example.
      scale: (n,).
      low: (n, c).
    """
    n = len(kernel)
    most = min(k, n)
    if jax.default_backend() == 'cpu':
        found = ops.host.call(
            functools.partial(_of_kernel, k=most),
            [(most,), (n, most)],
            kernel,
            mask,
            scale,
            low,
        )
        return _cut(*found, k)
    f = (kernel - mask[:, None] * (mask @ kernel) / jnp.sum(mask)) * scale
    f = f - (f @ low) @ low.T
    return of_matrix(f.T @ f, k)


def of_linear_kernel(
    x: Array, scatter: Array, scale: Array, low: Array, k: int
) -> tuple[Array, Array]:
    """`of_kernel` of K = X X^T, which is not formed.

    Args:
      x: X (n, d), 0 in padding.
      scatter: X^T H X (d, d).
    """
    n = len(x)
    most = min(k, n)
    if jax.default_backend() == 'cpu':
        found = ops.host.call(
            functools.partial(_of_linear_kernel, k=most),
            [(most,), (n, most)],
            x,
            scatter,
            scale,
            low,
        )
        return _cut(*found, k)
    # P^T K H K P = F F^T, whose vectors come from those of F^T F (d, d)
    value, vector = jnp.linalg.eigh(scatter)
    f = scale[:, None] * (x @ (vector * jnp.sqrt(jnp.maximum(value, 0))))
    f = f - low @ (low.T @ f)
    value, y = of_matrix(f.T @ f, k)
    return value, f @ (y / jnp.sqrt(jnp.where(value > 0, value, 1)))


def of_pencil(s: Array, t: Array, k: int) -> tuple[Array, Array]:
    """Those of s v = mu t v, v^T t v = 1; s and t (p, p), t positive definite."""
    p = len(s)
    most = min(k, p)
    s, t = (s + s.T) / 2, (t + t.T) / 2
    if jax.default_backend() == 'cpu':
        found = ops.host.call(
            functools.partial(_dense, k=most), [(most,), (p, most)], s, t
        )
        return _cut(*found, k)
    lower = jnp.linalg.cholesky(t)
    inner = jax.scipy.linalg.solve_triangular(lower, s, lower=True)
    inner = jax.scipy.linalg.solve_triangular(lower, inner.T, lower=True)
    value, vector = of_matrix(inner, k)
    return value, jax.scipy.linalg.solve_triangular(lower.T, vector, lower=False)


def _cut(value, vector, k):
    rounding = len(vector) * jnp.finfo(value.dtype).eps * value[0]
    value = jnp.where(value > rounding, value, 0)
    beyond = k - len(value)
    return jnp.pad(value, (0, beyond)), jnp.pad(vector, ((0, 0), (0, beyond)))


def _of_matrix(s: np.ndarray, *, k: int):
    found = _iterate(s, k) if s.any() else None
    return found or _dense(s, k=k)


def _of_kernel(kernel, mask, scale, low, *, k: int):
    n = len(kernel)

    def product(v):
        v = v.reshape(n, -1)
        v = scale[:, None] * (v - low @ (low.T @ v))
        v = kernel @ v
        v = kernel @ (v - mask[:, None] * (mask @ v) / mask.sum())
        v = scale[:, None] * v
        return v - low @ (low.T @ v)

    operator = scipy.sparse.linalg.LinearOperator((n, n), product, dtype=float)
    found = _iterate(operator, k) if kernel.any() else None
    if found:
        return found
    s = product(np.eye(n))
    return _dense((s + s.T) / 2, k=k)


def _of_linear_kernel(x, scatter, scale, low, *, k: int):
    n = len(x)

    def half(v):
        return v - low @ (low.T @ v)

    def product(v):
        v = x.T @ (scale[:, None] * half(v.reshape(n, -1)))
        return half(scale[:, None] * (x @ (scatter @ v)))

    operator = scipy.sparse.linalg.LinearOperator((n, n), product, dtype=float)
    found = _iterate(operator, k) if x.any() else None
    if found:
        return found
    value, vector = scipy.linalg.eigh(scatter)
    f = half(scale[:, None] * (x @ (vector * np.sqrt(np.maximum(value, 0)))))
    most = min(k, f.shape[1])
    value, y = _dense(f.T @ f, k=most)
    y = f @ (y / np.sqrt(np.where(value > 0, value, 1)))
    return np.pad(value, (0, k - most)), np.pad(y, ((0, 0), (0, k - most)))


def _iterate(s, k):
    """By Lanczos; None where that is slower, or where it missed a vector.

    Lanczos from one start sees one copy of a repeated eigenvalue, and the others by
    rounding alone. So what is left without the found ones must have no larger one.
    """
    p = s.shape[0]
    if p < ITERATED or k > SHARE * p:
        return None
    start, other = np.random.default_rng(0).normal(size=(2, p))
    try:
        value, vector = scipy.sparse.linalg.eigsh(s, k, v0=start)
        rest = scipy.sparse.linalg.LinearOperator(
            s.shape, lambda x: s @ x - vector @ (value * (vector.T @ x)), dtype=float
        )
        other -= vector @ (vector.T @ other)
        beyond = scipy.sparse.linalg.eigsh(rest, 1, v0=other, which='LA', tol=1e-3)
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
