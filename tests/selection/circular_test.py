"""Circular validation, by hand."""

import numpy as np

from transfer_jax import selection


def nearest(x, label, target):
    distance = np.abs(x[None, :, 0] - target[:, None, 0])
    return label[distance.argmin(1)]


def test_labels_recovered_on_the_way_back_score_1():
    source, label = np.float64([[0], [10]]), np.array([0, 1])
    target = np.float64([[1], [11]])
    held_out, truth = np.float64([[-1], [9], [12]]), np.array([0, 1, 1])
    result = selection.circular_validation(
        nearest, source, label, target, held_out, truth
    )
    assert result == 1


def test_only_held_out_examples_count_and_target_labels_are_predicted():
    # The target is far: its examples are all nearest to the one at 10.
    source, label = np.float64([[0], [10]]), np.array([0, 1])
    target = np.float64([[21], [31]])
    held_out, truth = np.float64([[-1], [1], [9]]), np.array([0, 0, 1])
    result = selection.circular_validation(
        nearest, source, label, target, held_out, truth
    )
    assert result == 1 / 3  # back at the source, everything is of class 1


def test_both_fits_see_what_they_should():
    seen = []

    def adapt(x, label, target):
        seen.append((x.tolist(), label.tolist(), target.tolist()))
        return np.zeros(len(target), int)

    selection.circular_validation(
        adapt, np.eye(2), np.array([0, 1]), 2 * np.eye(2), 3 * np.eye(2), np.ones(2)
    )
    assert seen[0] == ([[1, 0], [0, 1]], [0, 1], [[2, 0], [0, 2]])
    assert seen[1] == (
        [[2, 0], [0, 2]],
        [0, 0],
        [[3, 0], [0, 3], [1, 0], [0, 1]],
    )
