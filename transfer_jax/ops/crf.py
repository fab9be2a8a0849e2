"""Mean-field inference in the fully connected conditional random field.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials", NIPS 2011.
"""

import functools
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from transfer_jax.ops import permutohedral, precision
from transfer_jax.types import Array

# From features (n, d), in widths of the kernel, to v -> K v for values (n, c); with
# diagonal=False to v -> (K - diag(K)) v.
Filter = Callable[..., Callable[[Array], Array]]
ENTRIES = 2**22  # entries of the kernel matrix in memory at a time
DENSE = 2**24  # entries of a kernel matrix that is computed once
EXACT = 4096  # pixels up to which all pairs are faster than a lattice, or as fast


def mean_field(
    unary: Array,
    image: Array,
    *,
    appearance_weight: Array | float = 10.0,
    theta_alpha: Array | float = 80.0,
    theta_beta: Array | float = 13.0,
    smoothness_weight: Array | float = 3.0,
    theta_gamma: Array | float = 3.0,
    iterations: int = 10,
    symmetric: bool = True,
    filter: Filter | None = None,
    exact_pixels: int = EXACT,
) -> Array:
    """Marginals of the labels of every pixel, (h, w, c), (h, w, 3) -> (h, w, c).

    Algorithm 1 with the Potts model updates all pixels at once, from softmax(-unary):

      Q_i(l) ~ exp(-unary_i(l) + sum_j k_ij Q_j(l)),
      k_ij = w1 exp(-|p_i - p_j|^2 / (2 alpha^2) - |I_i - I_j|^2 / (2 beta^2))
             + w2 exp(-|p_i - p_j|^2 / (2 gamma^2))  (eq. 3).

    The smoothness kernel is separable and is applied exactly; `filter` applies the
    appearance kernel, exactly for small images. The result is differentiable in the
    unary potentials and both weights, and with `exact_filter` also in the image and the
    widths. The defaults are those of the authors' demonstration.

    Args:
      unary: -log p of each label, up to a constant per pixel.
      image: values from 0 to 255.
      theta_alpha, theta_gamma: in pixels.
      theta_beta: in units of the image.
      symmetric: each kernel K becomes D^-1/2 K D^-1/2, where D holds the sums of its
        rows, and a pixel sends a message to itself, as in the authors' code. Otherwise
        it is K - diag(K) (j != i) as in the paper, whose messages grow with the
        number of pixels. A lattice's row sums are too small for that (see
        `lattice_filter`): choose `exact_filter` if there is time.
      filter: `lattice_filter`, which is fast, or `exact_filter`. By default it depends
        on the size of the image.
      exact_pixels: the largest number of pixels with the exact filter by default.

    Raises:
      ValueError: the sizes of unary and image differ, a width is not positive, or
        iterations < 1.
    """
    _check(unary, image, iterations)
    widths = {'theta_alpha': theta_alpha, 'theta_beta': theta_beta}
    for name, width in (widths | {'theta_gamma': theta_gamma}).items():
        if not isinstance(width, jax.core.Tracer) and not width > 0:
            raise ValueError(f'{name} {width}: a width must be positive')
    unary = precision.at_least_float32(jnp.asarray(unary))
    if filter is None:
        small = image.shape[0] * image.shape[1] <= exact_pixels
        filter = exact_filter if small else permutohedral.lattice_filter
    features = _features(image, theta_alpha, theta_beta, unary.dtype)
    return _iterate(
        unary,
        filter(features) if symmetric else filter(features, diagonal=False),
        (appearance_weight, smoothness_weight),
        theta_gamma,
        iterations=iterations,
        symmetric=symmetric,
    )


def _features(image, theta_alpha, theta_beta, dtype):
    """Positions and colours (h w, 5), in widths of the kernel.

    Computed by NumPy if nothing is traced, because a lattice needs concrete values.
    """
    arguments = (image, theta_alpha, theta_beta)
    traced = any(isinstance(x, jax.core.Tracer) for x in arguments)
    xp = jnp if traced else np
    h, w, _ = image.shape
    positions = np.stack(np.mgrid[:h, :w], -1).reshape(h * w, 2)
    colours = xp.asarray(image).reshape(h * w, 3).astype(dtype)
    features = [positions.astype(dtype) / theta_alpha, colours / theta_beta]
    return xp.concatenate(features, -1).astype(dtype)


@functools.partial(jax.jit, static_argnames=('iterations', 'symmetric'))
def _iterate(unary, appearance, weights, theta_gamma, *, iterations, symmetric):
    h, w, c = unary.shape
    # Along columns and along rows.
    down, across = (_gaussians(n, theta_gamma, unary.dtype) for n in (h, w))

    def smoothness(q):
        q = jnp.einsum('ij,jwc->iwc', down, q, precision='highest')
        return jnp.einsum('ij,hjc->hic', across, q, precision='highest')

    def normalised(kernel):
        if not symmetric:
            return kernel
        root = jnp.sqrt(kernel(jnp.ones((h, w, 1), unary.dtype)))
        return lambda q: kernel(q / root) / root

    kernels = (
        normalised(lambda q: appearance(q.reshape(h * w, -1)).reshape(q.shape)),
        normalised(smoothness if symmetric else lambda q: smoothness(q) - q),
    )

    def update(q, _):
        message = sum(w * kernel(q) for w, kernel in zip(weights, kernels, strict=True))
        return jax.nn.softmax(message - unary), None

    q, _ = lax.scan(update, jax.nn.softmax(-unary), length=iterations)
    return q


def exact_filter(features: Array, *, diagonal: bool = True) -> Callable[[Array], Array]:
    """v -> K v, (n, c) -> (n, c), with K_ij = exp(-||f_i - f_j||^2 / 2), f (n, d).

    Up to 4096 points K is computed once, 64 MB in float32. Beyond that only some rows
    of K are in memory at a time, also in the gradient.

    Args:
      diagonal: False leaves the diagonal of K out, which is 1.
    """
    features = jnp.asarray(features)
    # Centred, because far from the origin squared lengths would cancel to noise.
    f = features - lax.stop_gradient(jnp.mean(features, 0))
    own = 0.0 if diagonal else 1.0
    if len(f) ** 2 > DENSE:
        return jax.tree_util.Partial(_by_rows, f, own)
    return jax.tree_util.Partial(_dense, _kernel(f, f), own)


@jax.jit
def _kernel(f, other):
    products = jnp.matmul(f, other.T, precision='highest')
    half, other_half = jnp.sum(f * f, -1) / 2, jnp.sum(other * other, -1) / 2
    return jnp.exp(jnp.minimum(products - half[:, None] - other_half, 0))


def _dense(kernel, own, values):
    return jnp.matmul(kernel, values, precision='highest') - own * values


def _by_rows(f, own, values):
    n = len(f)
    rows = max(1, min(n, ENTRIES // n))

    @jax.checkpoint
    def filter_rows(i):
        return jnp.matmul(_kernel(f[i], f), values, precision='highest')

    chunks = jnp.arange(-(-n // rows) * rows).reshape(-1, rows) % n
    result = lax.map(filter_rows, chunks).reshape(-1, values.shape[-1])[:n]
    return result - own * values


def _gaussians(n, width, dtype):
    """exp(-(i - j)^2 / (2 width^2)), (n, n)."""
    i = jnp.arange(n, dtype=dtype)
    return jnp.exp(-jnp.square((i[:, None] - i) / width) / 2)


def _check(unary, image, iterations):
    chex.assert_rank([unary, image], 3)
    if image.shape != (*unary.shape[:2], 3):
        raise ValueError(
            f'image {image.shape}: potentials {unary.shape} need an image '
            f'{(*unary.shape[:2], 3)}'
        )
    if iterations < 1:
        raise ValueError(f'iterations {iterations}: must be at least one')
