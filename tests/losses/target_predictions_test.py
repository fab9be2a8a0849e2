"""Losses of target predictions in float64: closed forms, loops, finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from transfer_jax import losses

pytestmark = pytest.mark.usefixtures('float64')
RNG = np.random.default_rng(0)
Z = RNG.normal(0, 3, (6, 4))
SURE = 1e4 * np.eye(4)


def _softmax(z):
    p = np.exp(z - z.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def _certainties(p):
    weight = np.array([1 + np.exp(sum(row * np.log(row))) for row in p])
    return len(p) * weight / weight.sum()


def _confusion(p, weight):
    n, c = p.shape
    matrix = np.zeros((c, c))
    for i in range(n):
        for a in range(c):
            for b in range(c):
                matrix[a, b] += weight[i] * p[i, a] * p[i, b]
    total = 0.0
    for a in range(c):
        total += sum(matrix[a, b] for b in range(c) if b != a) / sum(matrix[a])
    return total / c


@pytest.mark.parametrize('temperature', [1.0, 2.5])
def test_minimum_class_confusion(temperature):
    p = _softmax(Z / temperature)
    actual = losses.minimum_class_confusion(Z, temperature=temperature)
    np.testing.assert_allclose(actual, _confusion(p, _certainties(p)), rtol=1e-12)
    np.testing.assert_allclose(
        losses.minimum_class_confusion(Z[::-1], temperature=temperature),
        actual,
        rtol=1e-12,
    )


def test_the_weights_of_minimum_class_confusion_are_constants_in_gradients():
    weight, h = _certainties(_softmax(Z / 2.5)), 1e-5
    expected = np.zeros_like(Z)
    for at in np.ndindex(*Z.shape):
        step = np.zeros_like(Z)
        step[at] = h
        up, down = (_confusion(_softmax((Z + s) / 2.5), weight) for s in (step, -step))
        expected[at] = (up - down) / (2 * h)
    actual = jax.jit(jax.grad(losses.minimum_class_confusion))(Z)
    np.testing.assert_allclose(actual, expected, atol=1e-9)


def test_minimum_class_confusion_of_sure_and_of_blank_predictions():
    assert losses.minimum_class_confusion(SURE) == 0
    # Every class is confused with all equally: (c - 1) / c of every row.
    np.testing.assert_allclose(losses.minimum_class_confusion(np.zeros((6, 4))), 3 / 4)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_a_class_that_nobody_predicts_is_not_confused(dtype):
    """Its row of the matrix is zero, not 0 / 0."""
    z = SURE[[0, 0, 1, 2]].astype(dtype)
    value, gradient = jax.value_and_grad(losses.minimum_class_confusion)(z)
    assert value == 0 and np.isfinite(gradient).all()


def test_nuclear_norm_of_one_hot_rows():
    """Singular values are the roots of the counts 3, 2, 1 and 0."""
    z = SURE[[0, 1, 0, 2, 1, 0]]
    actual, gradient = jax.value_and_grad(losses.nuclear_norm)(z)
    expected = (np.sqrt(3) + np.sqrt(2) + 1) / 6
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    assert np.isfinite(gradient).all()
    # Largest if all classes are predicted.
    assert losses.nuclear_norm(SURE[[0, 1, 2, 3, 0, 1]]) > actual
    np.testing.assert_allclose(losses.nuclear_norm(SURE), 1)


@pytest.mark.parametrize('n', [3, 4, 6])  # fewer, as many and more rows than classes
def test_nuclear_norm(n):
    z = Z[:n]
    p = _softmax(z)
    values = np.linalg.eigvalsh(p @ p.T if n < 4 else p.T @ p)
    actual = jax.jit(losses.nuclear_norm)(z)
    np.testing.assert_allclose(actual, np.sqrt(values).sum() / n, rtol=1e-8)
    check_grads(losses.nuclear_norm, (z,), order=1, modes=['rev'])
    np.testing.assert_allclose(losses.nuclear_norm(z[::-1]), actual, rtol=1e-12)


def test_nuclear_norm_of_equal_rows_has_a_finite_gradient():
    gradient = jax.jit(jax.grad(losses.nuclear_norm))(np.tile(Z[:1], (6, 1)))
    assert np.isfinite(gradient).all()


def test_pseudo_label():
    z = np.log([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.05, 0.05, 0.9]])
    actual = jax.jit(losses.pseudo_label)(z)
    np.testing.assert_allclose(actual, -np.log([0.5, 0.8, 0.9]), rtol=1e-12)
    actual = losses.pseudo_label(z, threshold=0.75)
    np.testing.assert_allclose(actual, -np.log([1, 0.8, 0.9]), atol=1e-15)
    gradient = jax.grad(lambda z: losses.pseudo_label(z, threshold=0.75).sum())(z)
    expected = np.exp(z) - np.eye(3)[[0, 1, 2]]
    expected[0] = 0
    np.testing.assert_allclose(gradient, expected, atol=1e-12)
    check_grads(losses.pseudo_label, (jnp.asarray(z),), order=1, modes=['rev'])


def test_confident_examples_are_counted_where_their_loss_is_zero():
    """In float32 the first has p = 1 and loss 0."""
    z = np.array([[100, 0, 0], [5, 0, 0], [0.1, 0, 0]], np.float32)
    assert losses.pseudo_label(z, threshold=0.9)[0] == 0
    actual = jax.jit(losses.confident, static_argnames='threshold')(z, threshold=0.9)
    np.testing.assert_array_equal(actual, [True, True, False])


@pytest.mark.parametrize(
    'loss', [losses.minimum_class_confusion, losses.nuclear_norm, losses.pseudo_label]
)
def test_half_precision_is_widened(loss):
    assert loss(Z.astype(jnp.bfloat16)).dtype == jnp.float32
