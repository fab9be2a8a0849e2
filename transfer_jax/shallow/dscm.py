"""Domain-Specific Class Means, with a learned metric and a curated training set."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from transfer_jax import ops
from transfer_jax.shallow import checks, curation, subspaces
from transfer_jax.shallow.classifiers import FARTHEST
from transfer_jax.shallow.shallow import Shallow
from transfer_jax.types import Array


class Means(NamedTuple):
    """The mean of each class in each domain."""

    mean: Array  # (2, c, d), 0 where there is none
    present: Array  # (2, c)


class Dscm(NamedTuple):
    """Class means, a metric, and how its learning went."""

    means: Means
    metric: Array | None  # (d, k), W: distances are |(x - mu) W|^2
    label: Array  # (n,), of the examples in the means; -1: not used
    objective: Array  # (steps + 1,), at each step of the last learning


def dscm(
    classes: int,
    *,
    source_weight: float | Array = 1.0,
    target_weight: float | Array = 1.0,
    rounds: int = 0,
    per_class: int = 1,
) -> Shallow:
    """A mixture over the domains' class means.

    p(c | x) = 1/Z sum_d w_d exp(-|x - mu_d^c|^2 / 2) with mu_d^c the mean of class c in
    domain d and Z the sum over classes (Csurka, Chidlovskii and Perronnin, ECCV 2014
    workshops): nearest class means with a mean for each domain. Logits are the log of
    the unnormalised sum. A domain without the class contributes nothing; without any
    labelled target examples it is the nearest source mean.

    `rounds` above 0 curate the training set by its own predictions (the paper's
    self-adaptive learning, which is meant for the metric as well: `dscm_metric`): each
    round the `per_class` unlabelled target examples of each predicted class with the
    highest p join the target's means with that label, and the `per_class` source
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
    """DSCM in a metric of low rank that is learned for it.

    Distances become |(x - mu) W|^2 with W (d, k), k = `dimension`, that minimises
    -mean_i log p(y_i | x_i) over the labelled examples of both domains, each with the
    same weight, from the k first principal directions (metric learning for nearest
    class means of Mensink, Verbeek, Perronnin and Csurka, TPAMI 2013, with the p of
    `dscm`). With `rounds` the metric is learned again, from the last one, on each
    curated training set.

    Deviation: gradient steps use all examples, and their length adapts (halved after a
    step that would raise the objective, which is then not taken); the papers take
    stochastic steps of a length that is tuned.

    Raises:
      ValueError: a weight that is not positive, negative rounds, fewer than 1 step, a
        dimension that the features do not have.
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
            log_p = jax.nn.log_softmax(jnp.where(score > FARTHEST, score, -jnp.inf))
            guess = ops.argmax_first(log_p).astype(state.label.dtype)
            free = mask & (domain == 1) & (state.label < 0)
            surest = jnp.where(free, -jnp.max(log_p, 1), jnp.inf)
            joins = curation.first_of_class(surest, guess, per_class)
            used = (domain == 0) & (state.label >= 0)
            own = jnp.take_along_axis(log_p, state.label[:, None], 1)[:, 0]
            own_class = state.label[:, None] == jnp.arange(classes)
            count = jnp.sum(own_class & used[:, None], 0)
            spare = jnp.clip(count - 1, 0, per_class)
            least = jnp.where(used, jnp.maximum(own, FARTHEST), jnp.inf)
            leaves = curation.first_of_class(least, state.label, spare)
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
    own = label[:, None] == jnp.arange(classes)
    own = jnp.stack([own & (domain == d)[:, None] for d in (0, 1)]).astype(x.dtype)
    count = jnp.sum(own, 1)
    mean = jnp.einsum('dnc,nk->dck', own, x) / jnp.maximum(count, 1)[..., None]
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
    there = jnp.any(means.present, 0)
    found = jnp.log(jnp.where(there, total, 1)) + peak[:, 0]
    return jnp.where(there, jnp.maximum(found, FARTHEST), FARTHEST)


def _descend(metric, means, weights, x, label, steps):
    """The metric after `steps`, and the objective before and after each of them."""
    counts = label >= 0
    absent = jnp.where(jnp.any(means.present, 0), 0, -jnp.inf)

    def loss(metric):
        log_p = jax.nn.log_softmax(_logits(means, metric, weights, x) + absent)
        own = jnp.take_along_axis(log_p, jnp.maximum(label, 0)[:, None], 1)[:, 0]
        return -jnp.sum(jnp.where(counts, own, 0)) / jnp.sum(counts)

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
    # The first step turns W by a tenth of its length.
    size = jnp.sqrt(jnp.sum(slope**2))
    rate = 0.1 * jnp.sqrt(jnp.sum(metric**2)) / jnp.where(size > 0, size, 1)
    state, values = lax.scan(step, (metric, value, slope, rate), None, length=steps)
    return state[0], jnp.concatenate([value[None], values])
