"""Sides of this library: shared functions, and methods that project both domains."""

import time

import jax
import numpy as np

from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Problem, Side
from transfer_jax import ops, shallow
from transfer_jax.types import Samples


def side(call, answer, *arguments, compiled=True) -> Side:
    """A side that calls a function of (key, *arguments), compiled ahead by default."""
    key = jax.random.key(0)
    seconds = None
    with jax.enable_x64(True):
        if compiled:
            start = time.perf_counter()
            call = jax.jit(call).lower(key, *arguments).compile()
            seconds = time.perf_counter() - start

    def run():
        with jax.enable_x64(True):
            return jax.block_until_ready(call(key, *arguments))

    return Side(run, answer, seconds)


def samples(p: Problem, *, given=False, label=None) -> tuple[Samples, Samples]:
    """Both domains; with `given`, a few target examples have labels."""
    ys = p.ys if label is None else label
    yt = p.yt if given else np.full(len(p.xt), -1)
    return (
        Samples(p.xs, ys.astype(np.int32), np.ones(len(p.xs))),
        Samples(p.xt, yt.astype(np.int32), np.ones(len(p.xt))),
    )


def adapt(align, p, answer, *, given=False) -> Side:
    """A side with the fit and the features of both domains."""
    map_source, map_target = align.source, align.target
    if align.host:
        map_source, map_target = jax.jit(map_source), jax.jit(map_target)

    def call(key, source, target):
        fitted = align.fit(key, source, target)
        return fitted, map_source(fitted, source.x), map_target(fitted, target.x)

    return side(
        call,
        lambda result: answer(result[1:]),
        *samples(p, given=given),
        compiled=not align.host,
    )


def fit(align, p, answer, *, given=False) -> Side:
    """A side with the fit only; `answer` is a function of its result."""
    return side(align.fit, answer, *samples(p, given=given), compiled=not align.host)


def classify(align, p, answer=np.asarray, *, given=False, label=None) -> Side:
    """A side with the fit and the logits of the target."""
    predict = jax.jit(align.predict) if align.host else align.predict

    def call(key, source, target):
        fitted = align.fit(key, source, target)
        return fitted, predict(fitted, target.x)

    return side(
        call,
        lambda result: answer(result[1]),
        *samples(p, given=given, label=label),
        compiled=not align.host,
    )


def number(value):
    return np.asarray(value, np.float64)


def pca(p):
    return adapt(shallow.pca(problems.DIMENSION), p, problems.kernel)


def subspace_alignment(p):
    align = shallow.subspace_alignment(problems.DIMENSION)
    return adapt(align, p, problems.centred_kernel)


def gfk(p):
    return adapt(shallow.gfk(problems.DIMENSION), p, problems.kernel)


def sgf(p):
    align = shallow.sgf(problems.DIMENSION, subspaces_sampled=problems.SUBSPACES)
    return adapt(align, p, problems.kernel)


def tca(p, kernel=ops.linear_kernel):
    align = shallow.tca(
        problems.DIMENSION,
        kernel=kernel,
        normalise=False,
        unit_rows=False,
        unit_output=False,
    )
    return adapt(align, p, problems.kernel)


def _rbf(p):
    """scikit-learn's kernel with its default width, which skada cannot change."""
    return ops.gaussian_kernel(np.array([p.xs.shape[1] / 2]))


def tca_gaussian(p):
    return tca(p, _rbf(p))


def tjm(p):
    align = shallow.tjm(
        problems.DIMENSION,
        kernel=_rbf(p),
        sparsity=0.5,
        iterations=problems.ITERATIONS,
        unit_rows=False,
        whiten=True,
    )
    return adapt(align, p, problems.kernel)


def jda(p):
    align = shallow.jda(
        problems.DIMENSION, classes=problems.CLASSES, iterations=problems.ITERATIONS
    )
    return adapt(align, p, problems.kernel)


def coral(p):
    n = len(p.xs)
    return adapt(shallow.coral(n / (n - 1), relative=False), p, problems.centred_kernel)


def dip(p):
    align = shallow.dip(
        problems.DIMENSION,
        width=2 * problems.variance(p),
        steps=problems.PROJECTION_STEPS,
    )
    adapted = adapt(align, p, None)
    return adapted._replace(answer=lambda result: number(result[0].objective))
