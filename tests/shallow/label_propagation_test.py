"""Labels that a transport plan carries, by hand and at the edges."""

import functools

import jax
import numpy as np
import pytest

from transfer_jax import shallow
from transfer_jax.shallow.classifiers import ABSENT_LOGIT
from transfer_jax.types import Samples


def line(values, label):
    x = np.asarray(values, float)[:, None]
    return Samples(x, np.asarray(label), np.ones(len(x)))


def fit(align, source, target):
    with jax.enable_x64(True):
        return jax.jit(functools.partial(align.fit, None))(source, target)


def shares(align, fitted, x):
    with jax.enable_x64(True):
        logits = np.asarray(jax.jit(align.predict)(fitted, x))
    return np.where(logits > -60, np.exp(logits), 0), logits


def test_shares_are_those_of_the_masses_by_hand():
    # On a line the exact plan is monotone: 1/4 each onto 1/3 each.
    source = line([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1])
    target = line([10.0, 11.0, 12.0], [-1, -1, -1])
    align = shallow.label_propagation(3)
    result, logits = shares(align, fit(align, source, target), target.x)
    np.testing.assert_allclose(result, [[1, 0, 0], [0.5, 0.5, 0], [0, 1, 0]], atol=1e-9)
    assert (logits[:, 2] == ABSENT_LOGIT).all() and (logits[:, :2] > ABSENT_LOGIT).all()


def test_entropic_shares_of_two_and_two_are_those_by_hand():
    source, target = line([0.0, 1.0], [0, 1]), line([0.0, 1.0], [-1, -1])
    align = shallow.label_propagation(2, 0.5)
    result, _ = shares(align, fit(align, source, target), target.x)
    p = 1 / (1 + np.exp(-2))
    np.testing.assert_allclose(result, [[p, 1 - p], [1 - p, p]], atol=1e-9)


def test_other_examples_have_the_shares_of_the_nearest():
    source = line([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1])
    target = line([10.0, 11.0, 12.0], [-1, -1, -1])
    align = shallow.label_propagation(2)
    result, _ = shares(align, fit(align, source, target), np.array([[11.2], [90.0]]))
    np.testing.assert_allclose(result, [[0.5, 0.5], [0, 1]], atol=1e-9)


def test_equal_target_examples_keep_their_own_shares():
    source, target = line([0.0, 1.0], [0, 1]), line([5.0, 5.0], [-1, -1])
    align = shallow.label_propagation(2)
    result, _ = shares(align, fit(align, source, target), target.x)
    np.testing.assert_allclose(sorted(result[:, 0]), [0, 1], atol=1e-9)


def test_padding_and_unlabelled_examples_carry_no_labels():
    source = line([0.0, 1.0, 2.0, 3.0, 9.0], [0, -1, 1, 1, 0])
    source.mask[4] = 0
    target = line([10.0, 11.0, 12.0, 10.0], [-1, -1, -1, -1])
    target.mask[3] = 0
    align = shallow.label_propagation(2)
    fitted = fit(align, source, target)
    result, logits = shares(align, fitted, target.x[:3])
    # The middle one receives 1/6 without a label and 1/6 of class 1.
    np.testing.assert_allclose(result, [[1, 0], [0, 1], [0, 1]], atol=1e-9)
    assert np.isfinite(logits).all()


def test_a_target_example_that_receives_no_label_is_undecided():
    source, target = line([0.0, 1.0], [0, -1]), line([0.0, 1.0], [-1, -1])
    align = shallow.label_propagation(3)
    result, _ = shares(align, fit(align, source, target), target.x)
    np.testing.assert_allclose(result, [[1, 0, 0], [1, 0, 0]], atol=1e-9)


def test_labelled_target_examples_receive_their_class():
    source = line([0.0, 1.0, 2.0, 3.0], [0, 0, 1, 1])
    target = line([0.0, 1.0, 2.0, 3.0], [1, -1, -1, -1])
    align = shallow.label_propagation(2)
    result, _ = shares(align, fit(align, source, target), target.x)
    np.testing.assert_allclose(result[0], [0, 1], atol=1e-9)


def test_a_regularisation_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match='regularisation -1'):
        shallow.label_propagation(2, -1.0)
