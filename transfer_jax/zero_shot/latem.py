"""Latent embeddings (Xian, Akata, Sharma, Nguyen, Hein and Schiele, CVPR 2016)."""

import functools

from transfer_jax.types import Array
from transfer_jax.zero_shot import bilinear, ranking
from transfer_jax.zero_shot.method import ZeroShot


def latem(
    rate: float | Array = 1.0,
    margin: float | Array = 0.2,
    *,
    maps: int = 4,
    epochs: int = 15,
    batch: int = 32,
) -> ZeroShot:
    """Piecewise bilinear scores F(x, s) = max_i x^T W_i s, trained by a sum of hinges.

    loss(x, t) = sum_{y != t} max(0, margin + F(x, s_y) - F(x, s_t)), the mean over the
    examples minimised by stochastic gradients (`bilinear.method`). An example and a
    class train only the map that is largest for them. With one map it is `devise`.

    Deviations: the paper draws one wrong class for each example, has margin 1, and
    removes maps that are seldom the largest.

    Args:
      rate: of the descent, for rows of length 1.
      margin: by which the true class should win.
      maps: K, number of matrices W_i.
      epochs: passes over the examples.
      batch: examples a step.

    Raises:
      ValueError: a constant that is not positive.
    """
    descent = bilinear.checked(bilinear.Descent(rate, epochs, batch, maps), margin)
    loss = functools.partial(ranking.sum_of_hinges, margin=margin)
    return bilinear.method(loss, descent)
