"""Adaptive SVM (Yang, Yan and Hauptmann, ACM Multimedia 2007)."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax.shallow import checks, linear
from transfer_jax.shallow.shallow import Shallow, unchanged
from transfer_jax.types import Array

TOLERANCE = 1e-6  # share of an objective that its minimum may be below it
PASSES = 2_000  # over the labelled target examples, at most


class AdaptiveSVM(NamedTuple):
    """Scores of the source's classifier plus x weight + bias."""

    source: linear.Linear
    weight: Array  # (d, c)
    bias: Array  # (c,)
    gap: Array  # (c,), what the objective is above its minimum, at most


def adaptive_svm(
    classes: int,
    source_cost: float | Array = 1.0,
    cost: float | Array = 1.0,
) -> Shallow:
    """A classifier of the source, corrected by a small function on labelled targets.

    With the source's classifier f_S given, the one of the target is
    f(x) = f_S(x) + <w, x>, which minimises, over the labelled target examples,

        1/2 |w|^2 + C sum_i max(0, 1 - y_i (f_S(x_i) + <w, x_i>)).

    The smaller C = `cost`, the nearer it stays to f_S. x has a constant feature 1, so
    that the bias of the correction is regularised, as in the paper, whose dual
    has no equality constraint. One-vs-rest for several classes. f_S may be any
    classifier; here it is `linear_svm` of the source at `source_cost`, whose hinge is
    squared. The hinge of the correction is not.

    The dual is solved by coordinate descent (Hsieh et al., "A dual coordinate descent
    method for large-scale linear SVM", ICML 2008) until the duality gap is below a
    share of 1e-6 of the objective, or for 2,000 passes over the labelled examples: for
    a few of them a class, not for thousands. A class without labelled target examples
    keeps f_S: negative examples alone would only lower it. One that is absent from the
    source has f_S = 0, and one absent from both is never predicted. Unlabelled target
    examples are not used.

    Raises:
      ValueError: a cost that is not positive.
    """
    checks.positive('source_cost', source_cost)
    checks.positive('cost', cost)
    base = linear.linear_svm(classes, source_cost)

    def fit(key, source, target):
        chex.assert_rank([target.x, target.label, target.mask], [2, 1, 1])
        classifier = base.fit(key, source, None)
        there = (target.mask > 0) & (target.label >= 0)
        own = jax.nn.one_hot(target.label, classes, dtype=target.x.dtype)
        own = own * there[:, None]
        new = jnp.any(own > 0, 0)
        known = classifier.bias > jnp.finfo(jnp.float32).min
        x = jnp.where(there[:, None], target.x, 0)
        before = jnp.where(known, linear.linear_scores(classifier, x), 0)
        x = jnp.concatenate([x, there[:, None].astype(x.dtype)], 1)
        bound = cost * jnp.where(there, target.mask, 0)[:, None] * new
        w, gap = _correction(x, 2 * own - 1, before, bound, there)
        classifier = classifier._replace(
            bias=jnp.where(~known & new, 0, classifier.bias)
        )
        return AdaptiveSVM(classifier, w[:-1], w[-1], gap)

    def predict(fitted, x):
        chex.assert_rank(x, 2)
        before = linear.linear_scores(fitted.source, x)
        return before + x @ fitted.weight + fitted.bias

    return Shallow(fit, unchanged, unchanged, predict=predict, semi_supervised=True)


class _State(NamedTuple):
    multiplier: Array  # (n, c), 0 to bound
    w: Array  # (d, c), x^T (sign * multiplier)
    gap: Array  # (c,)
    objective: Array  # (c,)
    count: Array


def _correction(
    x: Array, sign: Array, before: Array, bound: Array, there: Array
) -> tuple[Array, Array]:
    """w (d, c) and duality gaps (c,). `before` (n, c) are the scores of f_S.

    Each step solves the dual in the multipliers of one example, of all classes at once.
    """
    count = jnp.sum(there)
    order = jnp.argsort(~there, stable=True)  # labelled ones first
    square = jnp.sum(x**2, 1)
    want = 1 - sign * before

    def step(k, state):
        multiplier, w = state
        i = order[k]
        slope = sign[i] * (x[i] @ w) - want[i]
        new = jnp.clip(multiplier[i] - slope / square[i], 0, bound[i])
        w = w + x[i][:, None] * (sign[i] * (new - multiplier[i]))
        return multiplier.at[i].set(new), w

    def advance(state):
        multiplier, _ = lax.fori_loop(0, count, step, (state.multiplier, state.w))
        return at(multiplier, state.count + 1)

    def at(multiplier, passes):
        w = x.T @ (sign * multiplier)  # anew, so that rounding does not add up
        half = jnp.sum(w**2, 0) / 2
        lack = jnp.maximum(want - sign * (x @ w), 0)
        objective = half + jnp.sum(bound * lack, 0)
        dual = jnp.sum(want * multiplier, 0) - half
        return _State(multiplier, w, objective - dual, objective, passes)

    def going(state):
        unfinished = state.gap > TOLERANCE * state.objective
        return jnp.any(unfinished) & (state.count < PASSES)

    state = lax.while_loop(going, advance, at(jnp.zeros_like(want), 0))
    return state.w, state.gap
