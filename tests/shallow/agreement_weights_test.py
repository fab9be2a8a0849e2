"""Weights against those of skada, on the same arrays."""

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.types import Samples

skada = pytest.importorskip('skada')
KEY = jax.random.key(0)
N, M, D = 60, 50, 8


def domains():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, D)), rng.normal(0.4, 1, (M, D))


def ours(align):
    xs, xt = domains()
    source = Samples(xs, np.arange(N) % 2, np.ones(N))
    target = Samples(xt, np.full(M, -1), np.ones(M))
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, jax.jit(align.fit)(KEY, source, target))


def theirs(adapter):
    """The fitted adapter, and its weights for the source."""
    x = np.concatenate(domains())
    domain = np.repeat([1, -2], [N, M])
    adapter.fit(x, sample_domain=domain)
    return adapter, adapter.compute_weights(x, sample_domain=domain)[:N]


def kernel(a, b, variance):
    return np.exp(-((a[:, None] - b) ** 2).sum(-1) / (2 * variance))


@pytest.mark.parametrize('solver', ['frank-wolfe', 'scipy'])
def test_kmm_reaches_an_objective_at_most_as_high(solver):
    xs, xt = domains()
    weight = ours(shallow.kmm(variance=4.0)).weight
    other = skada.KMMReweightAdapter(gamma=1 / 8, solver=solver, tol=1e-12)
    _, their_score = theirs(other)
    matrix, linear = kernel(xs, xs, 4.0), N / M * kernel(xs, xt, 4.0).sum(1)

    def value(b):
        return 0.5 * b @ matrix @ b - linear @ b

    assert value(weight) <= value(their_score) + 1e-7 * abs(value(their_score))
    # Frank-Wolfe is far from the minimum after its 1,000 steps; SLSQP reaches it.
    if solver == 'scipy':
        np.testing.assert_allclose(weight, their_score, atol=1e-3)
    else:
        np.testing.assert_allclose(value(weight), value(their_score), rtol=0.05)


def test_kliep_reaches_a_likelihood_at_least_as_high():
    _, xt = domains()
    result = ours(shallow.kliep(variances=4.0))
    adapter, _ = theirs(skada.KLIEPReweightAdapter(gamma=1 / 8, random_state=0))
    with jax.enable_x64(True):
        our_score = np.log(shallow.kliep_weights(result, xt)).mean()
    their_score = np.log(kernel(xt, adapter.centers_, 4.0) @ adapter.alpha_).mean()
    # skada's gradient step has length 2e-16, so it stops at its starting point.
    assert our_score > their_score + 0.01


def test_the_density_ratio_is_the_inverse_of_skadas():
    """skada 0.6 divides P(source | x) by P(target | x), not the reverse."""
    from sklearn import linear_model

    weight = ours(shallow.density_ratio()).weight
    precise = linear_model.LogisticRegression(solver='newton-cholesky', tol=1e-10)
    _, their_score = theirs(skada.DiscriminatorReweightAdapter(precise))
    product = weight * their_score
    np.testing.assert_allclose(product / product[0], 1, rtol=1e-6)
