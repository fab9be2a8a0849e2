"""Poolings of score maps against literal NumPy, at their limits; their gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import ops
from transfer_jax.ops import pooling

POOLINGS = {
    'average': ops.global_average,
    'max': ops.global_max,
    'lse': functools.partial(ops.log_sum_exp, temperature=2.0),
    'soft': functools.partial(ops.soft_pool, sharpness=0.7),
    'weldon': functools.partial(ops.weldon, highest=3, lowest=2),
    'wildcat': functools.partial(ops.wildcat, highest=0.3, lowest=4, alpha=0.7),
}


def maps(seed=0, n=3, h=4, w=5, c=2):
    return np.random.default_rng(seed).normal(size=(n, h, w, c)).astype(np.float32)


def literal(x, highest, lowest, alpha=1.0):
    """By sorting, one map at a time."""
    answer = np.zeros((x.shape[0], x.shape[3]))
    for i in range(x.shape[0]):
        for k in range(x.shape[3]):
            row = np.sort(x[i, :, :, k].ravel())
            answer[i, k] = row[::-1][:highest].mean()
            if lowest:
                answer[i, k] += alpha * row[:lowest].mean()
    return answer


@pytest.mark.parametrize('highest', [1, 2, 7, 19, 20])
@pytest.mark.parametrize('lowest', [0, 1, 5, 20])
def test_the_highest_and_the_lowest_against_sorting(highest, lowest):
    x = maps()
    pool = functools.partial(ops.wildcat, highest=highest, lowest=lowest, alpha=0.7)
    expected = literal(x, highest, lowest, 0.7)
    np.testing.assert_allclose(jax.jit(pool)(x), expected, rtol=1e-5, atol=1e-6)


def test_a_case_by_hand():
    x = jnp.array([[3.0, -1.0], [2.0, -5.0]]).reshape(1, 2, 2, 1)
    assert ops.global_average(x).item() == -0.25
    assert ops.global_max(x).item() == 3
    assert ops.weldon(x, highest=2, lowest=1).item() == 2.5 - 5
    assert ops.wildcat(x, highest=0.5, lowest=0.5, alpha=0.1).item() == pytest.approx(
        2.5 - 0.3
    )
    e = np.exp([3.0, -1, 2, -5])
    assert ops.log_sum_exp(x, 1.0).item() == pytest.approx(np.log(e.mean()), rel=1e-6)
    soft = e @ [3, -1, 2, -5] / e.sum()
    assert ops.soft_pool(x, 1.0).item() == pytest.approx(soft, rel=1e-6)


def test_one_place_is_max_and_min_and_all_are_the_average():
    x = maps(1)
    low, high, mean = x.min((1, 2)), x.max((1, 2)), x.mean((1, 2))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    close(ops.weldon(x, highest=1, lowest=1), high + low)
    close(ops.wildcat(x, highest=20, lowest=0), mean)
    close(ops.wildcat(x, highest=20, lowest=20, alpha=0.5), 1.5 * mean)


def test_log_sum_exp_goes_from_the_mean_to_the_max_without_overflow():
    x = 100 * maps(2)
    pool = jax.jit(ops.log_sum_exp)
    np.testing.assert_allclose(pool(x, 1e-6), x.mean((1, 2)), rtol=1e-2, atol=0.2)
    np.testing.assert_allclose(pool(x, 1e4), x.max((1, 2)), rtol=1e-5)
    assert np.isfinite(pool(x * 1e30, 1.0)).all()
    by_class = pool(x, jnp.array([1e-6, 1e4]))
    np.testing.assert_allclose(by_class[:, 0], x.mean((1, 2))[:, 0], atol=0.2)
    np.testing.assert_allclose(by_class[:, 1], x.max((1, 2))[:, 1], rtol=1e-5)
    rising = [np.asarray(pool(x, r)) for r in (0.01, 0.1, 1.0)]
    assert (rising[0] <= rising[1]).all() and (rising[1] <= rising[2]).all()


@pytest.mark.parametrize('r', [1e-6, 1e-4, 1e-2, 1.0, 5.0, 100.0])
def test_log_sum_exp_keeps_its_digits(r):
    """Against float64: scores of unit size to 2e-5, their gradient to 1e-5."""
    x = maps(11, h=20, w=20)
    power = np.exp(r * (x - x.max((1, 2), keepdims=True)).astype(np.float64))
    expected = x.max((1, 2)) + np.log(power.mean((1, 2))) / r
    share = power / power.sum((1, 2), keepdims=True)
    np.testing.assert_allclose(jax.jit(ops.log_sum_exp)(x, r), expected, atol=2e-5)
    slope = jax.jit(jax.grad(lambda x: ops.log_sum_exp(x, r).sum()))(x)
    np.testing.assert_allclose(slope, share, atol=1e-5)


@pytest.mark.parametrize('pool', [ops.log_sum_exp, ops.soft_pool])
def test_a_number_for_each_class_is_learned(pool, float64):
    """Its gradient agrees with finite differences and depends on its class only."""
    x = maps(12).astype(np.float64)
    each = jax.jit(jax.jacobian(lambda b: pool(x, b).sum(0)))
    start, step = np.array([0.3, 2.0]), 1e-6
    numeric = [
        (pool(x, start + e) - pool(x, start - e)).sum(0) / (2 * step)
        for e in step * np.eye(2)
    ]
    np.testing.assert_allclose(each(start).T, numeric, rtol=1e-6, atol=1e-8)
    assert each(start)[0, 1] == each(start)[1, 0] == 0


def test_soft_pooling_goes_from_the_mean_to_the_max():
    x = maps(3)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    close(ops.soft_pool(x, 0.0), x.mean((1, 2)))
    close(ops.soft_pool(x, jnp.array([0.0, 1e5]))[:, 1], x.max((1, 2))[:, 1])


@pytest.mark.parametrize('name', POOLINGS)
def test_gradients_are_finite_differences(name, float64):
    x, pull = maps(4).astype(np.float64), maps(5, 1, 1, 1)[0, 0]
    direction = maps(6).astype(np.float64)

    def score(t):
        return jnp.sum(POOLINGS[name](x + t * direction) * pull)

    slope = jax.jit(jax.grad(score))(0.0)
    step = 1e-6
    numeric = (score(step) - score(-step)) / (2 * step)
    assert slope == pytest.approx(float(numeric), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize('name', POOLINGS)
def test_positions_have_no_order(name):
    """A permutation of positions permutes the gradient, also that of ties, only."""
    x = np.round(maps(7) * 2) / 2  # with many ties
    order = np.random.default_rng(0).permutation(20)
    other = x.reshape(3, 20, 2)[:, order].reshape(x.shape)
    value = jax.jit(jax.value_and_grad(lambda x: POOLINGS[name](x).sum()))
    (one, slope), (two, moved) = value(x), value(other)
    assert float(one) == pytest.approx(float(two), rel=1e-5)
    slope = np.asarray(slope).reshape(3, 20, 2)[:, order].reshape(x.shape)
    np.testing.assert_allclose(moved, slope, atol=1e-6)


def test_equal_positions_share():
    x = jnp.array([1.0, 1.0, 1.0, 0.0]).reshape(1, 2, 2, 1)

    def gradient(highest):
        pool = functools.partial(ops.wildcat, highest=highest, lowest=0)
        return jax.grad(lambda x: pool(x).sum())(x).ravel()

    np.testing.assert_allclose(gradient(1), [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6)
    np.testing.assert_allclose(gradient(2), [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6)
    x = jnp.array([0.0, -0.0, 2.0, -1.0]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(gradient(2), [0.25, 0.25, 0.5, 0])


@pytest.mark.parametrize('k', [1, 2, 4, 5, 6, 9, 19])
def test_however_many_tie_the_weights_add_up_to_one(k):
    x = np.round(maps(13))  # a handful of values
    pool = functools.partial(ops.wildcat, highest=k, lowest=0)
    score, slope = jax.jit(jax.value_and_grad(lambda x: pool(x).sum()))(x)
    assert float(score) == pytest.approx(literal(x, k, 0).sum(), rel=1e-5, abs=1e-5)
    np.testing.assert_allclose(slope.sum((1, 2)), 1, rtol=1e-5)
    for i, c in np.ndindex(3, 2):
        one, weight = x[i, :, :, c], np.asarray(slope[i, :, :, c])
        last = np.sort(one.ravel())[-k]
        np.testing.assert_allclose(weight[one > last], 1 / k, rtol=1e-6)
        assert np.ptp(weight[one == last]) == 0
        assert not weight[one < last].any()


def test_evidence_adds_up_to_the_score_and_has_its_signs():
    x = maps(8)
    how = {'highest': 3, 'lowest': 2, 'alpha': 0.7}
    actual = np.asarray(jax.jit(functools.partial(ops.evidence, **how))(x))
    score = ops.wildcat(x, **how)
    np.testing.assert_allclose(actual.sum((1, 2)), score, rtol=1e-5, atol=1e-6)
    assert (np.count_nonzero(actual, (1, 2)) == 5).all()
    assert (np.sign(actual) * np.sign(x) >= 0).all()


def test_maps_of_a_class_are_averaged():
    x = maps(9, c=6)
    actual = ops.class_wise(x, 3)
    np.testing.assert_allclose(actual[..., 1], x[..., 3:].mean(-1), rtol=1e-6)
    assert ops.class_wise(x, 1) is x
    with pytest.raises(ValueError, match='6 maps are not 4 of each class'):
        ops.class_wise(x, 4)


@pytest.mark.parametrize(
    ('count', 'expected'),
    [(1, 1), (20, 20), (0.2, 4), (0.01, 1), (0.125, 3), (0.99, 20)],
)
def test_a_number_or_a_share_of_positions(count, expected):
    assert pooling.number_of_positions(count, 20, 'highest') == expected


@pytest.mark.parametrize('count', [0, 21, 1.5, -0.1])
def test_too_many_positions_or_none_are_refused(count):
    with pytest.raises(ValueError, match=f'highest {count}'):
        ops.weldon(maps(), highest=count, lowest=1)
    with pytest.raises(ValueError, match='temperature 0'):
        ops.log_sum_exp(maps(), 0.0)


def test_low_precision_is_pooled_alike():
    x = jnp.asarray(maps(10), jnp.bfloat16)
    actual = ops.weldon(x, highest=3, lowest=3)
    assert actual.dtype == jnp.bfloat16
    np.testing.assert_allclose(
        actual.astype(jnp.float32), literal(np.float32(x), 3, 3), atol=0.03
    )


def test_scores_that_are_computed_again_lose_no_gradient():
    """Without LLVM's optimisations the two have different roundings."""
    scale, shift = np.random.default_rng(1).normal(size=(2, 2)).astype(np.float32)

    def loss(shift, scale, x):
        normal = (x - x.mean((0, 1, 2))) * jax.lax.rsqrt(x.var((0, 1, 2)))
        return ops.global_max(normal * scale + shift).sum()

    x = maps(n=8)
    lowered = jax.jit(jax.grad(loss)).lower(shift, scale, x)
    compiled = lowered.compile({'xla_backend_optimization_level': 0})
    np.testing.assert_allclose(compiled(shift, scale, x), [8, 8], rtol=1e-6)
