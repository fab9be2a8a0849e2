"""Subspace methods against other packages."""

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.shallow import pls
from transfer_jax.types import Samples

CLASSES = 3


def samples(seed, n, d, mean=0.5):
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, 1, (n, d)) * np.linspace(2, 0.3, d)
    return Samples(x, np.arange(n) % CLASSES, np.ones(n))


def test_subspace_alignment_is_that_of_skada_for_centred_domains():
    """skada also centres mapped examples; the paper's features are already centred."""
    skada = pytest.importorskip('skada')
    source, target = samples(0, 30, 8), samples(1, 25, 8, mean=-0.3)
    source, target = (s._replace(x=s.x - s.x.mean(0)) for s in (source, target))
    theirs = skada.SubspaceAlignmentAdapter(n_components=4)
    mapped = theirs.fit_transform(
        np.concatenate([source.x, target.x]),
        sample_domain=np.array([1] * 30 + [-2] * 25),
    )
    made = shallow.pipeline(
        shallow.subspace_alignment(4), shallow.nearest_neighbour(CLASSES)
    )
    fitted = made.fit(jax.random.key(0), source, target).alignment
    xs, xt = np.asarray(fitted.source), np.asarray(fitted.target)
    ours = np.concatenate([source.x @ xs, target.x @ xt])
    sign = np.sign(np.sum(mapped * ours, 0))  # the sign of a direction is arbitrary
    np.testing.assert_allclose(ours * sign, mapped, atol=1e-10)


def test_partial_least_squares_is_that_of_scikit_learn():
    decomposition = pytest.importorskip('sklearn.cross_decomposition')
    source = samples(0, 40, 9)
    theirs = decomposition.PLSRegression(6, scale=False, tol=1e-14, max_iter=5000)
    theirs.fit(source.x, np.eye(CLASSES)[source.label])
    with jax.enable_x64(True):
        ours = jax.jit(pls.fit_pls, static_argnums=(1, 2))(source, CLASSES, 6)
    ours = jax.tree.map(np.asarray, ours)
    sign = np.sign(np.sum(ours.weights * theirs.x_weights_, 0))
    np.testing.assert_allclose(ours.weights * sign, theirs.x_weights_, atol=1e-7)
    np.testing.assert_allclose(ours.rotations * sign, theirs.x_rotations_, atol=1e-7)
    np.testing.assert_allclose(ours.mean, source.x.mean(0), atol=1e-12)


def test_joint_pca_is_that_of_scikit_learn():
    decomposition = pytest.importorskip('sklearn.decomposition')
    source, target = samples(0, 30, 8), samples(1, 25, 8, mean=-0.3)
    theirs = decomposition.PCA(3).fit(np.concatenate([source.x, target.x]))
    made = shallow.pipeline(shallow.pca(3), shallow.nearest_neighbour(CLASSES))
    ours = made.fit(jax.random.key(0), source, target).alignment
    result = np.asarray(ours.directions)
    sign = np.sign(np.sum(result * theirs.components_.T, 0))
    np.testing.assert_allclose(result * sign, theirs.components_.T, atol=1e-10)
    np.testing.assert_allclose(np.asarray(ours.mean), theirs.mean_, atol=1e-12)
