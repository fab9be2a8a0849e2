"""DASVM step by step, its accuracy on a rotated domain, and its termination."""

import jax
import numpy as np
import pytest
from sklearn.svm import SVC

from transfer_jax import ops, shallow
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.types import Samples

KEY = jax.random.key(0)


def two_sides(seed, n=60, angle=0.0, noise=0.7):
    """Two clouds, rotated about the origin by an angle in degrees."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    x = noise * rng.normal(size=(n, 2)) + 1.5 * np.outer(2 * label - 1, [1, 0])
    turn = np.deg2rad(angle)
    turn = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    return Samples(x @ turn, label, np.ones(n))


def fit(source, target, labelled=None, classes=2, **options):
    made = shallow.pipeline(shallow.dasvm(classes, **options))
    fitted = made.fit(KEY, source, target, labelled)
    result = made.predict(fitted, {'x': target.x})['logits']
    return jax.tree.map(np.asarray, fitted.alignment), np.asarray(result)


def accuracy(result, target):
    return np.mean(result.argmax(1) == target.label)


def test_its_first_exchanges_follow_the_definition():
    source, target = two_sides(0, noise=1.2), two_sides(1, angle=40, noise=1.2)
    cost, start, growth, rho = 2.0, 0.25, 4, 3
    side, sign = np.zeros(60), 2 * source.label - 1
    in_use, age = np.ones(60, bool), np.zeros(60)
    for i in range(4):
        used_target = side != 0
        falling = max(0.5, 2 - 1.5 * (i / growth) ** 2)
        rising = np.minimum(2.0, 0.5 + 1.5 * (age[used_target] / growth) ** 2)
        machine = SVC(C=1.0, kernel='linear', tol=1e-6).fit(
            np.concatenate([source.x[in_use], target.x[used_target]]),
            np.concatenate([sign[in_use], side[used_target]]),
            sample_weight=np.concatenate([np.full(in_use.sum(), falling), rising]),
        )
        expected = machine.decision_function(target.x)
        options = {'cost': cost, 'start': start, 'growth': growth, 'rho': rho}
        fitted, result = fit(source, target, iterations=i, **options)
        np.testing.assert_allclose(result[:, 1], expected, atol=1e-3)
        assert fitted.iterations.tolist() == [i, i]

        free = np.flatnonzero((side == 0) & (np.abs(expected) <= 1))
        order = free[np.argsort(expected[free])]
        down = [j for j in order if expected[j] < 0][:rho]
        up = [j for j in order[::-1] if expected[j] >= 0][:rho]
        of_source = machine.decision_function(source.x)
        order = [j for j in np.argsort(of_source) if in_use[j]]
        side[side * expected < 0] = 0
        in_use[order[: len(down)]] = False
        in_use[order[len(order) - len(up) :]] = False
        age += 1
        side[up], side[down] = 1, -1
        age[up], age[down] = 0, 0
        assert up and (down or i)


def test_it_follows_a_rotated_domain():
    source, target = two_sides(0, 120), two_sides(1, 120, angle=60)
    _, before = fit(source, target, iterations=0)
    fitted, after = fit(source, target)
    assert fitted.converged.all()
    assert accuracy(before, target) < 0.8 and accuracy(after, target) > 0.94


def test_no_iteration_is_the_machine_of_the_source():
    source, target = two_sides(0), two_sides(1, angle=40)
    plain = shallow.kernel_svm(2, kernel=ops.linear_kernel, cost=0.5)
    made = shallow.pipeline(shallow.none(), plain)
    expected = made.predict(made.fit(KEY, source, target), {'x': target.x})['logits']
    _, result = fit(source, target, cost=0.5, iterations=0)
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize('kernel', [ops.linear_kernel, None])
def test_target_labels_and_padding_change_no_bit(kernel, same_bits):
    source, target = two_sides(0), two_sides(1, angle=40)
    one, _ = fit(source, target, kernel=kernel)
    other = target._replace(label=1 - target.label)
    padded = [
        Samples(
            np.concatenate([s.x, np.full((4, 2), 30.0)]),
            np.concatenate([s.label, [0, 1, 0, 1]]),
            np.concatenate([s.mask, np.zeros(4)]),
        )
        for s in (source, other)
    ]
    two, _ = fit(*padded, kernel=kernel)
    same_bits(one, two)


def test_labelled_target_examples_are_always_used():
    # After a rotation by half a circle they are indispensable.
    source, target = two_sides(0), two_sides(1, angle=180)
    labelled = jax.tree.map(lambda leaf: leaf[:20], target)
    _, without = fit(source, target)
    fitted, result = fit(source, target, labelled)
    assert accuracy(without, target) < 0.1 and accuracy(result, target) > 0.9


def test_three_classes_are_one_against_the_rest():
    rng = np.random.default_rng(0)
    label, n = np.arange(60) % 3, np.ones(60)
    centre = 3 * np.array([[1, 0], [-0.5, 0.9], [-0.5, -0.9]])
    source = Samples(centre[label] + 0.5 * rng.normal(size=(60, 2)), label, n)
    target = Samples(source.x[::-1] + 0.4, label[::-1], n)
    fitted, result = fit(source, target, classes=4)
    assert accuracy(result, target) == 1
    assert (result[:, 3] <= ABSENT_LOGIT).all() and fitted.iterations[3] == 0


@pytest.mark.parametrize(
    'change',
    [
        lambda x: x[:1],  # one example
        lambda x: np.zeros_like(x),  # all on the border
        lambda x: x[[0] * 60],  # copies of one
        lambda x: x + 1e3,  # all far on one side
    ],
)
def test_it_ends_with_finite_scores_for_any_target(change):
    source, target = two_sides(0), two_sides(1)
    x = change(target.x)
    label = np.zeros(len(x), int)
    fitted, result = fit(source, Samples(x, label, np.ones(len(x))), iterations=40)
    assert np.isfinite(result).all() and (fitted.iterations <= 40).all()
    np.testing.assert_allclose(result[:, 0], -result[:, 1], atol=0.01)


def test_one_class_alone_is_always_predicted():
    source, target = two_sides(0)._replace(label=np.ones(60, int)), two_sides(1)
    _, result = fit(source, target)
    assert (result.argmax(1) == 1).all()


def test_invalid_values_are_refused():
    for name, value in (('cost', 0), ('start', 0), ('growth', 0), ('rho', 0)):
        with pytest.raises(ValueError, match=f'{name} 0'):
            shallow.dasvm(2, **{name: value})
    with pytest.raises(ValueError, match='start 2'):
        shallow.dasvm(2, start=2)
    with pytest.raises(ValueError, match='share -1'):
        shallow.dasvm(2, share=-1)
