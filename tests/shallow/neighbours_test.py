"""k nearest neighbours by hand and against scikit-learn."""

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.shallow import neighbours
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.types import Samples

KEY = jax.random.key(0)


def samples(x, label):
    x = np.asarray(x, np.float64)
    return Samples(x.reshape(len(x), -1), np.asarray(label), np.ones(len(x)))


def logits(classes, count, train, x):
    made = shallow.nearest_neighbours(classes, count)
    with jax.enable_x64(True):
        run = jax.jit(lambda train, x: made.logits(made.fit(KEY, train, None), x))
        return np.asarray(run(train, np.asarray(x, np.float64).reshape(len(x), -1)))


def test_votes_by_hand():
    train = samples([0, 1, 2, 10, 11, 12.5, 13], [0, 1, 1, 2, 2, 0, -1])
    result = logits(4, 3, train, [0.4, 11])
    # 0.4 is nearest to 0, then to the two of class 1; 11 to itself, then 10.
    np.testing.assert_allclose(
        result, [[1.5, 2 + 1 / 3, 0, ABSENT_LOGIT], [1 + 1 / 6, 0, 2.5, ABSENT_LOGIT]]
    )


def test_equal_votes_go_to_the_nearest_class():
    train = samples([0, 5, 8, 13], [1, 0, 1, 0])
    # From 5.2 the order is 0, 1, 1, 0 by class; from 7.5 it is 1, 0, 0, 1.
    assert logits(2, 4, train, [5.2, 7.5]).argmax(1).tolist() == [0, 1]
    assert logits(2, 2, train, [5.2, 7.5]).argmax(1).tolist() == [0, 1]


def test_of_equally_near_examples_the_lowest_class_votes():
    train = samples([1, -1, 1, -1], [1, 0, 1, 0])
    result = logits(2, 3, train, [0.0])
    np.testing.assert_allclose(result, [[2.5, 1 + 1 / 6]])


def test_one_neighbour_answers_as_nearest_neighbour():
    rng = np.random.default_rng(0)
    train = samples(rng.integers(0, 3, (40, 2)), rng.integers(0, 5, 40))
    x = rng.integers(0, 3, (30, 2))
    other = shallow.nearest_neighbour(5)
    with jax.enable_x64(True):
        expected = other.logits(other.fit(KEY, train, None), x.astype(float))
    result = logits(5, 1, train, x)
    np.testing.assert_array_equal(result.argmax(1), np.asarray(expected).argmax(1))


@pytest.mark.parametrize('n', [50, 700])  # without and with blocks
def test_votes_are_those_of_scikit_learn(n):
    from sklearn import neighbors

    rng = np.random.default_rng(1)
    train = samples(rng.normal(size=(n, 3)), rng.integers(0, 4, n))
    x = rng.normal(size=(40, 3))
    other = neighbors.KNeighborsClassifier(5).fit(train.x, train.label)
    result = logits(4, 5, train, x)
    np.testing.assert_array_equal(np.floor(result), 5 * other.predict_proba(x))


def test_padding_and_unlabelled_examples_never_vote():
    train = samples([0, 1, 5], [0, 0, 1])
    wide = Samples(
        np.array([[0.1], [0], [1], [5], [0.2]]),
        np.array([1, 0, 0, 1, -1]),
        np.array([0.0, 1, 1, 1, 1]),
    )
    np.testing.assert_allclose(
        logits(2, 3, train, [0.1, 4.5]), logits(2, 3, wide, [0.1, 4.5])
    )


def test_where_fewer_have_labels_all_vote():
    train = samples([0, 1, 5, 6], [0, 0, 1, -1])
    for count in (4, 9):
        result = logits(2, count, train, [0.0, 5.0])
        assert np.floor(result).tolist() == [[2, 1], [2, 1]]


def test_the_smallest_are_those_of_a_stable_sort():
    values = np.random.default_rng(0).integers(0, 30, (20, 500)).astype(float)
    values[:, 300:320] = np.inf
    for count in (1, 3, 7):
        result = jax.jit(neighbours.smallest, static_argnums=1)(values, count)
        expected = np.argsort(values, 1, kind='stable')[:, :count]
        np.testing.assert_array_equal(result, expected)


def test_in_a_pipeline():
    train = samples(np.eye(3), [0, 1, 2])
    made = shallow.pipeline(shallow.none(), shallow.nearest_neighbours(3, 2))
    fitted = made.fit(KEY, train, train)
    result = np.asarray(made.predict(fitted, {'x': train.x})['logits'])
    assert result.argmax(1).tolist() == [0, 1, 2]


def test_invalid_arguments_are_refused():
    with pytest.raises(ValueError, match='count 0'):
        shallow.nearest_neighbours(2, 0)
    made = shallow.nearest_neighbours(2, 1)
    with pytest.raises(ValueError, match='instance weights'):
        made.fit(KEY, samples([0.0], [0]), np.ones(1))
