"""Adaptive SVM (Yang, Yan and Hauptmann, ACM Multimedia 2007)."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.shallow import checks, linear
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array

TOLERANCE = 1e-6  # duality gap allowed, as a share of the objective
PASSES = 2_000  # over the labelled target examples, at most


class AdaptiveSVM(NamedTuple):
    """Scores of the source classifier plus x weight + bias."""

    source: linear.Linear
    weight: Array  # (d, c)
    bias: Array  # (c,)
    gap: Array  # (c,), upper bound on the objective minus its minimum


def adaptive_svm(
    classes: int,
    source_cost: float | Array = 1.0,
    cost: float | Array = 1.0,
) -> Shallow:
    """The source classifier plus a small correction fitted on labelled target examples.

    Given the source classifier f_S, the target classifier is f(x) = f_S(x) + <w, x>.
    It minimises, over the labelled target examples,

        1/2 |w|^2 + C sum_i max(0, 1 - y_i (f_S(x_i) + <w, x_i>)).

    The smaller C = `cost`, the closer f stays to f_S. x includes a constant feature 1,
    so that the bias of the correction is regularised, as in the paper, whose dual has
    no equality constraint. Several classes are one-vs-rest. f_S may be any classifier;
    here it is `linear_svm` on the source at `source_cost`, with squared hinge loss. The
    hinge loss of the correction is not squared.

    The dual is solved by coordinate descent (Hsieh et al., "A dual coordinate descent
    method for large-scale linear SVM", ICML 2008) until the duality gap is below 1e-6
    of the objective, for at most 2,000 passes over the labelled examples. It is meant
    for a few labelled examples per class, not for thousands. A class without labelled
    target examples keeps f_S, which negative examples alone would only lower. A class
    absent from the source has f_S = 0, and a class absent from both domains is never
    predicted. Unlabelled target examples are not used.

    Raises:
      ValueError: a cost that is not positive.
    """
    checks.positive('source_cost', source_cost)
    checks.positive('cost', cost)
    base = linear.linear_svm(classes, source_cost)

    def fit(key, source, target):
        chex.assert_rank([target.x, target.label, target.mask], [2, 1, 1])
        classifier = base.fit(key, source, None)
        labelled = (target.mask > 0) & (target.label >= 0)
        one_hot = jax.nn.one_hot(target.label, classes, dtype=target.x.dtype)
        one_hot = one_hot * labelled[:, None]
        in_target = jnp.any(one_hot > 0, 0)
        in_source = classifier.bias > jnp.finfo(jnp.float32).min
        x = jnp.where(labelled[:, None], target.x, 0)
        source_scores = jnp.where(in_source, linear.linear_scores(classifier, x), 0)
        x = jnp.concatenate([x, labelled[:, None].astype(x.dtype)], 1)
        bound = cost * jnp.where(labelled, target.mask, 0)[:, None] * in_target
        w, gap = _correction(x, 2 * one_hot - 1, source_scores, bound, labelled)
        classifier = classifier._replace(
            bias=jnp.where(~in_source & in_target, 0, classifier.bias)
        )
        return AdaptiveSVM(classifier, w[:-1], w[-1], gap)

    def predict(fitted, x):
        chex.assert_rank(x, 2)
        source_scores = linear.linear_scores(fitted.source, x)
        return source_scores + x @ fitted.weight + fitted.bias

    return Shallow(fit, unchanged, unchanged, predict=predict, semi_supervised=True)


class _State(NamedTuple):
    multiplier: Array  # (n, c), 0 to bound
    w: Array  # (d, c), x^T (sign * multiplier)
    gap: Array  # (c,)
    objective: Array  # (c,)
    count: Array


def _correction(
    x: Array, sign: Array, source_scores: Array, bound: Array, labelled: Array
) -> tuple[Array, Array]:
    """w (d, c) and duality gaps (c,). `source_scores` (n, c) are the scores of f_S.

    Each step solves the dual in the multipliers of one example, for all classes at
    once.
    """
    count = jnp.sum(labelled)
    order = jnp.argsort(~labelled, stable=True)  # labelled ones first
    square = jnp.sum(x**2, 1)
    target_margin = 1 - sign * source_scores

    def step(k, state):
        multiplier, w = state
        i = order[k]
        slope = sign[i] * (x[i] @ w) - target_margin[i]
        updated = jnp.clip(multiplier[i] - slope / square[i], 0, bound[i])
        w = w + x[i][:, None] * (sign[i] * (updated - multiplier[i]))
        return multiplier.at[i].set(updated), w

    def advance(state):
        multiplier, _ = lax.fori_loop(0, count, step, (state.multiplier, state.w))
        return at(multiplier, state.count + 1)

    def at(multiplier, passes):
        w = x.T @ (sign * multiplier)  # recomputed, so that rounding does not add up
        half = jnp.sum(w**2, 0) / 2
        hinge = jnp.maximum(target_margin - sign * (x @ w), 0)
        objective = half + jnp.sum(bound * hinge, 0)
        dual = jnp.sum(target_margin * multiplier, 0) - half
        return _State(multiplier, w, objective - dual, objective, passes)

    def condition(state):
        unfinished = state.gap > TOLERANCE * state.objective
        return jnp.any(unfinished) & (state.count < PASSES)

    state = lax.while_loop(condition, advance, at(jnp.zeros_like(target_margin), 0))
    return state.w, state.gap
