"""Sides of this library: instance weights, classifiers and two-sample tests."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.shallow import objectives, ours
from benchmarks.shallow import problem as problems
from transfer_jax import shallow
from transfer_jax.types import Samples


def _labels(logits):
    return np.argmax(logits, 1)


def kmm(p):
    align = shallow.kmm(variance=problems.variance(p), bound=problems.BOUND)

    def answer(fitted):
        return objectives.mean_matching(p, np.asarray(fitted.weight))

    return ours.fit(align, p, answer)


def kliep(p, candidates):
    align = shallow.kliep(
        variances=candidates, centres=problems.CENTRES, folds=problems.FOLDS
    )

    def answer(fitted):
        share = np.asarray(fitted.share) * np.exp(-np.asarray(fitted.level))
        return objectives.importance(
            p, np.asarray(fitted.centre), share, float(fitted.variance)
        )

    return ours.fit(align, p, answer)


def density_ratio(p):
    def answer(fitted):
        logarithm = np.log(np.asarray(fitted.weight))
        return logarithm - logarithm.mean()

    return ours.fit(shallow.density_ratio(), p, answer)


def tradaboost(p):
    align = shallow.tradaboost(problems.CLASSES, iterations=problems.ROUNDS)
    return ours.classify(align, p, _labels, given=True)


def dasvm(p):
    align = shallow.dasvm(2, start=1.0, iterations=problems.EXCHANGES)
    return ours.classify(align, p, _labels, label=problems.halves(p))


def adaptive_svm(p):
    return ours.classify(shallow.adaptive_svm(problems.CLASSES), p, given=True)


def easy_adapt(p):
    align = shallow.easy_adapt()
    learner = shallow.linear_svm(problems.CLASSES)
    given = slice(0, problems.LABELLED * problems.CLASSES)

    def call(key, source, target):
        fitted = align.fit(key, source, target)
        z_target = align.target(fitted, target.x)
        both = Samples(
            jnp.concatenate([align.source(fitted, source.x), z_target[given]]),
            jnp.concatenate([source.label, target.label[given]]),
            jnp.concatenate([source.mask, target.mask[given]]),
        )
        return learner.logits(learner.fit(key, both, None), z_target)

    return ours.side(call, np.asarray, *ours.samples(p, given=True))


def itml(p):
    align = shallow.itml(problems.CONSTRAINTS, sweeps=problems.SWEEPS, tolerance=0.0)
    return ours.adapt(align, p, problems.kernel, given=True)


def itml_pairs(p) -> np.ndarray:
    """The pairs that our side draws, (m, 2) rows of both domains together."""
    align = shallow.itml(problems.CONSTRAINTS, sweeps=1)
    with jax.enable_x64(True):
        fitted = jax.jit(align.fit)(jax.random.key(0), *ours.samples(p, given=True))
    return np.asarray(fitted.pair)


def nbnn(p):
    return ours.classify(shallow.nbnn(problems.CLASSES, problems.DESCRIPTORS), p)


def dscm(p):
    return ours.classify(shallow.dscm(problems.CLASSES), p, given=True)


def dscm_metric(p):
    align = shallow.dscm_metric(
        problems.CLASSES, problems.DIMENSION, steps=problems.STEPS
    )
    return ours.classify(align, problems.near(p), _labels, given=True)


def mmd_test(p):
    def call(key, xs, xt):
        return shallow.mmd_test(key, xs, xt, permutations=problems.PERMUTATIONS)

    return ours.side(call, lambda result: ours.number(result.statistic), p.xs, p.xt)


def proxy_a_distance(p):
    return ours.side(shallow.proxy_a_distance, ours.number, p.xs, p.xt)


def nearest_neighbours(p):
    learner = shallow.nearest_neighbours(problems.CLASSES, problems.NEIGHBOURS)

    def call(key, source, target):
        return learner.logits(learner.fit(key, source, None), target.x)

    return ours.side(call, _labels, *ours.samples(p))
