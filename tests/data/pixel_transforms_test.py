"""Images and labels of pixels are scaled, cropped and padded together."""

import numpy as np
import pytest

from transfer_jax.data import pixel_transforms, transforms

RNG = np.random.default_rng


def ramp(height=20, width=30):
    """An item whose red is ten times the label, constant on blocks of 10 pixels."""
    row, column = np.mgrid[:height, :width]
    label = (row // 10 * 3 + column // 10).astype(np.uint8)
    image = np.stack([10 * label, row, column], -1).astype(np.uint8)
    return {'image': image, 'label': label, 'name': 'a'}


def test_fit_takes_the_nearest_label_and_the_average_colour():
    made = pixel_transforms.fit(2, 3)(ramp(), RNG(0))
    np.testing.assert_array_equal(made['label'], [[0, 1, 2], [3, 4, 5]])
    assert made['image'].shape == (2, 3, 3) and made['name'] == 'a'
    same = pixel_transforms.fit(20, 30)(ramp(), RNG(0))
    np.testing.assert_array_equal(same['image'], ramp()['image'])


def test_a_crop_at_scale_1_is_a_part_of_both():
    item = ramp()
    transform = pixel_transforms.scale_and_crop(8, 12, scales=(1, 1))
    seen = set()
    for seed in range(8):
        made = transform(item, RNG(seed))
        np.testing.assert_array_equal(made['image'].shape, (8, 12, 3))
        assert (np.abs(10.0 * made['label'] - made['image'][..., 0]) <= 50).all()
        inner = made['image'][2:-2, 2:-2]
        assert (np.ptp(inner[..., 1]), np.ptp(inner[..., 2])) in {
            (3, 7),
            (4, 8),
            (3, 8),
        }
        seen.add(tuple(made['image'][0, 0, 1:].tolist()))
    assert len(seen) > 4


def test_labels_lie_where_the_colours_of_their_class_lie():
    """Away from edges of blocks, where colours blend."""
    transform = transforms.chain(
        pixel_transforms.scale_and_crop(24, 24, scales=(1.7, 2.3)), transforms.flip()
    )
    for seed in range(6):
        made = transform(ramp(), RNG(seed))
        exact = made['image'][..., 0] == 10 * made['label']
        assert exact.mean() > 0.7


def test_labels_are_never_blended():
    label = np.where(RNG(0).random((20, 30)) < 0.5, 0, 200).astype(np.uint8)
    item = {'image': ramp()['image'], 'label': label}
    for transform in (
        pixel_transforms.fit(13, 41),
        pixel_transforms.scale_and_crop(16, 16, void=200),
    ):
        assert set(np.unique(transform(item, RNG(1))['label'])) == {0, 200}


def test_a_smaller_image_lies_at_the_top_left():
    transform = pixel_transforms.scale_and_crop(
        16, 40, scales=(0.5, 0.5), void=7, fill=(1, 2, 3)
    )
    made = transform(ramp(), RNG(0))  # 10 x 15 pixels
    assert (made['label'][10:] == 7).all() and (made['label'][:, 15:] == 7).all()
    np.testing.assert_array_equal(
        made['label'][:10, :15],
        ramp(10, 15)['label'] * 0
        + [*([0] * 5 + [1] * 5 + [2] * 5,) * 5, *([3] * 5 + [4] * 5 + [5] * 5,) * 5],
    )
    np.testing.assert_array_equal(made['image'][12, 20], [1, 2, 3])
    assert pixel_transforms.scale_and_crop(16, 40)(ramp(), RNG(0))['label'].max() == 255


def test_images_without_labels_and_with_one_class_are_transformed_too():
    item = {'image': ramp()['image'], 'label': 3}
    made = pixel_transforms.scale_and_crop(8, 8)(item, RNG(1))
    with_label = pixel_transforms.scale_and_crop(8, 8)(ramp(), RNG(1))
    np.testing.assert_array_equal(made['image'], with_label['image'])
    assert made['label'] == 3
    assert 'label' not in pixel_transforms.fit(8, 8)({'image': item['image']}, RNG(0))


def test_sizes_and_scales_that_make_no_sense():
    with pytest.raises(ValueError, match='size 0 x 8'):
        pixel_transforms.fit(0, 8)
    with pytest.raises(ValueError, match=r'scales \(0, 1\)'):
        pixel_transforms.scale_and_crop(8, 8, scales=(0, 1))
