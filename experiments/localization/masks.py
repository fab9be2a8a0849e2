"""From score maps to masks: the background, and a CRF on the shares of the classes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from transfer_jax import ops

FLOOR = 1e-4  # the least probability of a class in the CRF


@functools.partial(jax.jit, static_argnums=(2, 3))
def with_background(maps, present, size, background):
    """ops.with_background of maps that are enlarged to `size` first."""
    return ops.with_background(ops.upsample(maps, size), present, background)


def refine(probabilities: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The mask (h, w) after the CRF; only classes that exceed FLOOR somewhere."""
    classes = np.flatnonzero(probabilities.max((0, 1)) > FLOOR)
    unary = -jnp.log(jnp.maximum(probabilities[..., classes], FLOOR))
    marginals = ops.mean_field(unary, image.astype(np.float32))
    return classes[np.asarray(marginals).argmax(-1)].astype(np.uint8)
