"""Domain-Specific Class Means, with a learned metric and a curated training set."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax import ops
from transfer_jax.shallow import checks, curation, subspaces
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class Means(NamedTuple):
    """The mean of each class in each domain."""

    mean: Array  # (2, c, d), 0 for a class without examples
    present: Array  # (2, c)


class Dscm(NamedTuple):
    """Class means, a metric, and the objective of its learning."""

    means: Means
    metric: Array | None  # (d, k), W: distances are |(x - mu) W|^2
    label: Array  # (n,), of the examples in the means; -1 if not used
    objective: Array  # (steps + 1,), at each step of the last learning


def dscm(
    classes: int,
    *,
    source_weight: float | Array = 1.0,
    target_weight: float | Array = 1.0,
    rounds: int = 0,
    per_class: int = 1,
) -> Shallow:
    """A mixture over the class means of both domains.

    p(c | x) = 1/Z sum_d w_d exp(-|x - mu_d^c|^2 / 2) with mu_d^c the mean of class c in
    domain d and Z the sum over classes (Csurka, Chidlovskii and Perronnin, ECCV 2014
    workshops): nearest class means with one mean per domain. Logits are the logarithm
    of the unnormalised sum. A domain without the class contributes nothing; without any
    labelled target examples the prediction is the nearest source mean.

    With `rounds` above 0 the predictions curate the training set (the paper's
    self-adaptive learning, which it also uses for the metric: see `dscm_metric`). In
    each round the `per_class` unlabelled target examples of each predicted class with
    the highest p join the target means with that label, and the `per_class` source
    examples of each class with the lowest p of their label are removed; each class
    keeps one.

    Raises:
      ValueError: a weight that is not positive, negative rounds.
    """
    return _method(classes, source_weight, target_weight, rounds, per_class, _keep)


def dscm_metric(
    classes: int,
    dimension: int,
    *,
    steps: int = 100,
    source_weight: float | Array = 1.0,
    target_weight: float | Array = 1.0,
    rounds: int = 0,
    per_class: int = 1,
) -> Shallow:
    """DSCM with a learned metric of low rank.

    Distances become |(x - mu) W|^2. W (d, k), k = `dimension`, minimises
    -mean_i log p(y_i | x_i) over the labelled examples of both domains, with equal
    weights, starting from the first k principal directions (metric learning for nearest
    class means of Mensink, Verbeek, Perronnin and Csurka, TPAMI 2013, with the p of
    `dscm`). With `rounds` the metric is learned again on each curated training set,
    starting from the previous one.

    Deviation: gradient steps use all examples and an adaptive length, halved when a
    step would raise the objective; such a step is not taken. The papers use stochastic
    steps of a tuned length.

    Raises:
      ValueError: a weight that is not positive, negative rounds, fewer than 1 step, or
        a dimension above that of the features.
    """
    checks.positive('steps', steps)

    def learn(metric, means, weights, x, label):
        checks.dimension(dimension, x.shape[1])
        if metric is None:
            counts = (label >= 0).astype(x.dtype)
            metric = subspaces.principal_directions(x, counts, dimension)
        return _descend(metric, means, weights, x, label, steps)

    return _method(classes, source_weight, target_weight, rounds, per_class, learn)


def _method(classes, source_weight, target_weight, rounds, per_class, learn):
    checks.positive('source_weight', source_weight)
    checks.positive('target_weight', target_weight)
    checks.positive('per_class', per_class)
    checks.not_negative('rounds', rounds)

    def weights(dtype):
        both = jnp.stack([jnp.asarray(source_weight), jnp.asarray(target_weight)])
        return jnp.log(both.astype(dtype))

    def fit(key, source, target):
        del key
        x = jnp.concatenate([source.x, target.x])
        mask = jnp.concatenate([source.mask, target.mask]) > 0
        label = jnp.concatenate([source.label, target.label])
        label = jnp.where(mask & (label >= 0) & (label < classes), label, -1)
        x = jnp.where(mask[:, None], x, 0)
        domain = (jnp.arange(len(x)) >= len(source.x)).astype(int)
        logged = weights(x.dtype)

        def train(label, metric):
            means = _means(x, label, domain, classes)
            metric, objective = learn(metric, means, logged, x, label)
            return Dscm(means, metric, label, objective)

        def curate(state, _):
            score = _logits(state.means, state.metric, logged, x)
            log_p = jax.nn.log_softmax(jnp.where(score > ABSENT_LOGIT, score, -jnp.inf))
            guess = ops.argmax_first(log_p).astype(state.label.dtype)
            free = mask & (domain == 1) & (state.label < 0)
            uncertainty = jnp.where(free, -jnp.max(log_p, 1), jnp.inf)
            joins = curation.lowest_per_class(uncertainty, guess, per_class)
            used = (domain == 0) & (state.label >= 0)
            label_log_p = jnp.take_along_axis(log_p, state.label[:, None], 1)[:, 0]
            is_class = state.label[:, None] == jnp.arange(classes)
            count = jnp.sum(is_class & used[:, None], 0)
            spare = jnp.clip(count - 1, 0, per_class)
            fit_score = jnp.where(used, jnp.maximum(label_log_p, ABSENT_LOGIT), jnp.inf)
            leaves = curation.lowest_per_class(fit_score, state.label, spare)
            label = jnp.where(joins, guess, jnp.where(leaves, -1, state.label))
            return train(label, state.metric), None

        state = train(label, None)
        return lax.scan(curate, state, None, length=rounds)[0] if rounds else state

    def features(fitted, x):
        return x if fitted.metric is None else x @ fitted.metric

    def predict(fitted, x):
        return _logits(fitted.means, fitted.metric, weights(x.dtype), x)

    return Shallow(fit, features, features, predict=predict)


def _keep(metric, means, weights, x, label):
    del means, weights, label
    return metric, jnp.zeros(0, x.dtype)


def _means(x, label, domain, classes):
    is_class = label[:, None] == jnp.arange(classes)
    members = jnp.stack([is_class & (domain == d)[:, None] for d in (0, 1)])
    members = members.astype(x.dtype)
    count = jnp.sum(members, 1)
    mean = jnp.einsum('dnc,nk->dck', members, x) / jnp.maximum(count, 1)[..., None]
    return Means(mean, count > 0)


def _logits(means, metric, weights, x):
    """log sum_d w_d exp(-|(x - mu) W|^2 / 2), (n, c)."""
    mean = means.mean.reshape(-1, means.mean.shape[-1])
    if metric is not None:
        mean, x = mean @ metric, x @ metric
    squared = ops.squared_distances(mean, x).T.reshape(len(x), *means.present.shape)
    each = jnp.where(means.present, weights[:, None] - squared / 2, -jnp.inf)
    peak = jnp.max(each, 1, keepdims=True)
    peak = jnp.where(jnp.isfinite(peak), peak, 0)
    total = jnp.sum(jnp.exp(each - peak), 1)
    present = jnp.any(means.present, 0)
    logits = jnp.log(jnp.where(present, total, 1)) + peak[:, 0]
    return jnp.where(present, jnp.maximum(logits, ABSENT_LOGIT), ABSENT_LOGIT)


def _descend(metric, means, weights, x, label, steps):
    """The metric after `steps`, and the objective before and after each of them."""
    counts = label >= 0
    absent = jnp.where(jnp.any(means.present, 0), 0, -jnp.inf)

    def loss(metric):
        log_p = jax.nn.log_softmax(_logits(means, metric, weights, x) + absent)
        index = jnp.maximum(label, 0)[:, None]
        label_log_p = jnp.take_along_axis(log_p, index, 1)[:, 0]
        return -jnp.sum(jnp.where(counts, label_log_p, 0)) / jnp.sum(counts)

    def step(state, _):
        metric, value, slope, rate = state
        trial = metric - rate * slope
        new, new_slope = jax.value_and_grad(loss)(trial)
        better = new < value
        state = (
            jnp.where(better, trial, metric),
            jnp.where(better, new, value),
            jnp.where(better, new_slope, slope),
            jnp.where(better, 1.5 * rate, rate / 2),
        )
        return state, state[1]

    value, slope = jax.value_and_grad(loss)(metric)
    # The first step has a tenth of the length of W.
    size = jnp.sqrt(jnp.sum(slope**2))
    rate = 0.1 * jnp.sqrt(jnp.sum(metric**2)) / jnp.where(size > 0, size, 1)
    state, values = lax.scan(step, (metric, value, slope, rate), None, length=steps)
    return state[0], jnp.concatenate([value[None], values])
