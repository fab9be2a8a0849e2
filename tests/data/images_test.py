"""Sizes and channels."""

import io

import numpy as np
import pytest
from PIL import Image

from transfer_jax.data import images


def test_grey_is_replicated_and_colour_becomes_its_luminance():
    grey = np.arange(8, dtype=np.uint8).reshape(1, 2, 4, 1)
    np.testing.assert_array_equal(
        images.convert_channels(grey, 3), np.repeat(grey, 3, -1)
    )
    colour = np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]], np.uint8)
    assert images.convert_channels(colour, 1).ravel().tolist() == [76, 150, 29]
    with pytest.raises(ValueError, match='1 or 3'):
        images.convert_channels(grey, 4)


def test_resizing_is_bilinear_per_channel():
    ramp = np.linspace(0, 240, 4).astype(np.uint8)
    image = np.stack([np.tile(ramp, (4, 1)), np.tile(ramp[:, None], (1, 4))], -1)
    image = np.concatenate([image, image[..., :1]], -1)[None]
    result = images.resize(image, 8)
    assert result.shape == (1, 8, 8, 3)
    expected = [0, 20, 60, 100, 140, 180, 220, 240]
    np.testing.assert_allclose(result[0, 3, :, 0], expected, atol=1)
    np.testing.assert_allclose(result[0, :, 3, 1], expected, atol=1)
    np.testing.assert_array_equal(images.resize(image[..., :1], 8), result[..., :1])


def test_decoding_turns_photographs_upright():
    picture = Image.fromarray(np.zeros((4, 8, 3), np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # shown turned by 90 degrees
    content = io.BytesIO()
    picture.save(content, 'jpeg', exif=exif)
    assert images.decode(content.getvalue(), 'a.jpg', None).shape == (8, 4, 3)
    assert images.decode(content.getvalue(), 'a.jpg', 5).shape == (5, 5, 3)


def test_a_decoded_image_is_resized_as_an_array_is():
    picture = np.random.default_rng(0).integers(256, size=(9, 9, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, 'png')
    resized = images.resize(picture[None], 5)[0]
    np.testing.assert_array_equal(
        images.decode(content.getvalue(), 'a.png', 5), resized
    )
