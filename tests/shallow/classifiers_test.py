"""1-NN against brute force; padding and unlabelled examples do not count."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax import ops, shallow
from transfer_jax.types import Samples


def logits(source, x, classes):
    made = shallow.nearest_neighbour(classes)
    fitted = made.fit(jax.random.key(0), Samples(*map(jnp.asarray, source)), None)
    return np.asarray(jax.jit(made.logits)(fitted, jnp.asarray(x, jnp.float32)))


def test_logits_are_minus_the_distances_to_the_nearest_of_each_class():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)).astype(np.float32), rng.normal(size=(7, 3))
    label = np.arange(20) % 4
    expected = [
        [-min(np.linalg.norm(row - x[i]) for i in range(20) if label[i] == c)
         for c in range(4)]
        for row in y
    ]  # fmt: skip
    result = logits((x, label, np.ones(20)), y, 4)
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_padding_and_unlabelled_examples_do_not_count():
    x = np.float32([[0.0], [1.0], [2.0], [3.0]])
    label, mask = np.array([0, 1, -1, 2]), np.float32([1, 0, 1, 1])
    result = logits((x, label, mask), [[1.1], [2.1]], 3)
    np.testing.assert_allclose(result[:, 0], [-1.1, -2.1], atol=1e-5)
    np.testing.assert_allclose(result[:, 2], [-1.9, -0.9], atol=1e-5)
    assert result.argmax(1).tolist() == [0, 2]


def test_a_class_without_examples_is_never_predicted_and_has_finite_entropy():
    x = np.float32([[1e3], [-1e3]])
    result = logits((x, np.array([0, 2]), np.ones(2)), [[-5e3], [5e3]], 4)
    assert result.argmax(1).tolist() == [2, 0]
    assert np.isfinite(result).all()
    assert np.isfinite(ops.entropy(jnp.asarray(result))).all()
    assert np.isfinite(ops.mutual_information(jnp.asarray(result)))


def test_ties_between_classes_go_to_the_lowest():
    x = np.float32([[1.0], [-1.0]])
    result = logits((x, np.array([2, 1]), np.ones(2)), [[0.0]], 3)
    assert result.argmax(1).tolist() == [1]


def test_instance_weights_are_refused():
    made = shallow.nearest_neighbour(2)
    source = Samples(jnp.zeros((2, 1)), jnp.zeros(2, jnp.int32), jnp.ones(2))
    with pytest.raises(ValueError, match='weights'):
        made.fit(jax.random.key(0), source, jnp.ones(2))


@pytest.mark.parametrize(
    'build',
    [
        shallow.nearest_neighbour,
        functools.partial(shallow.nearest_neighbours, count=3),
        shallow.nearest_class_mean,
        shallow.prototypes,
        shallow.linear_svm,
        shallow.softmax_regression,
        shallow.kernel_svm,
    ],
    ids=lambda build: getattr(build, '__name__', 'nearest_neighbours'),
)
def test_a_fit_of_numpy_arrays_classifies(build):
    """As jax.device_get and pickle return it; the rows are traced."""
    rng = np.random.default_rng(0)
    x, label = rng.normal(size=(20, 3)).astype(np.float32), np.arange(20) % 4
    made = build(4)
    source = Samples(*map(jnp.asarray, (x, label, np.ones(20, np.float32))))
    fitted = jax.device_get(made.fit(jax.random.key(0), source, None))
    rows = jnp.asarray(x + 0.1)
    expected = made.logits(jax.tree.map(jnp.asarray, fitted), rows)
    result = jax.jit(lambda x: made.logits(fitted, x))(rows)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
