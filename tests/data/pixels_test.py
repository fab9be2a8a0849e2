"""Normalisation and channel means."""

import numpy as np
import pytest

from transfer_jax.data import pixels, sources


def _random(n, seed=0):
    image = np.random.default_rng(seed).integers(256, size=(n, 5, 6, 3))
    return sources.Arrays(image.astype(np.uint8), np.zeros(n, np.int32))


def test_normalise_is_x_over_255_minus_the_mean_in_every_domain():
    data, mean = _random(4), np.array([0.1, 0.2, 0.3], np.float32)
    batch = {
        'source': {'image': data.image, 'label': data.label},
        'target': {'image': data.image},
    }
    result = pixels.normalise(mean)(batch)
    expected = data.image.astype(np.float64) / 255 - np.array([0.1, 0.2, 0.3])
    for name in ('source', 'target'):
        assert result[name]['image'].dtype == np.float32
        np.testing.assert_allclose(result[name]['image'], expected, atol=1e-6)
    assert result['source']['label'] is data.label
    assert batch['source']['image'].dtype == np.uint8  # the batch itself is untouched


def test_channel_mean_weighs_sources_equally():
    one, two = _random(3), _random(50, seed=1)
    means = [s.image.reshape(-1, 3).mean(0) / 255 for s in (one, two)]
    result = pixels.channel_mean(one, sources.without_labels(two))
    assert result.dtype == np.float32 and result.shape == (3,)
    np.testing.assert_allclose(result, np.mean(means, axis=0), atol=1e-6)


def test_a_deviation_divides_each_channel():
    image = np.array([[[[0, 128, 255]]]], np.uint8)
    scale = pixels.normalise(np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.25, 2.0]))
    given = scale({'source': {'image': image}})['source']['image']
    np.testing.assert_allclose(
        given[0, 0, 0], [-1, (128 / 255 - 0.5) * 4, 0.5], atol=1e-6
    )


@pytest.mark.parametrize(
    'mean, std, message',
    [
        (127.0, None, 'numbers from 0 to 1'),
        (-0.5, None, 'numbers from 0 to 1'),
        (0.5, 0.0, 'give positive numbers'),
        (float('nan'), None, 'numbers from 0 to 1'),
    ],
)
def test_a_scale_that_cannot_be(mean, std, message):
    with pytest.raises(ValueError, match=message):
        pixels.normalise(np.full(3, mean), None if std is None else np.full(3, std))
