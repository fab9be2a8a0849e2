"""Hand-made descriptors: words counted by hand, nothing learned from test images."""

import dataclasses

import numpy as np
import pytest

from experiments.transfer import descriptors

CONFIG = descriptors.Config(domain='fake', words=2, components=2, dimension=2)


def _local(rows):
    """An image whose grid of descriptors (2, 2, 1, 3) is near 0 or near 1."""
    rng = np.random.default_rng(len(rows))
    near = np.array(rows, np.float32)[..., None, None]
    return near + rng.normal(0, 0.01, (2, 2, 1, 3)).astype(np.float32)


TRAIN = [_local([[0, 0], [0, 1]]), _local([[1, 1], [1, 0]]), _local([[0, 1], [0, 1]])]
TEST = [_local([[0, 0], [0, 0]]), _local([[1, 0], [0, 0]])]


def test_words_are_square_roots_of_their_shares():
    train, test = descriptors.bag_of_words(TRAIN, TEST, CONFIG)
    zero = test[0].argmax()  # the word near 0
    np.testing.assert_allclose(test[0][zero], 1)
    np.testing.assert_allclose(train[0][[zero, 1 - zero]] ** 2, [0.75, 0.25])
    np.testing.assert_allclose(train[1][[zero, 1 - zero]] ** 2, [0.25, 0.75])


def test_a_pyramid_counts_in_each_part():
    whole, _ = descriptors.bag_of_words(TRAIN, TEST, CONFIG)
    parts, _ = descriptors.bag_of_words(TRAIN, TEST, CONFIG, parts=(1, 2))
    assert parts.shape == (3, 2 + 4 * 2)
    # Five histograms, each of length 1 before the row is scaled to it.
    np.testing.assert_allclose(parts[:, :2], whole / np.sqrt(5), rtol=1e-6)
    corners = parts[0, 2:].reshape(4, 2) * np.sqrt(5)
    np.testing.assert_allclose(corners.max(1), 1, rtol=1e-6)
    assert corners.argmax(1).tolist().count(corners[0].argmax()) == 3


@pytest.mark.parametrize('name', ['words', 'pyramid', 'fisher'])
def test_nothing_is_learned_from_test_images(name):
    make = descriptors.MAKERS[name]
    train, test = make(TRAIN, TEST, CONFIG)
    again, other = make(TRAIN, [TEST[1], 100 * TEST[0]], CONFIG)
    np.testing.assert_array_equal(train, again)
    np.testing.assert_array_equal(test[1], other[0])
    np.testing.assert_allclose(np.linalg.norm(train, axis=1), 1, rtol=1e-6)


def test_the_accuracy_is_the_mean_over_classes():
    config = dataclasses.replace(descriptors.fast(), descriptors=('hog',))
    described = descriptors.prepare(config, None)
    trial = {'descriptor': 'hog', 'n': 3, 'seed': 0}
    row = descriptors.measure(described, trial)
    assert 0.9 < row['accuracy'] <= 1  # blobs at four positions
    counts = np.bincount(described.domain.test.label)
    assert counts.min() < counts.max()
    same = described._replace(test={'hog': np.zeros_like(described.test['hog'])})
    row = descriptors.measure(same, trial)
    np.testing.assert_allclose(row['accuracy'], 1 / 4)  # one class is predicted


def test_the_span_of_the_training_images_preserves_products():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(3, 7)), rng.normal(size=(4, 7))
    x, y = descriptors._span(train, test)
    assert x.shape == (3, 3)
    np.testing.assert_allclose(x @ x.T, train @ train.T, rtol=1e-9)
    np.testing.assert_allclose(y @ x.T, test @ train.T, rtol=1e-9)
    padded, _ = descriptors._span(train[:, :2], test[:, :2])
    np.testing.assert_array_equal(padded, np.pad(train[:, :2], ((0, 0), (0, 1))))


def test_an_unknown_descriptor_is_refused():
    with pytest.raises(ValueError, match="'sift'; choose from hog, words"):
        descriptors.build(descriptors.Config(descriptors=('sift',)))
