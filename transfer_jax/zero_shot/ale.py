"""Attribute label embedding (Akata, Perronnin, Harchaoui and Schmid, TPAMI 2016)."""

import functools

from transfer_jax.types import Array
from transfer_jax.zero_shot import bilinear, ranking
from transfer_jax.zero_shot.method import ZeroShot


def ale(
    rate: float | Array = 3.0,
    margin: float | Array = 0.2,
    *,
    epochs: int = 15,
    batch: int = 32,
) -> ZeroShot:
    """Bilinear scores x^T W s, trained by hinges that are weighted by the rank.

    loss(x, t) = b(r) / r sum_{y != t} max(0, margin + x^T W s_y - x^T W s_t). Here r is
    the number of classes that violate the margin, and b(r) = 1 + 1/2 + ... + 1/r (the
    ranking loss of Usunier et al., ICML 2009). The mean over the examples is minimised
    by stochastic gradients (`bilinear.method`).

    Deviation: r is counted over all seen classes; the paper estimates it from the
    number of draws until a class violates the margin.

    Args:
      rate: of the descent, for rows of length 1.
      margin: by which the true class should win.
      epochs: passes over the examples.
      batch: examples a step.

    Raises:
      ValueError: a constant that is not positive.
    """
    descent = bilinear.checked(bilinear.Descent(rate, epochs, batch), margin)
    loss = functools.partial(ranking.ranked_hinges, margin=margin)
    return bilinear.method(loss, descent)
