"""Our side of every method."""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.shallow import objectives
from benchmarks.shallow import problem as problems
from benchmarks.shallow.problem import Problem, Side
from transfer_jax import ops, shallow
from transfer_jax.shallow import transport, transport_regularised
from transfer_jax.types import Samples


def side(call, answer, *arguments, compiled=True) -> Side:
    """A function of `arguments`, compiled here and now unless it calls a solver."""
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
    """Both domains; `given`: with the labels of a few target examples."""
    ys = p.ys if label is None else label
    yt = p.yt if given else np.full(len(p.xt), -1)
    return (
        Samples(p.xs, ys.astype(np.int32), np.ones(len(p.xs))),
        Samples(p.xt, yt.astype(np.int32), np.ones(len(p.xt))),
    )


def adapt(align, p, answer, *, given=False) -> Side:
    """The fit, and the features of both domains."""
    of_source, of_target = align.source, align.target
    if align.host:
        of_source, of_target = jax.jit(of_source), jax.jit(of_target)

    def call(key, source, target):
        fitted = align.fit(key, source, target)
        return fitted, of_source(fitted, source.x), of_target(fitted, target.x)

    return side(
        call,
        lambda found: answer(found[1:]),
        *samples(p, given=given),
        compiled=not align.host,
    )


def fit(align, p, answer, *, given=False) -> Side:
    """The fit; `answer` is of what it gives."""
    return side(align.fit, answer, *samples(p, given=given), compiled=not align.host)


def classify(align, p, answer=np.asarray, *, given=False, label=None) -> Side:
    """The fit, and the logits of the target."""
    predict = jax.jit(align.predict) if align.host else align.predict

    def call(key, source, target):
        fitted = align.fit(key, source, target)
        return fitted, predict(fitted, target.x)

    return side(
        call,
        lambda found: answer(found[1]),
        *samples(p, given=given, label=label),
        compiled=not align.host,
    )


def _first(features):
    return np.asarray(features[0])


def _labels(logits):
    return np.argmax(logits, 1)


def _unit(value):
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
    """That of scikit-learn with its default width, which skada cannot change."""
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
    return adapt(shallow.coral(n / (n - 1)), p, problems.centred_kernel)


def dip(p):
    align = shallow.dip(
        problems.DIMENSION,
        width=2 * problems.variance(p),
        steps=problems.PROJECTION_STEPS,
    )
    made = adapt(align, p, None)
    return made._replace(answer=lambda found: _unit(found[0].objective))


def exact_transport(p):
    return adapt(shallow.exact_transport(), p, _first)


def entropic_transport(p):
    return adapt(shallow.entropic_transport(problems.ENTROPY), p, _first)


def _planned(align, p, objective, solve) -> Side:
    """The answer is the objective of the plan, which a fit does not keep."""

    def answer(_):
        with jax.enable_x64(True):
            found = transport.transport_problem(*samples(p))
            return objective(p, np.asarray(solve(*found[:3], float(found.scale))))

    return adapt(align, p, None)._replace(answer=answer)


def _own():
    return functools.partial(
        jax.nn.one_hot, num_classes=problems.CLASSES, dtype=jnp.float64
    )


def group_lasso_transport(p):
    align = shallow.group_lasso_transport(
        problems.ENTROPY,
        problems.GROUPS,
        classes=problems.CLASSES,
        iterations=problems.TURNS,
    )

    def solve(cost, a, b, _):
        penalty = transport_regularised.group_lasso(_own()(p.ys), problems.GROUPS)
        return transport_regularised.conditional_gradient(
            cost,
            a,
            b,
            penalty,
            problems.ENTROPY,
            tolerance=transport.GAP,
            iterations=problems.TURNS,
        ).matrix

    return _planned(align, p, objectives.group_lasso, solve)


def class_transport(p):
    align = shallow.class_transport(
        problems.ENTROPY,
        problems.GROUPS,
        classes=problems.CLASSES,
        iterations=problems.ITERATIONS,
    )

    def solve(cost, a, b, _):
        return transport_regularised.class_concave(
            cost,
            a,
            b,
            _own()(p.ys),
            problems.ENTROPY,
            problems.GROUPS,
            iterations=problems.ITERATIONS,
            offset=1e-3,
        ).matrix

    return _planned(align, p, objectives.class_concave, solve)


def laplacian_transport(p):
    align = shallow.laplacian_transport(
        problems.GRAPH,
        neighbours=problems.GRAPH_NEIGHBOURS,
        iterations=problems.TURNS,
    )

    def solve(cost, a, b, scale):
        xs, xt = p.xs / np.sqrt(scale), p.xt / np.sqrt(scale)
        graphs = [
            transport_regularised.neighbour_graph(
                jnp.asarray(x), jnp.ones(len(x)), problems.GRAPH_NEIGHBOURS
            )
            for x in (xs, xt)
        ]
        return transport_regularised.conditional_gradient(
            cost,
            a,
            b,
            transport_regularised.laplacian(xs, xt, graphs, problems.GRAPH, 0.5),
            None,
            tolerance=transport.GAP,
            iterations=problems.TURNS,
        ).matrix

    return _planned(align, p, objectives.laplacian, solve)


def jdot(p):
    # skada divides costs by their mean, and takes half of both terms.
    mean = problems.squared_distances(p.xs, p.xt).mean()
    align = shallow.jdot(
        problems.CLASSES,
        problems.largest_cost(p) / mean,
        loss='cross_entropy',
        iterations=problems.ITERATIONS,
    )
    return classify(align, p, lambda logits: np.asarray(jax.nn.softmax(logits)))


def label_propagation(p):
    align = shallow.label_propagation(problems.CLASSES)
    return classify(align, p, lambda logits: np.exp(np.asarray(logits)))


def kmm(p):
    align = shallow.kmm(variance=problems.variance(p), bound=problems.BOUND)

    def answer(fitted):
        return objectives.mean_matching(p, np.asarray(fitted.weight))

    return fit(align, p, answer)


def kliep(p, candidates):
    align = shallow.kliep(
        variances=candidates, centres=problems.CENTRES, folds=problems.FOLDS
    )

    def answer(fitted):
        share = np.asarray(fitted.share) * np.exp(-np.asarray(fitted.level))
        return objectives.importance(
            p, np.asarray(fitted.centre), share, float(fitted.variance)
        )

    return fit(align, p, answer)


def density_ratio(p):
    def answer(fitted):
        logarithm = np.log(np.asarray(fitted.weight))
        return logarithm - logarithm.mean()

    return fit(shallow.density_ratio(), p, answer)


def tradaboost(p):
    align = shallow.tradaboost(problems.CLASSES, iterations=problems.ROUNDS)
    return classify(align, p, _labels, given=True)


def dasvm(p):
    align = shallow.dasvm(2, start=1.0, iterations=problems.EXCHANGES)
    return classify(align, p, _labels, label=problems.halves(p))


def adaptive_svm(p):
    return classify(shallow.adaptive_svm(problems.CLASSES), p, given=True)


def easy_adapt(p):
    align = shallow.easy_adapt()
    learner = shallow.linear_svm(problems.CLASSES)
    given = slice(0, problems.LABELLED * problems.CLASSES)

    def call(key, source, target):
        fitted = align.fit(key, source, target)
        own = align.target(fitted, target.x)
        both = Samples(
            jnp.concatenate([align.source(fitted, source.x), own[given]]),
            jnp.concatenate([source.label, target.label[given]]),
            jnp.concatenate([source.mask, target.mask[given]]),
        )
        return learner.logits(learner.fit(key, both, None), own)

    return side(call, np.asarray, *samples(p, given=True))


def itml(p):
    align = shallow.itml(problems.CONSTRAINTS, sweeps=problems.SWEEPS, tolerance=0.0)
    return adapt(align, p, problems.kernel, given=True)


def itml_pairs(p) -> np.ndarray:
    """The pairs that ours draws, (m, 2) rows of both domains together."""
    align = shallow.itml(problems.CONSTRAINTS, sweeps=1)
    with jax.enable_x64(True):
        fitted = jax.jit(align.fit)(jax.random.key(0), *samples(p, given=True))
    return np.asarray(fitted.pair)


def nbnn(p):
    return classify(shallow.nbnn(problems.CLASSES, problems.DESCRIPTORS), p)


def dscm(p):
    return classify(shallow.dscm(problems.CLASSES), p, given=True)


def dscm_metric(p):
    align = shallow.dscm_metric(
        problems.CLASSES, problems.DIMENSION, steps=problems.STEPS
    )
    made = classify(align, p, given=True)
    return made._replace(answer=lambda found: _unit(found[0].objective[-1]))


def mmd_test(p):
    def call(key, xs, xt):
        return shallow.mmd_test(key, xs, xt, permutations=problems.PERMUTATIONS)

    return side(call, lambda found: _unit(found.statistic), p.xs, p.xt)


def proxy_a_distance(p):
    return side(shallow.proxy_a_distance, _unit, p.xs, p.xt)


def nearest_neighbours(p):
    learner = shallow.nearest_neighbours(problems.CLASSES, problems.NEIGHBOURS)

    def call(key, source, target):
        return learner.logits(learner.fit(key, source, None), target.x)

    return side(call, _labels, *samples(p))
