"""JDA against a loop over dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from transfer_jax import shallow
from transfer_jax.types import Samples


def samples(seed, n, shift=0.0, d=6):
    """Three classes around the corners of a triangle."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    corners = np.random.default_rng(9).normal(0, 1.2, (3, d))
    return Samples(
        corners[label] + rng.normal(0, 0.7, (n, d)) + shift, label, np.ones(n)
    )


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def reference(source, target, dimension, iterations, dual=True):
    """(z of both domains, pseudo-labels of the last iteration)."""
    x = unit(np.concatenate([source.x, target.x]))
    ns, n = len(source.x), len(x)
    k = x @ x.T if dual else x
    h = np.eye(n) - 1 / n
    label = None
    for _ in range(iterations):
        e = np.r_[np.full(ns, 1 / ns), np.full(n - ns, -1 / (n - ns))]
        m = 3 * np.outer(e, e)
        for c in range(3) if label is not None else ():
            e = np.zeros(n)
            e[:ns][source.label == c] = 1 / np.sum(source.label == c)
            if np.any(label == c):
                e[ns:][label == c] = -1 / np.sum(label == c)
            m += np.outer(e, e)
        m /= np.linalg.norm(m)
        right = k.T @ m @ k + 0.5 * np.eye(k.shape[1])
        a = scipy.linalg.eigh(k.T @ h @ k, right)[1][:, ::-1][:, :dimension]
        z = unit(k @ (a / np.linalg.norm(a, axis=0)))
        distance = np.linalg.norm(z[ns:, None] - z[:ns], axis=-1)
        label = source.label[distance.argmin(1)]
    return z, label


def run(align, source, target):
    """(z of both domains, predictions)."""
    nearest = shallow.nearest_neighbour(3)

    @jax.jit
    def both(source, target):
        fitted = align.fit(None, source, target)
        z = align.target(fitted, jnp.concatenate([source.x, target.x]))
        result = nearest.fit(None, source._replace(x=z[: len(source.x)]), None)
        return z, jnp.argmax(nearest.logits(result, z[len(source.x) :]), 1)

    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, both(source, target))


@pytest.mark.parametrize('dual', [True, False])
def test_it_is_the_loop_over_pseudo_labels(dual):
    source, target = samples(0, 18), samples(1, 15, shift=0.8)
    options = {} if dual else {'kernel': None}
    align = shallow.jda(3, classes=3, regularisation=0.5, iterations=4, **options)
    z, label = run(align, source, target)
    expected, labels = reference(source, target, 3, 4, dual)
    sign = np.sign(np.sum(z * expected, 0))
    np.testing.assert_allclose(z, expected * sign, atol=1e-8)
    np.testing.assert_array_equal(label, labels)
    once = reference(source, target, 3, 1, dual)[0]
    once = once * np.sign(np.sum(z * once, 0))
    assert np.abs(z - once).max() > 0.01  # the turns do something


def test_the_first_iteration_is_tca():
    source, target = samples(0, 18), samples(1, 15, shift=0.8)
    once = run(shallow.jda(3, classes=3, iterations=1), source, target)[0]
    np.testing.assert_allclose(once, run(shallow.tca(3), source, target)[0], atol=1e-9)


def test_a_class_without_source_examples_is_never_predicted():
    source, target = samples(0, 18), samples(1, 15, shift=0.8)
    source = source._replace(label=np.where(source.label == 1, 2, source.label))
    z, label = run(shallow.jda(3, classes=3, iterations=3), source, target)
    assert np.isfinite(z).all()
    assert set(label) <= {0, 2}


def test_one_target_example_suffices():
    source, target = samples(0, 18), samples(1, 1)
    z, label = run(shallow.jda(3, classes=3, iterations=3), source, target)
    assert np.isfinite(z).all()
    assert label.shape == (1,)


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match='iterations 0'):
        shallow.jda(3, classes=3, iterations=0)
    with pytest.raises(ValueError, match='regularisation'):
        shallow.jda(3, classes=3, regularisation=-1.0)
    with pytest.raises(ValueError, match='dimension 9: the examples have 1 to 7'):
        run(shallow.jda(9, classes=3), samples(0, 4), samples(1, 3))
