"""DeViSE, a deep visual-semantic embedding (Frome et al., NIPS 2013)."""

import functools

from transfer_jax.types import Array
from transfer_jax.zero_shot import bilinear, ranking
from transfer_jax.zero_shot.method import ZeroShot


def devise(
    rate: float | Array = 1.0,
    margin: float | Array = 0.2,
    *,
    epochs: int = 15,
    batch: int = 32,
) -> ZeroShot:
    """Bilinear scores x^T W s, trained by the sum of hinges over all wrong classes.

    loss(x, t) = sum_{y != t} max(0, margin + x^T W s_y - x^T W s_t), the mean over the
    examples minimised by stochastic gradients (`bilinear.method`), all seen classes at
    once.

    Deviations: the paper draws wrong classes until one violates the margin, has margin
    0.1, and then trains the network below too; for that see `methods.two_towers`.

    Args:
      rate: of the descent, for rows of length 1.
      margin: by which the true class should win.
      epochs: passes over the examples.
      batch: examples a step.

    Raises:
      ValueError: a constant that is not positive.
    """
    descent = bilinear.checked(bilinear.Descent(rate, epochs, batch), margin)
    loss = functools.partial(ranking.sum_of_hinges, margin=margin)
    return bilinear.method(loss, descent)
