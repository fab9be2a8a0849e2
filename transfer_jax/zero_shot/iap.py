"""Indirect attribute prediction (Lampert et al., CVPR 2009 and TPAMI 2014)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax.types import Array
from transfer_jax.zero_shot import attributes, checks, linear
from transfer_jax.zero_shot.method import ZeroShot

FLOOR = 1e-4


class Iap(NamedTuple):
    """A classifier of the seen classes, and their vectors."""

    classifier: linear.Linear
    vectors: Array  # (k, a)


def iap(
    cost: float | Array = 1_000.0,
    *,
    prior: str = 'classes',
    floor: float | Array = FLOOR,
) -> ZeroShot:
    """A classifier of the seen classes, whose attributes vote by its probabilities.

    p(a_m | x) = sum_k p(k | x) [a_m = a_m^k] over the seen classes k,
    with p(k | x) by softmax regression; then classes are scored as in `dap`.

    Args:
      cost: C of the regression, which is scikit-learn's LogisticRegression.
      prior: as for `dap`.
      floor: probabilities of attributes are clipped to floor ... 1 - floor, so that
        one attribute does not decide alone. It is not from the paper.

    Raises:
      ValueError: a cost or floor that is not positive, or another prior.
    """
    checks.positive('cost', cost)
    checks.positive('floor', floor)
    checks.one_of('prior', prior, attributes.PRIORS)

    def fit(key, x, label, vectors):
        del key
        return Iap(linear.softmax_regression(x, label, len(vectors), cost), vectors)

    def scores(fitted, x, vectors):
        probability = jax.nn.softmax(linear.scores(fitted.classifier, x))
        how = {'prior': prior, 'floor': floor}
        return iap_scores(probability, fitted.vectors, vectors, **how)

    return ZeroShot(fit, scores)


def iap_scores(
    probability: Array,
    seen: Array,
    vectors: Array,
    *,
    prior: str = 'classes',
    floor: float | Array = FLOOR,
) -> Array:
    """The scores (n, c) of classes, from the probabilities of any classifier.

    Args:
      probability: (n, k) of the classes of the classifier.
      seen: (k, a), their vectors.
      vectors: (c, a) of the classes to score.
    """
    known = attributes.of_classes(seen)
    has = jnp.clip(probability @ attributes.present(known, seen), floor, 1 - floor)
    log_has, log_has_not = jnp.log(has), jnp.log1p(-has)
    return attributes.class_scores(known, log_has, log_has_not, vectors, prior)
