"""Plans against hand calculation and linear programs, maps, padding, labels."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

from tests.ops.transport_problems import double, problem
from transfer_jax import ops, shallow
from transfer_jax.shallow import transport_plans, transport_regularised
from transfer_jax.types import Samples

CLASSES = 3
METHODS = {
    'class': functools.partial(shallow.class_transport, 0.05, 0.05, classes=CLASSES),
    'entropic': functools.partial(shallow.entropic_transport, 0.02),
    'exact': shallow.exact_transport,
    'group': functools.partial(
        shallow.group_lasso_transport, 0.05, 0.05, classes=CLASSES
    ),
    'laplacian': functools.partial(shallow.laplacian_transport, 1.0, 0.05),
}


def samples(seed, n=18, d=3, shift=0.0):
    rng = np.random.default_rng(seed)
    label = np.arange(n) % CLASSES
    x = rng.normal(size=(n, d)) + shift
    x[:, 0] += 3 * label
    return Samples(x, label, np.ones(n))


def unlabelled(whole):
    return whole._replace(label=np.full_like(whole.label, -1))


def fitted(align, source, target):
    return double(functools.partial(align.fit, None))(source, target)


def test_the_exact_plan_is_that_of_a_linear_program():
    source, target = samples(0), samples(1, 10, shift=1.0)
    result = fitted(shallow.exact_transport(), source, unlabelled(target))
    cost = ((source.x[:, None] - target.x) ** 2).sum(-1)
    a, b = np.full(18, 1 / 18), np.full(10, 1 / 10)
    best = optimize.linprog(
        cost.ravel(),
        A_eq=np.vstack([np.kron(np.eye(18), np.ones(10)), np.tile(np.eye(10), 18)]),
        b_eq=np.concatenate([a, b]),
    )
    plan = best.x.reshape(18, 10)
    np.testing.assert_allclose(result.barycentre, 18 * plan @ target.x, atol=1e-9)


def group_objective(plan, cost, label, reg, weight):
    value = np.sum(plan * cost) + reg * np.sum(special.xlogy(plan, plan))
    groups = [np.sqrt((plan[label == c] ** 2).sum(0)).sum() for c in range(CLASSES)]
    return value + weight * sum(groups)


def test_group_lasso_satisfies_the_conditions_of_its_minimum():
    cost, a, b = problem(4)
    label = np.arange(12) % CLASSES
    membership = np.eye(CLASSES)[label]
    reg, weight = 0.05, 0.1
    result = double(
        lambda c: transport_regularised.conditional_gradient(
            c,
            a,
            b,
            transport_regularised.group_lasso(membership, weight),
            reg,
            tolerance=1e-12,
            iterations=300,
        )
    )(cost)
    plan = result.matrix
    assert result.gap <= 1e-12

    def violation(plan):
        # Gradients are potentials of rows and columns: no mixed differences.
        norm = membership @ np.sqrt(membership.T @ plan**2)
        slope = cost + weight * plan / norm + reg * np.log(plan)
        mixed = slope - slope.mean(1, keepdims=True) - slope.mean(0) + slope.mean()
        return np.sum(plan * mixed**2)

    plain = double(ops.entropic_plan)(cost, a, b, reg).matrix
    assert violation(plan) < 1e-8 < 1e-5 < violation(plain)
    values = [group_objective(p, cost, label, reg, weight) for p in (plan, plain)]
    assert values[0] < values[1] - 1e-4


def test_the_laplacian_has_the_gradient_of_its_objective():
    rng = np.random.default_rng(5)
    xs, xt = rng.normal(size=(8, 3)), rng.normal(size=(7, 3))
    plan = rng.uniform(size=(8, 7))

    def dense(x):
        near = np.zeros((len(x), len(x)))
        for i, row in enumerate(((x[:, None] - x) ** 2).sum(-1)):
            near[i, np.argsort(row)[1:3]] = 1
        near = (near + near.T) / 2
        return np.diag(near.sum(0)) - near

    ls, lt = dense(xs), dense(xt)
    expected = 0.5 * 2 * (0.3 * ls @ plan @ xt @ xt.T + 0.7 * xs @ xs.T @ plan @ lt)

    def gradient(plan):
        graphs = tuple(
            transport_regularised.neighbour_graph(x, jnp.ones(len(x)), 2)
            for x in (jnp.asarray(xs), jnp.asarray(xt))
        )
        penalty = transport_regularised.laplacian(xs, xt, graphs, 0.5, 0.3)
        return penalty.gradient(plan), penalty.along(plan, plan)(1.0)

    result, (slope, _) = double(gradient)(plan)
    np.testing.assert_allclose(result, expected, atol=1e-12)
    np.testing.assert_allclose(slope, 2 * np.sum(expected * plan), rtol=1e-12)


def test_the_exact_laplacian_plan_is_below_the_exact_plan():
    source, target = samples(0, 12), unlabelled(samples(1, 12, shift=1.0))
    one = fitted(shallow.laplacian_transport(5.0, iterations=50), source, target)
    two = fitted(shallow.laplacian_transport(0.0, iterations=50), source, target)
    plain = fitted(shallow.exact_transport(), source, target)
    np.testing.assert_allclose(two.barycentre, plain.barycentre, atol=1e-9)
    assert np.abs(one.barycentre - plain.barycentre).max() > 0.01


def test_source_examples_move_to_their_barycentres_and_others_along():
    source, target = samples(0), unlabelled(samples(1, 20, shift=1.0))
    align = shallow.entropic_transport(0.02)
    result = fitted(align, source, target)
    other = source.x[[3, 7]] + 1e-3 * np.ones((2, 3))
    mapped = double(align.source)(result, source.x)
    np.testing.assert_array_equal(mapped, result.barycentre)
    np.testing.assert_array_equal(
        double(align.source)(result, source.x[:5]), result.barycentre[:5]
    )
    np.testing.assert_allclose(
        double(align.source)(result, other),
        result.barycentre[[3, 7]] + 1e-3,
        atol=1e-12,
    )
    np.testing.assert_array_equal(align.target(result, target.x), target.x)


def test_equal_source_examples_have_different_barycentres():
    source, target = samples(0, 6), unlabelled(samples(1, 6, shift=1.0))
    source = source._replace(x=np.repeat(source.x[:3], 2, 0))
    align = shallow.exact_transport()
    result = fitted(align, source, target)
    mapped = double(align.source)(result, source.x)
    assert len(np.unique(mapped.round(9), axis=0)) == 6


@pytest.mark.parametrize('name', METHODS)
def test_padding_does_not_matter(name):
    align = METHODS[name]()
    source, target = samples(0), unlabelled(samples(1, 15, shift=1.0))

    def padded(whole, rows, value):
        more = Samples(np.full((rows, 3), value), np.zeros(rows, int), np.zeros(rows))
        return Samples(*(np.concatenate(p) for p in zip(whole, more, strict=True)))

    plain = fitted(align, source, target)
    wide = fitted(align, padded(source, 3, 1e4), padded(target, 4, -1e5))
    np.testing.assert_allclose(wide.barycentre[:18], plain.barycentre, atol=1e-5)
    assert np.isfinite(wide.barycentre).all()


@pytest.mark.parametrize('name', METHODS)
def test_few_equal_and_constant_examples_give_finite_features(name):
    align = METHODS[name]()
    source, target = samples(0, 6), unlabelled(samples(1, 6))
    one = jax.tree.map(lambda leaf: leaf[:1], target)
    result = fitted(align, source, one)
    np.testing.assert_allclose(result.barycentre, np.repeat(one.x, 6, 0), atol=1e-9)
    equal = source._replace(x=np.ones_like(source.x))
    result = fitted(align, equal, equal._replace(label=target.label))
    np.testing.assert_allclose(result.barycentre, equal.x, atol=1e-9)


@pytest.mark.parametrize('name', ['class', 'entropic', 'exact'])
def test_labelled_target_examples_receive_only_from_their_class(name):
    source, target = samples(0), samples(1, 18, shift=2.0)
    mixed = target._replace(label=(target.label + 1) % CLASSES)  # against the geometry
    result = fitted(METHODS[name](), source, mixed)
    for c in range(CLASSES):
        mean = result.barycentre[source.label == c].mean(0)
        np.testing.assert_allclose(mean, mixed.x[mixed.label == c].mean(0), atol=1e-6)


ENTROPIC = {
    'class': METHODS['class'],
    'group': METHODS['group'],
    'jdot': lambda: shallow.jdot(CLASSES, regularisation=0.02, iterations=2),
    'labels': lambda: shallow.label_propagation(CLASSES, 0.02),
}


def with_few_iterations(monkeypatch):
    few = functools.partial(ops.entropic_plan, iterations=10, newton=0)
    monkeypatch.setattr(ops, 'entropic_plan', few)


@pytest.mark.parametrize('name', ENTROPIC)
def test_every_method_says_if_a_plan_has_not_converged(name, monkeypatch):
    with_few_iterations(monkeypatch)
    align, source = ENTROPIC[name](), samples(0)
    result = fitted(align, source, unlabelled(samples(1, shift=1.0)))
    assert not result.converged
    [message] = align.cautions(result, None, None)
    assert 'has not converged' in message and 'larger regularisation' in message


def test_a_fit_warns_if_the_plan_has_not_converged(monkeypatch):
    source, target = samples(0), unlabelled(samples(1, shift=1.0))

    def fit():
        align = shallow.entropic_transport(0.02)
        made = shallow.pipeline(align, shallow.nearest_neighbour(CLASSES))
        return made.fit(jax.random.key(0), source, target).alignment

    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert fit().converged
    with_few_iterations(monkeypatch)
    with pytest.warns(UserWarning, match='has not converged'):
        assert not fit().converged


def test_infeasible_labels_are_satisfied_as_far_as_possible():
    source, target = samples(0, 6), samples(1, 6)
    target = target._replace(label=np.zeros(6, int))
    result = fitted(shallow.exact_transport(), source, target)
    assert np.isfinite(result.barycentre).all()
    result = fitted(shallow.entropic_transport(0.01), source, target)
    assert np.isfinite(result.barycentre).all()


def test_regularisations_may_be_traced_and_mapped_over():
    source, target = samples(0), unlabelled(samples(1, shift=1.0))
    values = np.array([0.3, 0.03])

    def fit(reg):
        align = shallow.group_lasso_transport(reg, reg, classes=CLASSES)
        return align.fit(None, source, target).barycentre

    together = double(jax.vmap(fit))(values)
    single = [double(fit)(value) for value in values]
    np.testing.assert_allclose(together, single, atol=1e-6)


def test_class_regularisation_keeps_classes_together():
    # Classes overlap after the shift; the penalty keeps target columns pure.
    source, target = samples(0, 30), unlabelled(samples(1, 30, shift=1.0))
    with jax.enable_x64(True):
        made = transport_plans.transport_problem(source, target)
        membership = jax.nn.one_hot(source.label, CLASSES, dtype=float)

        def purity(weight):
            plan = transport_regularised.class_concave(
                *made[:3], membership, 0.05, weight, iterations=10, offset=1e-3
            ).matrix
            return jnp.sum(jnp.max(membership.T @ plan, 0))

        assert purity(0.05) > purity(0.0) + 0.05


@pytest.mark.parametrize(
    ('make', 'match'),
    [
        (lambda: shallow.entropic_transport(0.0), 'regularisation 0'),
        (lambda: shallow.group_lasso_transport(0.1, -1.0, classes=3), '-1'),
        (lambda: shallow.class_transport(0.1, 0.1, classes=3, iterations=0), 'iter'),
        (lambda: shallow.laplacian_transport(1.0, source_share=1.5), 'source_share'),
    ],
)
def test_invalid_regularisations_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()
