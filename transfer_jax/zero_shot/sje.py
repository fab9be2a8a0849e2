"""Structured joint embedding (Akata, Reed, Walter, Lee and Schiele, CVPR 2015)."""

import functools

from transfer_jax.types import Array
from transfer_jax.zero_shot import bilinear, ranking
from transfer_jax.zero_shot.method import ZeroShot


def sje(
    rate: float | Array = 3.0,
    margin: float | Array = 0.2,
    *,
    epochs: int = 20,
    batch: int = 32,
) -> ZeroShot:
    """Bilinear scores x^T W s, trained by the hinge of the worst wrong class.

    loss(x, t) = max_{y != t} max(0, margin + x^T W s_y - x^T W s_t), the mean over the
    examples minimised by stochastic gradients (`bilinear.method`).

    Deviation: the paper has margin 1 and one embedding for each kind of vectors, whose
    weights it learns.

    Args:
      rate: of the descent, for rows of length 1.
      margin: by which the true class should win.
      epochs: passes over the examples.
      batch: examples a step.

    Raises:
      ValueError: a constant that is not positive.
    """
    descent = bilinear.checked(bilinear.Descent(rate, epochs, batch), margin)
    loss = functools.partial(ranking.largest_hinge, margin=margin)
    return bilinear.method(loss, descent)
