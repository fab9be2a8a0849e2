"""Discrepancies of two samples in float64: closed forms, loops, properties."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import losses, ops

pytestmark = pytest.mark.usefixtures('float64')
RNG = np.random.default_rng(0)
S, T = RNG.normal(size=(6, 3)), RNG.normal(0.5, 1.5, (4, 3))
VARIANCE = 1.7


def kernel(x, y):
    """A function, because an array made at import would have 32 bits."""
    return ops.gaussian_kernel(jnp.asarray([VARIANCE], x.dtype))(x, y)


def k(x, y):
    return np.exp(-sum((x - y) ** 2) / (2 * VARIANCE))


def multi(source, target, estimator=losses.mmd_biased):
    """The MMD of DAN: widths from the pooled sample."""
    pooled = ops.multi_kernel(jnp.concatenate([source, target]))
    return estimator(source, target, kernel=pooled)


def joint(source, target):
    """The first two columns and the third as two layers."""
    return losses.joint_mmd(
        [source[:, :2], source[:, 2:]],
        [target[:, :2], target[:, 2:]],
        kernels=[kernel, ops.linear_kernel],
    )


BIASED = functools.partial(losses.mmd_biased, kernel=kernel)
UNBIASED = functools.partial(losses.mmd_unbiased, kernel=kernel)
LINEAR = functools.partial(losses.mmd_linear, kernel=kernel)
ALL = {
    'mmd_biased': BIASED,
    'mmd_unbiased': UNBIASED,
    'multi': multi,
    'joint_mmd': joint,
    'coral': losses.coral,
    'cmd': losses.cmd,
}
each = pytest.mark.parametrize('loss', ALL.values(), ids=ALL)


@each
def test_order_of_rows_does_not_count(loss):
    actual, other = loss(S, T), loss(S[[3, 1, 0, 5, 4, 2]], T[[2, 0, 3, 1]])
    np.testing.assert_allclose(actual, other, rtol=1e-11)
    np.testing.assert_allclose(actual, loss(T, S), rtol=1e-11)
    assert abs(actual) > 1e-3


@each
def test_gradient(loss):
    if loss is multi:  # fix the width, which is a constant in gradients
        fixed = ops.multi_kernel(jnp.concatenate([S, T]))
        plain = functools.partial(losses.mmd_biased, kernel=fixed)
        check_grads(plain, (S, T), order=1, modes=['rev'])
        actual, expected = (jax.grad(f, (0, 1))(S, T) for f in (multi, plain))
        for a, b in zip(actual, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10)
    else:
        check_grads(loss, (S, T), order=1, modes=['rev'])


@pytest.mark.parametrize('name', [name for name in ALL if name != 'mmd_unbiased'])
def test_zero_on_equal_samples_whatever_their_size(name):
    loss = jax.jit(jax.value_and_grad(ALL[name], (0, 1)))
    value, gradients = loss(S, S[::-1])
    np.testing.assert_allclose(value, 0, atol=1e-12)
    if name != 'cmd':  # its norms have a corner at zero
        for gradient in gradients:
            np.testing.assert_allclose(gradient, 0, atol=1e-12)
    if name not in ('coral', 'multi'):
        # Duplicated examples have the same distribution, except for divisors n - 1 and
        # medians.
        np.testing.assert_allclose(ALL[name](S, np.tile(S, (2, 1))), 0, atol=1e-12)


WIDE = {
    **{name: loss for name, loss in ALL.items() if name != 'joint_mmd'},
    'multi_unbiased': functools.partial(multi, estimator=losses.mmd_unbiased),
}


@pytest.mark.parametrize('loss', WIDE.values(), ids=WIDE)
@pytest.mark.parametrize('d', [3, 300])  # one for each branch of CORAL
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_constant_samples_have_a_finite_value_and_gradient(loss, d, dtype):
    row = np.linspace(0.1, 3.7, d).astype(dtype)
    one = np.tile(row, (7, 1))
    value, gradients = jax.jit(jax.value_and_grad(loss, (0, 1)))(one, one)
    assert value.dtype == dtype
    np.testing.assert_allclose(value, 0, atol=1e-4 if dtype == np.float32 else 1e-10)
    # Rounding must not cause a gradient, not even where a width is estimated. Only CMD
    # has a corner at zero, where rounding may decide the gradient.
    for gradient in gradients:
        assert abs(gradient).max() < (1 if loss is losses.cmd else 1e-3)
    value, gradients = jax.value_and_grad(loss, (0, 1))(one, one + 1)
    assert all(np.isfinite(leaf).all() for leaf in (value, *gradients))


@pytest.mark.parametrize('loss', [BIASED, UNBIASED, LINEAR])
def test_mmd_of_two_points(loss):
    a, b = RNG.normal(size=(2, 3))
    actual = loss(np.tile(a, (4, 1)), np.tile(b, (4, 1)))
    np.testing.assert_allclose(actual, 2 - 2 * k(a, b), rtol=1e-12)


def test_mmd_biased():
    expected = np.mean([k(a, b) for a in S for b in S])
    expected += np.mean([k(a, b) for a in T for b in T])
    expected -= 2 * np.mean([k(a, b) for a in S for b in T])
    np.testing.assert_allclose(jax.jit(BIASED)(S, T), expected, rtol=1e-12)


def test_mmd_unbiased():
    expected = np.mean([k(a, b) for a, b in itertools.combinations(S, 2)])
    expected += np.mean([k(a, b) for a, b in itertools.combinations(T, 2)])
    expected -= 2 * np.mean([k(a, b) for a in S for b in T])
    np.testing.assert_allclose(jax.jit(UNBIASED)(S, T), expected, rtol=1e-12)


def test_mmd_linear_takes_the_examples_two_by_two():
    s, t = S[:5], RNG.normal(size=(5, 3))
    expected = [
        k(s[i], s[i + 1]) + k(t[i], t[i + 1]) - k(s[i], t[i + 1]) - k(s[i + 1], t[i])
        for i in (0, 2)  # the fifth is left out
    ]
    np.testing.assert_allclose(jax.jit(LINEAR)(s, t), np.mean(expected), rtol=1e-12)
    check_grads(LINEAR, (s, t), order=1, modes=['rev'])
    np.testing.assert_array_equal(jax.grad(LINEAR)(s, t)[4], 0)
    with pytest.raises(AssertionError):
        LINEAR(S, T)


def test_unbiased_estimates_are():
    """The mean over all subsamples of five and four points is the value of all."""
    rows = [list(some) for some in itertools.combinations(range(5), 3)]
    columns = [list(some) for some in itertools.combinations(range(4), 2)]

    def mean(loss):
        return np.mean([loss(S[i], T[j]) for i in rows for j in columns])

    whole = UNBIASED(S[:5], T)
    np.testing.assert_allclose(mean(jax.jit(UNBIASED)), whole, rtol=1e-12)
    assert mean(jax.jit(BIASED)) > whole + 0.1

    orders = [list(order) for order in itertools.permutations(range(4))]
    actual = jax.jit(
        jax.vmap(jax.vmap(LINEAR, (None, 0)), (0, None))
    )(S[:4][np.array(orders)], T[np.array(orders)])  # fmt: skip
    np.testing.assert_allclose(np.mean(actual), UNBIASED(S[:4], T), rtol=1e-12)


def test_the_distance_of_the_means_is_the_mmd_with_the_linear_kernel():
    expected = sum((S.mean(0) - T.mean(0)) ** 2)
    actual = losses.mmd_biased(S, T, kernel=ops.linear_kernel)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    actual = jax.jit(losses.mean_distance)(S, T)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    check_grads(losses.mean_distance, (S, T), order=1, modes=['rev'])


def test_the_distance_of_the_means_far_from_the_origin():
    """In float32 at a mean of 30, where products of examples cancel to noise."""
    x = RNG.normal(30, 1, (64, 100)).astype(np.float32)
    assert jax.jit(losses.mean_distance)(x, x) == 0
    assert 0 <= losses.mean_distance(x, x[::-1]) < 1e-9
    shifted = x + np.float32(0.5)  # exact: 100 features, (1/2)^2 each
    np.testing.assert_allclose(losses.mean_distance(x, shifted), 25, rtol=1e-5)


HALF = {
    **ALL,
    'mmd_linear': lambda s, t: LINEAR(s[:4], t),
    'mean_distance': losses.mean_distance,
    'difference': lambda s, t: losses.difference(s[:4], t),
    'scale_invariant_error': lambda s, t: losses.scale_invariant_error(s[:4], t),
    'wasserstein': lambda s, t: losses.wasserstein(s[:, 0], t[:, 0]),
    'classifier_discrepancy': lambda s, t: losses.classifier_discrepancy(s[:4], t),
    'transport_cost': lambda s, t: losses.transport_cost(abs(s)),
    'transport_plan': lambda s, t: losses.transport_plan(abs(s)).matrix,
    'entropy': lambda s, t: ops.entropy(s),
    'mutual_information': lambda s, t: ops.mutual_information(s),
}


@pytest.mark.parametrize('name', HALF)
def test_sixteen_bits_are_computed_in_float32(name):
    """The value is that of the same numbers in float32."""
    loss = HALF[name]
    s, t = (jnp.asarray(30 * sample, jnp.bfloat16) for sample in (S, T))
    wide = loss(s.astype(jnp.float32), t.astype(jnp.float32))
    actual = loss(s, t)
    assert actual.dtype == wide.dtype == jnp.float32
    np.testing.assert_array_equal(actual, wide)


def test_joint_mmd_multiplies_the_layers():
    def both(x, y):
        return k(x[:2], y[:2]) * x[2] * y[2]

    expected = np.mean([both(a, b) for a in S for b in S])
    expected += np.mean([both(a, b) for a in T for b in T])
    expected -= 2 * np.mean([both(a, b) for a in S for b in T])
    np.testing.assert_allclose(jax.jit(joint)(S, T), expected, rtol=1e-12)


def test_joint_mmd_sees_what_the_layers_alone_do_not():
    """The marginals are equal, but the layers are correlated in one domain only."""
    a, b = np.array([[0.0], [0], [1], [1]]), np.array([[0.0], [1], [0], [1]])
    for source, target in ((a, a), (a, b)):
        np.testing.assert_allclose(BIASED(source, target), 0, atol=1e-12)
    actual = losses.joint_mmd([a, a], [a, b], kernels=[kernel, kernel])
    assert actual > 0.01


def test_coral_of_diagonal_covariances():
    """Points on the axes: variances 2 a^2 / 3 against 2 b^2 / 3 along each."""

    def cross(lengths):
        return np.concatenate([np.diag(lengths), -np.diag(lengths)])

    a, b = np.array([1.0, 2.0]), np.array([3.0, 0.5])
    expected = sum((2 * a**2 / 3 - 2 * b**2 / 3) ** 2) / (4 * 2**2)
    actual = jax.jit(losses.coral)(cross(a) + 7, cross(b) - 5)  # means do not count
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize('d', [2, 9, 10, 11, 40])
def test_coral_on_both_sides_of_its_branch(d):
    s, t = RNG.normal(size=(6, d)), RNG.normal(1, 2, (4, d)) @ RNG.normal(size=(d, d))
    gap = np.cov(s.T) - np.cov(t.T)
    expected = sum(entry**2 for entry in gap.ravel()) / (4 * d**2)
    np.testing.assert_allclose(jax.jit(losses.coral)(s, t), expected, rtol=1e-11)
    check_grads(losses.coral, (s, t), order=1, modes=['rev'])


def test_the_branches_of_coral_agree():
    """Features that are always zero change only the divisor and the branch."""
    pad = functools.partial(np.pad, pad_width=((0, 0), (0, 97)))
    both = jax.value_and_grad(losses.coral, (0, 1))
    few, gradients = both(S, T)
    many, padded = both(pad(S), pad(T))
    np.testing.assert_allclose(many * 100**2, few * 3**2, rtol=1e-11)
    for a, b in zip(gradients, padded, strict=True):
        np.testing.assert_allclose(b[:, :3] * 100**2, a * 3**2, rtol=1e-10)


@pytest.mark.parametrize('moments', [1, 2, 5])
@pytest.mark.parametrize('bounds', [(0.0, 1.0), (-1.0, 3.0)])
def test_cmd(moments, bounds):
    width = bounds[1] - bounds[0]
    means = S.mean(0), T.mean(0)
    expected = np.linalg.norm(means[0] - means[1]) / width
    for order in range(2, moments + 1):
        moment = [
            np.array([np.mean((x[:, j] - x[:, j].mean()) ** order) for j in range(3)])
            for x in (S, T)
        ]
        expected += np.linalg.norm(moment[0] - moment[1]) / width**order
    actual = losses.cmd(S, T, moments=moments, bounds=bounds)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_cmd_of_a_shift_is_its_length():
    shift = np.array([3.0, 0.0, -4.0])
    np.testing.assert_allclose(losses.cmd(S, S + shift), 5.0, rtol=1e-12)
