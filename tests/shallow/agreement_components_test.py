"""TCA, TJM and CORAL against skada 0.6: where the two agree, and where not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from transfer_jax import ops, shallow
from transfer_jax.types import Samples

skada = pytest.importorskip('skada')

PLAIN = {'unit_rows': False, 'unit_output': False}


def pair(ns=16, nt=16, d=5):
    rng = np.random.default_rng(0)
    xs = rng.normal(0, 1, (ns, d)) * np.linspace(2, 0.5, d)
    return xs, rng.normal(0.6, 1, (nt, d)) * np.linspace(1.5, 0.7, d)


def ours(align, xs, xt):
    def samples(x):
        return Samples(x, np.arange(len(x)) % 3, np.ones(len(x)))

    @jax.jit
    def run(source, target):
        fitted = align.fit(None, source, target)
        return align.source(fitted, source.x), align.target(fitted, target.x)

    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, run(samples(xs), samples(xt)))


def theirs(adapter, xs, xt):
    x = np.concatenate([xs, xt])
    domain = np.r_[np.ones(len(xs), int), np.full(len(xt), -2)]
    z = adapter.fit_transform(x, sample_domain=domain)
    return z[: len(xs)], z[len(xs) :]


def rbf(x, y):  # scikit-learn's default: gamma = 1 / d
    return ops.gaussian_kernel(jnp.array([x.shape[1] / 2]))(x, y)


def same_up_to_sign(result, expected, atol=1e-6):
    result, expected = np.concatenate(result), np.concatenate(expected)
    sign = np.sign(np.sum(result * expected, 0))
    np.testing.assert_allclose(result, expected * sign, atol=atol)


@pytest.mark.parametrize(
    ('name', 'kernel'), [('linear', ops.linear_kernel), ('rbf', rbf)]
)
def test_tca_is_the_same_where_means_hardly_count(name, kernel):
    xs, xt = pair()
    adapter = skada.TransferComponentAnalysisAdapter(name, n_components=3, mu=1e-10)
    align = shallow.tca(3, kernel=kernel, regularisation=1e10, normalise=False, **PLAIN)
    same_up_to_sign(ours(align, xs, xt), theirs(adapter, xs, xt))


def test_tca_of_skada_does_not_solve_the_problem_where_means_count():
    # skada passes an asymmetric matrix to a solver that reads only half of it.
    xs, xt = pair()
    adapter = skada.TransferComponentAnalysisAdapter('rbf', n_components=3, mu=10.0)
    theirs(adapter, xs, xt)
    align = shallow.tca(3, kernel=rbf, regularisation=0.1, normalise=False, **PLAIN)
    with jax.enable_x64(True):
        n = np.ones(16)
        parts = (Samples(jnp.asarray(x), n.astype(int), n) for x in (xs, xt))
        weight = np.asarray(align.fit(None, *parts).weight)
    k, h = adapter.K_, np.eye(32) - 1 / 32
    e = np.r_[np.full(16, 1 / 16), np.full(16, -1 / 16)]
    left, right = k @ h @ k, k @ np.outer(e, e) @ k + 0.1 * np.eye(32)

    def lack(a):  # of left a = mu right a, as a share
        mu = np.sum(a * (left @ a), 0) / np.sum(a * (right @ a), 0)
        return np.linalg.norm(left @ a - mu * (right @ a)) / np.linalg.norm(left @ a)

    assert lack(weight) < 1e-8
    assert lack(adapter.eigvects_) > 1e-2


def tjm_of_the_paper(kernel, iterations):
    return shallow.tjm(
        3,
        kernel=kernel,
        regularisation=0.5,
        sparsity=0.5,
        iterations=iterations,
        whiten=True,
        **PLAIN,
    )


def test_tjm_is_the_same_with_the_equations_of_the_paper():
    xs, xt = pair()
    adapter = skada.TransferJointMatchingAdapter(
        3, tradeoff=0.5, kernel='rbf', max_iter=3, tol=-1.0
    )
    # Limited by the 1e-10 that skada adds to K H K
    result = ours(tjm_of_the_paper(rbf, 3), xs, xt)
    same_up_to_sign(result, theirs(adapter, xs, xt), atol=2e-5)


@pytest.mark.filterwarnings('ignore:The solution of the generalized')
def test_tjm_of_skada_is_inexact_where_the_kernel_is_singular():
    # skada adds 1e-10 to K H K and factors it. This magnifies the null space of a
    # linear kernel in the rows of A, which give the weights.
    xs, xt = pair()
    x = np.concatenate([xs, xt])
    k, h = x @ x.T, np.eye(32) - 1 / 32
    e = np.r_[np.ones(16), -np.ones(16)]
    right = k @ np.outer(e, e) @ k / 32 + 0.5 * np.eye(32)
    value, a = scipy.linalg.eigh(k @ h @ k, right)
    exact = k @ (a[:, ::-1][:, :3] / np.sqrt(value[::-1][:3]))
    exact = np.split(exact, 2)
    result = ours(tjm_of_the_paper(ops.linear_kernel, 1), xs, xt)
    same_up_to_sign(result, exact, atol=1e-10)
    adapter = skada.TransferJointMatchingAdapter(
        3, tradeoff=0.5, kernel='linear', max_iter=1, tol=-1.0
    )
    with pytest.raises(AssertionError):
        same_up_to_sign(theirs(adapter, xs, xt), exact, atol=1e-4)


def test_tjm_of_the_authors_code_is_another():
    xs, xt = pair()
    adapter = skada.TransferJointMatchingAdapter(
        3, tradeoff=0.5, kernel='rbf', max_iter=3, tol=-1.0
    )
    align = shallow.tjm(3, kernel=rbf, regularisation=0.5, iterations=3, **PLAIN)
    result, expected = (
        np.concatenate(z) for z in (ours(align, xs, xt), theirs(adapter, xs, xt))
    )
    # Not even the same subspace: the weights of the sources differ.
    basis = np.linalg.qr(result)[0]
    assert np.linalg.norm(expected - basis @ (basis.T @ expected)) > 1e-2


def test_coral_is_the_same_without_regularisation_but_for_the_means():
    xs, xt = pair()  # of one size, so that n and n - 1 in both make no difference
    result = ours(shallow.coral(0.0), xs, xt)
    expected = theirs(skada.CORALAdapter(reg=None), xs, xt)
    for z, other in zip(result, expected, strict=True):
        np.testing.assert_allclose(z - z.mean(0), other, atol=1e-8)
        assert np.abs(z.mean(0)).max() > 0.1  # the paper does not centre


def test_coral_of_skada_shrinks_where_the_paper_adds_the_identity():
    xs, xt = pair()
    result = ours(shallow.coral(relative=False), xs, xt)[0]
    covariance = np.cov(xt.T) + np.eye(5)
    shrunk = theirs(skada.CORALAdapter(reg=0.5), xs, xt)[0]
    assert np.abs(result - result.mean(0) - shrunk).max() > 1e-2
    # Regularised as the source was, it has the target's regularised covariance.
    matrix = np.linalg.lstsq(xs, result, rcond=None)[0]
    np.testing.assert_allclose(
        np.cov(result.T) + matrix.T @ matrix, covariance, atol=1e-8
    )
