"""Transforms: pure in (item, generator), uint8 in and out."""

import numpy as np
import pytest

from transfer_jax.data import transforms

PHOTOS = [
    np.random.default_rng(i).integers(256, size=(20 + i, 30, 3), dtype=np.uint8)
    for i in range(2)
]
IMAGE = np.random.default_rng(9).integers(256, size=(8, 8, 3), dtype=np.uint8)

ALL = {
    'blend': transforms.blend(photos=PHOTOS),
    'invert': transforms.invert(probability=0.5),
    'shift': transforms.shift(pixels=2),
    'rotate': transforms.rotate(degrees=30),
    'jitter': transforms.jitter(contrast=0.5, brightness=0.2),
    'flip': transforms.flip(probability=0.5),
    'zoom': transforms.zoom(least=0.3),
    'training': transforms.training(size=8, least=0.3),
    'saturate': transforms.saturate(amount=0.5),
    'chain': transforms.chain(transforms.shift(2), transforms.invert(0.5)),
}


@pytest.mark.parametrize('name', ALL)
def test_transforms_are_functions_of_the_item_and_the_generator(name):
    def apply(seed):
        item = {'image': IMAGE.copy(), 'label': 3}
        result = ALL[name](item, np.random.default_rng(seed))
        np.testing.assert_array_equal(item['image'], IMAGE)  # not changed in place
        assert result['label'] == 3
        assert result['image'].dtype == np.uint8 and result['image'].shape == (8, 8, 3)
        return result['image']

    np.testing.assert_array_equal(apply(0), apply(0))
    assert any((apply(0) != apply(seed)).any() for seed in range(1, 8))


def test_blend_is_the_difference_to_a_crop():
    digit = np.zeros((8, 8, 1), np.uint8)
    digit[2:5] = 200
    rng = np.random.default_rng(3)
    crop = transforms.random_crop(PHOTOS, (8, 8), np.random.default_rng(3))
    result = transforms.blend(PHOTOS)({'image': digit}, rng)['image']
    expected = np.abs(crop.astype(int) - digit.astype(int))
    np.testing.assert_array_equal(result, expected)


def test_blend_of_no_strength_leaves_the_image():
    result = transforms.blend(PHOTOS, strength=0.0)(
        {'image': IMAGE}, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(result['image'], IMAGE)


def test_crops_reach_every_corner_of_every_photo():
    photo = np.arange(9, dtype=np.uint8).reshape(3, 3, 1)
    rng = np.random.default_rng(0)
    drawn = {
        int(transforms.random_crop([photo, photo + 100], (2, 2), rng)[0, 0, 0])
        for _ in range(200)
    }
    assert drawn == {0, 1, 3, 4, 100, 101, 103, 104}


def test_invert_happens_as_often_as_asked():
    invert, rng = transforms.invert(0.25), np.random.default_rng(0)
    image = np.full((1, 1, 1), 10, np.uint8)
    values = [int(invert({'image': image}, rng)['image'][0, 0, 0]) for _ in range(400)]
    assert set(values) == {10, 245}
    assert 60 < values.count(245) < 140


def test_shift_moves_by_whole_pixels_and_fills():
    image = np.zeros((7, 7, 1), np.uint8)
    image[3, 3] = 255
    positions = set()
    for seed in range(200):
        shifted = transforms.shift(1)({'image': image}, np.random.default_rng(seed))
        positions.add(tuple(np.argwhere(shifted['image'][..., 0])[0].tolist()))
    assert positions == {(y, x) for y in (2, 3, 4) for x in (2, 3, 4)}
    flat = {'image': np.full((4, 4, 1), 7, np.uint8)}
    for seed in range(5):
        rng = np.random.default_rng(seed)
        assert (transforms.shift(2, fill='edge')(flat, rng)['image'] == 7).all()


def test_rotate_turns_within_its_bounds():
    line = np.zeros((41, 41, 1), np.uint8)
    line[20] = 255
    angles = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y, x = np.nonzero(transforms.rotate(20)({'image': line}, rng)['image'][..., 0])
        angles.append(np.rad2deg(np.arctan(np.polyfit(x, y, 1)[0])))
    assert 10 < np.max(angles) < 21 and -21 < np.min(angles) < -10


def test_jitter_keeps_the_mean_and_scales_around_it():
    image = np.array([100, 140], np.uint8).reshape(1, 2, 1)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        low, high = transforms.jitter(contrast=0.5)({'image': image}, rng)[
            'image'
        ].ravel()
        assert abs((int(low) + int(high)) / 2 - 120) <= 1
        assert 20 <= int(high) - int(low) <= 60
    bright = transforms.jitter(brightness=1.0)
    values = [
        bright({'image': image}, np.random.default_rng(seed))['image'].ravel()
        for seed in range(20)
    ]
    assert max(v.max() for v in values) == 255 and min(v.min() for v in values) == 0


def test_flip_turns_left_to_right():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    rng = np.random.default_rng(0)
    turned = transforms.flip(1.0)({'image': image}, rng)['image']
    np.testing.assert_array_equal(turned, image[:, ::-1])
    unflipped = transforms.flip(0.0)({'image': image}, rng)['image']
    np.testing.assert_array_equal(unflipped, image)


def test_zoom_shows_a_part_of_at_least_the_given_share():
    """On a ramp from 0 to 252 the range of values is the width of the part."""
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], (64, 1, 3))
    spans = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        image = transforms.zoom(0.25, stretch=1.0)({'image': ramp}, rng)['image']
        assert image.shape == ramp.shape
        spans.append((int(image.max()) - int(image.min())) / 252)
    assert 0.45 < min(spans) < 0.6 and max(spans) > 0.9


def test_zoom_of_everything_is_the_image():
    image = np.random.default_rng(0).integers(0, 255, (9, 9, 1), np.uint8)
    same = transforms.zoom(1.0, 1.0)({'image': image}, np.random.default_rng(0))
    np.testing.assert_array_equal(same['image'], image)


def test_training_gives_images_of_one_size_that_differ():
    change = transforms.training(6, least=0.3)
    for shape in ((9, 14, 3), (20, 8, 3), (5, 5, 1)):
        image = np.random.default_rng(1).integers(256, size=shape, dtype=np.uint8)
        seeds = [np.random.default_rng(seed) for seed in range(6)]
        made = [change({'image': image, 'label': 2}, rng) for rng in seeds]
        assert {m['image'].shape for m in made} == {(6, 6, shape[2])}
        assert {m['image'].dtype for m in made} == {np.dtype(np.uint8)}
        assert len({m['image'].tobytes() for m in made}) == 6
        assert made[0]['label'] == 2


def test_evaluation_crops_the_central_square():
    """20 x 60 to 8: the shorter side becomes 8, and columns 8 to 16 of 24 remain."""
    page = np.zeros((20, 60, 3), np.uint8)
    page[:, 20:40] = 200
    image = transforms.evaluation(8)({'image': page, 'label': 1}, None)['image']
    assert image.shape == (8, 8, 3) and (image[:, 1:-1] == 200).all()
    stretched = transforms.evaluation(8, None)({'image': page}, None)['image']
    assert stretched[:, 0].max() == 0 and stretched[:, 4].min() > 190
    grey = transforms.evaluation(8)({'image': page[..., :1]}, None)['image']
    np.testing.assert_array_equal(grey[..., 0], image[..., 0])


def test_evaluation_of_the_usual_margin_keeps_seven_eighths():
    """A square of 32 at zoom 32 / 28 is not resized: its 28 central pixels remain."""
    image = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    item = transforms.evaluation(28, 32 / 28)({'image': image})
    np.testing.assert_array_equal(item['image'], image[2:30, 2:30])


def test_saturate_keeps_grey_and_luminance():
    rng = np.random.default_rng(0)
    grey = np.full((2, 2, 3), 90, np.uint8)
    np.testing.assert_array_equal(
        transforms.saturate(0.5)({'image': grey}, rng)['image'], grey
    )
    image = np.array([[[200, 40, 90]]], np.uint8)
    changed = transforms.saturate(0.3)({'image': image}, rng)['image']
    weights = np.array([0.299, 0.587, 0.114])
    assert not np.array_equal(changed, image)
    np.testing.assert_allclose(changed @ weights, image @ weights, atol=1)
