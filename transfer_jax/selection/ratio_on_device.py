"""selection.density_ratio as one compiled program, for accelerators, in float32."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops
from transfer_jax.selection import projection
from transfer_jax.types import Array

ITERATIONS = 30  # of Newton's method
HALVINGS = 8  # of a step, the best of which is taken


def log_odds(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n,) log P(target | x) / P(source | x) at each source image.

    The regression and the directions are those of weights.density_ratio, and the result
    is that of a CPU to about 1e-3. More than 1,024 features are sketched even where so
    many are constant that a CPU would not.

    Args:
      source: (n, d) finite features.
      target: (m, d).
    """
    n, d = len(source), source.shape[1]
    width = min(d, projection.SKETCH) if d > projection.WIDE else d
    most = (n + len(target)) // projection.EXAMPLES_PER_DIRECTION
    count = max(1, min(projection.DIRECTIONS, width, most))
    sketch = projection.random_directions(d) if d > projection.WIDE else None
    return np.asarray(_log_odds(source, target, sketch, count))


@functools.partial(jax.jit, static_argnums=3)
@ops.full_precision
def _log_odds(source, target, sketch, count):
    x = jnp.concatenate([source, target]).astype(jnp.float32)
    mean, scale = x.mean(0), x.std(0)
    varies = scale > 1e-6 * jnp.abs(x).max(0)
    x = jnp.where(varies, (x - mean) / jnp.where(varies, scale, 1.0), 0.0)
    if sketch is not None:  # the host leaves out constant features; here they come last
        x = x[:, jnp.argsort(~varies, stable=True)]
        x = x @ jnp.linalg.qr(x.T @ (x @ sketch))[0]
    value, vector = jnp.linalg.eigh(x.T @ x / len(x))
    x = x @ vector[:, -count:] / jnp.sqrt(jnp.maximum(value[-1], 1e-12))
    domain = (jnp.arange(len(x)) >= len(source)).astype(jnp.float32)
    return _regression(x, domain)[: len(source)]


def _regression(x: Array, y: Array) -> Array:
    """(n,) the fitted log odds of logistic regression with the penalty |w|^2 / 2.

    Newton's method; each step is the best of its halvings, so it never goes up.
    """
    x = jnp.concatenate([x, jnp.ones((len(x), 1))], 1)
    penalty = jnp.ones(x.shape[1]).at[-1].set(0.0)  # none on the intercept

    def loss(w):
        margin = x @ w
        data = jnp.sum(jax.nn.softplus(margin) - y * margin)
        return data + jnp.sum(penalty * w**2) / 2

    def step(_, w):
        p = jax.nn.sigmoid(x @ w)
        gradient = x.T @ (p - y) + penalty * w
        curvature = (x.T * (p * (1 - p))) @ x + jnp.diag(penalty + 1e-6)
        direction = jax.scipy.linalg.solve(curvature, gradient, assume_a='pos')
        sizes = jnp.concatenate([2.0 ** -jnp.arange(HALVINGS), jnp.zeros(1)])
        tried = w - sizes[:, None] * direction
        losses = jax.vmap(loss)(tried)
        return tried[jnp.argmin(jnp.where(jnp.isnan(losses), jnp.inf, losses))]

    w = jax.lax.fori_loop(0, ITERATIONS, step, jnp.zeros(x.shape[1]))
    return x @ w
