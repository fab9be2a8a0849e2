"""Which target images are mixed, and how."""

import numpy as np
import pytest

from transfer_jax import selection


def _kinds(label):
    """(pairs within a class, pairs between classes, images alone)."""
    label = np.asarray(label)
    partner = selection.partners(label)
    alone = partner == np.arange(len(label))
    same = (label == label[partner]) & ~alone
    return int(same.sum()), int((~same & ~alone).sum()), int(alone.sum())


@pytest.mark.parametrize(
    'label, kinds',
    [
        ([0, 1, 0, 1], (2, 2, 0)),
        ([0, 1, 2, 3], (0, 4, 0)),  # none of a class twice
        ([1, 1, 1], (3, 0, 0)),  # a collapse
        ([2, 2, 2, 2, 0], (2, 3, 0)),
        ([0, 2, 2, 2, 2, 2], (2, 4, 0)),
        ([5], (0, 0, 1)),
        ([], (0, 0, 0)),
    ],
)
def test_pairs_by_hand(label, kinds):
    assert _kinds(np.array(label, int)) == kinds


def test_half_of_the_pairs_are_within_a_class():
    label = np.random.default_rng(0).integers(10, size=100)
    within, between, alone = _kinds(label)
    assert alone == 0 and abs(within - between) <= 10
    # Every class is probed in both ways.
    partner = selection.partners(label)
    same = label == label[partner]
    assert set(label[same]) == set(label[~same]) == set(range(10))
    # And its boundaries to most of the others.
    assert len(set(zip(label[~same], label[partner][~same], strict=True))) > 35


def test_images_and_vectors_are_mixed_and_the_padding_is_not():
    image = np.arange(4, dtype=np.float32).reshape(4, 1, 1, 1)
    batch = {
        'image': image,
        'mask': np.array([1, 1, 1, 0], np.float32),
        'label': np.arange(4),
    }
    result = selection.mix(batch, np.array([1, 2, 0]))
    expected = [0.45 * 1, 0.55 * 1 + 0.45 * 2, 0.55 * 2, 3]
    np.testing.assert_allclose(result['image'].ravel(), expected, rtol=1e-6)
    assert result['image'].dtype == np.float32
    np.testing.assert_array_equal(result['label'], batch['label'])
    np.testing.assert_array_equal(batch['image'], image)  # not in place
    vectors = {'x': image[:, 0, 0], 'mask': batch['mask']}
    mixed = selection.mix(vectors, np.array([1, 2, 0]))
    np.testing.assert_allclose(mixed['x'].ravel(), expected, rtol=1e-6)
