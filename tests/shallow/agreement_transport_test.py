"""Optimal transport against POT 0.9 and skada 0.6, for equal definitions."""

import functools
import warnings

import jax
import numpy as np
import pytest
from scipy import special

from transfer_jax import ops, shallow
from transfer_jax.shallow import transport_plans, transport_regularised
from transfer_jax.types import Samples

ot = pytest.importorskip('ot')

CLASSES = 3
N, M, D = 40, 35, 4
PRECISE = {'numItermax': 100_000, 'stopThr': 1e-13}


@pytest.fixture(scope='module')
def pair():
    rng = np.random.default_rng(0)
    label = np.arange(N) % CLASSES
    xs, xt = rng.normal(size=(N, D)), rng.normal(size=(M, D)) + 0.7
    xs[:, 0] += 2 * label
    xt[:, 0] += 2 * (np.arange(M) % CLASSES)
    target = Samples(xt, np.full(M, -1), np.ones(M))
    return Samples(xs, label, np.ones(N)), target


@pytest.fixture(scope='module')
def cost(pair):
    distance = ot.dist(pair[0].x, pair[1].x)
    return distance / distance.max()


A, B = np.full(N, 1 / N), np.full(M, 1 / M)


def double(function):
    def run(*arguments):
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, jax.jit(function)(*arguments))

    return run


def mapped(align, source, target, x):
    def both(source, target, x):
        return align.source(align.fit(None, source, target), x)

    return double(both)(source, target, x)


def test_costs_and_exact_maps_are_those_of_pot(pair, cost):
    source, target = pair
    made = double(transport_plans.transport_problem)(source, target)
    np.testing.assert_allclose(made.cost, cost, atol=1e-12)
    theirs = ot.da.EMDTransport().fit(Xs=source.x, Xt=target.x)
    other = source.x[:7] + 0.1
    align = shallow.exact_transport()
    for x in (source.x, other):
        expected = theirs.transform(Xs=x)
        np.testing.assert_allclose(
            mapped(align, source, target, x), expected, atol=1e-8
        )


@pytest.mark.parametrize('regularisation', [0.1, 0.005])
def test_entropic_plans_are_those_of_pot(cost, regularisation):
    result = double(ops.entropic_plan)(cost, A, B, regularisation)
    expected = ot.sinkhorn(A, B, cost, regularisation, **PRECISE)
    np.testing.assert_allclose(result.matrix, expected, atol=1e-8)


def test_entropic_plans_are_those_of_ott(cost):
    geometry = pytest.importorskip('ott.geometry.geometry')
    from ott.problems.linear import linear_problem
    from ott.solvers.linear import sinkhorn

    def theirs(cost):
        made = geometry.Geometry(cost_matrix=cost, epsilon=0.02)
        solve = sinkhorn.Sinkhorn(threshold=1e-11, max_iterations=5_000)
        return solve(linear_problem.LinearProblem(made)).matrix

    result = double(ops.entropic_plan)(cost, A, B, 0.02)
    np.testing.assert_allclose(result.matrix, double(theirs)(cost), atol=1e-8)


def test_entropic_maps_are_those_of_pot_out_of_sample_too(pair):
    source, target = pair
    # Its default evaluates the potentials at new examples instead.
    theirs = ot.da.SinkhornTransport(
        reg_e=0.02,
        norm='max',
        tol=1e-13,
        max_iter=10_000,
        out_of_sample_map='ferradans',
    )
    theirs.fit(Xs=source.x, Xt=target.x)
    other = source.x[:7] + 0.1
    align = shallow.entropic_transport(0.02)
    result = mapped(align, source, target, other)
    np.testing.assert_allclose(result, theirs.transform(Xs=other), atol=1e-6)


def test_class_regularised_maps_are_those_of_pot(pair):
    source, target = pair
    theirs = ot.da.SinkhornLpl1Transport(
        reg_e=0.05, reg_cl=0.02, norm='max', tol=1e-13, max_inner_iter=50_000
    )
    theirs.fit(Xs=source.x, ys=source.label, Xt=target.x)
    align = shallow.class_transport(0.05, 0.02, classes=CLASSES)
    result = mapped(align, source, target, source.x)
    np.testing.assert_allclose(result, theirs.transform(Xs=source.x), atol=1e-6)


def test_group_lasso_plans_are_those_of_pot_with_the_entropy_in_its_search(cost):
    label = np.arange(N) % CLASSES
    membership, reg, weight = np.eye(CLASSES)[label], 0.05, 0.05

    def value(plan):
        return np.sqrt(membership.T @ plan**2).sum()

    def slope(plan):
        return plan / (membership @ np.sqrt(membership.T @ plan**2))

    def solve(a, b, gradient, **unused):
        # The linearised problem does not contain the entropy.
        return ot.sinkhorn(a, b, gradient, reg, log=True, **PRECISE)

    def objective(plan):
        entropy = np.sum(special.xlogy(plan, plan))
        return np.sum(plan * cost) + reg * entropy + weight * value(plan)

    expected = A[:, None] * B
    for _ in range(60):
        aim, _ = solve(A, B, cost + weight * slope(expected))
        lengths = np.linspace(0, 1, 101)
        values = [objective(expected + t * (aim - expected)) for t in lengths]
        expected = expected + lengths[np.argmin(values)] * (aim - expected)

    result = double(
        lambda c: transport_regularised.conditional_gradient(
            c,
            A,
            B,
            transport_regularised.group_lasso(membership, weight),
            reg,
            tolerance=1e-12,
            iterations=200,
        )
    )(cost)
    np.testing.assert_allclose(result.matrix, expected, atol=1e-6)
    # POT's line search omits the entropy and stops at a higher objective.
    theirs = ot.da.sinkhorn_l1l2_gl(A, label, B, cost, reg, weight, numItermax=200)
    assert objective(result.matrix) <= objective(theirs) + 1e-9


def test_the_exact_laplacian_plan_is_as_good_as_that_of_pot(pair, cost):
    source, target = pair
    root = np.sqrt(ot.dist(source.x, target.x).max())
    xs, xt = source.x / root, target.x / root
    theirs, log = ot.da.emd_laplace(
        A, B, xs, xt, cost, eta=1.0, numItermax=300, stopThr=1e-12, log=True
    )

    def ours(cost):
        graphs = tuple(
            transport_regularised.neighbour_graph(x, np.ones(len(x)), 3)
            for x in (jax.numpy.asarray(xs), jax.numpy.asarray(xt))
        )
        penalty = transport_regularised.laplacian(xs, xt, graphs, 1.0, 0.5)
        result = transport_regularised.conditional_gradient(
            cost, A, B, penalty, None, tolerance=1e-7, iterations=300
        )
        # The penalty is quadratic: half of its slope along itself.
        half = penalty.along(result.matrix, result.matrix)(0.0)[0] / 2
        return result, jax.numpy.sum(result.matrix * cost) + half

    result, value = double(ours)(cost)
    assert abs(value - log['loss'][-1]) < 1e-6 + result.gap


@pytest.fixture
def skada():
    module = pytest.importorskip('skada')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield module


def stacked(source, target):
    """skada's arrays: features, labels, domains (targets below 0)."""
    return (
        np.concatenate([source.x, target.x]),
        np.concatenate([source.label, target.label]),
        np.concatenate([np.ones(N), -2 * np.ones(M)]),
    )


@pytest.mark.parametrize('name', ['exact', 'entropic', 'class'])
def test_maps_are_those_of_skada(skada, pair, name):
    source, target = pair
    scale = ot.dist(source.x, target.x).max()
    align, theirs = {
        'exact': (shallow.exact_transport(), skada.OTMappingAdapter()),
        'entropic': (
            shallow.entropic_transport(0.02),
            skada.EntropicOTMappingAdapter(
                reg_e=0.02, norm='max', tol=1e-13, max_iter=10_000
            ),
        ),
        # skada does not scale its cost; 10 majorisations of 200 iterations.
        'class': (
            shallow.class_transport(0.1, 0.02, classes=CLASSES),
            skada.ClassRegularizerOTMappingAdapter(
                reg_e=0.1 * scale, reg_cl=0.02 * scale, tol=1e-13
            ),
        ),
    }[name]
    x, y, domain = stacked(source, target)
    expected = theirs.fit_transform(x, y, sample_domain=domain)[:N]
    result = mapped(align, source, target, source.x)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_jdot_is_that_of_skada(skada, pair):
    from sklearn.linear_model import LogisticRegression

    source, target = pair
    distance, share = ot.dist(source.x, target.x), 0.4
    theirs = skada.JDOTClassifier(
        LogisticRegression(tol=1e-10, max_iter=10_000),
        alpha=share,
        n_iter_max=3,
        thr_weights=0.0,
        tol=0.0,
    )
    theirs.fit(*stacked(source, target))
    # skada divides the cost by its mean and weights the two terms by 1 - share, share.
    weight = (1 - share) / share * distance.max() / distance.mean()
    align = shallow.jdot(CLASSES, weight, loss='cross_entropy', iterations=3)
    result = double(functools.partial(align.fit, None))(source, target)
    other = np.random.default_rng(1).normal(size=(9, D))
    logits = other @ result.weight + result.bias
    expected = theirs.estimator_.predict_log_proba(other)
    np.testing.assert_allclose(special.log_softmax(logits, 1), expected, atol=1e-4)


def test_label_propagation_is_that_of_skada(skada, pair):
    source, target = pair
    # With its default of 200 pivots skada stops before the plan is optimal.
    theirs = skada.OTLabelPropAdapter(reg=None, n_iter_max=100_000)
    x, y, domain = stacked(source, target)
    _, labels, _ = theirs.fit_transform(x, y, sample_domain=domain)
    align = shallow.label_propagation(CLASSES)

    def predict(source, target):
        return align.predict(align.fit(None, source, target), target.x)

    logits = double(predict)(source, target)
    share = np.sort(logits, 1)
    sure = share[:, -1] - share[:, -2] > 1e-6  # ties have no one answer
    assert sure.sum() > M / 2
    assert (logits.argmax(1) == labels[domain < 0])[sure].all()
