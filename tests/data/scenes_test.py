"""Composite scenes: boxes, labels and masks agree with the image."""

import numpy as np
import pytest
from PIL import Image

from transfer_jax import data
from transfer_jax.data import scenes

BLACK = [np.zeros((50, 60, 3), np.uint8)]
COLOURS = np.array([[250, 10, 10], [10, 250, 10], [10, 10, 250]], np.uint8)


def discs():
    """A disc of one colour for each of three classes."""
    grid = np.arange(32) - 15.5
    mask = grid[:, None] ** 2 + grid**2 < 14**2
    return [
        [scenes.Sprite(np.broadcast_to(colour, (32, 32, 3)).copy(), mask)]
        for colour in COLOURS
    ]


def made(n=12, seed=0, **change):
    options = {'side': 96, 'count': (2, 5), 'size': (20, 40), **change}
    return scenes.scenes(n, seed, BLACK, discs(), **options)


def test_a_scene_depends_on_seed_and_index_alone():
    few, many = made(2), made(4)
    np.testing.assert_array_equal(few.image[1], many.image[1])
    np.testing.assert_array_equal(few.boxes[1], many.boxes[1])
    assert (few.image[0] != few.image[1]).any()
    assert (few.image[0] != made(1, seed=1).image[0]).any()


def test_shapes_and_types():
    result = made(3)
    assert result.image.shape == (3, 96, 96, 3) and result.image.dtype == np.uint8
    assert result.mask.shape == (3, 96, 96) and result.mask.dtype == np.uint8
    assert result.label.shape == (3, 3) and result.label.dtype == np.int32
    assert result.boxes[0].dtype == np.float32 and result.boxes[0].shape[1] == 4


def test_the_mask_has_the_class_that_is_seen():
    """On black, a pixel well inside a disc has the colour of its class."""
    result = made()
    for image, mask in zip(result.image, result.mask, strict=True):
        # less than half of each of two discs at most: below 3 / 4 of 255
        assert (image[mask == 0].max(-1) < 192).all()
        for kind, colour in enumerate(COLOURS):
            pixels = image[mask == kind + 1]
            if len(pixels):
                assert np.mean((pixels == colour).all(-1)) > 0.6
                assert (pixels.argmax(-1) == kind).mean() > 0.95


def test_labels_and_boxes_are_of_what_the_mask_shows():
    result = made(20)
    for i, (boxes, labels) in enumerate(zip(result.boxes, result.labels, strict=True)):
        assert set(np.unique(result.mask[i])) - {0} == set(labels + 1)
        np.testing.assert_array_equal(
            np.flatnonzero(result.label[i]), np.unique(labels)
        )
        for kind in np.unique(labels):
            rows, columns = np.nonzero(result.mask[i] == kind + 1)
            of_class = boxes[labels == kind]
            np.testing.assert_array_equal(
                [*of_class[:, :2].min(0), *of_class[:, 2:].max(0)],
                [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1],
            )


def test_a_single_object_is_as_large_as_asked():
    result = made(10, count=(1, 1), size=(30, 30))
    for (box,) in result.boxes:
        # a disc of 30 pixels; its outermost rows may be less than half covered
        assert (np.abs(box[2:] - box[:2] - 30) <= 2).all()
        assert 0 <= box.min() and box.max() <= 96
    sides = [np.ptp(b.reshape(2, 2), 0).max() for (b,) in made(30, count=(1, 1)).boxes]
    assert min(sides) < 25 and max(sides) > 34


def test_objects_stay_visible_by_sixty_per_cent():
    """In a small scene discs must overlap; discs of 24 pixels are equal in area."""
    result = made(30, side=48, size=(24, 24), count=(3, 5))
    alone = made(1, side=48, size=(24, 24), count=(1, 1))
    area = np.count_nonzero(alone.mask)
    crowded = 0
    for mask, labels in zip(result.mask, result.labels, strict=True):
        if len(set(labels)) == len(labels):  # then a class is an object
            areas = np.bincount(mask.ravel(), minlength=4)[labels + 1]
            assert (areas >= 0.6 * area - 0.5).all()
            assert areas[-1] == area  # nothing lies on the last
            crowded += (areas < area).any()
    assert crowded


def test_the_number_of_objects_is_in_its_range():
    counts = [len(labels) for labels in made(40).labels]
    assert set(counts) == {2, 3, 4, 5}


def test_what_cannot_fit_is_left_out():
    result = made(2, side=20, size=(20, 20), count=(5, 5))
    assert [len(labels) for labels in result.labels] == [1, 1]


def test_the_edge_of_an_object_takes_no_colour_from_its_background():
    """A white disc from a black picture, pasted on white: the scene is all white."""
    sprite = discs()[0][0]
    white = 255 * sprite.mask[..., None].repeat(3, 2).astype(np.uint8)
    result = scenes.scene(
        np.random.default_rng(0),
        [np.full((64, 64, 3), 255, np.uint8)],
        [[scenes.Sprite(white, sprite.mask)]],
        side=64,
        size=(20, 45),
    )
    assert result.mask.any()
    assert result.image.min() >= 253


def test_photographs_are_cropped_and_small_ones_enlarged():
    ramp = np.zeros((40, 200, 3), np.uint8)
    ramp[..., 0] = np.arange(200)
    result = scenes.scene(
        np.random.default_rng(0), [ramp], discs(), side=40, count=(1, 1), size=(4, 4)
    )
    row = result.image[np.flatnonzero(~result.mask.any(1))[-1], :, 0].astype(int)
    assert (np.diff(row) == 1).all()
    result = scenes.scene(
        np.random.default_rng(0), [ramp], discs(), side=80, count=(1, 1), size=(4, 4)
    )
    row = result.image[np.flatnonzero(~result.mask.any(1))[-1], :, 0].astype(int)
    assert 38 <= row[-1] - row[0] <= 41 or row[0] == 0


def test_generated_parts_differ():
    for make in (scenes.generated_photos, scenes.generated_sprites):
        first, again = make(2, 0), make(2, 0)
        other, seeded = make(2, 0, 'test'), make(2, 1)
        one, same, two, three = (
            x[0] if isinstance(x[0], np.ndarray) else x[0][0].mask
            for x in (first, again, other, seeded)
        )
        np.testing.assert_array_equal(one, same)
        assert (one != two).any() and (one != three).any()


def test_generated_scenes_need_no_files():
    photos, sprites = scenes.generated_photos(2, 0), scenes.generated_sprites(5, 0)
    result = scenes.scenes(2, 0, photos, sprites, side=128)
    assert result.image.shape == (2, 128, 128, 3) and result.label.shape == (2, 5)
    assert all(photo.std() > 20 for photo in photos)


def test_embedded_digits_of_the_parts_differ():
    train, test = (
        scenes.digit_sprites(part, embedded=True, per_class=5) for part in scenes.PARTS
    )
    assert [len(class_sprites) for class_sprites in train] == [5] * 10
    known = {
        sprite.mask.tobytes() for class_sprites in train for sprite in class_sprites
    }
    assert not known & {
        sprite.mask.tobytes() for class_sprites in test for sprite in class_sprites
    }
    assert train[3][0].mask.max() <= 1 and train[3][0].image.max() >= 250
    assert (train[0][0].image != train[0][1].image).any()


def test_the_foreground_is_the_object_with_its_black_parts():
    rng = np.random.default_rng(0)
    image = rng.integers(20, 32, (64, 64, 1)).repeat(3, 2).astype(np.uint8)
    image[20:50, 10:40] = [40, 160, 40]
    image[23:37, 18:32] = 22  # a hole that closing leaves open
    image[40, 10:30] = 22  # a slit from the edge
    image[5:9, 55:59] = 200  # dirt
    image[20:50, 40:44] = [20, 38, 20]  # a dark side, but green
    mask = scenes.foreground(image)
    expected = np.zeros((64, 64), bool)
    expected[20:50, 10:44] = True
    assert np.mean(mask != expected) < 0.01
    assert mask[32, 22] and mask[40, 20] and mask[35, 42] and not mask[6, 56]
    with pytest.raises(ValueError, match='without a foreground'):
        scenes.foreground(np.full((8, 8, 3), 20, np.uint8))


def test_views_of_objects_alternate(tmp_path):
    folder = tmp_path / 'coil100'
    folder.mkdir()
    for number in (7, 12, 30):
        for degrees in (0, 15, 30, 45):
            page = np.zeros((24, 24, 3), np.uint8)
            page[6:18, 6:18] = 100 + degrees + number
            Image.fromarray(page).save(folder / f'obj{number}__{degrees}.png')
    train, test = (scenes.coil_sprites(part, 2, str(tmp_path)) for part in scenes.PARTS)
    assert [[int(s.image.max()) for s in class_sprites] for class_sprites in train] == [
        [107, 137],
        [112, 142],
    ]
    assert [[int(s.image.max()) for s in class_sprites] for class_sprites in test] == [
        [122, 152],
        [127, 157],
    ]
    assert train[0][0].mask.sum() == 144 - 4  # the square without its corners
    with pytest.raises(ValueError, match='objects 4: must be 1 to 3'):
        scenes.coil_sprites('train', 4, str(tmp_path))


def test_photographs_of_the_parts_differ(tmp_path):
    folder = tmp_path / 'bsds500' / 'train'
    folder.mkdir(parents=True)
    for i in range(8):
        Image.new('RGB', (9, 7), (i, 0, 0)).save(folder / f'{i}.jpg', quality=100)
    train, test = (scenes.bsds_photos(part, str(tmp_path)) for part in scenes.PARTS)
    assert (len(train), len(test)) == (6, 2)
    assert train[0].shape == (7, 9, 3)


def test_data_that_are_missing_are_named(tmp_path):
    for load, name in (
        (scenes.bsds_photos, 'bsds500'),
        (scenes.coil_sprites, 'coil100'),
        (scenes.digit_sprites, 'mnist'),
    ):
        with pytest.raises(data.MissingData, match=name):
            load('train', data_dir=str(tmp_path))


@pytest.mark.parametrize(
    'change, culprit',
    [
        ({'photos': []}, 'needs photographs'),
        ({'sprites': [discs()[0], []]}, 'a sprite of every class'),
        ({'count': (3, 2)}, r'count \(3, 2\)'),
        ({'count': (0, 2)}, r'count \(0, 2\)'),
        ({'size': (10, 65)}, r'size \(10, 65\).* 64'),
    ],
)
def test_what_cannot_be_made_is_named(change, culprit):
    options = {'photos': BLACK, 'sprites': discs(), 'side': 64, 'size': (10, 20)}
    with pytest.raises(ValueError, match=culprit):
        scenes.scene(np.random.default_rng(0), **{**options, **change})


def test_an_unknown_part_is_named():
    with pytest.raises(ValueError, match="part 'val': choose from train, test"):
        scenes.generated_photos(1, 0, 'val')
