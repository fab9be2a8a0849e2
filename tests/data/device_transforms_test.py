"""Transforms by JAX: what they do, and that they do it alike on host and device."""

import hashlib

import jax
import numpy as np
import pytest
from scipy import ndimage

from transfer_jax import data
from transfer_jax.data import device_transforms, transforms
from transfer_jax.training import feed, on_device

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (7, 6, 3), dtype=np.uint8)
PHOTOS = [RNG.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((7, 9), (10, 6))]


def _draws(transform, image=IMAGE, count=40, seed=5):
    """The image at `count` positions of a stream."""
    images = np.broadcast_to(image, (count, *image.shape))
    return transform.on_host(seed)(images, np.arange(count, dtype=np.uint32))


@pytest.mark.parametrize(
    ('transform', 'other'),
    [
        (device_transforms.flip(0.3), IMAGE[:, ::-1]),
        (device_transforms.invert(0.3), 255 - IMAGE),
    ],
    ids=['flip', 'invert'],
)
def test_some_images_change_as_said_and_the_others_do_not(transform, other):
    drawn = _draws(transform, count=200)
    same = [np.array_equal(image, IMAGE) for image in drawn]
    changed = [np.array_equal(image, other) for image in drawn]
    assert all(a != b for a, b in zip(same, changed, strict=True))
    assert 0.2 < np.mean(changed) < 0.4


def test_every_shift_comes_and_zeros_come_in():
    room = np.pad(IMAGE, ((1, 1), (1, 1), (0, 0)))
    wanted = {
        room[top : top + 7, left : left + 6].tobytes()
        for top in range(3)
        for left in range(3)
    }
    drawn = _draws(device_transforms.shift(1), count=100)
    assert {image.tobytes() for image in drawn} == wanted


def test_blends_are_with_crops_of_the_photographs():
    wanted = {
        transforms.difference(photo[top : top + 7, left : left + 6], IMAGE).tobytes()
        for photo in PHOTOS
        for top in range(photo.shape[0] - 6)
        for left in range(photo.shape[1] - 5)
    }
    drawn = _draws(device_transforms.blend(PHOTOS), count=100)
    assert {image.tobytes() for image in drawn} == wanted
    assert len(wanted) == 4 + 4
    grey = _draws(device_transforms.blend(PHOTOS), IMAGE[..., :1], count=3)
    assert grey.shape == (3, 7, 6, 3)


def test_photographs_must_cover_an_image():
    with pytest.raises(ValueError, match='give at least one photograph'):
        device_transforms.blend([])
    small = device_transforms.blend([*PHOTOS, PHOTOS[0][:5]])
    with pytest.raises(ValueError, match='has a side of 5 or 6 pixels, and the images'):
        _draws(small, count=1)


def _turned(image, angle):
    """By SciPy, bilinear in float64, with zeros outside."""
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = (np.array(image.shape[:2]) - 1) / 2
    channels = [
        ndimage.affine_transform(
            channel.astype(float), matrix, centre - matrix @ centre, order=1, cval=0
        )
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.stack(channels, -1)


def test_rotations_are_bilinear_about_the_centre():
    smooth = ndimage.gaussian_filter(
        RNG.uniform(0, 255, (12, 11, 1)), (2, 2, 0)
    ).astype(np.uint8)
    drawn = _draws(device_transforms.rotate(1), smooth, count=60)
    angles = np.radians(np.arange(-8, 9) / 8)
    inner = np.s_[2:-2, 2:-2]
    errors = [
        min(
            abs(_turned(smooth, a)[inner] - image[inner].astype(float)).max()
            for a in angles
        )
        for image in drawn
    ]
    assert max(errors) < 2
    assert len({image.tobytes() for image in drawn}) > 5


def test_a_quarter_turn_moves_every_pixel():
    square = IMAGE[:6]
    turn = device_transforms.rotate(90)
    for row, wanted in [
        (0, np.rot90(square, -1)),
        (-1, np.rot90(square)),
        (720, square),
    ]:
        only = turn.constants[row][None]
        made = jax.jit(turn.apply)(only, jax.random.key(0), square)
        np.testing.assert_array_equal(made, wanted)


def _stream(source, seed, size=4, **options):
    shift = device_transforms.shift(1)
    blend = device_transforms.chain(shift, device_transforms.blend(PHOTOS))
    make = {'batch_size': size, 'seed': seed, **options}
    return data.zipped(
        source=data.labelled(source, transform=device_transforms.rotate(15), **make),
        target=data.unlabelled(source, transform=blend, **make),
    )


@pytest.fixture(scope='module')
def source():
    image = RNG.integers(0, 256, (10, 7, 6, 3), dtype=np.uint8)
    return data.Arrays(image, np.arange(10) % 3)


def test_a_batch_made_on_the_device_has_the_bytes_of_the_host(source):
    streams = [_stream(source, seed) for seed in (0, 1)]
    both = on_device.place(feed.Stacked(streams), 'always')
    one = on_device.place(streams[1], 'always')
    make, make_one = (jax.jit(placed.resident.batch) for placed in (both, one))
    for t in (0, 5):
        made = make(*both.data, both.resident.rows(t), t)
        alone = make_one(*one.data, one.resident.rows(t), t)
        for number, stream in enumerate(streams):
            given = stream[t]
            for part in ('source', 'target'):
                image = given[part]['image']
                assert image.dtype == np.uint8
                np.testing.assert_array_equal(made[part]['image'][number], image)
                if number == 1:
                    np.testing.assert_array_equal(alone[part]['image'], image)


def test_an_image_changes_from_epoch_to_epoch_and_is_the_same_again(source):
    stream = _stream(source, 0)
    images = [stream[t]['source']['image'] for t in range(10)]
    assert len({image.tobytes() for batch in images for image in batch}) == 40
    np.testing.assert_array_equal(stream[7]['source']['image'], images[7])


def test_each_process_makes_its_own_rows(source):
    whole = _stream(source, 0)[3]
    parts = [_stream(source, 0).process_shard(i, 2)[3] for i in range(2)]
    for name in ('source', 'target'):
        joined = np.concatenate([part[name]['image'] for part in parts])
        np.testing.assert_array_equal(joined, whole[name]['image'])


def test_they_are_for_data_in_memory(source):
    class Files:
        def __len__(self):
            return 10

        def __getitem__(self, index):
            return source[index]

    with pytest.raises(ValueError, match="stream 'source': flip of data.device_tra"):
        data.labelled(Files(), batch_size=2, seed=0, transform=device_transforms.flip())


def test_the_bytes_are_those_of_before():
    """They decide the numbers of the demo, so a change of them is said knowingly."""
    warp = device_transforms.chain(
        device_transforms.rotate(15),
        device_transforms.shift(1),
        device_transforms.invert(0.5),
        device_transforms.flip(),
    )
    image = np.arange(7 * 6 * 3, dtype=np.uint8).reshape(7, 6, 3)
    photos = [
        np.full((8, 9, 3), 200, np.uint8),
        np.arange(189, dtype=np.uint8).reshape(7, 9, 3),
    ]
    drawn = _draws(
        device_transforms.chain(warp, device_transforms.blend(photos)), image
    )
    assert hashlib.sha256(drawn.tobytes()).hexdigest()[:16] == 'ff2289d800ed6fb1'
