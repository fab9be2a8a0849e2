"""TrAdaBoost (Dai, Yang, Xue and Yu, ICML 2007)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from transfer_jax import ops
from transfer_jax.shallow import linear
from transfer_jax.shallow.shallow import Classifier, Shallow, unchanged
from transfer_jax.types import Array, PyTree, Samples

MIN_ERROR, MAX_ERROR = 1e-10, 0.49  # errors are clipped to stay within (0, 1/2)


class TrAdaBoost(NamedTuple):
    """The voting learners, and the history of the weights."""

    learners: PyTree  # fitted classifiers, with a leading axis (l,)
    vote: Array  # (l,), log 1/beta_t
    error: Array  # (iterations,), weighted, of the labelled target examples
    source: Array  # (iterations, n), shares before each fit; 0 if unlabelled
    target: Array  # (iterations, m)


def tradaboost(
    classes: int, *, iterations: int = 20, classify: Classifier | None = None
) -> Shallow:
    """Boosting that reduces the weights of misclassified source examples.

    In each of N = `iterations` rounds `classify` is trained on the labelled examples of
    both domains with weights w. Its weighted error on the target is e, and
    b = e / (1 - e). The weight of a misclassified source example is multiplied by
    1 / (1 + sqrt(2 ln n / N)), where n is the number of source examples; that of a
    misclassified target example by 1 / b. Learners from round ceil(N/2) on vote for the
    prediction, each with log 1/b (figure 1 of the paper). Logits are the votes.

    The paper has two classes. More classes are handled as in AdaBoost.M1 (Freund and
    Schapire, JCSS 1997): the same formulas with errors 0 and 1, and the class with the
    most votes; ties go to the lowest class. e is clipped to 1e-10 and 0.49, because the
    paper needs 0 < e < 1/2. All weights start at 1; `classify` (by default a linear SVM
    of cost 1) receives them scaled to mean 1. Unlabelled examples are not used.

    Raises:
      ValueError: fewer than 1 iteration. `fit` raises the error of a `classify` that
        takes no instance weights.
    """
    if iterations < 1:
        raise ValueError(f'iterations {iterations}: need at least 1')
    learner = linear.linear_svm(classes) if classify is None else classify
    first = -(-iterations // 2) - 1  # of those that vote

    def fit(key, source, target):
        both = Samples(
            *(jnp.concatenate(pair) for pair in zip(source, target, strict=True))
        )
        counts = (both.mask > 0) & (both.label >= 0)
        is_target = jnp.arange(len(both.x)) >= len(source.x)
        n = jnp.sum(counts & ~is_target)
        shrink = 1 / (1 + jnp.sqrt(2 * jnp.log(jnp.maximum(n, 1)) / iterations))

        def advance(weight, key):
            weight = weight / jnp.sum(weight)
            fitted = learner.fit(key, both, weight * jnp.sum(counts))
            predicted = ops.argmax_first(learner.logits(fitted, both.x))
            wrong = (predicted != both.label) & counts
            share = jnp.where(is_target, weight, 0)
            error = jnp.sum(jnp.where(wrong, share, 0)) / jnp.sum(share)
            clipped = jnp.clip(error, MIN_ERROR, MAX_ERROR)
            beta = clipped / (1 - clipped)
            factor = jnp.where(is_target, 1 / beta, shrink)
            after = jnp.where(wrong, weight * factor, weight)
            return after, (fitted, -jnp.log(beta), error, weight)

        start = jnp.where(counts, 1.0, 0.0).astype(both.x.dtype)
        keys = jax.random.split(key, iterations)
        scan = _loop if learner.host else jax.lax.scan
        fitted, vote, error, weight = scan(advance, start, keys)[1]
        return TrAdaBoost(
            jax.tree.map(lambda leaf: leaf[first:], fitted),
            vote[first:],
            error,
            weight[:, : len(source.x)],
            weight[:, len(source.x) :],
        )

    def predict(fitted, x):
        def poll(one):
            learned, vote = one
            predicted = ops.argmax_first(learner.logits(learned, x))
            return vote * jax.nn.one_hot(predicted, classes, dtype=x.dtype)

        ballots = (fitted.learners, fitted.vote)
        if learner.host:
            each = [
                poll(jax.tree.map(lambda leaf, i=i: leaf[i], ballots))
                for i in range(len(fitted.vote))
            ]
            return sum(each)
        return jnp.sum(jax.lax.map(poll, ballots), 0)

    return Shallow(
        fit,
        unchanged,
        unchanged,
        predict=predict,
        semi_supervised=True,
        host=learner.host,
    )


def _loop(step, carry, xs):
    """lax.scan in Python, for learners that cannot be compiled."""
    rows = []
    for x in xs:
        carry, row = step(carry, x)
        rows.append(row)
    return carry, jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
