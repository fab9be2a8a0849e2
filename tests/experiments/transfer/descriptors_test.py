"""Hand-made descriptors: words counted by hand, nothing learned from test images."""

import dataclasses

import numpy as np
import pytest

from experiments.transfer import descriptor_kernels, descriptors, whole_descriptors

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
    assert not described.kernels  # none are combined
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


def test_one_kernel_is_no_combination():
    names = ('hog', 'average_kernels', 'product_kernels')
    with pytest.raises(ValueError, match='average_kernels combines two or more of hog'):
        descriptors.build(descriptors.Config(descriptors=names))


def test_hsv_counts_pixels_by_their_colour():
    """A quarter is red, three quarters are dark grey: two of the 16 x 4 x 4 bins."""
    image = np.full((1, 4, 4, 3), 60, np.uint8)  # value 60 / 255 is in the first bin
    image[0, 0] = 255, 0, 0  # hue 0, saturation 1, value 1
    share = whole_descriptors.hsv(image)[0] ** 2
    assert share.shape == (16 * 4 * 4,)
    np.testing.assert_allclose(share[[0, 15]], [0.75, 0.25])
    np.testing.assert_allclose(share.sum(), 1)
    flipped = whole_descriptors.hsv(image[:, ::-1, ::-1])[0]
    np.testing.assert_array_equal(share, flipped**2)


def _kernels():
    rng = np.random.default_rng(0)
    parts = [rng.random((n, 4)) for n in (5, 3)]
    signed = [rng.normal(size=(n, 6)) for n in (5, 3)]
    return (
        parts,
        descriptor_kernels.exponential(*parts, histograms=True),
        descriptor_kernels.exponential(*signed, histograms=False),
    )


def test_a_chi_square_kernel_has_the_mean_distance_as_its_width():
    (train, test), kernel, _ = _kernels()
    shares = [x / x.sum(1, keepdims=True) for x in (train, test)]

    def distance(x, y):
        return sum((a - b) ** 2 / (a + b) for a, b in zip(x, y, strict=True))

    pairs = [(i, j) for i in range(5) for j in range(5) if i != j]
    mean = np.mean([distance(shares[0][i], shares[0][j]) for i, j in pairs])
    expected = np.exp(-distance(shares[1][2], shares[0][4]) / mean)
    np.testing.assert_allclose(kernel.test[2, 4], expected)
    np.testing.assert_allclose(np.diag(kernel.train), 1)
    again = descriptor_kernels.exponential(train, 9 * test[:1], histograms=True)
    np.testing.assert_allclose(again.train, kernel.train)  # not from test images
    np.testing.assert_allclose(again.test, kernel.test[:1])


def test_kernels_are_combined_by_both_means():
    _, a, b = _kernels()
    mean = descriptor_kernels.average((a, b))
    np.testing.assert_allclose(mean.test, (a.test + b.test) / 2)
    weighted = descriptor_kernels.average((a, b), (0.25, 0.75))
    np.testing.assert_allclose(weighted.train, (a.train + 3 * b.train) / 4)
    product = descriptor_kernels.product((a, b))
    np.testing.assert_allclose(product.train, np.sqrt(a.train * b.train))
    weights = descriptor_kernels.weightings(2)
    expected = [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75], [1, 0], [0, 1]]
    assert weights.tolist() == expected


def test_coordinates_have_the_products_of_the_kernel():
    _, kernel, _ = _kernels()
    rows = np.array([4, 1, 2])
    x, y = descriptor_kernels.coordinates(kernel, rows)
    np.testing.assert_allclose(x @ x.T, kernel.train[np.ix_(rows, rows)], atol=1e-12)
    np.testing.assert_allclose(y @ x.T, kernel.test[:, rows], atol=1e-9)
    twice = descriptor_kernels.coordinates(kernel, np.array([1, 1, 2]))
    assert np.isfinite(twice[1]).all()  # a kernel without full rank


def test_weights_are_chosen_on_training_images_alone():
    """Of one useful descriptor and one of noise, the first has more weight."""
    config = dataclasses.replace(
        descriptors.fast(), descriptors=('hog', 'hsv', 'weighted_kernels')
    )
    described = descriptors.prepare(config, None)
    noise = np.random.default_rng(0).normal(size=(2, 300, 20))
    n, m = len(described.domain.train), len(described.domain.test)
    kernel = descriptor_kernels.exponential(noise[0][:n], noise[1][:m], False)
    described.kernels['hsv'] = kernel
    trial = {'descriptor': 'weighted_kernels', 'n': 3, 'seed': 0}
    row = descriptors.measure(described, trial)
    assert row['weights']['hog'] >= row['weights']['hsv'] and row['accuracy'] > 0.8
    label = np.roll(described.domain.test.label, 1)
    test = dataclasses.replace(described.domain.test, label=label)
    other = described._replace(domain=described.domain._replace(test=test))
    again = descriptors.measure(other, trial)
    assert again['weights'] == row['weights'] and again['cost'] == row['cost']
