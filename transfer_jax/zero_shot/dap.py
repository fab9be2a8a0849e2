"""Direct attribute prediction (Lampert et al., CVPR 2009 and TPAMI 2014)."""

from typing import NamedTuple

import jax

from transfer_jax.types import Array
from transfer_jax.zero_shot import attributes, checks, linear
from transfer_jax.zero_shot.method import ZeroShot


class Dap(NamedTuple):
    """A classifier of each attribute."""

    attributes: attributes.Attributes
    classifier: linear.Linear  # of a outputs


def dap(cost: float | Array = 100.0, *, prior: str = 'classes') -> ZeroShot:
    """A classifier for each attribute, and the class whose attributes fit best.

    The score of class c is sum_m log p(a_m^c | x) - log p(a_m^c), where
    p(a_m | x) is a logistic regression on the training examples, each with the
    attributes of its class. A class has an attribute where its vector is above the mean
    over the training classes. Attributes that all or none of the training classes have
    are dropped.

    Deviation: the papers have kernel SVMs whose outputs are made probabilities by
    Platt's method.

    Args:
      cost: C of the regressions, which are scikit-learn's LogisticRegression.
      prior: of an attribute, its share of the training classes ('classes') or 1/2
        ('half').

    Raises:
      ValueError: a cost that is not positive, or another prior.
    """
    checks.positive('cost', cost)
    checks.one_of('prior', prior, attributes.PRIORS)

    def fit(key, x, label, vectors):
        del key
        known = attributes.of_classes(vectors)
        target = attributes.present(known, vectors)[label]
        return Dap(known, linear.logistic_regression(x, target, cost))

    def scores(fitted, x, vectors):
        logits = linear.scores(fitted.classifier, x)
        has, has_not = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
        return attributes.class_scores(fitted.attributes, has, has_not, vectors, prior)

    return ZeroShot(fit, scores)
