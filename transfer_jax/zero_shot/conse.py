"""Convex combination of semantic embeddings (Norouzi et al., ICLR 2014)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax.types import Array
from transfer_jax.zero_shot import checks, linear
from transfer_jax.zero_shot.method import ZeroShot, unit_rows


class Conse(NamedTuple):
    """A classifier of the seen classes, and their vectors."""

    classifier: linear.Linear
    vectors: Array  # (k, a)


def conse(
    top: int | Array = 10,
    cost: float | Array = 1_000.0,
    *,
    temperature: float | Array = 1.0,
) -> ZeroShot:
    """The mean vector of the likeliest seen classes, compared by cosine.

    f(x) = 1/Z sum_{t <= T} p(k_t | x) s_{k_t} over the T likeliest seen classes. The
    score of a class is the cosine of f(x) and its vector. p is softmax regression on
    the training examples.

    Args:
      top: T; more than there are seen classes means all.
      cost: C of the regression, which is scikit-learn's LogisticRegression.
      temperature: the logits are divided by it; 1 in the paper.

    Raises:
      ValueError: a top, cost or temperature that is not positive.
    """
    checks.positive('top', top)
    checks.positive('cost', cost)
    checks.positive('temperature', temperature)

    def fit(key, x, label, vectors):
        del key
        return Conse(linear.softmax_regression(x, label, len(vectors), cost), vectors)

    def scores(fitted, x, vectors):
        logits = linear.scores(fitted.classifier, x)
        how = {'top': top, 'temperature': temperature}
        return conse_scores(logits, fitted.vectors, vectors, **how)

    return ZeroShot(fit, scores)


def conse_scores(
    logits: Array,
    seen: Array,
    vectors: Array,
    *,
    top: int | Array = 10,
    temperature: float | Array = 1.0,
) -> Array:
    """The scores (n, c) of classes, from the logits of any classifier.

    Args:
      logits: (n, k) of the classes of the classifier.
      seen: (k, a), their vectors.
      vectors: (c, a) of the classes to score.
    """
    probability = jax.nn.softmax(logits / temperature)
    order = jnp.argsort(-logits, axis=1, stable=True)
    rank = jnp.argsort(order, axis=1)
    chosen = jnp.where(rank < top, probability, 0)
    chosen = chosen / jnp.sum(chosen, 1, keepdims=True)
    return unit_rows(chosen @ seen) @ unit_rows(vectors).T
